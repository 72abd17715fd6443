"""Base of players that use the engine: they choose off the event loop, with their own seeds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from time import perf_counter

from game_reasoning_arena.agents.base_agent import Actor, Agent, Decision, PlayerSpec, Turn, played
from game_reasoning_arena.agents.randomness import Purpose, Stream, derive
from game_reasoning_arena.errors import UserError
from game_reasoning_arena.process.profiling import spent
from game_reasoning_arena.records import EpisodePlan
from game_reasoning_arena.simulation.open_spiel.turns import SeatTurn


class EngineAgent(Agent, ABC):
    """A player that needs the engine's state; ``seed`` is the run's."""

    def __init__(self, spec: PlayerSpec, *, seed: int) -> None:
        super().__init__(spec)
        self.seed = seed

    def sit(self, plan: EpisodePlan, seat: int) -> EngineActor:
        """Take a seat in an episode."""
        return EngineActor(self, plan, seat)

    @abstractmethod
    async def choose(self, turn: SeatTurn, plan: EpisodePlan) -> int:
        """Return a legal action."""

    def number(self, turn: SeatTurn, plan: EpisodePlan) -> int:
        """Return a seed of 31 bits for this turn."""
        return derive(self.seed, Purpose.ENGINE, plan.episode, turn.seat, turn.turn, bits=31)

    def stream(self, turn: SeatTurn, plan: EpisodePlan) -> Stream:
        """Return random numbers for this turn."""
        return Stream(self.seed, Purpose.ENGINE, plan.episode, turn.seat, turn.turn)


class EngineActor(Actor):
    """An engine-backed player in one episode."""

    def __init__(self, agent: EngineAgent, plan: EpisodePlan, seat: int) -> None:
        self._agent = agent
        self._plan = plan
        self._seat = seat

    async def act(self, turn: Turn) -> Decision:
        """Choose a move, in a thread where it takes long."""
        if not isinstance(turn, SeatTurn):
            raise UserError(f"agents.{self._agent.name} plays games of OpenSpiel only.")
        began = perf_counter()
        action = await self._agent.choose(turn, self._plan)
        spent("search", perf_counter() - began)
        return played(action)


def pick(weighted: Sequence[tuple[int, float]], stream: Stream) -> int:
    """Draw an action by its probability; probabilities sum to 1 up to rounding."""
    at = stream.random() * sum(weight for _, weight in weighted)
    for action, weight in weighted:
        at -= weight
        if at < 0:
            return action
    return max(weighted, key=lambda pair: pair[1])[0]
