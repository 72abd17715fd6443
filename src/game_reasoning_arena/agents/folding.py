"""Replace look-alike characters one by one, so that positions in the text stay the same."""

from __future__ import annotations

import unicodedata

#: Spaces and marks without width, as ranges of code points.
_SPACES = (
    (0x00A0, 0x00A0),
    (0x1680, 0x1680),
    (0x2000, 0x200F),
    (0x2028, 0x202F),
    (0x205F, 0x2064),
    (0x3000, 0x3000),
    (0xFE0E, 0xFE0F),
    (0xFEFF, 0xFEFF),
)
_ALIKE = {
    "-": "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63",
    '"': "\u201c\u201d\u201e\u201f\u00ab\u00bb\u300c\u300d\u300e\u300f",
    "'": "\u2018\u2019\u201a\u201b\u2039\u203a",
    "<": "\u27e8\u3008\u300a",
    ">": "\u27e9\u3009\u300b\u2192\u21d2\u27f6\u2794\u279c\u27a1",
    "[": "\u3010\u3014",
    "]": "\u3011\u3015",
    "x": "\u00d7\u2715\u2716\u2a2f",
    "*": "\u2217\u204e",
    ".": "\u3002\u2026",
    ",": "\u3001",
    "/": "\u2044\u2215",
}


def _table() -> dict[int, str]:
    table = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
    for code in range(0x1D400, 0x1D800):  # letters and digits of mathematics
        plain = unicodedata.normalize("NFKC", chr(code))
        if len(plain) == 1 and plain.isascii():
            table[code] = plain
    for first, last in _SPACES:
        table.update(dict.fromkeys(range(first, last + 1), " "))
    for plain, marks in _ALIKE.items():
        table.update({ord(mark): plain for mark in marks})
    return table


_TABLE = _table()


def folded(text: str) -> str:
    """Return a text of the same length with plain letters, dashes, quotes and spaces."""
    return text if text.isascii() else text.translate(_TABLE)


def is_symbol(mark: str) -> bool:
    """Return whether a character is an emoji or the like, which no move contains.

    Chess pieces, card suits and dice (U+2654 to U+2685) are no symbols: they may name a move.
    """
    if mark.isascii() or "\u2654" <= mark <= "\u2685":
        return False
    return unicodedata.category(mark) in ("So", "Sk", "Cf", "Mn", "Me")
