"""Exact values of connect four by BitBully, an optional package with an opening book.

BitBully is under the AGPL-3.0; it is imported only when it is installed and asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

from game_reasoning_arena.simulation.open_spiel.evaluators.judging import Verdict, from_values
from game_reasoning_arena.simulation.open_spiel.evaluators.perfect import Moves
from game_reasoning_arena.simulation.open_spiel.loading import State

#: The game string that it solves: six rows, seven columns, four in a row.
GAME = "connect_four"
_REMEMBERED = 100_000


def installed() -> bool:
    """Return whether the package is installed."""
    return find_spec("bitbully") is not None


class ConnectFour:
    """Values every legal move: 1 a win, 0 a draw, -1 a loss."""

    name = "connect_four"

    def __init__(self) -> None:
        from bitbully import BitBully, Board

        self._solver = BitBully()
        self._board = Board
        self._known: dict[tuple[int, ...], list[float]] = {}

    def verdict(self, state: State, moves: Moves, at: int, forfeited: float) -> Verdict:
        """Return exact values of all legal moves."""
        values = self._values(state)
        return from_values(moves.actions, moves.texts, values, at, forfeited=forfeited)

    def outcomes(self, state: State, moves: Moves) -> Sequence[float] | None:
        """Return None: the game has no chance."""
        return None

    def value(self, state: State) -> float:
        """Return the value of the start to player 0, who moves first."""
        return max(self._values(state))

    def facts(self) -> dict[str, Any]:
        """Return the solver and its version."""
        try:
            found = version("bitbully")
        except PackageNotFoundError:
            found = None
        return {"method": "alpha-beta search to the end with an opening book", "bitbully": found}

    def close(self) -> None:
        """Do nothing; only memory is held."""

    def _values(self, state: State) -> list[float]:
        played = tuple(state.history())
        known = self._known.get(played)
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            scores = self._solver.score_all_moves(self._board(list(played)))
            known = [_sign(scores[action]) for action in state.legal_actions()]
            self._known[played] = known
        return known


def _sign(score: int) -> float:
    return float((score > 0) - (score < 0))
