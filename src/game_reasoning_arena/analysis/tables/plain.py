"""Text of others made harmless to look at, in a terminal, a plot, a paper or a page."""

from __future__ import annotations


def plain(text: str) -> str:
    """Control characters and those that turn text around, shown by number: ``[U+202E]``.

    A terminal would obey them, XML and TeX would refuse them, and a reader would be misled by them.
    Line ends and tabs stay.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(f"[U+{ord(c):04X}]" if _hidden(c) else c for c in text)


def _hidden(character: str) -> bool:
    code = ord(character)
    return (
        (code < 32 and character not in "\n\t")
        or 0x7F <= code < 0xA0
        or code in (0x061C, 0xFEFF)
        or 0x200B <= code <= 0x200F
        or 0x2028 <= code <= 0x202E
        or 0x2060 <= code <= 0x2069
        or 0xD800 <= code <= 0xDFFF
    )
