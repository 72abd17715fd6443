"""Reading a declared answer as a move, alone or with words around it.

An answer is a move, or words that say nothing else, the move, and a remark. The remark is forgiven
where it names no other legal move and takes nothing back. Two moves are never one.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum

from game_reasoning_arena.agents.folding import folded, is_symbol
from game_reasoning_arena.agents.naming import Names
from game_reasoning_arena.agents.reading.dressing import start_tag, which_action, without_tex


class Meaning(Enum):
    """What an answer names."""

    ONE = "one legal move"
    SEVERAL = "several legal moves"
    UNCLEAR = "a legal move, and words that take it back or make it depend on something"
    ILLEGAL = "a move that is not legal here"
    NOTHING = "no move"


@dataclass(frozen=True, slots=True)
class Reading:
    """What an answer means: the legal actions that it names, and what was forgiven."""

    meaning: Meaning
    actions: tuple[int, ...] = ()
    forms: tuple[str, ...] = ()


#: Names longer than this are only read where nothing stands beside them.
_LONGEST_HEAD = 300
#: A notation is looked for in so many characters.
_LONGEST_NOTATION = 48
#: Longer remarks are prose, in which moves are not looked for.
_LONGEST_REMARK = 4000
#: Marks, tags and words that may be taken off before a move.
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
    r"none|nothing|null|n/a|na|unknown|unsure|undecided|tbd|resign|resigned|idk|skip|no"
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
_CLOSERS = re.compile(r"[\s)\]}>*_`\"'$|]*+")
_SENTENCE = re.compile(r"[\s.,;:!?)\]}>*_`\"'$|(\[{<=-]*+")
_JOINING = re.compile(r"(?:(?:and|then|also|plus|or|&|/)\b\s*+)*+", re.IGNORECASE)
_TAKES_BACK = re.compile(
    r"(?:no(?=\s*(?:[.,;!?-]|$))|not(?=\s*(?:[.,;!?]|$|possible|legal|allowed|available|valid|good))"
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
#: A name that may be an English word needs more than a space before what follows it.
_ARTICLE = re.compile(r"[aAiI]\Z")
_REASON = re.compile(r"\s*+(?:[^\w\s]|\Z|(?:because|since|as|is|for|due|it)\b)", re.IGNORECASE)
_LISTED = re.compile(r"[/|,;&+]")
_TOKEN = re.compile(r"[^\s,;]+")


def read_answer(answer: str, names: Names) -> Reading:
    """Return what a declared answer means among these legal moves; linear in its length."""
    actions, forms = which_action(answer, names)
    if actions:
        actions = {*actions, *_also_numbered(answer, forms, names)}
        meaning = Meaning.ONE if len(actions) == 1 else Meaning.SEVERAL
        return Reading(meaning, tuple(sorted(actions)), forms)
    texts: list[tuple[str, tuple[str, ...]]] = [(answer, ())]
    if "\\" in answer:
        texts.append((without_tex(answer), ("boxed",)))
    for notation in (False, True):
        for text, before in texts:
            found = _in_words(text, names, notation=notation)
            if found is not None:
                return Reading(found.meaning, found.actions, (*before, *found.forms))
    text, _ = texts[-1]
    if parts := [
        action for part in _LISTED.split(text[:_LONGEST_HEAD]) for action in _any(part, names)
    ]:
        return Reading(Meaning.UNCLEAR, tuple(sorted(set(parts))))
    return Reading(Meaning.ILLEGAL if _is_other_move(text, names) else Meaning.NOTHING)


def remark_reading(remark: str, action: int, names: Names) -> Reading:
    """Return what a move with a remark behind it means."""
    return _with_remark((action,), remark[:_LONGEST_REMARK], names, numeric=False, forms=())


def _also_numbered(answer: str, forms: tuple[str, ...], names: Names) -> Collection[int]:
    """Return the move that a number before an answer names, if it is no list's number."""
    number = re.match(r"\d{1,3}(?=[.)])", answer)
    return names.named(number[0]) if number and "bullet" in forms else ()


def _in_words(text: str, names: Names, *, notation: bool) -> Reading | None:
    plain = _plain(text[: _LONGEST_HEAD + _LONGEST_REMARK + 1])
    position = 0
    forms: list[str] = []
    for _ in range(_MOST_BEFORE):
        end = (
            _notation_end(plain, position, names) if notation else _name_end(plain, position, names)
        )
        if end:
            return _head(text, position, end, names, tuple(forms), notation=notation)
        step = _before(plain, position, names.seat)
        if step is None:
            return None
        position, form = step
        if form:
            forms.append(form)
    return None


def _plain(text: str) -> str:
    """Return a text folded, with a space for a dash that joins a remark without one."""
    return folded(text if text.isascii() else _JOINING_DASH.sub(" ", text))


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
    remark = text[end : end + _LONGEST_REMARK + 1]
    if _ARTICLE.match(head) and not _REASON.match(remark):
        return None
    numeric = notation and head.isdigit()
    return _with_remark(tuple(actions), remark, names, numeric=numeric, forms=(*forms, *how))


def _with_remark(
    actions: tuple[int, ...], remark: str, names: Names, *, numeric: bool, forms: tuple[str, ...]
) -> Reading:
    plain = _plain(remark)
    if len(plain) > _LONGEST_REMARK:
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
    shaped = names.shape().match(plain, start, start + _LONGEST_HEAD)
    if shaped and _ends_at(plain, shaped.end()):
        return action not in _any(plain[start : shaped.end()], names)
    token = _TOKEN.match(plain, start)
    if token is None:
        return False
    word = token[0].rstrip(".!?)]}\"'*`:")
    meant = names.other_notation(word)
    return (action not in meant) if meant else names.is_move(word)


def _any(text: str, names: Names) -> Collection[int]:
    for _, look in names.lookups():
        if actions := look(text):
            return actions
    return ()


def _named_in(plain: str, action: int, names: Names, *, numeric: bool) -> set[int]:
    """Return the legal actions besides one that are named anywhere in a remark."""
    found: set[int] = set()
    position = 0
    while position < len(plain):
        if not plain[position].isspace() and _starts_at(plain, position):
            end = _name_end(plain, position, names)
            if end:
                said = plain[position:end].strip()
                found.update(_said(said, names))
                position = end
                continue
            token = _TOKEN.match(plain, position)
            if token and (position == 0 or plain[position - 1].isspace()):
                word = token[0].strip(".!?()[]{}\"'*`:<>")
                if len(word) > 1 and (numeric or not word.isdigit()):
                    found.update(names.other_notation(word))
        position += 1
    return found - {action}


def _said(name: str, names: Names) -> Collection[int]:
    """Return the actions of a name in a remark; a single letter counts as it is written only."""
    exact = names.named(name)
    if exact or (len(name) == 1 and name.isalpha()):
        return exact
    return _any(name, names)


def _name_end(plain: str, start: int, names: Names) -> int:
    """Return where the longest name of a legal move ends that begins at a position; 0: none."""
    lengths = names.lengths()
    if not lengths:
        return 0
    known = names.squashed_names()
    marks: list[str] = []
    ends: list[int] = []
    for place in range(start, min(len(plain), start + _LONGEST_HEAD)):
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
        if length <= len(text) and text[:length] in known and _ends_at(plain, ends[length - 1]):
            return ends[length - 1]
    return 0


def _notation_end(plain: str, start: int, names: Names) -> int:
    """Return where the longest other notation of a legal move ends; 0: none begins there."""
    last = min(len(plain), start + _LONGEST_NOTATION)
    if start >= last or plain[start].isspace():
        return 0
    for end in range(last, start, -1):
        if (
            not plain[end - 1].isspace()
            and _ends_at(plain, end)
            and names.other_notation(plain[start:end])
        ):
            return end
    return 0


def _starts_at(plain: str, position: int) -> bool:
    if position == 0:
        return True
    before, mark = plain[position - 1], plain[position]
    return not (before.isalnum() and mark.isalnum())


def _ends_at(plain: str, position: int) -> bool:
    """Return whether a move may end at a position: what follows is no part of its name."""
    if position >= len(plain):
        return True
    last, mark = plain[position - 1], plain[position]
    follower = plain[position + 1 : position + 2]
    if mark.isspace():
        return not (last.isdigit() and plain[position:].lstrip()[:1].isdigit())
    if mark.isalnum():
        foreign = last.isascii() and not mark.isascii()  # text without spaces, as in Chinese
        return foreign or (not last.isalnum() and mark.isalpha())
    if mark in "([{":
        return not last.isalnum() or not _glued_digits(plain, position)
    if mark in ",;:.!?":
        return not follower.isdigit()
    if mark in "-/+=>^'&|~#@%":
        return not follower.isalnum()
    return True


def _glued_digits(plain: str, position: int) -> bool:
    """Return whether brackets at a position hold digits without a space, as names of moves do."""
    inside = re.match(r"[(\[{]([^)\]}\s]{1,20}+)[)\]}]", plain[position : position + 24])
    return inside is not None and any(mark.isdigit() for mark in inside[1])


def _before(plain: str, position: int, seat: int | None) -> tuple[int, str | None] | None:
    """Return the position behind one thing that may stand before a move, and its form."""
    if position >= len(plain):
        return None
    mark = plain[position]
    if mark.isspace():
        return position + 1 + len(plain[position + 1 :]) - len(plain[position + 1 :].lstrip()), None
    if player := _PLAYER.match(plain, position):
        mine = seat is None or int(player[1]) == seat
        return (player.end(), "lead_in") if mine else None
    if tag := start_tag(plain, position):
        return tag.end(), "tag"
    if number := _NUMBERING.match(plain, position):
        return number.end(), "bullet"
    if mark in _OPENERS:
        return position + 1, _OPENERS[mark]
    if is_symbol(mark):
        return position + 1, "symbols"
    word = _WORD.match(plain, position)
    if word and _LEAD_IN.fullmatch(word[1]):
        return word.end(), "lead_in"
    return None


def _is_other_move(text: str, names: Names) -> bool:
    """Return whether a text begins with a move of the game, or what looks like one."""
    plain = folded(text[:_LONGEST_HEAD])
    position = 0
    for _ in range(_MOST_BEFORE):
        shaped = names.shape().match(plain, position)
        if shaped and _ends_at(plain, shaped.end()):
            return True
        token = _TOKEN.match(plain, position)
        if token and names.is_move(token[0].rstrip(".!?)]}>\"'*`:$")):
            return True
        step = _before(plain, position, names.seat)
        if step is None:
            return token is not None and _is_a_name(plain, token)
        position = step[0]
    return False


def _is_a_name(plain: str, token: re.Match[str]) -> bool:
    """Return whether a word stands alone, as a name does, and says something."""
    behind = plain[token.end() :].strip(" .,;:!?)]}>*_`\"'$|")
    word = token[0].strip(".,;:!?)]}>*_`\"'$|").lower()
    return not behind and any(mark.isalnum() for mark in word) and not _NO_ANSWERS.fullmatch(word)
