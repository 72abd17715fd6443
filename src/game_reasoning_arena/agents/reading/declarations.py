"""Find the declared line, ``Final Answer: X``, in a text.

declaration = [lead] marker [separator] answer, on one line, or with the answer on the next one. The
last declaration counts; a blank one takes back earlier ones. Without a colon, a declaration counts
only if a move follows at once: ``the final answer is ...`` may be prose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from game_reasoning_arena.agents.folding import folded, is_symbol
from game_reasoning_arena.agents.naming import Names
from game_reasoning_arena.agents.reading.dressing import LONGEST_PEELED, is_placeholder
from game_reasoning_arena.agents.reading.heads import read_answer
from game_reasoning_arena.agents.reading.json_objects import declared_object
from game_reasoning_arena.agents.reading.remarks import Meaning, Reading, remark_reading


class Written(Struct, frozen=True):
    """A declared answer as written, and what was forgiven around it.

    ``open_end`` is true if the text ends directly after it.
    """

    text: str
    forms: tuple[str, ...]
    open_end: bool = False
    reasoning: str | None = None


class Declared(Struct, frozen=True):
    """A declared answer as written, its meaning, and what was forgiven around it.

    ``open_end`` is true if the text ends directly after it.
    """

    text: str
    reading: Reading
    forms: tuple[str, ...]
    open_end: bool = False
    reasoning: str | None = None


class _Marker(Struct, frozen=True):
    """The words ``Final Answer`` in a text, with what stands around them."""

    start: int
    end: int  # behind the separator
    words: str
    lead: str  # before them on their line
    between: str  # from the words to the end of the separator
    colon: bool
    loose: bool  # without a separator


_WORDS = re.compile(r"(?<![^\W_])final[ \t*_~`-]{0,4}+answer(?![^\W_])", re.IGNORECASE)
_MARKUP = r"[ \t*_~`]*+"
_COLON = re.compile(rf"{_MARKUP}(?:[\"')\]]{_MARKUP})?+(?:(?:is|would\s+be){_MARKUP})?+:")
_AFTER_WORDS = re.compile(
    rf"{_MARKUP}(?:\([^()\n:]{{1,40}}+\)|[A-Za-z][^\n:.;!?,]{{0,40}}+){_MARKUP}:"
)
_OTHER = re.compile(
    rf"{_MARKUP}(?:(?:is|will\s+be|would\s+be)(?=[\s*_`\"'(\[<\\$])"
    r"|={1,2}+>?|(?<=[\s*_`])-{1,2}+>?(?=[\s*_`])|>)"
)
_FENCE = re.compile(r"\s*+(?:```\w*+|~~~\w*+|\$\$|\\\[|\\\]|[*_]{1,3}|-{3,})\s*+\Z")
_LEAD_MARKS = " \t>#*_`~-+|\"'([{<$=.:)]\u2022\u00b7\u2023\u2043\u25e6"
_LEAD_THINGS = re.compile(
    r"</?[|]?[A-Za-z_][\w|\u2581-]{0,30}+>|\\[A-Za-z]{1,12}+\{?|(?:step[ \t]?)?\d{1,3}[.):]",
    re.IGNORECASE,
)
_TAG = re.compile(r"</?[|]?[A-Za-z_][\w|\u2581-]{0,30}+>")
_NEGATED = re.compile(
    r"(?:\b(?:not|never|cannot|without|no)|n't)\s+"
    r"(?:(?:my|the|a|be|say|write|answer|give|with|as|to|its|your)\s+){0,4}\Z",
    re.IGNORECASE,
)
_SUPPOSED = re.compile(
    r"\b(?:(?:if|unless|whether|had|instead\s+of|rather\s+than|example[,:]?|e\.g\.,?"
    r"|consider(?:ed|ing)?|reject(?:ed|ing)?|tempted|imagine|avoid)\s+(?:\w+\s+){0,3}"
    r"|(?:could|might)\s+(?:have\s+)?(?:say|said|write|written|answer|answered|give|given)\s+"
    r"|(?:wrong|bad|losing|mistake)\b[^.!?;\n]{0,20})\Z",
    re.IGNORECASE,
)
_CLOSED_BY = {"(": ")", "[": "]", "{": "}", '"': '"', "'": "'"}
_QUOTES = {'"': '"', "'": "'", "`": "`", "\u201c": "\u201d", "\u2018": "\u2019", "\u00ab": "\u00bb"}

#: The most characters before the words that are examined.
_LEAD_WITHIN = 120
#: The most markers that are examined, from the last one.
_MOST_MARKERS = 64
#: The most characters of an answer's line; the rest is prose.
_LONGEST_LINE = 6000
#: The most characters of the lines below a next line that are searched for a second move.
_WHITESPACE_AND_MARKS = " \t\r\n\v\f>#*_`~-"


def declared_line(text: str, names: Names) -> Declared | None:
    """Return the last declared answer of a text; None if there is none, or it is blank."""
    plain = folded(text)
    for marker in _markers(plain):
        if _is_mentioned(text, plain, marker):
            continue
        end = plain.find("\n", marker.end)
        end = len(text) if end < 0 else end
        content = text[marker.end : min(end, marker.end + _LONGEST_LINE)].strip()
        forms = _forms_of(text, plain, marker)
        if content.strip("*_`~ \t") and not _FENCE.match(content):
            found = _on_the_line(content, names, marker, forms, open_end=end == len(text))
        else:
            found = _below(text[end:], names, forms)
        if found is None and not marker.colon:
            continue
        if found is not None and is_placeholder(found.text) and not found.reading.actions:
            continue  # a copy of the instruction
        return found
    return None


def written_line(text: str) -> Written | None:
    """Return the last answer declared with a colon, with any content; None if it is blank.

    It may stand on the next line if nothing but fences follows it.
    """
    plain = folded(text)
    for marker in _markers(plain):
        if not marker.colon or _is_mentioned(text, plain, marker):
            continue
        forms = _forms_of(text, plain, marker)
        end = plain.find("\n", marker.end)
        end = len(text) if end < 0 else end
        content = text[marker.end : end].strip()
        if content.strip("*_`~ \t"):
            return Written(content, forms, open_end=end == len(text))
        written, lines = _lines_below(text[end:])
        if len(lines) != 1:
            return None
        form = "fenced" if len(written) > 1 else "next_line"
        return Written(lines[0], (*forms, form), open_end=text.rstrip().endswith(lines[0]))
    return None


def _markers(plain: str) -> Iterator[_Marker]:
    """Yield the markers of a folded text, the last one first."""
    for words in reversed(list(_WORDS.finditer(plain))[-_MOST_MARKERS:]):
        start, end = words.span()
        line = plain.rfind("\n", max(0, start - _LEAD_WITHIN), start) + 1
        lead = plain[line or max(0, start - _LEAD_WITHIN) : start]
        for pattern, colon in ((_COLON, True), (_OTHER, False), (_AFTER_WORDS, False)):
            if separator := pattern.match(plain, end):
                yield _Marker(start, separator.end(), words[0], lead, separator[0], colon, False)
                break
        else:
            if not _is_prose(lead):
                yield _Marker(start, end, words[0], lead, "", False, True)


def _on_the_line(
    content: str, names: Names, marker: _Marker, forms: tuple[str, ...], *, open_end: bool
) -> Declared | None:
    object_ = declared_object(content) if '"' in content and "{" in content else None
    if object_ is not None and object_.text:
        content, forms = object_.text, (*forms, *object_.forms)
    if not names.named(content):
        content = _within(content, marker.lead)
    reading = read_answer(content, names)
    named = reading.meaning is not Meaning.NOTHING
    if not marker.colon and (not named or _is_loose(marker, reading.forms)):
        return None
    return Declared(content, reading, forms, open_end=open_end)


def _within(content: str, lead: str) -> str:
    """Return an answer without a final bracket or quotation mark that was opened in its lead."""
    opening = lead.rstrip(" *_`")[-1:]
    closing = _CLOSED_BY.get(opening, "")
    if not closing or not content.endswith(closing):
        return content
    opened = content.count(opening) if opening != closing else 0
    if opening != closing and content.count(closing) <= opened:
        return content
    return content[: -len(closing)].rstrip() or content


def _is_loose(marker: _Marker, forms: tuple[str, ...]) -> bool:
    """Return whether words stand where a move would, without a colon to declare one."""
    return "lead_in" in forms and (marker.loose or "notation" in forms)


def _below(rest: str, names: Names, forms: tuple[str, ...]) -> Declared | None:
    """Return the answer on the next nonblank line; only a remark may follow it."""
    written, lines = _lines_below(rest)
    if not lines:
        return None
    answer, *remark = lines
    fenced = len(written) > len(lines) and bool(_FENCE.match(written[0]))
    forms = (*forms, "fenced" if fenced else "next_line")
    reading = read_answer(answer, names)
    if remark:
        if reading.meaning is not Meaning.ONE or "remark" in reading.forms:
            return None
        behind = remark_reading(" " + "\n".join(remark), reading.actions[0], names)
        reading = Reading(behind.meaning, behind.actions, (*reading.forms, *behind.forms))
        return Declared(answer, reading, forms)
    return Declared(answer, reading, forms, open_end=rest.rstrip().endswith(answer))


def _lines_below(rest: str) -> tuple[list[str], list[str]]:
    """Return the nonblank lines of a text, and those of them that are no fences."""
    written = [line.strip() for line in rest[: 2 * _LONGEST_LINE].splitlines() if line.strip()]
    return written, [line for line in written if not _FENCE.match(line)]


def _is_prose(lead: str) -> bool:
    """Return whether words stand before a marker, not only marks, numbers and tags."""
    bare = _LEAD_THINGS.sub("", lead)
    return any(mark not in _LEAD_MARKS and not is_symbol(mark) for mark in bare)


def _is_mentioned(text: str, plain: str, marker: _Marker) -> bool:
    """Return whether a marker is only mentioned: quoted within prose, negated or supposed."""
    if not _is_prose(marker.lead):
        return False
    if _NEGATED.search(marker.lead) or _SUPPOSED.search(marker.lead):
        return True
    opening = marker.lead.rstrip("* _")[-1:]
    if opening not in _QUOTES:
        return False
    end = plain.find("\n", marker.end, marker.end + _LONGEST_LINE)
    line = plain[marker.end : end if end >= 0 else marker.end + LONGEST_PEELED]
    _, closing, after = line.partition(_QUOTES[opening])
    return bool(closing) and any(mark.isalnum() for mark in after)


def _forms_of(text: str, plain: str, marker: _Marker) -> tuple[str, ...]:
    """Return the forms forgiven around the words ``Final Answer``."""
    forms = ["line"]
    before = plain[: marker.start - len(marker.lead)]
    bare = before.rstrip(_WHITESPACE_AND_MARKS)
    # Lines above that consist of marks belong to it, as a fence does.
    above = before[len(bare) :].partition("\n")[2] if bare else before
    lead = above + marker.lead
    marks = lead + marker.between
    if _is_prose(marker.lead):
        forms.append("lead")
        marks = marker.lead[-1:] + marker.between
    if re.search(r"[*_~]", marks):
        forms.append("emphasis")
    if "`" in marks:
        forms.append("code")
    if "lead" not in forms:
        forms += _lead_forms(lead)
    if marker.words != "Final Answer":
        forms.append("case")
    if not marker.colon or re.search(r"[A-Za-z]", marker.between):
        forms.append("separator")
    span = slice(marker.start, marker.end)
    if text[span] != plain[span]:
        forms.append("width")
    return tuple(forms)


def _lead_forms(lead: str) -> list[str]:
    found = ["tag"] if _TAG.search(lead) else []
    lead = _TAG.sub("", lead)
    if re.search(r"[#>+\d\u2022\u00b7\u2023\u2043-]", lead):
        found.append("heading")
    if re.search(r"[\"']", lead):
        found.append("quotes")
    if re.search(r"[(\[]", lead):
        found.append("brackets")
    if re.search(r"[\\$]", lead):
        found.append("boxed")
    if any(is_symbol(mark) for mark in lead):
        found.append("symbols")
    return found
