"""A player that is uniform over the legal moves."""

from __future__ import annotations

from collections.abc import Callable

from game_reasoning_arena.agents.base_agent import (
    Actor,
    Agent,
    Decision,
    PlayerSpec,
    Turn,
    played,
)
from game_reasoning_arena.agents.randomness import Purpose, Stream, words
from game_reasoning_arena.records import EpisodePlan


class RandomActor(Actor):
    """One stream of numbers per episode and seat."""

    __slots__ = ("_stream",)

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    async def act(self, turn: Turn) -> Decision:
        """Choose a legal action, all equally likely."""
        return played(self._stream.choose(turn.legal_actions))


class RandomAgent(Agent):
    """Uniform over the legal moves; ``seed`` is the run's."""

    def __init__(self, spec: PlayerSpec, *, seed: int) -> None:
        super().__init__(spec)
        self._seed = seed

    def sit(self, plan: EpisodePlan, seat: int) -> RandomActor:
        """Take a seat in an episode."""
        return RandomActor(Stream(self._seed, Purpose.PLAYER, plan.episode, seat))

    def dice(self, plan: EpisodePlan, seat: int) -> Callable[[], int] | None:
        """Return its actors' random bits; None for a subclass, which may decide otherwise."""
        if type(self) is not RandomAgent:
            return None
        return words(self._seed, Purpose.PLAYER, plan.episode, seat)
