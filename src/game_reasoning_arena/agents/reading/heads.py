"""Read a declared answer as a move, alone or with words around it.

An answer is a move, or empty words, the move, and a remark. The remark is forgiven if it names no
other legal move and takes nothing back. Two moves are never read as one.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from game_reasoning_arena.agents.folding import folded, is_symbol
from game_reasoning_arena.agents.naming import Names
from game_reasoning_arena.agents.reading.dressing import start_tag, which_action, without_tex
from game_reasoning_arena.agents.reading.remarks import (
    LONGEST_REMARK,
    Meaning,
    Reading,
    named_by,
    plain_of,
    with_remark,
)
from game_reasoning_arena.agents.reading.spans import (
    LONGEST_HEAD,
    TOKEN,
    ends_at,
    name_end,
    notation_end,
)

#: Marks, tags and words that may be removed before a move.
_MOST_BEFORE = 24

_LEAD_IN = re.compile(
    r"i|i'll|i'd|i'm|id|ill|im|we|we'll|let's|lets|will|would|shall|should|am|going|want"
    r"|wish|like|to|play|playing|choose|choosing|chose|pick|picking|select|selecting|take"
    r"|taking|make|making|place|placing|put|putting|drop|dropping|mark|marking|claim"
    r"|claiming|go|with|for|at|in|into|on|onto|by|is|be|the|a|an|my|our|move|action|answer"
    r"|choice|decision|selection|position|square|cell|column|best|final|piece|stone|disc|x"
    r"|o|next|then|so|therefore|thus|hence|ok|okay|bid|call|calling|say",
    re.IGNORECASE,
)
#: Single words that name nothing; others are names, of moves that may not exist.
_NO_ANSWERS = re.compile(
    r"none|nothing|null|n/a|na|unknown|unsure|undecided|tbd|resign|resigned|idk|any|anything|random|whatever|skip|no"
    r"|yes",
    re.IGNORECASE,
)
_NONE: tuple[Collection[int], tuple[str, ...]] = ((), ())
_WORD = re.compile(r"([A-Za-z][A-Za-z']{0,12}+)([:,]?)(?=\s)\s*+")
_PLAYER = re.compile(
    r"player[ _]?(\d{1,2})\s*+(?:[:,]|(?:plays|chooses|takes|places|picks|selects|bids)(?=\s))\s*+",
    re.IGNORECASE,
)
_NUMBERING = re.compile(r"(?:\d{1,3}[.)]|\(?[A-Za-z0-9]\)|[-*+#>\u2022]|[-=]>)\s++")
_OPENERS = {
    **dict.fromkeys("*_", "emphasis"),
    "`": "code",
    **dict.fromkeys("\"'", "quotes"),
    **dict.fromkeys("([{<", "brackets"),
    **dict.fromkeys("$\\", "boxed"),
    **dict.fromkeys(">|", "bullet"),
}
#: A name that may be an English word needs more than a space before what follows it.
_ARTICLE = re.compile(r"[aAiI]\Z")
_REASON = re.compile(r"\s*+(?:[^\w\s]|\Z|(?:because|since|as|is|for|due|it)\b)", re.IGNORECASE)
_SPACE = re.compile(r"\s++")
_LISTED = re.compile(r"[/|,;&+]")


def read_answer(answer: str, names: Names) -> Reading:
    """Return the meaning of a declared answer among these legal moves; linear in its length."""
    actions, forms = which_action(answer, names)
    if actions:
        actions = {*actions, *_also_numbered(answer, forms, names)}
        meaning = Meaning.ONE if len(actions) == 1 else Meaning.SEVERAL
        return Reading(meaning, tuple(sorted(actions)), forms)
    texts: list[tuple[str, tuple[str, ...]]] = [(answer, ())]
    if "\\" in answer:
        bare = without_tex(answer, spaces=not names.have_backslashes())
        texts.append((bare, ("boxed",)))
    for notation in (False, True):
        for text, before in texts:
            found = _in_words(text, names, notation=notation)
            if found is not None:
                return Reading(found.meaning, found.actions, (*before, *found.forms))
    text, _ = texts[-1]
    if parts := [
        action for part in _LISTED.split(text[:LONGEST_HEAD]) for action in named_by(part, names)
    ]:
        return Reading(Meaning.UNCLEAR, tuple(sorted(set(parts))))
    return Reading(Meaning.ILLEGAL if _is_other_move(text, names) else Meaning.NOTHING)


def _also_numbered(answer: str, forms: tuple[str, ...], names: Names) -> Collection[int]:
    """Return the move that a number before an answer names, unless it numbers a list."""
    number = re.match(r"\d{1,3}(?=[.)])", answer)
    return names.named(number[0]) if number and "bullet" in forms else ()


def _in_words(text: str, names: Names, *, notation: bool) -> Reading | None:
    plain = plain_of(text[: LONGEST_HEAD + LONGEST_REMARK + 1])
    find = notation_end if notation else name_end
    position = 0
    forms: list[str] = []
    for _ in range(_MOST_BEFORE):
        if plain[position : position + 1] == "<" and find(plain, position + 1, names):
            position += 1  # <d6> is a move in brackets and no tag
            forms.append("brackets")
        if end := find(plain, position, names):
            return _head(text, position, end, names, tuple(forms), notation=notation)
        step = _before(plain, position, names.seat)
        if step is None:
            return None
        position, form = step
        if form:
            forms.append(form)
    return None


def _head(
    text: str, start: int, end: int, names: Names, forms: tuple[str, ...], *, notation: bool
) -> Reading | None:
    head = text[start:end].strip()
    lookups = names.lookups() if notation else names.plain_lookups()
    actions, how = next(((a, how) for how, look in lookups if (a := look(head))), _NONE)
    if not actions:
        return None
    if len(actions) > 1:
        return Reading(Meaning.SEVERAL, tuple(sorted(actions)), (*forms, *how))
    remark = text[end : end + LONGEST_REMARK + 1]
    if _ARTICLE.match(head) and not _REASON.match(remark):
        return None
    numeric = notation and head.isdigit()
    return with_remark(tuple(actions), remark, names, numeric=numeric, forms=(*forms, *how))


def _before(plain: str, position: int, seat: int | None) -> tuple[int, str | None] | None:
    """Return the end of one thing that may stand before a move, and its form."""
    if position >= len(plain):
        return None
    mark = plain[position]
    if mark.isspace():
        return _SPACE.match(plain, position).end(), None  # type: ignore[union-attr]
    if player := _PLAYER.match(plain, position):
        mine = seat is None or int(player[1]) == seat
        return (player.end(), "lead_in") if mine else None
    if tag := start_tag(plain, position):
        return tag.end(), "tag"
    if number := _NUMBERING.match(plain, position):
        return number.end(), "bullet"
    if mark in _OPENERS:
        return position + 1, _OPENERS[mark]
    if mark in "=:;,." or (mark == "-" and not plain[position + 1 : position + 2].isdigit()):
        return position + 1, "punctuation"
    if is_symbol(mark):
        return position + 1, "symbols"
    word = _WORD.match(plain, position)
    if word and _LEAD_IN.fullmatch(word[1]):
        return word.end(), "lead_in"
    return None


def _is_other_move(text: str, names: Names) -> bool:
    """Return whether a text begins with a move of the game, or with something like one."""
    plain = folded(text[:LONGEST_HEAD])
    position = 0
    for _ in range(_MOST_BEFORE):
        shaped = names.shape().match(plain, position)
        if shaped and ends_at(plain, shaped.end()):
            return True
        token = TOKEN.match(plain, position)
        if token and names.is_move(token[0].rstrip(".!?)]}>\"'*`:$")):
            return True
        step = _before(plain, position, names.seat)
        if step is None:
            return token is not None and _is_a_name(plain, token)
        position = step[0]
    return False


def _is_a_name(plain: str, token: re.Match[str]) -> bool:
    """Return whether a word stands alone, as a name does, and has a meaning."""
    behind = plain[token.end() :].strip(" .,;:!?)]}>*_`\"'$|")
    word = token[0].strip(".,;:!?)]}>*_`\"'$|").lower()
    return not behind and any(mark.isalnum() for mark in word) and not _NO_ANSWERS.fullmatch(word)
