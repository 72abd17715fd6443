"""What a simulation knows of a player, and what a player knows of a backend."""

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

    ``options`` holds what is left of the agent's configuration (``template``, ``memory``, ...). A
    class of the user's own is made by ``make``, and ``type`` is its dotted name. ``notes`` are what
    its user should know of how it was resolved.
    """

    name: str
    type: str
    model: Model | None = None
    sampling: Sampling = field(default_factory=Sampling)
    options: Mapping[str, Any] = field(default_factory=dict)
    make: Constructor[Agent] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OnFailure:
    """What happens after an answer that is no legal move.

    The player is asked again up to ``rethinks`` times, told what was wrong if ``feedback``; after
    that ``policy`` decides.
    """

    policy: Literal["forfeit", "random", "raise"] = "forfeit"
    rethinks: int = 2
    feedback: bool = True


class Turn(Protocol):
    """A decision as one seat sees it; texts are computed when asked for."""

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
        """Decision nodes before this one, in this episode."""
        ...

    @property
    def legal_actions(self) -> Sequence[int]:
        """The engine's action numbers, ascending."""
        ...

    def action_text(self, action: int) -> str:
        """Return the engine's own name for an action of this seat."""
        ...

    def state_text(self) -> str:
        """Return what this seat is allowed to see, as text."""
        ...

    def history(self) -> Sequence[str]:
        """Return the moves that this seat knows of, oldest first; only ever appended to."""
        ...

    def other_notation(self, text: str) -> Collection[int]:
        """Return the legal actions that a text may mean in another notation (chess: UCI)."""
        ...

    def is_move(self, text: str) -> bool:
        """Return whether a text names a move of the game, legal or not, as far as words tell."""
        ...


@dataclass(frozen=True, slots=True)
class Decision:
    """What a player did: an action, or a forfeit."""

    action: int | None
    by: MoveBy = MoveBy.PLAYER
    forfeit: Forfeit | None = None


@lru_cache(maxsize=8192)
def played(action: int) -> Decision:
    """Return the player's own move; kept, as making one costs as much as a random move."""
    return Decision(action)


class Actor(ABC):
    """A player for the length of one episode, at one seat; holds what it remembers of it."""

    #: Whether ``ended`` is called.
    watches: ClassVar[bool] = False

    @abstractmethod
    async def act(self, turn: Turn) -> Decision:
        """Choose. Raises what the Asker raises, and PlayerFailure under the raise policy."""

    def ended(self, turn: Turn, record: EpisodeRecord) -> None:
        """Take note that the episode has ended: how it stands, seen from here, and its record."""


class Agent:
    """A player for the length of a run; without state that episodes could share.

    Authors of a player implement :meth:`decide`, or :meth:`sit` where it remembers something from
    turn to turn. The constructor is called before the run as well, to check the settings: what
    takes long or is held open belongs into :meth:`start`.
    """

    def __init__(self, spec: PlayerSpec) -> None:
        self.spec = spec

    @property
    def name(self) -> str:
        """The player's name, as in ``agents.player_0``."""
        return self.spec.name

    def decide(self, turn: Turn, plan: EpisodePlan) -> int | Awaitable[int]:
        """Return one of ``turn.legal_actions``; may be ``async def``.

        Other episodes go on while it waits, and wait while it computes: what takes long is awaited
        (``await asyncio.to_thread(...)``).
        """
        raise NotImplementedError(f"{type(self).__name__} implements neither decide nor sit")

    def sit(self, plan: EpisodePlan, seat: int) -> Actor:
        """Return the player at a seat for one episode."""
        return DecidingActor(self, plan)

    def numbers(self, turn: Turn, plan: EpisodePlan) -> Stream:
        """Return the random numbers for a turn: the same whenever the run is played."""
        return Stream(plan.seed, Purpose.PLAYER, plan.episode, turn.seat, turn.turn)

    async def start(self) -> None:
        """Make ready for the run (load a network, start a program). Called once before it."""

    def dice(self, plan: EpisodePlan, seat: int) -> Callable[[], int] | None:
        """64 random bits a call, where a uniform choice among the legal actions is all that this
        player does: ``legal[word * len(legal) >> 64]``; asked in place of ``sit``."""
        return None

    def facts(self) -> dict[str, Any]:
        """Return what became known of the player in this run, for ``run.json``."""
        return {}

    async def aclose(self) -> None:
        """Free what the player holds (engines, terminals)."""


class DecidingActor(Actor):
    """A player in one episode that decides each turn by itself."""

    __slots__ = ("_agent", "_plan")

    def __init__(self, agent: Agent, plan: EpisodePlan) -> None:
        self._agent = agent
        self._plan = plan

    async def act(self, turn: Turn) -> Decision:
        """Return what the agent decides.

        Raises:
            Fault: that is no legal action.
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
