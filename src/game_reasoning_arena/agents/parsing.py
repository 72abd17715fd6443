"""Reading a declared answer, and nothing but a declared answer, out of a model's text.

The declared forms are ``line`` (a line ``Final Answer: X``) and ``json`` (an object with
``action``). The last one counts; a line that is begun again and left blank takes back what stood
before. Prose is never searched for a move. What is forgiven is listed in :data:`FORMS` and written
down as ``parse_form``, for example ``line+emphasis+full_stop``.
"""

from __future__ import annotations

import json
import re
import string
from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

from game_reasoning_arena.agents.asking import Verdict
from game_reasoning_arena.agents.naming import Names
from game_reasoning_arena.agents.thinking import separate
from game_reasoning_arena.process.text import in_unicode
from game_reasoning_arena.records import Outcome, Reply

AnswerForm = Literal["line", "json"]

#: The decorations that are forgiven around a declared answer, in one line each.
FORMS: dict[str, str] = {
    "line": "the declared line, `Final Answer: X`",
    "json": 'the declared object, `{"action": "X"}`',
    "emphasis": "Markdown emphasis, `**X**`, also around the words `Final Answer`",
    "code": "backticks, `X` in them",
    "fenced": "a code fence around the answer",
    "next_line": "the answer alone on the line below `Final Answer:`",
    "heading": "a heading or quotation mark (`#`, `>`) before `Final Answer`",
    "bullet": "a list mark before the answer",
    "boxed": "TeX around it: `\\boxed{X}`, `\\text{X}`, dollar signs",
    "quotes": "quotation marks",
    "brackets": "brackets around the whole answer",
    "full_stop": "a full stop behind it",
    "case": "other letter case, where only one legal move fits",
    "spacing": "other white space, where only one legal move fits",
    "notation": "another notation of the game (chess: SAN with check and annotation marks, "
    "move numbers, castling with zeros, or UCI), where only one legal move fits",
}

# A reply may be 100,000 times the same character: no pattern may look at a place again and again.
_MARKS = ">#*_`~-"
_MARKER = re.compile(
    rf"^(?P<lead>(?:[^\S\n]|[{_MARKS}])*+)(?P<words>final[ \t]++answer)(?P<mid>[ \t*_`~]*+)"
    r"[:\uff1a](?P<content>[^\n]*)$",
    re.IGNORECASE | re.MULTILINE,
)
_FENCE = re.compile(r"^\s*(```\w*|~~~\w*|\$\$|\\\[|\\\])\s*$")
_OBJECT = re.compile(r'\{(?=[ \t\r\n]*+["}])')
_JSON_MARK = re.compile(r'"(?:[^"\\]|\\.?)*+"?|[{}\[\]]', re.DOTALL)

_PAIRS: tuple[tuple[str, str, str], ...] = (
    ("***", "***", "emphasis"),
    ("**", "**", "emphasis"),
    ("__", "__", "emphasis"),
    ("~~", "~~", "emphasis"),
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
    ("**", "emphasis"),
    ("__", "emphasis"),
    ("*", "emphasis"),
    ("_", "emphasis"),
    ("`", "code"),
)
_STARTS: tuple[tuple[str, str], ...] = (
    ("- ", "bullet"),
    ("* ", "bullet"),
    ("\u2022 ", "bullet"),
    ("**", "emphasis"),
    ("__", "emphasis"),
    ("*", "emphasis"),
    ("_", "emphasis"),
    ("`", "code"),
)
#: Longer answers are prose; nothing is peeled off them.
_LONGEST_PEELED = 1000
#: Nor is anything peeled in more ways than this: heaps of marks can be taken off in millions.
_MOST_PEELED = 500
#: Objects are not looked for deeper in one another than this where the decoder gives up.
_DEEPEST = 500
#: Characters after which the decoder gets the rest of a text: its errors count all lines before.
_NEAR = 1024
#: Finish reasons of answers that the token limit cut.
CUT = frozenset({"length", "max_tokens"})


@dataclass(frozen=True, slots=True)
class Declared:
    """A declared answer as written; ``open_end`` if the text stops right behind it."""

    text: str
    forms: tuple[str, ...]
    open_end: bool = False
    reasoning: str | None = None


def declared_line(text: str) -> Declared | None:
    """What the last ``Final Answer: X`` says; None where X cannot be told.

    X may stand on the next line if nothing but fences follows it. An answer before the last one
    was withdrawn by it, even where the last one is blank.
    """
    markers = list(_MARKER.finditer(text))
    if not markers:
        return None
    found = markers[-1]
    forms = ["line"]
    before = text[: found.start()]
    bare = before.rstrip(string.whitespace + _MARKS)
    # Lines above of nothing but marks belong to it, as a fence does.
    above = before[len(bare) :].partition("\n")[2] if bare else before
    lead, mid = above + found["lead"], found["mid"]
    if re.search(r"[*_~]", lead + mid):
        forms.append("emphasis")
    if "`" in lead + mid:
        forms.append("code")
    if re.search(r"[#>-]", lead):
        forms.append("heading")
    if found["words"] != "Final Answer":
        forms.append("case")
    content = found["content"].strip()
    if content.strip("*_`~ "):
        return Declared(content, tuple(forms), open_end=found.end() == len(text))
    rest = text[found.end() :].splitlines()
    lines = [line.strip() for line in rest if line.strip()]
    answers = [line for line in lines if not _FENCE.match(line)]
    if len(answers) != 1:
        return None
    forms.append("fenced" if len(lines) > 1 else "next_line")
    return Declared(answers[0], tuple(forms), open_end=rest[-1].strip() == answers[0])


def _objects(text: str) -> Iterator[tuple[dict[str, object], int]]:
    decoder = json.JSONDecoder(parse_int=str)  # a number as it is written, however long
    broken: set[int] = set()
    near, rest, end = 0, text, 0
    for begun in _OBJECT.finditer(text):
        start = begun.start()
        if start < end or start in broken:
            continue
        if start - near > _NEAR:
            near, rest = start, text[start:]
        try:
            value, length = decoder.raw_decode(rest, start - near)
        except json.JSONDecodeError as error:
            broken.update(_open_objects(text, start, near + error.pos))
        except RecursionError:
            broken.update(_open_objects(text, start, len(text)))
        else:
            yield value, start
            end = near + length


def _open_objects(text: str, start: int, end: int) -> list[int]:
    """Where objects begin that are open at ``end``: what broke the outermost breaks them too."""
    opened: list[int] = []
    for mark in _JSON_MARK.finditer(text, start, end):
        if mark[0] in ("{", "["):
            opened.append(mark.start())
        elif mark[0] in ("}", "]") and opened:
            opened.pop()
        if len(opened) > _DEEPEST:
            break
    return opened


def declared_json(text: str) -> Declared | None:
    """The last JSON object with an ``action`` that is a text or a whole number."""
    last: tuple[str, object, int] | None = None
    for value, start in _objects(text):
        action = value.get("action")
        if isinstance(action, str) and action.strip():
            last = action, value.get("reasoning"), start
    if last is None:
        return None
    action, reasoning, start = last
    forms = ("json", "fenced") if text.count("```", 0, start) % 2 else ("json",)
    thoughts = in_unicode(reasoning) if isinstance(reasoning, str) and reasoning.strip() else None
    return Declared(in_unicode(action).strip(), forms, reasoning=thoughts)


def _peeled(text: str) -> Iterator[tuple[str, tuple[str, ...], int]]:
    """The text, then the text with ever more decoration taken off; the least change first.

    With each stand the forms that were taken off, and in how many steps.
    """
    queue: deque[tuple[str, tuple[str, ...], int]] = deque([(text, (), 0)])
    seen = {text}
    while queue:
        current, forms, steps = queue.popleft()
        yield current, forms, steps
        if len(current) > _LONGEST_PEELED:
            continue
        fewer: list[tuple[str, str]] = []
        for start, end, form in _PAIRS:
            if (
                current.startswith(start)
                and current.endswith(end)
                and len(current) > len(start) + len(end)
            ):
                fewer.append((current[len(start) : -len(end)], form))
        fewer += [(current[: -len(e)], form) for e, form in _ENDS if current.endswith(e)]
        fewer += [(current[len(s) :], form) for s, form in _STARTS if current.startswith(s)]
        for candidate, form in fewer:
            bare = candidate.strip()
            if bare and bare not in seen and len(seen) < _MOST_PEELED:
                seen.add(bare)
                queue.append((bare, forms if form in forms else (*forms, form), steps + 1))


def which_action(answer: str, names: Names) -> tuple[Collection[int], tuple[str, ...]]:
    """The legal actions that a declared answer names, and the forms that had to be forgiven.

    A reading that forgives all that another one does, and more, does not count beside it. More than
    one action is an ambiguous answer: ``- 1`` is 1 in a list, or -1 with a space.
    """
    if actions := names.named(answer):  # most answers need nothing forgiven
        return actions, ()
    candidates = list(_peeled(answer))
    found: set[int] = set()
    readings: list[tuple[tuple[str, ...], int]] = []
    for how, look in names.lookups():
        for text, taken, steps in candidates:
            forms = taken if how is None else (*taken, how)
            if any(less <= steps and set(fewer) <= set(forms) for fewer, less in readings):
                continue
            if actions := look(text):
                found.update(actions)
                readings.append((forms, steps))
    return found, readings[0][0] if readings else ()


def _joined(*forms: str) -> str:
    return "+".join(dict.fromkeys(forms))


def judge(reply: Reply, form: AnswerForm, names: Names) -> Verdict:
    """What a reply is, as an answer to a turn with these legal actions.

    A reply cut by the token limit counts as truncated if it has no declared answer, began another
    one, or stops inside one that could have gone on to name another legal action.
    """
    said, thoughts = separate(reply.text)
    reasoning = reply.reasoning if reply.reasoning is not None else thoughts
    cut = reply.finish_reason in CUT
    if reply.refused:
        return Verdict(Outcome.REFUSED, reasoning=reasoning, said=said)
    if not said.strip():
        outcome = Outcome.TRUNCATED if cut else Outcome.EMPTY
        return Verdict(outcome, reasoning=reasoning, said=said)
    declared = declared_json(said) if form == "json" else declared_line(said)
    if declared is None:
        outcome = Outcome.TRUNCATED if cut else Outcome.UNPARSABLE
        return Verdict(outcome, reasoning=reasoning, said=said)
    if reasoning is None:
        reasoning = declared.reasoning
    actions, forgiven = which_action(declared.text, names)
    written = _joined(*declared.forms, *forgiven)
    if cut and declared.open_end and not _is_complete(declared.text, actions, names):
        return Verdict(
            Outcome.TRUNCATED, form=written, answer=declared.text, reasoning=reasoning, said=said
        )
    if len(actions) == 1:
        action = next(iter(actions))
        return Verdict(
            Outcome.LEGAL,
            action=action,
            action_text=names.label(action),
            form=written,
            answer=declared.text,
            reasoning=reasoning,
            said=said,
        )
    return Verdict(
        Outcome.UNPARSABLE if actions else Outcome.ILLEGAL,
        action_text=declared.text,
        form=written,
        answer=declared.text,
        reasoning=reasoning,
        said=said,
    )


def _is_complete(answer: str, actions: Collection[int], names: Names) -> bool:
    """Whether a cut answer names one action and is not the beginning of another one's name."""
    start = answer.casefold()
    longer = [
        action
        for action, label in zip(names.actions, names.labels, strict=True)
        if action not in actions and label.casefold().startswith(start)
    ]
    return len(actions) == 1 and not longer
