"""Text for people: foreign text made harmless to show, write and open, and long lists cut."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

_T = TypeVar("_T")


def in_unicode(text: str) -> str:
    """Return the text with half characters replaced, which JSON can hold and files cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def as_cell(value: _T) -> _T | str:
    """Return a value for a CSV file; a quote is put before a text that a spreadsheet would
    evaluate.

    Numbers stay as they are, also as text.
    """
    if not isinstance(value, str) or not value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value


def plain(text: str) -> str:
    """Return the text with control characters, and those that turn text around, as ``[U+202E]``.

    A terminal would obey them, XML and TeX would refuse them, and a reader would be misled by them.
    Line ends and tabs stay.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(f"[U+{ord(c):04X}]" if _hidden(c) else c for c in text)


def first_few(texts: Iterable[str], most: int, *, between: str = ", ", last: str = " and ") -> str:
    """Return at most ``most`` texts, and how many more there are."""
    every = list(texts)
    more = f"{last}{len(every) - most} more" if len(every) > most else ""
    return between.join(every[:most]) + more


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
