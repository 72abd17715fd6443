"""Read one JSON object as models misspell it.

Forgiven are line breaks and quotation marks inside texts, escapes that JSON does not have, trailing
or missing commas, comments, single or curly quotation marks, and keys without quotes.
"""

from __future__ import annotations

import re
from typing import Final

#: A text ends at a quotation mark that a separator follows; others belong to the text.
_AHEAD: Final = r"\s*+(?:[,:}\]]|\Z)|[ \t\r]*+\n\s*+[\"']"
_TEXTS: Final = {
    opening: re.compile(
        rf"{opening}((?:[^{closing}\\]|\\.?|{closing}(?!{_AHEAD}))*+){closing}", re.DOTALL
    )
    for opening, closing in (('"', '"'), ("'", "'"), ("\u201c", "\u201d"))
}
_SPACE = re.compile(r"(?:\s++|(?://|#)[^\n]*+|/\*(?:[^*]|\*(?!/))*+\*/)*+")  # and comments
_WORD = re.compile(r"[^\s,:{}\[\]\"'\u201c]++")
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|(.))", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", '"': '"', "\\": "\\", "/": "/"}
_WHOLE = re.compile(r"-?\d++\Z")
_NO_TEXT = frozenset({"null", "none", "true", "false", "nan"})
_DEEPEST = 40


class NotRead(ValueError):
    """The text cannot be read as an object."""


def read_object(text: str, start: int) -> tuple[dict[str, object], int]:
    """Return the object that begins at a position, and where it ends.

    Whole numbers and words are kept as texts, as written; other unquoted values are None.

    Raises:
        NotRead: the text cannot be read as an object.
    """
    value, end = _value(text, start, 0)
    if not isinstance(value, dict):
        raise NotRead
    return value, end


def _value(text: str, position: int, depth: int) -> tuple[object, int]:
    position = _after_space(text, position)
    mark = text[position : position + 1]
    if depth > _DEEPEST or not mark:
        raise NotRead
    if mark == "{":
        return _entries(text, position + 1, depth)
    if mark == "[":
        return _items(text, position + 1, depth)
    if mark in _TEXTS:
        return _text(text, position)
    word = _WORD.match(text, position)
    if word is None:
        raise NotRead
    return _of_word(word[0]), word.end()


def _entries(text: str, position: int, depth: int) -> tuple[dict[str, object], int]:
    found: dict[str, object] = {}
    while True:
        position = _after_space(text, position)
        if text[position : position + 1] == "}":
            return found, position + 1
        key, position = _key(text, position)
        position = _after_space(text, position)
        if text[position : position + 1] != ":":
            raise NotRead
        found[key], position = _value(text, position + 1, depth + 1)
        position = _after_separator(text, position, "}")


def _items(text: str, position: int, depth: int) -> tuple[list[object], int]:
    found: list[object] = []
    while True:
        position = _after_space(text, position)
        if text[position : position + 1] == "]":
            return found, position + 1
        item, position = _value(text, position, depth + 1)
        found.append(item)
        position = _after_separator(text, position, "]")


def _key(text: str, position: int) -> tuple[str, int]:
    if text[position : position + 1] in _TEXTS:
        return _text(text, position)
    word = _WORD.match(text, position)
    if word is None:
        raise NotRead
    return word[0], word.end()


def _text(text: str, position: int) -> tuple[str, int]:
    found = _TEXTS[text[position]].match(text, position)
    if found is None:
        raise NotRead
    return _ESCAPE.sub(_unescape, found[1]), found.end()


def _unescape(escape: re.Match[str]) -> str:
    if escape[1]:
        return chr(int(escape[1], 16))
    return _ESCAPES.get(escape[2], "'" if escape[2] == "'" else escape[0])


def _of_word(word: str) -> str | None:
    if _WHOLE.match(word):
        return word
    number = word.replace(".", "", 1).lstrip("-+").isdigit()
    return None if number or word.lower() in _NO_TEXT else word


def _after_space(text: str, position: int) -> int:
    space = _SPACE.match(text, position)
    return space.end() if space else position


def _after_separator(text: str, position: int, closing: str) -> int:
    position = _after_space(text, position)
    mark = text[position : position + 1]
    if mark == ",":
        return position + 1
    if mark != closing and mark not in _TEXTS:  # a comma may be missing before a text
        raise NotRead
    return position
