"""A language model that answers prompts outside any game: its whole text is the answer."""

from __future__ import annotations

from typing import Protocol, cast

from game_reasoning_arena.agents.asking import Questions, Verdict
from game_reasoning_arena.agents.base_agent import Actor, Agent, Decision, PlayerSpec, Turn
from game_reasoning_arena.agents.parsing import CUT
from game_reasoning_arena.agents.thinking import separate
from game_reasoning_arena.records import CallKey, EpisodePlan, Message, Outcome, Reply


class Prompt(Protocol):
    """A prompt as the answering model sees it."""

    @property
    def turn(self) -> int:
        """The question's number in its episode."""
        ...

    def messages(self, system_prompt: str | None) -> tuple[Message, ...]:
        """Return the messages to send."""
        ...

    def read(self, reply: Reply) -> Verdict:
        """Return the verdict on a reply; must not raise."""
        ...

    def set_verdict(self, verdict: Verdict) -> None:
        """Receive the verdict."""
        ...


class PromptedAgent(Agent):
    """A language model for the length of a run; ``system_prompt`` is sent first if it is set."""

    def __init__(self, spec: PlayerSpec, *, questions: Questions) -> None:
        super().__init__(spec)
        self.questions = questions
        self.system_prompt: str | None = spec.options.get("system_prompt")

    def sit(self, plan: EpisodePlan, seat: int) -> PromptedActor:
        """Take a seat in an episode."""
        return PromptedActor(self, plan, seat)


class PromptedActor(Actor):
    """A language model answering one prompt."""

    def __init__(self, agent: PromptedAgent, plan: EpisodePlan, seat: int) -> None:
        self._agent = agent
        self._plan = plan
        self._seat = seat

    async def act(self, turn: Turn) -> Decision:
        """Ask once; the answer is in the record, the decision is none."""
        agent, prompt = self._agent, cast(Prompt, turn)
        messages = prompt.messages(agent.system_prompt)
        key = CallKey(episode=self._plan.episode, seat=self._seat, turn=turn.turn)
        prompt.set_verdict(await agent.questions.ask(self._plan, key, messages, prompt.read))
        return Decision(None)


def judge_text(reply: Reply) -> Verdict:
    """Return the verdict on a free answer: answered, refused, empty, or cut by the token limit."""
    visible, thoughts = separate(reply.text)
    reasoning = reply.reasoning if reply.reasoning is not None else thoughts
    if reply.refused:
        outcome = Outcome.REFUSED
    elif reply.finish_reason in CUT:
        outcome = Outcome.TRUNCATED
    elif not visible.strip():
        outcome = Outcome.EMPTY
    else:
        outcome = Outcome.ANSWERED
    return Verdict(outcome, reasoning=reasoning, visible=visible)
