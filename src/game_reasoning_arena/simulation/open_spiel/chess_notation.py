"""Chess moves in the ways that people and models write them, besides the engine's own SAN.

Understood are UCI (``e2e4``, ``e7e8q``), SAN with more or less detail than needed (``Ngf3``,
``Ng1f3``, ``Ng1-f3``), captures with or without x, promotions with or without =, castling with
zeros, check, mate and annotation marks, ``e.p.`` and move numbers. A text that fits several legal
moves gives them all: the caller treats that as ambiguous.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import pyspiel

from game_reasoning_arena.simulation.open_spiel.loading import State

_NUMBER = re.compile(r"^\d+\s*\.+\s*")
_EN_PASSANT = re.compile(r"(?<!\s)\s*e\.?p\.?$")
_MARKS = re.compile(r"[x:=+#!?()\-\u2013\s]")
_CASTLING = re.compile(r"^[0Oo]-?[0Oo](-?[0Oo])?$")
_LONG = re.compile(r"^([a-h][1-8])([a-h][1-8])([qrbn]?)$")


def _key(text: str) -> str:
    bare = _EN_PASSANT.sub("", _NUMBER.sub("", text.strip()).rstrip("+#!? "))
    if _CASTLING.match(bare):
        return "O" * sum(mark in "0Oo" for mark in bare)
    bare = _MARKS.sub("", bare)
    promotion = re.match(r"^([a-h].*[18])([QRBN])$", bare)
    return promotion[1] + promotion[2].lower() if promotion else bare


def _variants(name: str, long: str) -> set[str]:
    keys = {_key(name), long}
    squares = _LONG.match(long)
    if squares is None:
        return keys
    start, end, promotion = squares.groups()
    castling = name.startswith("O-O")
    piece = "K" if castling else name[0] if name[0] in "KQRBN" else ""
    origins = ("", start[0], start[1], start) if piece else (start,)
    keys |= {f"{piece}{origin}{end}{promotion}" for origin in origins}
    return keys


class ChessNames:
    """What the legal moves of a position may be called."""

    def __init__(self, state: State, legal_actions: Sequence[int]) -> None:
        board, seat = state.board(), state.current_player()
        self._found: dict[str, set[int]] = {}
        for action in legal_actions:
            long = pyspiel.chess.action_to_move(action, board).to_lan()
            for key in _variants(state.action_to_string(seat, action), long):
                self._found.setdefault(key, set()).add(action)

    def meant(self, text: str) -> Collection[int]:
        """The legal actions that ``text`` may stand for; empty if none."""
        return self._found.get(_key(text), ())
