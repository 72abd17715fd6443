"""Reading a declared answer, and nothing but a declared answer, out of a model's text.

The declared forms are ``line`` (a line ``Final Answer: X``) and ``json`` (an object with
``action``). The last one counts; a line that is begun again and left blank takes back what stood
before. Prose is never searched for a move. What is forgiven is listed in :data:`FORMS` and written
down as ``parse_form``, for example ``line+emphasis+full_stop``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

from game_reasoning_arena.agents.asking import Verdict
from game_reasoning_arena.agents.naming import Names
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

_MARKER = re.compile(
    r"^(?P<lead>[\s>#*_`~-]*)(?P<words>final[ \t]+answer)(?P<mid>[ \t*_`~]*)[:\uff1a]"
    r"(?P<content>[^\n]*)$",
    re.IGNORECASE | re.MULTILINE,
)
_FENCE = re.compile(r"^\s*(```\w*|~~~\w*|\$\$|\\\[|\\\])\s*$")
_THINK = re.compile(r"<(think|thinking|reasoning)>(.*?)</\1>", re.DOTALL | re.IGNORECASE)
_THINK_OPEN = re.compile(r"<(think|thinking|reasoning)>", re.IGNORECASE)
_THINK_CLOSE = re.compile(r"</(think|thinking|reasoning)>", re.IGNORECASE)

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
#: Finish reasons of answers that the token limit cut.
CUT = frozenset({"length", "max_tokens"})


@dataclass(frozen=True, slots=True)
class Declared:
    """A declared answer as written; ``open_end`` if the text stops right behind it."""

    text: str
    forms: tuple[str, ...]
    open_end: bool = False
    reasoning: str | None = None


def split_reasoning(text: str) -> tuple[str, str | None]:
    """Part a text into what is said and what stands in reasoning tags (None without tags).

    A closing tag alone ends reasoning that the chat template began; an opening tag alone is
    reasoning that never ended.
    """
    thoughts: list[str] = []

    def keep(found: re.Match[str]) -> str:
        thoughts.append(found.group(2))
        return ""

    said = _THINK.sub(keep, text)
    if closing := list(_THINK_CLOSE.finditer(said)):
        thoughts.append(said[: closing[-1].start()])
        said = said[closing[-1].end() :]
    if opening := _THINK_OPEN.search(said):
        thoughts.append(said[opening.end() :])
        said = said[: opening.start()]
    if not thoughts:
        return text, None
    return said.strip(), "\n".join(thought.strip() for thought in thoughts)


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
    lead, mid = found["lead"], found["mid"]
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
    bare = [line for line in lines if not _FENCE.match(line)]
    if len(bare) != 1:
        return None
    forms.append("fenced" if len(bare) < len(lines) else "next_line")
    return Declared(bare[0], tuple(forms), open_end=rest[-1].strip() == bare[0])


def _objects(text: str) -> Iterator[tuple[dict[str, object], int, int]]:
    decoder = json.JSONDecoder()
    position = text.find("{")
    while position >= 0:
        try:
            value, end = decoder.raw_decode(text, position)
        except (json.JSONDecodeError, RecursionError):
            end = position + 1
        else:
            yield value, position, end
        position = text.find("{", end)


def declared_json(text: str) -> Declared | None:
    """The last JSON object with an ``action`` that is a text or a whole number."""
    last: Declared | None = None
    for value, start, _ in _objects(text):
        action = value.get("action")
        if isinstance(action, bool) or not isinstance(action, str | int):
            continue
        if not str(action).strip():
            continue
        forms = ("json", "fenced") if text[:start].count("```") % 2 else ("json",)
        reasoning = value.get("reasoning")
        last = Declared(
            str(action).strip(),
            forms,
            reasoning=reasoning if isinstance(reasoning, str) and reasoning.strip() else None,
        )
    return last


def _peeled(text: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The text, then the text with ever more decoration taken off; the least change first."""
    queue: list[tuple[str, tuple[str, ...]]] = [(text, ())]
    seen = {text}
    while queue:
        current, forms = queue.pop(0)
        yield current, forms
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
            if bare and bare not in seen:
                seen.add(bare)
                queue.append((bare, forms if form in forms else (*forms, form)))


def which_action(answer: str, names: Names) -> tuple[Collection[int], tuple[str, ...]]:
    """The legal actions that a declared answer names, and the forms that had to be forgiven.

    Exact names come first, then letter case, white space and other notations; within each the
    answer with the least taken off. More than one action is an ambiguous answer.
    """
    if actions := names.named(answer):  # most answers need nothing forgiven
        return actions, ()
    candidates = list(_peeled(answer))
    for how, look in names.lookups():
        for text, forms in candidates:
            if actions := look(text):
                return actions, forms if how is None else (*forms, how)
    return (), ()


def _joined(*forms: str) -> str:
    return "+".join(dict.fromkeys(forms))


def judge(reply: Reply, form: AnswerForm, names: Names) -> Verdict:
    """What a reply is, as an answer to a turn with these legal actions.

    A reply cut by the token limit counts as truncated if it has no declared answer, began another
    one, or stops inside one that could have gone on to name another legal action.
    """
    said, thoughts = split_reasoning(reply.text)
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
