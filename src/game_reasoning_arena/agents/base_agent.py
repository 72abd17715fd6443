"""The interface between simulations and players."""

from __future__ import annotations

import reprlib
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from inspect import isawaitable
from typing import Any, ClassVar, Literal, Protocol

from game_reasoning_arena.agents.randomness import Purpose, Stream
from game_reasoning_arena.errors import Fault
from game_reasoning_arena.process.targets import Constructor
from game_reasoning_arena.records import (
    EpisodePlan,
    EpisodeRecord,
    Forfeit,
    Model,
    MoveBy,
    ResponseRecord,
    Sampling,
)

Recorder = Callable[[ResponseRecord], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class PlayerSpec:
    """A player as configured, everything resolved.

    ``options`` holds the rest of the agent's configuration (``template``, ``memory``, ...). For a
    class of the user's own, ``make`` constructs it and ``type`` is its dotted name.
    ``display_name`` is its name in tables, None for its model's. ``notes`` are sentences for the
    user about how it was resolved.
    """

    name: str
    type: str
    model: Model | None = None
    sampling: Sampling = field(default_factory=Sampling)
    options: Mapping[str, Any] = field(default_factory=dict)
    display_name: str | None = None
    make: Constructor[Agent] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OnFailure:
    """The policy after an answer that is no legal move.

    The player is asked again up to ``rethinks`` times, with the reason if ``feedback`` is true;
    then ``policy`` decides.
    """

    policy: Literal["forfeit", "random", "raise"] = "forfeit"
    rethinks: int = 2
    feedback: bool = True


class Turn(Protocol):
    """A decision as one seat sees it; texts are computed on demand."""

    @property
    def game(self) -> str:
        """The game's short name."""
        ...

    @property
    def seat(self) -> int:
        """The seat that is asked."""
        ...

    @property
    def turn(self) -> int:
        """Number of decision nodes before this one in the episode."""
        ...

    @property
    def legal_actions(self) -> Sequence[int]:
        """The engine's action numbers, ascending."""
        ...

    def action_text(self, action: int) -> str:
        """Return the engine's own name for an action of this seat."""
        ...

    def state_text(self) -> str:
        """Return the text that this seat may see."""
        ...

    def history(self) -> Sequence[str]:
        """Return the moves that this seat knows of, oldest first; it only grows at its end."""
        ...

    def other_notation(self, text: str) -> Collection[int]:
        """Return the legal actions that a text may mean in another notation (chess: UCI)."""
        ...

    def is_move(self, text: str) -> bool:
        """Return whether a text looks like a move of the game, legal or not."""
        ...


@dataclass(frozen=True, slots=True)
class Decision:
    """A player's decision: an action, or a forfeit."""

    action: int | None
    by: MoveBy = MoveBy.PLAYER
    forfeit: Forfeit | None = None


@lru_cache(maxsize=8192)
def played(action: int) -> Decision:
    """Return the player's own move; kept, as making one costs as much as a random move."""
    return Decision(action)


class Actor(ABC):
    """A player at one seat for one episode; holds what it remembers of the episode."""

    #: Whether ``ended`` is to be called.
    watches: ClassVar[bool] = False

    @abstractmethod
    async def act(self, turn: Turn) -> Decision:
        """Choose an action or forfeit.

        Raises:
            BackendError, BudgetReached, Interrupted: as the Asker raises them.
            PlayerFailure: no legal move, under the policy ``raise``.
        """

    def ended(self, turn: Turn, record: EpisodeRecord) -> None:
        """Receive the end of the episode: the last state as this seat sees it, and the record."""


class Agent:
    """A player for a whole run; holds nothing that episodes could share.

    Implement :meth:`decide`, or :meth:`sit` for a player that remembers something between turns.
    The constructor is also called before the run, to check the settings. Slow work, and resources
    that stay open, belong into :meth:`start`.
    """

    def __init__(self, spec: PlayerSpec) -> None:
        self.spec = spec

    @property
    def name(self) -> str:
        """The player's name, as in ``agents.player_0``."""
        return self.spec.name

    def decide(self, turn: Turn, plan: EpisodePlan) -> int | Awaitable[int]:
        """Return one of ``turn.legal_actions``; may be ``async def``.

        Other episodes continue while it awaits, but not while it computes: await slow work with
        ``await asyncio.to_thread(...)``.
        """
        raise NotImplementedError(f"{type(self).__name__} implements neither decide nor sit")

    def sit(self, plan: EpisodePlan, seat: int) -> Actor:
        """Return the player at a seat for one episode."""
        return DecidingActor(self, plan)

    def numbers(self, turn: Turn, plan: EpisodePlan) -> Stream:
        """Return the random numbers of a turn: the same in every run with this seed."""
        return Stream(plan.seed, Purpose.PLAYER, plan.episode, turn.seat, turn.turn)

    async def start(self) -> None:
        """Prepare for the run (load a network, start a program). Called once before it."""

    def dice(self, plan: EpisodePlan, seat: int) -> Callable[[], int] | None:
        """Return a source of 64 random bits per call if the player is uniformly random, else None.

        It then plays ``legal[word * len(legal) >> 64]``, and ``sit`` is not called.
        """
        return None

    def facts(self) -> dict[str, Any]:
        """Return what became known about the player in this run, for ``run.json``."""
        return {}

    async def aclose(self) -> None:
        """Free the player's resources (engines, terminals)."""


class DecidingActor(Actor):
    """A player that decides each turn by itself, for one episode."""

    __slots__ = ("_agent", "_plan")

    def __init__(self, agent: Agent, plan: EpisodePlan) -> None:
        self._agent = agent
        self._plan = plan

    async def act(self, turn: Turn) -> Decision:
        """Return the agent's decision.

        Raises:
            Fault: the agent returned no legal action.
        """
        decided = self._agent.decide(turn, self._plan)
        action = await decided if isawaitable(decided) else decided
        if (
            isinstance(action, bool)
            or not isinstance(action, int)
            or action not in turn.legal_actions
        ):
            raise Fault(
                f"agents.{self._agent.name}: {type(self._agent).__name__}.decide returned "
                f"{reprlib.repr(action)} in turn {turn.turn} of {turn.game}; it must return one of "
                f"turn.legal_actions: {reprlib.repr(list(turn.legal_actions))}."
            )
        return played(action)
