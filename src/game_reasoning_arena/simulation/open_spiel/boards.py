"""Boards and tables as text, in the notation of the engine's action names.

They replace the engine's own text where it is hard to read: rows without coordinates or spaces
(tic-tac-toe, breakthrough), numbers run together (goofspiel's cards), a bare matrix.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import pyspiel

from game_reasoning_arena.errors import UserError
from game_reasoning_arena.simulation.open_spiel.loading import Game, State

#: Values of ``simulation.board``: the engine's own text, a grid with coordinates or labels, or the
#: grid where there is one (``auto``).
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
    # The engine shows how cells connect to the edges (y, X, ...) only with another string_rep.
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


def _breakthrough(state: State, seat: int) -> str:
    return "\n".join(" ".join(row) for row in str(state.observation_string(seat)).splitlines())


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


def _goofspiel(state: State, seat: int) -> str:
    fields = dict(
        line.split(":", 1) for line in str(state.observation_string(seat)).split("\n") if line
    )
    game = state.get_game()
    cards = range(1, game.get_parameters()["num_cards"] + 1)
    current = int(fields["Current point card"])
    dealt = [a.action + 1 for a in state.full_history() if a.player == pyspiel.PlayerId.CHANCE]
    order = game.get_parameters()["points_order"]
    coming = {
        "random": [card for card in cards if card != current and card not in dealt],
        "ascending": list(cards[current:]),
        "descending": list(cards[: current - 1])[::-1],
    }[order]
    won = [
        f"player {seat}" if int(seat) >= 0 else "nobody" for seat in fields["Win sequence"].split()
    ]
    lines = [
        f"Current point card: {current}",
        f"Point cards still to come: {_listed(coming)}",
        *(
            f"Bid cards of player {i}: {fields[f'P{i} hand'].strip() or 'none'}"
            for i in range(game.num_players())
        ),
        f"Point cards won so far, turn by turn: {', '.join(won) or 'none'}",
        "Points: "
        + ", ".join(f"player {i} has {n}" for i, n in enumerate(fields["Points"].split())),
    ]
    return "\n".join(lines)


def _listed(cards: Sequence[int]) -> str:
    return " ".join(str(card) for card in cards) or "none"


def _matrix(state: State, seat: int) -> str:
    """Draw player 0's actions as rows, player 1's as columns, and both returns in each cell."""
    if state.is_terminal():
        return str(state)
    game = state.get_game()
    columns = [game.col_action_name(column) for column in range(game.num_cols())]
    table = [["", *columns]]
    for row in range(game.num_rows()):
        cells = [
            f"{game.row_utility(row, column):g}, {game.col_utility(row, column):g}"
            for column in range(len(columns))
        ]
        table.append([game.row_action_name(row), *cells])
    wide = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
    return "\n".join(
        "  ".join(cell.ljust(w) for cell, w in zip(line, wide, strict=True)).rstrip()
        for line in table
    )


_GRIDS: dict[str, Board] = {
    "breakthrough": _breakthrough,
    "chess": _chess,
    "connect_four": _connect_four,
    "goofspiel": _goofspiel,
    "hex": _hex,
    "tic_tac_toe": _tic_tac_toe,
}


_LEDUC_ROUND = re.compile(r"\[(Round[12]): ([\d ]*)\]")
_LEDUC_ACTIONS = {"0": "Fold", "1": "Call", "2": "Raise"}


def _leduc_view(text: str) -> str:
    """Name the actions of each round as the legal moves are named."""

    def named(found: re.Match[str]) -> str:
        actions = (_LEDUC_ACTIONS.get(number, number) for number in found[2].split())
        return f"[{found[1]}: {', '.join(actions)}]"

    return _LEDUC_ROUND.sub(named, text)


def _dark_hex_view(text: str) -> str:
    """Remove the number of moves that both players have tried, which the game does not reveal."""
    return "\n".join(line for line in text.split("\n") if not line.isdigit())


def view_for(name: str, board: str, game: Game) -> Callable[[str], str] | None:
    """Return the function that changes a game's information state before it is shown, or None.

    What a seat may not know is removed on every board; names replace numbers on every board but
    the engine's own.
    """
    if name == "leduc_poker" and board != "plain":
        return _leduc_view
    if name == "dark_hex" and game.get_parameters()["obstype"] == "reveal-nothing":
        return _dark_hex_view
    return None


def board_for(name: str, board: str, game: Game) -> Board | None:
    """Return the function that draws this game's board; None for the engine's own text.

    Raises:
        UserError: ``board`` is ``grid`` and the game has no grid.
    """
    if board == "plain":
        return None
    drawn = _matrix if isinstance(game, pyspiel.MatrixGame) else _GRIDS.get(name)
    if name == "hex" and game.get_parameters().get("string_rep", "standard") != "standard":
        drawn = None
    if name == "goofspiel" and game.get_parameters()["imp_info"]:
        drawn = None
    if drawn is None and board == "grid":
        raise UserError(
            f"simulation.board=grid: there is no grid for {name}. Games with one: "
            f"{', '.join(sorted(_GRIDS))} and matrix games. Use auto or plain."
        )
    return drawn
