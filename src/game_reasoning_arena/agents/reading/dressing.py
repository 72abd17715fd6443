"""Remove decoration from a whole answer, the least change first."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection, Iterator

from game_reasoning_arena.agents.folding import folded, is_symbol
from game_reasoning_arena.agents.naming import Names

_PAIRS: tuple[tuple[str, str, str], ...] = (
    ("***", "***", "emphasis"),
    ("**", "**", "emphasis"),
    ("__", "__", "emphasis"),
    ("==", "==", "emphasis"),
    ("*", "*", "emphasis"),
    ("_", "_", "emphasis"),
    ("```", "```", "code"),
    ("`", "`", "code"),
    ("\\boxed{", "}", "boxed"),
    ("\\text{", "}", "boxed"),
    ("\\texttt{", "}", "boxed"),
    ("\\mathrm{", "}", "boxed"),
    ("$$", "$$", "boxed"),
    ("$", "$", "boxed"),
    ("\\(", "\\)", "boxed"),
    ('"', '"', "quotes"),
    ("'", "'", "quotes"),
    ("\u201c", "\u201d", "quotes"),
    ("\u2018", "\u2019", "quotes"),
    ("\u00ab", "\u00bb", "quotes"),
    ("[", "]", "brackets"),
    ("<", ">", "brackets"),
    ("(", ")", "brackets"),
    ("{", "}", "brackets"),
)
_ENDS: tuple[tuple[str, str], ...] = (
    (".", "full_stop"),
    ("\u3002", "full_stop"),
    ("!", "punctuation"),
    ("?", "punctuation"),
    (",", "punctuation"),
    (";", "punctuation"),
    (":", "punctuation"),
    ("-", "punctuation"),
    ("|", "punctuation"),
    ("\\\\", "boxed"),
    ("\\", "escape"),
    ("**", "emphasis"),
    ("__", "emphasis"),
    ("*", "emphasis"),
    ("_", "emphasis"),
    ("`", "code"),
)
_STARTS: tuple[tuple[str, str], ...] = (
    ("- ", "bullet"),
    ("* ", "bullet"),
    ("+ ", "bullet"),
    ("\u2022 ", "bullet"),
    ("-> ", "bullet"),
    ("=> ", "bullet"),
    ("> ", "bullet"),
    ("\u2192 ", "bullet"),
    ("\u27a1 ", "bullet"),
    ("# ", "bullet"),
    ("**", "emphasis"),
    ("__", "emphasis"),
    ("*", "emphasis"),
    ("_", "emphasis"),
    ("`", "code"),
)
#: Closing marks whose opening mark stands before the words ``Final Answer``.
_CLOSING: tuple[tuple[str, str, str], ...] = (
    ("(", ")", "brackets"),
    ("[", "]", "brackets"),
    ("{", "}", "brackets"),
    ("<", ">", "brackets"),
    ("\u201c", "\u201d", "quotes"),
    ("\u300c", "\u300d", "quotes"),
)
_START_TAG = re.compile(
    r"</?[|\uff5c]?[A-Za-z_][\w|\uff5c\u2581-]{0,30}+(?:[ \t][\w-]{1,20}=[^<>\n]{0,80}+)?>"
    r"|\[/?INST\]",
    re.IGNORECASE,
)
_END_TAG = re.compile(r"(?:</?[|\uff5c]?[A-Za-z_][^<>\s]{0,30}+>|\[/?INST\])\Z", re.IGNORECASE)
_NUMBER = re.compile(r"(?:\d{1,3}[.)]|\(?[A-Za-z0-9]\))[ \t]++")
_COMMANDS = (
    r"\\(?:(?:text(?:bf|it|tt|rm|sf|sc)?|math(?:rm|bf|it|tt|sf)|boxed|fbox|framebox|mbox|emph"
    r"|underline|operatorname|displaystyle|left|right|large|Large|bf|rm|tt)(?![A-Za-z])"
    r"|[()\[\]%s])\s*|[{}$]"
)
_TEX = re.compile(_COMMANDS % ",;:! ")
_TEX_BUT_SPACES = _COMMANDS % ""  # for the few games whose names have backslashes
_PLACEHOLDER = re.compile(
    r"[\s`*\"']*+[<\[{](?:your |the |chosen |legal )?+(?:move|action|answer|x)[>\]}][\s`*\"'.]*+\Z",
    re.IGNORECASE,
)
_ESCAPED = re.compile(r"\\([^\w\s])")

#: Longer answers are prose and are not peeled.
LONGEST_PEELED = 1000
#: The most ways to peel an answer: heaps of marks could be removed in millions of ways.
_MOST_PEELED = 500
#: Characters at each end in which a tag is looked for.
_TAG_WITHIN = 40


def without_tex(text: str, *, spaces: bool = True) -> str:
    """Return a text without TeX commands for fonts and boxes, braces and dollar signs.

    Args:
        text: the text.
        spaces: whether TeX's spaces, such as ``\\!``, are removed, too; in hive ``bM bQ\\!`` is the
            move ``bM bQ\\``, exclaimed.
    """
    return re.sub(_TEX if spaces else _TEX_BUT_SPACES, "", text)


def unescaped(text: str) -> str:
    """Return a text without the backslashes before punctuation."""
    return _ESCAPED.sub(r"\1", text)


def is_placeholder(text: str) -> bool:
    """Return whether a text is only the prompt's placeholder for a move, ``<move>``."""
    return _PLACEHOLDER.match(text) is not None


def start_tag(text: str, position: int = 0) -> re.Match[str] | None:
    """Return the markup or stop token that begins at a position, if one does."""
    return _START_TAG.match(text, position)


def _without_symbols(text: str) -> str:
    start, end = 0, len(text)
    while start < end and is_symbol(text[start]):
        start += 1
    while end > start and is_symbol(text[end - 1]):
        end -= 1
    return text[start:end]


def _less(text: str, *, tex_spaces: bool) -> Iterator[tuple[str, str]]:
    """Yield the text with one decoration less, in every way, and the decoration's form."""
    yield from _without_marks(text)
    if tag := _END_TAG.search(text, max(0, len(text) - _TAG_WITHIN)):
        yield text[: tag.start()], "tag"
    if tag := _START_TAG.match(text):
        yield text[tag.end() :], "tag"
    if number := _NUMBER.match(text):
        yield text[number.end() :], "bullet"
    if "\\" in text:
        yield without_tex(text, spaces=tex_spaces), "boxed"
        yield unescaped(text), "escape"
    if not text.isascii() and (bare := _without_symbols(text)) != text:
        yield bare, "symbols"


def _without_marks(text: str) -> Iterator[tuple[str, str]]:
    """Yield the text without a mark at one end or at both."""
    for start, end, form in _PAIRS:
        if text.startswith(start) and text.endswith(end) and len(text) > len(start) + len(end):
            yield text[len(start) : -len(end)], form
    for end, form in _ENDS:
        if text.endswith(end):
            yield text[: -len(end)], form
    for start, form in _STARTS:
        if text.startswith(start):
            yield text[len(start) :], form
    for opening, closing, form in _CLOSING:
        if text.endswith(closing) and text.count(closing) > text.count(opening):
            yield text[:-1], form
    for mark in ('"', "'"):
        if text.endswith(mark) and text.count(mark) % 2:
            yield text[:-1], "quotes"


def peeled(text: str, *, tex_spaces: bool = True) -> Iterator[tuple[str, tuple[str, ...], int]]:
    """Yield the text, then the text with more and more decoration removed, least change first.

    Each comes with the forms that were removed and the number of steps. ``tex_spaces`` is as in
    :func:`without_tex`.
    """
    queue: deque[tuple[str, tuple[str, ...], int]] = deque([(text, (), 0)])
    seen = {text}
    while queue:
        current, forms, steps = queue.popleft()
        yield current, forms, steps
        if len(current) > LONGEST_PEELED:
            continue
        for candidate, form in _less(current, tex_spaces=tex_spaces):
            bare = candidate.strip()
            if bare and bare not in seen and len(seen) < _MOST_PEELED:
                seen.add(bare)
                queue.append((bare, forms if form in forms else (*forms, form), steps + 1))


def which_action(answer: str, names: Names) -> tuple[Collection[int], tuple[str, ...]]:
    """Return the legal actions that a whole answer names, and the forms to be forgiven.

    A reading that forgives a superset of what another one forgives does not count beside it. More
    than one action is an ambiguous answer: ``- 1`` is 1 in a list, or -1 with a space.
    """
    if actions := names.named(answer):  # most answers need nothing forgiven
        return actions, ()
    actions, forms = _as_a_whole(answer, names)
    if not actions and (plain := folded(answer)) != answer:
        actions, forms = _as_a_whole(plain, names)
        forms = ("width", *forms)
    return actions, forms


def _as_a_whole(answer: str, names: Names) -> tuple[Collection[int], tuple[str, ...]]:
    tex_spaces = "\\" not in answer or not names.have_backslashes()
    candidates = list(peeled(answer, tex_spaces=tex_spaces))
    found: set[int] = set()
    readings: list[tuple[tuple[str, ...], int]] = []
    for how, look in names.lookups():
        for text, taken, steps in candidates:
            forms = (*taken, *how)
            if any(less <= steps and set(fewer) <= set(forms) for fewer, less in readings):
                continue
            if actions := look(text):
                found.update(actions)
                readings.append((forms, steps))
    return found, readings[0][0] if readings else ()
