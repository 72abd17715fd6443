"""Chess moves as people and models write them, besides the engine's own SAN.

Accepted are UCI (``e2e4``, ``e7e8q``, also in capitals), SAN with more or less detail than needed
(``Ngf3``, ``Ng1f3``, ``Ng1-f3``), figurines and names of pieces, captures with or without x,
promotions with or without =, castling with zeros or in words, check, mate and annotation marks,
``e.p.`` and move numbers. A text that fits several legal moves returns all of them; the caller
treats it as ambiguous.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import pyspiel

from game_reasoning_arena.agents.folding import folded
from game_reasoning_arena.simulation.open_spiel.loading import State

_NUMBER = re.compile(r"^\d*\s*\.+\s*")
_EN_PASSANT = re.compile(r"(?<!\s)\s*(?:e\.?p\.?|en passant)$", re.IGNORECASE)
_MARKS = re.compile(r"[x:/=+#!?()>\-\s]")
_CASTLING = re.compile(r"^[0Oo]-?[0Oo](-?[0Oo])?$")
_LONG = re.compile(r"^([a-h][1-8])([a-h][1-8])([qrbn]?)$")
_UPPER_LONG = re.compile(r"^[A-Ha-h][1-8][A-Ha-h][1-8][QRBNqrbn]?$")
_PROMOTION = re.compile(r"^([a-h].*[18])([QRBN])$")
_UPPER_SQUARES = re.compile(r"[A-H](?=[1-8])")
_UPPER_CAPTURE = re.compile(r"^([ACDEFGH])(?=X)")
_WORDS = re.compile(
    r"(king|queen|rook|bishop|knight|pawn)\s*|\s*\b(?:takes|captures|to|on|x)\b\s*|\s*(?:->|>)\s*",
    re.IGNORECASE,
)
_IN_WORDS = re.compile(
    r"^(?:castles?|castling)\s+\(?(king|queen|short|long)(?:-?\s?side)?\)?$"
    r"|^(king|queen|short|long)(?:-?\s?side)?\s+castl(?:e|es|ing)$",
    re.IGNORECASE,
)
#: Replacements: figurines of pieces (white, then black) and look-alikes of the letter O.
_LETTERS = str.maketrans(
    dict(zip("\u2654\u2655\u2656\u2657\u2658\u2659", "KQRBNP", strict=True))
    | dict(zip("\u265a\u265b\u265c\u265d\u265e\u265f", "KQRBNP", strict=True))
    | dict.fromkeys("\u041e\u043e\u039f\u03bf", "O")
    | {"\u0430": "a", "\u0441": "c", "\u0435": "e", "\u0412": "B", "\u041a": "K"}
)
_PIECES = {"king": "K", "queen": "Q", "rook": "R", "bishop": "B", "knight": "N", "pawn": ""}
_SHAPE = re.compile(r"OOO?|[KQRBN]?[a-h]?[1-8]?[a-h][1-8][qrbnk]?")
#: Longer texts are no moves.
_LONGEST = 40


def _key(text: str) -> str:
    plain = folded(text.translate(_LETTERS)).strip()
    bare = _EN_PASSANT.sub("", _NUMBER.sub("", plain).rstrip("+#!? "))
    if side := _IN_WORDS.match(bare):
        return "OO" if (side[1] or side[2]).lower() in ("king", "short") else "OOO"
    if _CASTLING.match("".join(bare.split())):
        return "O" * sum(mark in "0Oo" for mark in bare)
    bare = _WORDS.sub(lambda word: _PIECES[word[1].lower()] if word[1] else "", bare)
    bare = _MARKS.sub("", bare)
    if _UPPER_LONG.match(bare):
        return bare.lower()
    if bare[:1] != "B":  # B may be a bishop or a file
        bare = _UPPER_CAPTURE.sub(lambda found: found[1].lower(), bare).replace("X", "")
    if bare[:1] in "kqrn":  # none of these is a file
        bare = bare[:1].upper() + bare[1:]
    first = 1 if bare[:1] in "KQRN" else 0
    bare = bare[:first] + _UPPER_SQUARES.sub(lambda found: found[0].lower(), bare[first:])
    if bare[:1] == "P" and len(bare) > 2:
        bare = bare[1:]
    promotion = _PROMOTION.match(bare)
    return promotion[1] + promotion[2].lower() if promotion else bare


def looks_like_a_move(text: str) -> bool:
    """Return whether a text has the form of a chess move, legal or not."""
    return len(text) <= _LONGEST and bool(_SHAPE.fullmatch(_key(text)))


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
    """The names of a position's legal moves."""

    def __init__(self, state: State, legal_actions: Sequence[int]) -> None:
        board, seat = state.board(), state.current_player()
        self._found: dict[str, set[int]] = {}
        for action in legal_actions:
            long = pyspiel.chess.action_to_move(action, board).to_lan()
            for key in _variants(state.action_to_string(seat, action), long):
                self._found.setdefault(key, set()).add(action)

    def meant(self, text: str) -> Collection[int]:
        """Return the legal actions that ``text`` may stand for; empty if none."""
        return self._found.get(_key(text), ()) if len(text) <= _LONGEST else ()
