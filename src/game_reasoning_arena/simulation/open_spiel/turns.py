"""A decision of an OpenSpiel game as one seat sees it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Protocol

from game_reasoning_arena.records import Move
from game_reasoning_arena.simulation.open_spiel.loading import State
from game_reasoning_arena.simulation.open_spiel.texts import Texts

if TYPE_CHECKING:
    from game_reasoning_arena.simulation.open_spiel.notations import Notation


class Playing(Protocol):
    """An episode in the making, as far as a turn needs it."""

    state: State
    texts: Texts
    moves: list[Move]
    turns: int


class SeatTurn:
    """One seat's turn; texts are computed on demand, before the state moves on."""

    __slots__ = ("_episode", "_notation", "legal_actions", "seat")

    def __init__(self, episode: Playing, seat: int, legal_actions: list[int]) -> None:
        self._episode = episode
        self.seat = seat
        self.legal_actions: Sequence[int] = legal_actions
        self._notation: Notation | None = None

    @property
    def state(self) -> State:
        """The engine's state, for engine-backed players, which must use only what they may know."""
        return self._episode.state

    @property
    def turn(self) -> int:
        """Number of decision nodes before this one in the episode."""
        return self._episode.turns

    @property
    def game(self) -> str:
        """The game's short name."""
        return self._episode.texts.name

    def action_text(self, action: int) -> str:
        """Return the engine's own name for an action of this seat."""
        return str(self.state.action_to_string(self.seat, action))

    def state_text(self) -> str:
        """Return the text that this seat may see."""
        return self._episode.texts.state(self.state, self.seat)

    def history(self) -> Sequence[str]:
        """Return all moves where information is perfect, else this seat's own."""
        return self._episode.texts.history(self._episode.moves, self.seat)

    def other_notation(self, text: str) -> Collection[int]:
        """Return the legal actions that a text may mean in another notation of the game."""
        if self._notation is None:
            from game_reasoning_arena.simulation.open_spiel.notations import Aliases, notation_for

            name = self._episode.texts.name
            found = notation_for(name, self.state, self.seat, self.legal_actions)
            self._notation = found or Aliases(())
        return self._notation.meant(text)

    def is_move(self, text: str) -> bool:
        """Return whether a text looks like a move of the game, legal or not."""
        from game_reasoning_arena.simulation.open_spiel.notations import names_a_move

        return names_a_move(self._episode.texts.name, text)
