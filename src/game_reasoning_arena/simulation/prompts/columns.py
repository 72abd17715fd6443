"""The columns of a data file by what they hold, and the items made of its rows.

A setting ``simulation.columns.X`` is a column's name, a path into nested values
(``choices.text``), a list of columns (``[A, B, C, D]``), a Jinja expression over ``row``
(``"{{ row.a.strip() }}"``), or false for none. For null the usual names are tried.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from game_reasoning_arena.errors import UserError, choose_from
from game_reasoning_arena.records import Message
from game_reasoning_arena.simulation.prompts.choices import (
    Choice,
    Missing,
    choices_of,
    from_json,
    usable,
)
from game_reasoning_arena.simulation.prompts.files import Place
from game_reasoning_arena.simulation.prompts.formats import Row
from game_reasoning_arena.simulation.prompts.templates import value_template

#: The names that are tried, in this order, by what they hold.
USUAL: dict[str, tuple[str, ...]] = {
    "prompt": (
        "prompt", "question", "input", "problem", "query", "instruction", "messages",
        "conversation",
    ),
    "answer": (
        "answer", "target", "answerKey", "expected", "final_answer", "solution", "output",
        "reference", "canonical_solution", "label",
    ),
    "choices": ("choices", "options"),
    "id": ("id", "task_id", "question_id", "unique_id", "qid"),
    "system": ("system", "system_prompt"),
    "group": ("group", "subject", "category", "subset", "task"),
}  # fmt: skip

#: Names of choices that have a column each.
_LETTERED = ("A", "B", "C", "D", "E", "F", "G", "H", "I", "J")

Pick = Callable[[Row], Any]


class Item(Struct, frozen=True, kw_only=True):
    """A row as it is asked: its name, the messages before the question, question and answer."""

    name: int | str
    group: str | None
    system: str | None
    before: tuple[Message, ...]
    prompt: str
    choices: tuple[Choice, ...]
    expected: Any
    row: Row


class Columns:
    """Makes items of rows.

    Args:
        settings: ``simulation.columns``.
        known: the columns of the first row.
        file: the setting that names the file and its value, for errors.

    Attributes:
        names: the chosen columns by what they hold; None for none.

    Raises:
        UserError: a named column is missing, or no column holds prompts.
    """

    def __init__(self, settings: Mapping[str, Any], known: Sequence[str], file: str) -> None:
        self._file = file
        self.known = list(known)
        self.names: dict[str, Any] = {}
        self._picks: dict[str, Pick] = {}
        for what in USUAL:
            chosen = self._chosen(what, settings.get(what))
            self.names[what] = chosen
            if chosen is not None:
                self._picks[what] = _pick(chosen, f"simulation.columns.{what}")
        if self.names["prompt"] is None:
            if len(known) == 1 and (sign := next((s for s in ";\t|" if s in known[0]), None)):
                raise UserError(
                    f"{file} has one column, {known[0]!r}: its cells seem to be separated by "
                    f"{sign!r}. Save it with commas, or as .tsv with tabs."
                )
            raise UserError(
                f"{file} has no column 'prompt'; its columns are {', '.join(known) or 'none'}. Say "
                "which holds the questions: simulation.columns.prompt=NAME"
            )

    def _chosen(self, what: str, wanted: Any) -> Any:
        if wanted is False:
            return None
        if wanted in (None, True, "", []):
            found = next((name for name in USUAL[what] if name in self.known), None)
            if found is None and what == "choices" and {"A", "B"} <= set(self.known):
                return [name for name in _LETTERED if name in self.known]
            return found
        for name in wanted if isinstance(wanted, list) else [wanted]:
            if "{{" in str(name) or "{%" in str(name):
                continue
            if str(name) not in self.known and str(name).partition(".")[0] not in self.known:
                raise UserError(
                    f"simulation.columns.{what}={name}: {self._file} has no such column. "
                    + choose_from(str(name), self.known, limit=30)
                )
        return wanted

    @property
    def labelled(self) -> bool:
        """Whether the rows have answers."""
        return self.names["answer"] is not None

    @property
    def chats(self) -> bool:
        """Whether rows are conversations, which may end with their answer."""
        return _is_chat_name(self.names["prompt"])

    def hidden(self, row: Row) -> Row:
        """Return a row without its answer, for the template of a question."""
        answer = self.names["answer"]
        top = str(answer).partition(".")[0] if isinstance(answer, str) else None
        return {key: value for key, value in row.items() if key != top}

    def item(self, number: int, row: Row, place: Place | None, stem: str | None) -> Item:
        """Make an item.

        Args:
            number: the row's number, which names it where there are no ids.
            row: its values.
            place: its place in the file, for errors.
            stem: the name of its file, where there are several; its group if it has none.

        Raises:
            UserError: the row lacks something; the error names the row.
        """
        try:
            name = self._name(number, row, stem)
            before, prompt, replied = self._asked(row)
            group = self._value("group", row)
            system = self._value("system", row)
            return Item(
                name=name,
                group=stem if group in (None, "") else str(group),
                system=None if system in (None, "") else str(system),
                before=before,
                prompt=prompt,
                choices=self._choices(row),
                expected=replied if self.names["answer"] is None else self._value("answer", row),
                row=row,
            )
        except Missing as error:
            where = place if place is not None else f"{self._file}, row {number + 1}"
            raise UserError(f"{where} {error}") from error

    def _value(self, what: str, row: Row) -> Any:
        pick = self._picks.get(what)
        if pick is None:
            return None
        try:
            return pick(row)
        except Missing:
            # A row of JSON may leave out what is empty, but a column that the user named must be
            # there.
            return None

    def _name(self, number: int, row: Row, stem: str | None) -> int | str:
        if "id" not in self._picks:
            if row.get("id") is not None and "id" not in self.known:
                raise Missing(
                    "has an id, but the first prompt has none: every prompt has, or none."
                )
            return number if stem is None else f"{stem}/{number}"
        name = self._value("id", row)
        if isinstance(name, bool) or not isinstance(name, int | str) or name == "":
            wrong = "has no id" if name in (None, "") else f"has the id {name!r}"
            raise Missing(
                f"{wrong}. An id is a text or a whole number; either every prompt has one or none "
                "(simulation.columns.id=false numbers them)."
            )
        return name

    def _asked(self, row: Row) -> tuple[tuple[Message, ...], str, str | None]:
        """Return the messages before the question, the question, and an answer that follows it."""
        column = self.names["prompt"]
        try:
            value = self._picks["prompt"](row)
        except Missing as error:
            raise Missing(
                f"has no text under '{column}' ({error}); its columns are {', '.join(row)}."
            ) from error
        if isinstance(value, str) and value.lstrip().startswith("[{") and _is_chat_name(column):
            value = from_json(value)
        if isinstance(value, list):
            return _conversation(value, str(column))
        return (), usable(value, str(column)), None

    def _choices(self, row: Row) -> tuple[Choice, ...]:
        column = self.names["choices"]
        if column is None:
            return ()
        if isinstance(column, list):
            texts = [row.get(name) for name in column]
            return tuple(
                Choice(name, str(text))
                for name, text in zip(column, texts, strict=True)
                if text not in (None, "")
            )
        return choices_of(self._value("choices", row), str(column))


def _conversation(value: list[Any], column: str) -> tuple[tuple[Message, ...], str, str | None]:
    messages: list[Message] = []
    for number, one in enumerate(value):
        role = one.get("role", one.get("from")) if isinstance(one, Mapping) else None
        role = {"human": "user", "gpt": "assistant"}.get(str(role), role)
        if role not in ("system", "user", "assistant"):
            raise Missing(
                f"has under '{column}' a message {number} of the role {role!r}. A message is "
                '{"role": "system", "user" or "assistant", "content": "..."}.'
            )
        content = one.get("content", one.get("value"))
        messages.append({"role": str(role), "content": usable(_joined(content), column)})
    replied = None
    if messages and messages[-1]["role"] == "assistant":
        replied = messages.pop()["content"]
    if not messages or messages[-1]["role"] != "user":
        raise Missing(f"has under '{column}' no last message of the user, to be answered.")
    return tuple(messages[:-1]), messages[-1]["content"], replied


def _joined(content: Any) -> Any:
    """Return the text of a message that comes in parts."""
    if not isinstance(content, list):
        return content
    texts = [part.get("text") if isinstance(part, Mapping) else part for part in content]
    parts = [text for text in texts if isinstance(text, str)]
    return "\n".join(parts) if len(parts) == len(texts) else None


def _is_chat_name(column: Any) -> bool:
    return column in ("messages", "conversation")


def _pick(chosen: Any, where: str) -> Pick:
    """Return the function that gets a value from a row."""
    if isinstance(chosen, list):
        return lambda row: [row.get(name) for name in chosen]
    name = str(chosen)
    if "{{" in name or "{%" in name:
        rendered = value_template(name, where)
        return lambda row: rendered(row=row)

    def pick(row: Row) -> Any:
        if name in row:
            return row[name]
        value: Any = row
        for part in name.split("."):
            if not isinstance(value, Mapping) or part not in value:
                raise Missing(f"'{name}' is missing")
            value = value[part]
        return value

    return pick
