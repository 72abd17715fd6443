"""Multiple choice: the letter or the text of a choice, read as a move is read in games."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from msgspec.structs import replace

from game_reasoning_arena.agents.asking import Verdict
from game_reasoning_arena.agents.naming import Names, collapsed
from game_reasoning_arena.agents.parsing import judge
from game_reasoning_arena.agents.reading.dressing import which_action
from game_reasoning_arena.agents.reading.forms import joined
from game_reasoning_arena.errors import UserError
from game_reasoning_arena.records import Outcome, Reply
from game_reasoning_arena.simulation.prompts.choices import Choice
from game_reasoning_arena.simulation.prompts.columns import Item
from game_reasoning_arena.simulation.prompts.scorers.base import (
    Found,
    Scored,
    Scorer,
    Unreadable,
    read_reply,
)

#: A label and what follows it: ``(B) Paris``, ``B. Paris``, ``option B``, ``B``.
_LABELLED = re.compile(
    r"(?:(?:option|choice|answer)\s+)?[(\[]?(?P<label>\w{1,3})[)\]]?"
    r"(?:\s*[.:)\u2013-]\s*|\s+)?(?P<text>.*)",
    re.IGNORECASE | re.DOTALL,
)


class MultipleChoice(Scorer):
    """Right if the answer names the expected choice by its letter, its text, or both.

    Args:
        index_from: the number of the first choice where the file gives numbers: 0 or 1.
    """

    name: ClassVar[str] = "choice"
    reads: ClassVar[tuple[str, ...]] = ("line", "json", "whole")

    def __init__(self, *, read: str = "line", index_from: int | None = None) -> None:
        super().__init__(read=read)
        if index_from not in (None, 0, 1):
            raise UserError(f"simulation.scorer.index_from={index_from}: give 0 or 1.")
        self.index_from = index_from

    def key(self, item: Item) -> int:
        """Return the number of the expected choice, from 0."""
        choices = item.choices
        if len(choices) < 2:
            raise Unreadable(
                f"belongs to {len(choices) or 'no'} choices; at least two are needed. Name their "
                "column: simulation.columns.choices=NAME, or take another scorer"
            )
        expected = item.expected
        if isinstance(expected, list):
            expected = expected[0] if len(expected) == 1 else expected
        if isinstance(expected, int) and not isinstance(expected, bool):
            return self._index(expected, choices)
        if isinstance(expected, str):
            bare = expected.strip()
            for number, choice in enumerate(choices):
                if bare in (choice.label, f"({choice.label})", f"{choice.label}."):
                    return number
            if self.index_from is not None and bare.isdigit():
                return self._index(int(bare), choices)
            texts = [_same(choice.text) for choice in choices]
            if texts.count(_same(bare)) == 1:
                return texts.index(_same(bare))
            if len(bare) == 1 and bare.upper() in (labels := [c.label for c in choices]):
                return labels.index(bare.upper())
        raise Unreadable(
            f"is {expected!r:.60}, and none of its choices: "
            f"{', '.join(f'{c.label}. {c.text}' for c in choices):.200}. It must be a label or the "
            "text of one; for numbers set simulation.scorer.index_from=0 or 1"
        )

    def _index(self, number: int, choices: tuple[Choice, ...]) -> int:
        labels = [choice.label for choice in choices]
        if self.index_from is None and str(number) in labels:
            return labels.index(str(number))
        index = number - (self.index_from or 0)
        if not 0 <= index < len(choices):
            first = self.index_from or 0
            raise Unreadable(
                f"is {number}, but the {len(choices)} choices are counted from {first}. Choices "
                f"counted from {1 - first}: simulation.scorer.index_from={1 - first}"
            )
        return index

    def shown(self, item: Item, key: int) -> str:
        choice = item.choices[key]
        return f"{choice.label}. {choice.text}"

    def example(self, item: Item, key: int) -> str:
        label = item.choices[key].label
        return f"Final Answer: {label}" if self.read == "line" else super().example(item, key)

    def judge(self, reply: Reply, item: Item, key: int) -> Verdict:
        names = names_of(item.choices)
        verdict = judge(reply, "line", names) if self.read == "line" else self._read(reply, names)
        if verdict.outcome is not Outcome.LEGAL:
            return replace(
                verdict,
                action_text=None,
                score=0.0,
                scored_as=f"{self.name}:{verdict.outcome.value}",
                answer_text=None if verdict.answer is None else verdict.answer[:200],
            )
        assert verdict.action is not None
        choice = item.choices[verdict.action]
        named = _same(verdict.answer) == _same(choice.text) != _same(choice.label)
        return replace(
            verdict,
            outcome=Outcome.ANSWERED,
            action=None,
            action_text=None,
            score=float(verdict.action == key),
            scored_as=f"{self.name}:{'text' if named else 'letter'}",
            answer_text=choice.label,
        )

    def _read(self, reply: Reply, names: Names) -> Verdict:
        """Return the verdict on an answer that stands alone, or in an object."""
        outcome, found, reasoning, visible = read_reply(reply, self.read)
        if found is None:
            return Verdict(outcome, reasoning=reasoning, visible=visible)
        actions, forms = which_action(found.text, names)
        verdict = Verdict(
            Outcome.UNPARSABLE if actions else Outcome.ILLEGAL,
            form=joined(*found.forms, *forms),
            answer=found.text,
            reasoning=reasoning,
            visible=visible,
        )
        if len(actions) != 1:
            return verdict
        return replace(verdict, outcome=Outcome.LEGAL, action=next(iter(actions)))

    def score(self, found: Found, item: Item, key: int) -> Scored:
        """Raise: replies are judged whole; see :meth:`judge`."""
        raise NotImplementedError


def names_of(choices: tuple[Choice, ...]) -> Names:
    """Return choices as the legal actions of a turn: labels before texts."""
    texts = tuple(collapsed(choice.text) for choice in choices)
    labels = tuple(choice.label for choice in choices)

    def in_words(text: str) -> set[int]:
        match = _LABELLED.fullmatch(text.strip())
        if match is None:
            return set()
        found = [
            n for n, label in enumerate(labels) if label.casefold() == match["label"].casefold()
        ]
        rest = _same(match["text"])
        if not found or not rest:
            return set(found)
        # A letter beside the text of another choice names both: no valid answer.
        named = {n for n, own in enumerate(texts) if _same(own) == rest}
        return named | set(found) if named else set()

    return Names(tuple(range(len(choices))), labels, texts, in_words)


def _same(text: Any) -> str:
    return collapsed(str(text)).casefold().rstrip(".")
