"""The meaning of a move with a remark behind it.

A remark is forgiven if it names no other legal move, does not begin with what looks like another
move, and takes nothing back.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from enum import Enum

from msgspec import Struct

from game_reasoning_arena.agents.folding import folded
from game_reasoning_arena.agents.naming import Names
from game_reasoning_arena.agents.reading.dressing import start_tag
from game_reasoning_arena.agents.reading.spans import (
    LONGEST_HEAD,
    TOKEN,
    ends_at,
    name_end,
    notation_end,
    starts_at,
)


class Meaning(Enum):
    """The meaning of an answer."""

    ONE = "one legal move"
    SEVERAL = "several legal moves"
    UNCLEAR = "a legal move, and words that take it back or make it depend on something"
    ILLEGAL = "a move that is not legal here"
    NOTHING = "no move"


class Reading(Struct, frozen=True):
    """The meaning of an answer: the legal actions that it names, and what was forgiven."""

    meaning: Meaning
    actions: tuple[int, ...] = ()
    forms: tuple[str, ...] = ()


#: The same move may be repeated within so many characters.
_REPEATED_WITHIN = 60
#: Longer remarks are prose and are not searched for moves.
LONGEST_REMARK = 4000
_CLOSERS = re.compile(r"[\s)\]}>*_`\"'$|]*+")
_SENTENCE = re.compile(r"[\s.,;:!?)\]}>*_`\"'$|(\[{<=-]*+")
_JOINING = re.compile(r"(?:(?:and|then|also|plus|or|&|/)\b\s*+)*+", re.IGNORECASE)
_TAKES_BACK = re.compile(
    r"(?:no(?=\s*(?:[.,;!?-]|$))|not(?=\s*(?:[.,;!?]|$|possible|legal|allowed|available|valid|good))"
    r"|but\s+(?:i\s+)?(?:no|not|reject|rejected|decided\s+against)|is\s+what\s+i\s+(?:considered|thought)"
    r"|or|nor|nope|vs|versus|wait|hm+|if|unless|when|isn't|wasn't|won't|can't|cannot"
    r"|doesn't|don't|was|loses|fails|is\s+(?:not|no|illegal|taken|occupied|impossible|wrong|bad"
    r"|losing|out|a\s+(?:mistake|blunder))|(?:would|will|could|might|may)\s+(?:not|lose|fail"
    r"|be\s+(?:bad|wrong|illegal|a\s+(?:mistake|blunder))))\b",
    re.IGNORECASE,
)
_SECOND_THOUGHTS = re.compile(
    r"\b(?:wait|scratch\s+that|on\s+second\s+thoughts?|correction|never\s?mind|i\s+mean"
    r"|chang(?:e|ed|ing)\s+my\s+mind|my\s+mistake)\b",
    re.IGNORECASE,
)
_JOINING_DASH = re.compile(r"[\u2013\u2014](?=[^\W\d_]{2})")


def with_remark(
    actions: tuple[int, ...], remark: str, names: Names, *, numeric: bool, forms: tuple[str, ...]
) -> Reading:
    plain = plain_of(remark)
    if len(plain) > LONGEST_REMARK:
        return Reading(Meaning.UNCLEAR, actions, forms)
    if not any(mark.isalnum() for mark in _bare(plain)):
        dressed = () if plain.isspace() or not plain else ("punctuation",)
        return Reading(Meaning.ONE, actions, (*forms, *dressed))
    named = _named_in(plain, actions[0], names, numeric=numeric)
    if named:
        return Reading(Meaning.SEVERAL, tuple(sorted({*actions, *named})), forms)
    first = _SENTENCE.match(plain)
    begun = first.end() if first else 0
    asked = "?" in plain[:begun].split("(")[0].rstrip("!")
    if asked or _TAKES_BACK.match(plain, begun) or _SECOND_THOUGHTS.search(plain):
        return Reading(Meaning.UNCLEAR, actions, forms)
    if _begins_with_a_move(plain, begun, actions[0], names):
        return Reading(Meaning.SEVERAL, actions, forms)
    return Reading(Meaning.ONE, actions, (*forms, "remark"))


def _bare(text: str) -> str:
    """Return a remark without a tag at its beginning."""
    position = _CLOSERS.match(text).end()  # type: ignore[union-attr]  # matches anything
    while tag := start_tag(text, position):
        position = tag.end()
    return text[position:]


def _begins_with_a_move(plain: str, start: int, action: int, names: Names) -> bool:
    """Return whether a remark begins with what looks like another move, legal or not."""
    joining = _JOINING.match(plain, start)
    start = joining.end() if joining else start
    shaped = names.shape().match(plain, start, start + LONGEST_HEAD)
    if shaped and _end_of_repetition(plain, start, action, names):
        return False
    if shaped and ends_at(plain, shaped.end()):
        return action not in named_by(plain[start : shaped.end()], names)
    if _end_of_repetition(plain, start, action, names):
        return False
    token = TOKEN.match(plain, start)
    if token is None:
        return False
    word = token[0].rstrip(".!?)]}\"'*`:")
    meant = names.other_notation(word)
    return (action not in meant) if meant else names.is_move(word)


def _end_of_repetition(plain: str, start: int, action: int, names: Names) -> int:
    """Return where another notation of the same move ends, as in ``Nf3 (g1-f3)``; 0: none."""
    end = notation_end(plain, start, names)
    return end if end and set(names.other_notation(plain[start:end])) == {action} else 0


def named_by(text: str, names: Names) -> Collection[int]:
    for _, look in names.lookups():
        if actions := look(text):
            return actions
    return ()


def _named_in(plain: str, action: int, names: Names, *, numeric: bool) -> set[int]:
    """Return the legal actions, other than the given one, that a remark names anywhere."""
    found: set[int] = set()
    position = 0
    while position < len(plain):
        if not plain[position].isspace() and starts_at(plain, position):
            if position < _REPEATED_WITHIN and (
                end := _end_of_repetition(plain, position, action, names)
            ):
                position = end
                continue
            end = name_end(plain, position, names)
            if end:
                remark = plain[position:end].strip()
                found.update(_actions_named(remark, names))
                position = end
                continue
            token = TOKEN.match(plain, position)
            if token and (position == 0 or plain[position - 1].isspace()):
                word = token[0].strip(".!?()[]{}\"'*`:<>")
                if len(word) > 1 and (numeric or not word.isdigit()):
                    found.update(names.other_notation(word))
        position += 1
    return found - {action}


def _actions_named(name: str, names: Names) -> Collection[int]:
    """Return the actions of a name in a remark; the case of a single letter matters."""
    exact = names.named(name)
    if exact or (len(name) == 1 and name.isalpha()):
        return exact
    return named_by(name, names)


def plain_of(text: str) -> str:
    """Return a text folded, with a space for a dash that joins a remark without one."""
    return folded(text if text.isascii() else _JOINING_DASH.sub(" ", text))


def remark_reading(remark: str, action: int, names: Names) -> Reading:
    """Return the meaning of a move with a remark behind it."""
    return with_remark((action,), remark[:LONGEST_REMARK], names, numeric=False, forms=())
