"""The questions of a run: rows turned into messages one at a time, with examples before them."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import orjson

from game_reasoning_arena.agents.randomness import Purpose, Stream
from game_reasoning_arena.errors import ConfigProblems, UserError
from game_reasoning_arena.records import Message
from game_reasoning_arena.simulation.prompts.columns import Columns, Item
from game_reasoning_arena.simulation.prompts.files import Place, Rows
from game_reasoning_arena.simulation.prompts.scorers.base import Scorer, Unreadable
from game_reasoning_arena.simulation.prompts.selection import drawn
from game_reasoning_arena.simulation.prompts.templates import RowTemplate

#: The most wrong rows that are reported of one file.
MOST_REPORTED = 5

#: Examples drawn beyond those shown; they replace the asked row where it is among them.
_SPARE = 8


@dataclass(frozen=True, slots=True)
class Question:
    """A row as it is asked: its messages, and how the answer is scored."""

    item: Item
    messages: tuple[Message, ...]
    scorer: Scorer | None
    key: Any
    expected: str | None


@dataclass(frozen=True, slots=True)
class _Example:
    """A row shown with its answer."""

    row: int
    prompt: str
    messages: tuple[Message, Message]


@dataclass(slots=True)
class Bank:
    """Rows with what is needed to make questions of them."""

    rows: Rows
    columns: Columns
    template: RowTemplate
    scorer: Scorer | None
    scorer_conf: Any
    file: str

    def item(self, number: int) -> Item:
        """Return a row as an item."""
        return self.columns.item(number, self.rows[number], None, self.rows.stem(number))

    def asked(self, item: Item) -> str:
        """Return the question of an item as it is sent."""
        return self.template(
            prompt=item.prompt,
            choices=shown_choices(item),
            row=self.columns.hidden(item.row),
            id=item.name,
            group=item.group,
        )


@dataclass(slots=True)
class Examples:
    """The source of examples and the number shown before a question."""

    shots: int
    bank: Bank
    answer: RowTemplate | None
    same_file: bool
    drawn: list[_Example] = field(default_factory=list)

    def draw(self, seed: int) -> None:
        """Draw the examples: the same for every question, so that all prompts begin alike.

        Raises:
            UserError: there are too few rows, or one cannot be shown.
        """
        rows = len(self.bank.rows)
        wanted = min(rows, self.shots + _SPARE)
        numbers = drawn(rows, wanted, Stream(seed, Purpose.SHOTS))
        self.drawn = [self._example(number) for number in numbers]

    def before(self, number: int, prompt: str) -> Iterator[Message]:
        """Yield the messages of the examples for a row; the row itself is never among them."""
        shown = 0
        for example in self.drawn:
            if shown == self.shots:
                return
            if (self.same_file and example.row == number) or example.prompt == prompt:
                continue
            shown += 1
            yield from example.messages
        if shown < self.shots:
            raise UserError(
                f"simulation.shots={self.shots}: the prompt in row {number + 1} stands so often "
                "among the examples that too few are left. Remove repeated rows, or lower it."
            )

    def _example(self, number: int) -> _Example:
        bank = self.bank
        item = bank.item(number)
        prompt = bank.asked(item)
        key = None if bank.scorer is None else bank.scorer.key(item)
        expected = item.expected if bank.scorer is None else bank.scorer.shown(item, key)
        if self.answer is not None:
            answer = self.answer(
                prompt=item.prompt,
                choices=shown_choices(item),
                row=item.row,
                id=item.name,
                group=item.group,
                expected=expected,
            )
        elif bank.scorer is not None:
            answer = bank.scorer.example(item, key)
        else:
            answer = str(expected)
        return _Example(
            number,
            prompt,
            ({"role": "user", "content": prompt}, {"role": "assistant", "content": answer}),
        )


class Questionnaire:
    """All questions, checked from the first to the last; the texts stay on disk.

    Args:
        bank: the rows to ask.
        first: the most rows to ask, from the first; None for all.
        examples: the examples before a question; None for none.

    Raises:
        ConfigProblems: rows that cannot be asked or scored, each named with a next step.
    """

    def __init__(
        self, bank: Bank, *, first: int | None = None, examples: Examples | None = None
    ) -> None:
        self._bank = bank
        self._examples = examples
        self._count = 0
        self._hash = hashlib.sha256()
        self._check(first)

    def __len__(self) -> int:
        return self._count

    @property
    def digest(self) -> str:
        """A hash of all questions and right answers, and of the examples' file."""
        whole = self._hash.copy()
        if self._examples is not None:
            whole.update(f"{self._examples.shots}".encode())
        return whole.hexdigest()

    @property
    def scorer(self) -> Scorer | None:
        """The scorer of the answers; None for none."""
        return self._bank.scorer

    def settings(self) -> dict[str, Any]:
        """Return the columns (false: none), the template and the scorer, as settings."""
        names = self._bank.columns.names
        return {
            "columns": {what: False if name is None else name for what, name in names.items()},
            "template": self._bank.template.name,
            "scorer": self._bank.scorer_conf,
        }

    def draw_examples(self, seed: int) -> None:
        """Draw the examples by the run's seed."""
        if self._examples is not None:
            self._examples.draw(seed)

    def question(self, number: int) -> Question:
        """Return the question of a row."""
        bank = self._bank
        item = bank.item(number)
        text = bank.asked(item)
        key = None if bank.scorer is None else bank.scorer.key(item)
        examples = () if self._examples is None else tuple(self._examples.before(number, text))
        system = tuple(m for m in item.before if m["role"] == "system")
        rest = tuple(m for m in item.before if m["role"] != "system")
        messages: tuple[Message, ...] = (
            *system,
            *examples,
            *rest,
            {"role": "user", "content": text},
        )
        expected = None if bank.scorer is None else bank.scorer.shown(item, key)
        return Question(item, messages, bank.scorer, key, expected)

    def _check(self, first: int | None) -> None:
        bank = self._bank
        names = array("Q")
        problems: list[str] = []
        wrong = 0
        for number, (place, row) in enumerate(bank.rows.scan()):
            if first is not None and number == first:
                break
            self._count += 1
            try:
                item = bank.columns.item(number, row, place, bank.rows.stem(number))
                self._take(item, place)
                names.append(_short_hash(item.name))
            except UserError as error:
                wrong += 1
                if wrong <= MOST_REPORTED:
                    problems.append(str(error))
        if wrong > MOST_REPORTED:
            problems.append(f"{bank.file}: {wrong - MOST_REPORTED} more rows are wrong like these.")
        if not self._count:
            problems.append(f"{bank.file} holds no prompts.")
        if not problems and (twice := self._twice(names)) is not None:
            problems.append(twice)
        if problems:
            raise ConfigProblems(problems)

    def _take(self, item: Item, place: Place) -> None:
        """Check one item and add it to the hash."""
        bank, key = self._bank, None
        scorer = bank.scorer
        if scorer is not None:
            if scorer.needs_answer and item.expected in (None, ""):
                raise UserError(
                    f"{place} has no answer under '{bank.columns.names['answer']}': the scorer "
                    f"{scorer.name} needs one for every prompt. Fill it in, or remove the row."
                )
            try:
                key = scorer.key(item)
            except Unreadable as error:
                raise UserError(
                    f"{place}: the answer under '{bank.columns.names['answer']}' {error}."
                ) from error
        expected = None if scorer is None else scorer.shown(item, key)
        asked = (item.name, item.system, item.before, bank.asked(item), expected, item.group)
        self._hash.update(orjson.dumps(asked))

    def _twice(self, names: array[int]) -> str | None:
        """Return what is wrong with equal ids; rows are read again to name them."""
        if self._bank.columns.names["id"] is None:
            return None
        ordered = sorted(names)
        doubles = {a for a, b in pairwise(ordered) if a == b}
        if not doubles:
            return None
        seen: dict[int | str, Place] = {}
        for number, (place, row) in enumerate(self._bank.rows.scan()):
            name = self._bank.columns.item(number, row, place, self._bank.rows.stem(number)).name
            if _short_hash(name) not in doubles:
                continue
            if name in seen:
                there = seen[name]
                first = f"{there.kind} {there.number}"
                first += f" of {there.file}" if there.file != place.file else ""
                return (
                    f"{place} has the id {name!r} of {first}; ids must differ. To number the "
                    "prompts instead: simulation.columns.id=false"
                )
            seen[name] = place
        return None


def shown_choices(item: Item) -> list[dict[str, str]]:
    """Return choices as plain data for a template, which a sandbox need not inspect."""
    return [{"label": choice.label, "text": choice.text} for choice in item.choices]


def _short_hash(name: int | str) -> int:
    digest = hashlib.blake2b(repr(name).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little")
