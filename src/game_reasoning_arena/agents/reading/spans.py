"""Find where the name of a move begins and ends in a folded text."""

from __future__ import annotations

import re

from game_reasoning_arena.agents.naming import Names

#: Longer names are read only if nothing stands beside them.
LONGEST_HEAD = 300
#: The most characters in which a notation is looked for.
_LONGEST_NOTATION = 48
#: Marks that may join the parts of a name.
_JOINTS = "-/=>^'&|~@%:"
TOKEN = re.compile(r"[^\s,;]+")


def name_end(plain: str, start: int, names: Names) -> int:
    """Return the end of the longest name of a legal move that begins at a position; 0: none."""
    lengths = names.lengths()
    if not lengths:
        return 0
    known = names.squashed_names()
    marks: list[str] = []
    ends: list[int] = []
    for place in range(start, min(len(plain), start + LONGEST_HEAD)):
        if plain[place].isspace():
            if not marks:
                return 0
            continue
        for mark in plain[place].casefold():
            marks.append(mark)
            ends.append(place + 1)
        if len(marks) >= lengths[0]:
            break
    text = "".join(marks)
    for length in lengths:
        if length <= len(text) and text[:length] in known and ends_at(plain, ends[length - 1]):
            return ends[length - 1]
    return 0


def notation_end(plain: str, start: int, names: Names) -> int:
    """Return the end of the longest other notation of a legal move at a position; 0: none."""
    last = min(len(plain), start + _LONGEST_NOTATION)
    if start >= last or plain[start].isspace():
        return 0
    for end in range(last, start, -1):
        if (
            not plain[end - 1].isspace()
            and plain[end - 1] not in _JOINTS
            and ends_at(plain, end)
            and names.other_notation(plain[start:end])
        ):
            return end
    return 0


def starts_at(plain: str, position: int) -> bool:
    if position == 0:
        return True
    before, mark = plain[position - 1], plain[position]
    return not (before.isalnum() and mark.isalnum())


def ends_at(plain: str, position: int) -> bool:
    """Return whether a move may end at a position: the next character is no part of its name."""
    if position >= len(plain):
        return True
    last, mark = plain[position - 1], plain[position]
    follower = plain[position + 1 : position + 2]
    if mark.isspace():
        return not (last.isdigit() and plain[position:].lstrip()[:1].isdigit())
    if mark.isalnum():
        if last.isascii() and not mark.isascii():  # text without spaces, as in Chinese
            return True
        return not last.isalnum() and last not in _JOINTS and plain[position:][:3].isalpha()
    if mark in "([{":
        return not last.isalnum() or not _glued_digits(plain, position)
    if mark in ",;:.!?":
        return not follower.isdigit()
    if mark in _JOINTS or mark in "+#":
        return not follower.isalnum()
    return True


def _glued_digits(plain: str, position: int) -> bool:
    """Return whether brackets at a position hold digits without a space, as names of moves do."""
    inside = re.match(r"[(\[{]([^)\]}\s]{1,20}+)[)\]}]", plain[position : position + 24])
    return inside is not None and any(mark.isdigit() for mark in inside[1])
