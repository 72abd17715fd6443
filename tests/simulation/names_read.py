"""Reading names of legal moves back, as a model would give them: plain and decorated."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from game_reasoning_arena.agents.asking import Verdict
from game_reasoning_arena.agents.base_agent import Agent, Decision, PlayerSpec, Turn
from game_reasoning_arena.agents.naming import Names
from game_reasoning_arena.agents.parsing import AnswerForm, judge
from game_reasoning_arena.agents.random_agent import RandomActor, RandomAgent
from game_reasoning_arena.agents.randomness import Stream
from game_reasoning_arena.records import EpisodePlan, EpisodeRecord, Outcome, Reply
from game_reasoning_arena.simulation.open_spiel.simulation import OpenSpielSimulation

#: What models put around a move in the declared line, by the form it is recorded as.
AROUND_LINE: dict[str, tuple[str, ...]] = {
    "emphasis": ("**Final Answer:** {}", "Final Answer: **{}**", "**Final Answer: {}**"),
    "code": ("Final Answer: `{}`", "`Final Answer: {}`"),
    "fenced": ("Final Answer:\n```\n{}\n```", "Final Answer:\n```text\n{}\n```\n"),
    "next_line": ("Final Answer:\n{}", "Final Answer:\n\n{}\n", "**Final Answer**\n\n{}"),
    "heading": ("### Final Answer: {}", "> Final Answer: {}", "1. Final Answer: {}"),
    "lead": ("So my Final Answer: {}", "Step 3: I am sure. Final Answer: {}"),
    "separator": (
        "Final Answer - {}",
        "Final Answer \u2014 {}",
        "Final Answer = {}",
        "The final answer is: {}",
        "My final answer is {}",
        "Final Answer is: **{}**",
    ),
    "bullet": ("Final Answer: - {}", "Final Answer: \u2022 {}", "Final Answer:\n- {}"),
    "boxed": (
        "Final Answer: \\boxed{{{}}}",
        "Final Answer: $\\boxed{{\\text{{{}}}}}$",
        "Final Answer: \\textbf{{{}}}",
        "Final Answer:\n\\[\n\\boxed{{{}}}\n\\]",
        "\\boxed{{Final Answer: {}}}",
    ),
    "quotes": (
        'Final Answer: "{}"',
        "Final Answer: '{}'",
        "Final Answer: \u201c{}\u201d",
        '"Final Answer: {}"',
    ),
    "brackets": ("Final Answer: <{}>", "Final Answer: [{}]", "(Final Answer: {})"),
    "tag": (
        "Final Answer: <move>{}</move>",
        "Final Answer: <b>{}</b>",
        "Final Answer: {}</s>",
        "Final Answer: {}<|im_end|>",
        "<answer>Final Answer: {}</answer>",
    ),
    "symbols": ("\u2705 Final Answer: {}", "\U0001f3af Final Answer: {} \U0001f3af"),
    "full_stop": ("Final Answer: {}.", "Final Answer: **{}**.", "Final Answer: {}\u3002"),
    "punctuation": ("Final Answer: {}!", "Final Answer: {},", "Final Answer: {};"),
    "lead_in": (
        "Final Answer: I play {}",
        "Final Answer: My move is {}.",
        "Final Answer: move: {}",
    ),
    "remark": (
        "Final Answer: {} (my best try)",
        "Final Answer: {} because everything else is worse.",
        "Final Answer: {} - this keeps the initiative",
        "Final Answer: {}\u2014this keeps the initiative",
        "Final Answer: `{}` (keeps the initiative)",
        "Final Answer: **{}** since it is strongest.",
        "Final Answer:\n{}\n\nThat keeps the initiative.",
    ),
    "case": ("FINAL  ANSWER  :  {}", "final answer: {}", "Final_Answer: {}"),
    "width": ("Final answer\uff1a{}",),
    "spacing": ("Final Answer:   {}  ", "Final Answer:\u00a0{}\u200b"),
}
#: The same around the value of ``action``.
AROUND_VALUE = ("**{}**", "`{}`", '"{}"', "{}.", "<{}>", "{}!", "I play {}", "{} (my best try)")
#: Objects around the name, as JSON texts write it.
AROUND_OBJECT = (
    '{{"reasoning": "so\nbe it", "action": {}}}',
    '{{"reasoning": "so be it", "action": {},}}',
    '{{"Reasoning": "it", "Action": {}}}',
    '{{"reasoning": "take the \\(n\\) one", "action": {}}}',
    "{{'reasoning': 'so be it', 'action': {}}}",
    '{{reasoning: "so be it", action: {}}}',
    '```json\n{{"reasoning": "so be it", "action": {}}}\n```',
    '{{"reasoning": "the "best" one", "action": {}}}',
)


Look = Callable[[Turn], None]


class _Looking(RandomActor):
    """Plays at random, and passes each turn to a callback."""

    def __init__(self, stream: Stream, look: Look) -> None:
        super().__init__(stream)
        self._look = look

    async def act(self, turn: Turn) -> Decision:
        self._look(turn)
        return await super().act(turn)


class _LookingAgent(RandomAgent):
    def __init__(self, name: str, seed: int, look: Look) -> None:
        super().__init__(PlayerSpec(name=name, type="random"), seed=seed)
        self._look = look

    def sit(self, plan: EpisodePlan, seat: int) -> RandomActor:
        return _Looking(super().sit(plan, seat)._stream, self._look)


def walk(simulation: OpenSpielSimulation, seed: int, look: Look) -> EpisodeRecord:
    """Play one random episode through the loop of every run; ``look`` sees each decision."""
    players = [f"player_{seat}" for seat in range(simulation.players)]
    agents: dict[str, Agent] = {name: _LookingAgent(name, seed, look) for name in players}
    (plan,) = simulation.plan(episodes=1, seed=seed, rotate=False, players=players)
    return asyncio.run(simulation.play(plan, agents, "test"))


@dataclass
class Seen:
    """What was read back: how many names, decisions by seat, and what was misread."""

    names: int = 0
    seats: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


class NameReader:
    """Reads every legal move of a turn back in every way; decorations take turns at random."""

    def __init__(self, seed: int) -> None:
        self.seen = Seen()
        self._rng = random.Random(seed)

    def read(self, turn: Turn) -> None:
        names = Names.of(turn)
        self.seen.seats[turn.seat] += 1
        self.seen.names += len(names.actions)
        if len(set(names.labels)) != len(names.labels):
            self.seen.wrong.append(f"two moves have one name: {names.labels}")
        if not isinstance(turn.state_text(), str):
            self.seen.wrong.append("no state as text")
        for action, label in zip(names.actions, names.labels, strict=True):
            self._expect(names, action, f"Well.\nFinal Answer: {label}", "line", exact=True)
            self._expect(names, action, _in_json(label), "json", exact=True)
            around = self._rng.choice(self._rng.choice(list(AROUND_LINE.values())))
            self._expect(names, action, around.format(label), "line")
            around = self._rng.choice(AROUND_OBJECT)
            self._expect(names, action, around.format(json.dumps(label)), "json")
            around = self._rng.choice(AROUND_VALUE)
            self._expect(names, action, _in_json(around.format(label)), "json")
            self._cased(names, action, self._rng.choice((label.upper(), label.lower())))

    def _expect(
        self, names: Names, action: int, text: str, form: AnswerForm, *, exact: bool = False
    ) -> None:
        verdict = _judged(names, text, form)
        if verdict.action != action or (exact and verdict.form != form):
            self._misread(names, action, text, verdict)

    def _cased(self, names: Names, action: int, cased: str) -> None:
        """Other letter case is forgiven where it is unambiguous, and never another move."""
        text = f"FINAL ANSWER: {cased}"
        verdict = _judged(names, text, "line")
        alike = [
            other
            for other, label in zip(names.actions, names.labels, strict=True)
            if label == cased
            or (cased not in names.labels and label.casefold() == cased.casefold())
        ]
        if alike == [verdict.action] if len(alike) == 1 else verdict.outcome is Outcome.UNPARSABLE:
            return
        self._misread(names, action, text, verdict)

    def _misread(self, names: Names, action: int, text: str, verdict: Verdict) -> None:
        self.seen.wrong.append(
            f"{text!r} for {names.label(action)!r} ({action}) was read as {verdict.action}: "
            f"{verdict.outcome}, {verdict.form}"
        )


def _in_json(label: str) -> str:
    return json.dumps({"reasoning": "so be it", "action": label})


def _judged(names: Names, text: str, form: AnswerForm) -> Verdict:
    return judge(Reply(text=text, finish_reason="stop"), form, names)
