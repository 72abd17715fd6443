"""A decision of an OpenSpiel game as one seat sees it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from game_reasoning_arena.records import Move
from game_reasoning_arena.simulation.open_spiel.loading import State
from game_reasoning_arena.simulation.open_spiel.texts import Texts


class SeatTurn:
    """One seat's turn; texts are computed when asked for, before the state moves on.

    ``state`` is for engine-backed players, which take care of hidden information themselves.
    """

    __slots__ = ("_moves", "legal_actions", "seat", "state", "texts", "turn")

    def __init__(
        self, texts: Texts, state: State, seat: int, turn: int, legal: list[int], moves: list[Move]
    ) -> None:
        self.texts = texts
        self.state = state
        self.seat = seat
        self.turn = turn
        self.legal_actions: Sequence[int] = legal
        self._moves = moves

    @property
    def game(self) -> str:
        """The game's short name."""
        return self.texts.name

    def action_text(self, action: int) -> str:
        """The engine's own name for an action of this seat."""
        return str(self.state.action_to_string(self.seat, action))

    def state_text(self) -> str:
        """What this seat is allowed to see."""
        return self.texts.state(self.state, self.seat)

    def history(self) -> Sequence[str]:
        """All moves where information is perfect, else this seat's own."""
        return self.texts.history(self._moves, self.seat)

    def other_notation(self, text: str) -> Collection[int]:
        """The legal actions that a text may mean in another notation of the game."""
        if self.texts.name == "chess":
            from game_reasoning_arena.simulation.open_spiel.chess_notation import meant

            return meant(self.state, self.legal_actions, text)
        return ()
