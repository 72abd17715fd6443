"""Boards as text, with coordinates in the notation of the engine's action names."""

from __future__ import annotations

import re
from collections.abc import Callable

from game_reasoning_arena.errors import UserError
from game_reasoning_arena.simulation.open_spiel.loading import Game, State

#: What ``simulation.board`` takes: the engine's own text, a grid with coordinates, or for ``auto``
#: the grid where there is one.
BOARDS = ("auto", "plain", "grid")

Board = Callable[[State, int], str]


def _tic_tac_toe(state: State, seat: int) -> str:
    rows = str(state.observation_string(seat)).split()
    header = "  " + " ".join(str(column) for column in range(len(rows[0])))
    return "\n".join([header, *(f"{i} {' '.join(row)}" for i, row in enumerate(rows))])


def _connect_four(state: State, seat: int) -> str:
    rows = str(state.observation_string(seat)).split()
    header = " ".join(str(column) for column in range(len(rows[0])))
    return "\n".join([*(" ".join(row) for row in rows), header])


def _hex(state: State, seat: int) -> str:
    # The engine marks cells by their links to the edges (y, X, ...) only in another string_rep.
    rows = [line.split() for line in str(state.observation_string(seat)).split("\n")]
    rows = [row for row in rows if row]
    wide = len(str(len(rows)))
    header = " " * (wide + 1) + " ".join(_letter(column) for column in range(len(rows[0])))
    return "\n".join(
        [
            header,
            *(" " * i + f"{i + 1:>{wide}} " + " ".join(row) for i, row in enumerate(rows)),
        ]
    )


def _letter(column: int) -> str:
    return chr(ord("a") + column)


_FEN_BOARD = re.compile(r"^[pnbrqkPNBRQK1-8]+(/[pnbrqkPNBRQK1-8]+){7}$")


def _chess(state: State, seat: int) -> str:
    fen = str(state.observation_string(seat))
    placement = fen.split(" ", 1)[0]
    if not _FEN_BOARD.match(placement):
        return fen
    rows = [
        "".join("." * int(mark) if mark.isdigit() else mark for mark in row)
        for row in placement.split("/")
    ]
    lines = [f"{8 - i} {' '.join(row)}" for i, row in enumerate(rows)]
    return "\n".join([*lines, "  a b c d e f g h", f"FEN: {fen}"])


_GRIDS: dict[str, Board] = {
    "tic_tac_toe": _tic_tac_toe,
    "connect_four": _connect_four,
    "hex": _hex,
    "chess": _chess,
}


def board_for(name: str, board: str, game: Game) -> Board | None:
    """How to draw this game's board; None for the engine's own text.

    Raises:
        UserError: ``board`` is ``grid`` for a game without one.
    """
    if board == "plain":
        return None
    drawn = _GRIDS.get(name)
    if name == "hex" and game.get_parameters().get("string_rep", "standard") != "standard":
        drawn = None
    if drawn is None and board == "grid":
        raise UserError(
            f"simulation.board=grid: there is no grid for {name}. Games with one: "
            f"{', '.join(sorted(_GRIDS))}. Use auto or plain."
        )
    return drawn
