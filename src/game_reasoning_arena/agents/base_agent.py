"""What a simulation knows of a player, and what a player knows of a backend."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, ClassVar, Literal, Protocol

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

    ``options`` holds what is left of the agent's configuration (``template``, ``memory``, ...).
    """

    name: str
    type: str
    model: Model | None = None
    sampling: Sampling = field(default_factory=Sampling)
    options: Mapping[str, Any] = field(default_factory=dict)


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
        """The engine's own name for an action of this seat."""
        ...

    def state_text(self) -> str:
        """What this seat is allowed to see."""
        ...

    def history(self) -> Sequence[str]:
        """The moves that this seat knows of, oldest first; only ever appended to."""
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
    """The player's own move; kept, since making a frozen object costs as much as a random move."""
    return Decision(action)


class Actor(ABC):
    """A player for the length of one episode, at one seat; holds what it remembers of it."""

    #: Whether ``ended`` is called.
    watches: ClassVar[bool] = False

    @abstractmethod
    async def act(self, turn: Turn) -> Decision:
        """Choose. Raises what the Asker raises, and PlayerFailure under the raise policy."""

    def ended(self, turn: Turn, record: EpisodeRecord) -> None:
        """The episode has ended: how it stands, as this seat sees it, and what came of it."""


class Agent(ABC):
    """A player for the length of a run; without state that episodes could share."""

    def __init__(self, spec: PlayerSpec) -> None:
        self.spec = spec

    @property
    def name(self) -> str:
        """The player's name, as in ``agents.player_0``."""
        return self.spec.name

    @abstractmethod
    def sit(self, plan: EpisodePlan, seat: int) -> Actor:
        """Take a seat in an episode."""

    def dice(self, plan: EpisodePlan, seat: int) -> Callable[[], int] | None:
        """64 random bits a call, where a uniform choice among the legal actions is all that this
        player does: ``legal[word * len(legal) >> 64]``; asked in place of ``sit``."""
        return None

    def facts(self) -> dict[str, Any]:
        """What became known of the player in this run, for ``run.json``."""
        return {}

    async def aclose(self) -> None:
        """Free what the player holds (engines, terminals)."""
