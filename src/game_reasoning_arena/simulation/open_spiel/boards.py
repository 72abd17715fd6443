"""Boards as text, in the coordinates of the engine's action names."""

from __future__ import annotations

from collections.abc import Callable

from game_reasoning_arena.simulation.open_spiel.loading import Game, State

#: What ``simulation.board`` takes.
BOARDS = ("auto", "plain", "grid")

Board = Callable[[State, int], str]


def board_for(name: str, board: str, game: Game) -> Board | None:
    """How to draw this game's board; None for the engine's own text."""
    return None
