"""Find the declared JSON object, ``{"action": "X"}``, in a text.

The last object with an ``action`` counts; one with a blank action takes back earlier ones. Objects
inside others do not count, except one that stands alone in a wrapper such as
``{"response": {...}}``.
"""

from __future__ import annotations

import json
import re

from msgspec import Struct
from msgspec.structs import replace

from game_reasoning_arena.agents.folding import folded
from game_reasoning_arena.agents.reading.dressing import is_placeholder
from game_reasoning_arena.agents.reading.tolerant_json import NotRead, read_object
from game_reasoning_arena.process.text import in_unicode


class DeclaredObject(Struct, frozen=True):
    """An object's action as text (empty if blank), the forms forgiven, and its reasoning."""

    text: str
    forms: tuple[str, ...]
    reasoning: str | None = None


_OBJECT = re.compile(r"\{(?=[ \t\r\n]*+[\"'}/#A-Za-z_\u201c])")
_STRICT = re.compile(r'\{(?=\s*+(?:"(?:[^"\\]|\\.)*+"\s*+:|\}))', re.DOTALL)
_JSON_MARK = re.compile(r'"(?:[^"\\]|\\.?)*+"?|[{}\[\]]', re.DOTALL)
#: TeX commands whose backslash and first letter look like an escape of JSON.
_TAKEN_FOR_ESCAPES = ((re.compile("\b(?=oxed)"), "\\\\b"), (re.compile("\t(?=ext|imes)"), "\\\\t"))
_BEGUN = re.compile(r"\baction[\"'\u201d]?\s*+:", re.IGNORECASE)
_WRAPPERS = frozenset(
    {"response", "answer", "final_answer", "final answer", "result", "output", "json", "decision"}
)
#: The deepest nesting at which objects are looked for after the decoder gave up.
_DEEPEST = 500
#: The decoder gets a new text after so many characters, since its errors count all lines before.
_NEAR = 1024
#: The most misspelled objects that are read, from the last one, and their largest length.
_MOST_MISSPELLED = 16
_LONGEST_MISSPELLED = 50_000


class _Object(Struct, frozen=True):
    start: int
    end: int
    value: dict[str, object]
    repaired: bool = False


def declared_object(text: str) -> DeclaredObject | None:
    """Return the last object with an action; None if there is none.

    An action is a text, or a whole number, which is kept as written.
    """
    declared = _last_declared(text)
    if declared is None and (plain := folded(text)) != text:
        declared = _last_declared(plain)
        return declared and replace(declared, forms=(*declared.forms, "width"))
    return declared


def _last_declared(text: str) -> DeclaredObject | None:
    objects, unread = _objects(text)
    for found in reversed(objects):
        declared = _declared(found.value)
        if declared is None:
            continue
        if any(start >= found.end and _BEGUN.search(text, start) for start in unread):
            return DeclaredObject("", ("json",))  # another object was begun
        action, reasoning, forms = declared
        if isinstance(action, str) and is_placeholder(action):
            continue  # a copy of the instruction
        if found.repaired:
            forms = (*forms, "repaired")
        if text.count("```", 0, found.start) % 2:
            forms = (*forms, "fenced")
        action_text = in_unicode(action) if isinstance(action, str) else ""
        for pattern, command in _TAKEN_FOR_ESCAPES:
            action_text = pattern.sub(command, action_text)
        thoughts = (
            in_unicode(reasoning) if isinstance(reasoning, str) and reasoning.strip() else None
        )
        return DeclaredObject(action_text.strip(), ("json", *forms), thoughts)
    return None


def _declared(value: dict[str, object]) -> tuple[object, object, tuple[str, ...]] | None:
    """Return an object's action, reasoning and forms forgiven; None without an action."""
    keys = [key for key in value if key.strip().casefold() == "action"]
    if keys:
        reasoning = [key for key in value if key.strip().casefold() == "reasoning"]
        thoughts = value[reasoning[-1]] if reasoning else None
        return value[keys[-1]], thoughts, ("case",) if keys[-1] != "action" else ()
    inside = [
        inner
        for key, inner in value.items()
        if isinstance(inner, dict) and key.strip().casefold() in _WRAPPERS
    ]
    if len(inside) != 1 or (declared := _declared_plainly(inside[0])) is None:
        return None
    action, reasoning_inside, forms = declared
    return action, reasoning_inside, (*forms, "wrapped")


def _declared_plainly(value: dict[str, object]) -> tuple[object, object, tuple[str, ...]] | None:
    if not any(key.strip().casefold() == "action" for key in value):
        return None
    return _declared(value)


def _objects(text: str) -> tuple[list[_Object], list[int]]:
    """Return the outermost objects of a text in order, and where unreadable ones begin."""
    found, misspelled = _spelled(text)
    unread: list[int] = []
    for start in misspelled[-_MOST_MISSPELLED:]:
        try:
            value, length = read_object(text[start : start + _LONGEST_MISSPELLED], 0)
        except NotRead:
            unread.append(start)
            continue
        if _declared(value) is not None:
            found.append(_Object(start, start + length, value, repaired=True))
    outermost: list[_Object] = []
    for one in sorted(found, key=lambda one: one.start):
        if not outermost or one.start >= outermost[-1].end:
            outermost.append(one)
    return outermost, unread


def _spelled(text: str) -> tuple[list[_Object], list[int]]:
    """Return the objects that are JSON except for raw line breaks, and where others begin."""
    decoder = json.JSONDecoder(parse_int=str)  # keeps a number of any length as written
    lenient = json.JSONDecoder(parse_int=str, strict=False)
    found: list[_Object] = []
    misspelled: list[int] = []
    broken: set[int] = set()
    near, rest, end = 0, text, 0
    for begun in _OBJECT.finditer(text):
        start = begun.start()
        if start < end or start in broken:
            continue
        if not _STRICT.match(text, start):
            misspelled.append(start)
            continue
        if start - near > _NEAR:
            near, rest = start, text[start:]
        try:
            value, length = lenient.raw_decode(rest, start - near)
        except json.JSONDecodeError as error:
            misspelled.append(start)
            broken.update(_open_objects(text, start, near + error.pos))
        except RecursionError:
            broken.update(_open_objects(text, start, len(text)))
        else:
            end = near + length
            found.append(
                _Object(start, end, value, repaired=_has_raw_breaks(decoder, text[start:end]))
            )
    return found, misspelled


def _has_raw_breaks(decoder: json.JSONDecoder, text: str) -> bool:
    if text.isprintable():
        return False
    try:
        decoder.raw_decode(text)
    except json.JSONDecodeError:
        return True
    return False


def _open_objects(text: str, start: int, end: int) -> list[int]:
    """Return where objects that are open at ``end`` begin: each may have broken the outermost."""
    opened: list[int] = []
    for mark in _JSON_MARK.finditer(text, start, end):
        if mark[0] in ("{", "["):
            opened.append(mark.start())
        elif mark[0] in ("}", "]") and opened:
            opened.pop()
        if len(opened) > _DEEPEST:
            break
    return opened
