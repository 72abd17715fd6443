"""A language model at a seat: ask, read the declared answer, ask again, then apply the policy.

Prompts only grow at their end (rules, then moves so far, then the state), so that engines can reuse
the computation for their beginning.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from game_reasoning_arena.agents.asking import Questions, Verdict
from game_reasoning_arena.agents.base_agent import (
    Actor,
    Agent,
    Decision,
    OnFailure,
    PlayerSpec,
    Turn,
    played,
)
from game_reasoning_arena.agents.naming import Names
from game_reasoning_arena.agents.parsing import AnswerForm, judge
from game_reasoning_arena.agents.prompting import Template, load_template
from game_reasoning_arena.agents.randomness import Purpose, Stream
from game_reasoning_arena.errors import PlayerFailure
from game_reasoning_arena.process.profiling import part
from game_reasoning_arena.records import (
    CallKey,
    Constraint,
    EpisodePlan,
    Forfeit,
    Message,
    MoveBy,
    Outcome,
    Reply,
)

#: The most characters of an answer that feedback quotes, and the most moves that it names.
_LONGEST_QUOTED = 200
_FITS_NAMED = 8


class LLMAgent(Agent):
    """A language model for the length of a run.

    Args:
        spec: its ``options`` are the fields of ``schema.LLMAgentConf``.
        questions: asks the model and writes the records.
        seed: the run's seed.
        on_failure: the policy after an answer that is no legal move.
        game: the game's short name.
        rules: the rules that the model is shown; None for none.

    Raises:
        UserError: the template is wrong.
    """

    def __init__(
        self,
        spec: PlayerSpec,
        *,
        questions: Questions,
        seed: int,
        on_failure: OnFailure,
        game: str,
        rules: str | None,
    ) -> None:
        super().__init__(spec)
        options = spec.options
        self.questions = questions
        self.seed = seed
        self.on_failure = on_failure
        self.game = game
        self.rules = rules
        self.template: Template = load_template(str(options.get("template") or "line"))
        self.system_prompt: str | None = options.get("system_prompt")
        self.memory = bool(options.get("memory", False))
        self.votes = int(options.get("votes", 1))
        self.constrained = bool(options.get("constrain_to_legal", False))
        self.show_legal_moves = bool(options.get("show_legal_moves", True))

    @property
    def answer_form(self) -> AnswerForm:
        """The form of answer that the template asks for."""
        return self.template.answer_form

    def facts(self) -> dict[str, Any]:
        """Return the text of the prompt template, since its file may change."""
        template = self.template
        return {
            "template": {
                "name": template.name,
                "answer_form": self.answer_form,
                "sources": template.sources,
            }
        }

    def sit(self, plan: EpisodePlan, seat: int) -> LLMActor:
        """Take a seat in an episode."""
        return LLMActor(self, plan, seat)


class LLMActor(Actor):
    """A language model in one episode; with memory it keeps the conversation."""

    def __init__(self, agent: LLMAgent, plan: EpisodePlan, seat: int) -> None:
        self._agent = agent
        self._plan = plan
        self._seat = seat
        self._conversation: tuple[Message, ...] = ()
        self._told = 0

    async def act(self, turn: Turn) -> Decision:
        """Ask until the answer is a legal move or the rethinks are used up."""
        agent = self._agent
        with part("engine"):
            names = Names.of(turn)
            values = self._values(turn, names)
        messages = self._conversation
        if not messages:
            messages = (_message("system", agent.template.render("system", values)),)
        messages = _with_user(messages, agent.template.render("user", values))
        constraint = constraint_for(names, agent.answer_form) if agent.constrained else None
        attempt = 0
        while True:
            verdict = await self._attempt(turn, attempt, messages, names, constraint)
            if verdict.outcome is Outcome.LEGAL:
                self._remember(turn, (*messages, _message("assistant", verdict.visible)))
                assert verdict.action is not None
                return played(verdict.action)
            if attempt >= agent.on_failure.rethinks or verdict.outcome is Outcome.CONTEXT_OVERFLOW:
                break
            attempt += 1
            if agent.on_failure.feedback:
                messages = self._with_feedback(messages, values, verdict)
        if verdict.visible.strip():
            messages = (*messages, _message("assistant", verdict.visible))
        self._remember(turn, messages)
        return self._failed(turn, verdict.outcome)

    def _values(self, turn: Turn, names: Names) -> dict[str, Any]:
        agent = self._agent
        history = turn.history()
        return {
            "game": agent.game,
            "rules": agent.rules.strip() if agent.rules else None,
            "system_prompt": agent.system_prompt,
            "seat": self._seat,
            "seats": len(self._plan.seats),
            "turn": turn.turn,
            "history": list(history[self._told :] if agent.memory else history),
            "state": turn.state_text().strip("\n"),
            "legal_moves": list(names.labels),
            "show_legal_moves": agent.show_legal_moves,
            "memory": agent.memory,
            "failure": None,
            "answer": None,
            "fits": [],
        }

    async def _attempt(
        self,
        turn: Turn,
        attempt: int,
        messages: tuple[Message, ...],
        names: Names,
        constraint: Constraint | None,
    ) -> Verdict:
        agent = self._agent

        def judged(reply: Reply) -> Verdict:
            return judge(reply, agent.answer_form, names)

        def asked(sample: int) -> Any:
            key = CallKey(
                episode=self._plan.episode,
                seat=self._seat,
                turn=turn.turn,
                attempt=attempt,
                sample=sample,
            )
            return agent.questions.ask(self._plan, key, messages, judged, constraint)

        if agent.votes == 1:
            verdict: Verdict = await asked(0)
            return verdict
        results = await asyncio.gather(
            *(asked(sample) for sample in range(agent.votes)), return_exceptions=True
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result
        verdicts = [result for result in results if isinstance(result, Verdict)]
        stream = Stream(
            agent.seed, Purpose.VOTE, self._plan.episode, self._seat, turn.turn, attempt
        )
        return elect(verdicts, stream)

    def _with_feedback(
        self, messages: tuple[Message, ...], values: dict[str, Any], verdict: Verdict
    ) -> tuple[Message, ...]:
        feedback_values = {
            "failure": verdict.outcome.value,
            "answer": _quoted(verdict.answer),
            "fits": list(verdict.fits[:_FITS_NAMED]),
        }
        feedback = self._agent.template.render("feedback", {**values, **feedback_values})
        if verdict.visible.strip():  # providers refuse empty messages
            messages = (*messages, _message("assistant", verdict.visible))
        return _with_user(messages, feedback)

    def _remember(self, turn: Turn, messages: tuple[Message, ...]) -> None:
        if self._agent.memory:
            self._conversation = messages
            self._told = len(turn.history())

    def _failed(self, turn: Turn, outcome: Outcome) -> Decision:
        agent = self._agent
        policy = agent.on_failure.policy
        if policy == "raise":
            raise PlayerFailure(
                f"{agent.name} gave no legal move in episode {self._plan.episode}, turn "
                f"{turn.turn}: the last answer was {outcome.value}. The answers are in "
                "responses.jsonl; on_failure.policy=forfeit would go on."
            )
        if policy == "random":
            stream = Stream(
                agent.seed, Purpose.SUBSTITUTE, self._plan.episode, self._seat, turn.turn
            )
            legal = turn.legal_actions
            return Decision(legal[stream.below(len(legal))], by=MoveBy.SUBSTITUTE)
        return Decision(None, forfeit=Forfeit(seat=self._seat, player=agent.name, cause=outcome))


def _quoted(answer: str | None) -> str | None:
    """Return an answer for quotation: on one line, shortened if it is long."""
    if answer is None:
        return None
    line = " ".join(answer.split())
    return line if len(line) <= _LONGEST_QUOTED else line[:_LONGEST_QUOTED] + " ..."


def _message(role: str, content: str) -> Message:
    return {"role": role, "content": content}


def _with_user(messages: tuple[Message, ...], content: str) -> tuple[Message, ...]:
    """Return the messages with another user message; merged, as chats refuse two in a row."""
    if messages[-1]["role"] != "user":
        return (*messages, _message("user", content))
    return (*messages[:-1], _message("user", f"{messages[-1]['content']}\n\n{content}"))


def elect(verdicts: Sequence[Verdict], stream: Stream) -> Verdict:
    """Return the majority of the legal answers, ties at random; the first failure if none is.

    Source: self-consistency, Wang et al. 2023, "Self-Consistency Improves Chain of Thought
    Reasoning in Language Models".
    """
    votes = Counter(v.action for v in verdicts if v.outcome is Outcome.LEGAL)
    if not votes:
        return verdicts[0]
    most = max(votes.values())
    tied = sorted(action for action, n in votes.items() if n == most and action is not None)
    chosen = tied[stream.below(len(tied))] if len(tied) > 1 else tied[0]
    return next(v for v in verdicts if v.action == chosen)


def constraint_for(names: Names, form: AnswerForm) -> Constraint:
    """Return the complete answers that name a legal action, in the declared form."""
    if form == "json":
        return Constraint(
            choices=tuple(
                json.dumps({"action": label}, ensure_ascii=False) for label in names.labels
            ),
            json_schema={
                "type": "object",
                "properties": {"action": {"type": "string", "enum": list(names.labels)}},
                "required": ["action"],
                "additionalProperties": False,
            },
        )
    return Constraint(choices=tuple(f"Final Answer: {label}" for label in names.labels))
