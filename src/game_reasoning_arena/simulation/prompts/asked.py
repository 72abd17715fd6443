"""A prompt as an agent sees it, and the verdict on its answer."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from msgspec.structs import replace

from game_reasoning_arena.agents.asking import Verdict
from game_reasoning_arena.agents.prompted_agent import judge_text
from game_reasoning_arena.errors import ScorerFailure
from game_reasoning_arena.records import Message, Reply
from game_reasoning_arena.simulation.prompts.questions import Question
from game_reasoning_arena.simulation.prompts.scorers.base import Scored


class PromptTurn:
    """A prompt at one seat; no answer is legal or illegal.

    Attributes:
        verdict: the verdict on the answer, once there is one.
        failure: the error of a user's scorer that could not score it.
    """

    def __init__(self, question: Question, seat: int) -> None:
        self.game = "prompts"
        self.seat = seat
        self.turn = 0
        self.legal_actions: Sequence[int] = ()
        self.question = question
        self.verdict: Verdict | None = None
        self.failure: ScorerFailure | None = None
        self._later: Scored | None = None

    @property
    def score(self) -> float | None:
        """The answer's score; None where it is not known."""
        if self._later is not None:
            return self._later.score
        return None if self.verdict is None else self.verdict.score

    @property
    def answer(self) -> str | None:
        """The answer in its plainest form."""
        if self._later is not None and self._later.answer is not None:
            return self._later.answer
        return None if self.verdict is None else self.verdict.answer_text

    def messages(self, system_prompt: str | None) -> tuple[Message, ...]:
        """Return the messages to send: system prompts, examples, the question."""
        asked = self.question.messages
        own = self.question.item.system
        system = "\n\n".join(text for text in (system_prompt, own) if text)
        if not system:
            return asked
        if asked[0]["role"] == "system":  # the row is a conversation with one of its own
            system, asked = f"{system}\n\n{asked[0]['content']}", asked[1:]
        return ({"role": "system", "content": system}, *asked)

    def read(self, reply: Reply) -> Verdict:
        """Return the verdict on a reply; keep an error of a user's scorer for later."""
        question = self.question
        if question.scorer is None:
            return judge_text(reply)
        try:
            return question.scorer.judge(reply, question.item, question.key)
        except ScorerFailure as error:
            self.failure = error
            return replace(judge_text(reply), scored_as=f"{question.scorer.name}:failed")

    def set_verdict(self, verdict: Verdict) -> None:
        """Store the verdict; a missing answer scores 0."""
        scorer = self.question.scorer
        unread = verdict.score is None and verdict.answer is None and self.failure is None
        if scorer is not None and unread:
            verdict = replace(verdict, score=0.0, scored_as=f"{scorer.name}:{verdict.outcome}")
        self.verdict = verdict

    def set_score(self, scored: Scored | None) -> None:
        """Store a score that came later."""
        self._later = scored

    def action_text(self, action: int) -> str:
        """Raise LookupError: prompts have no actions."""
        raise LookupError(f"prompts have no action {action}")

    def state_text(self) -> str:
        """Return the question as it is sent."""
        return self.question.messages[-1]["content"]

    def history(self) -> Sequence[str]:
        """Return nothing: there is no history."""
        return ()

    def other_notation(self, text: str) -> Collection[int]:
        """Return nothing: there are no actions."""
        return ()

    def is_move(self, text: str) -> bool:
        """Return False: there are no actions."""
        return False
