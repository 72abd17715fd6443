"""Tables as data, and the forms they are written in as files: CSV, Markdown, JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from game_reasoning_arena.analysis.tables.estimates import Estimate
from game_reasoning_arena.process.text import as_cell, plain

Value = str | int | float | Estimate | None

#: What stands where nothing is known, never 0.
UNKNOWN_TEXT = "–"

#: Characters of a text in a file's table before it is folded.
LONGEST_TEXT = 32

#: No text's column is made narrower to save a piece of a table.
NARROW_TEXT = 16

#: Characters of a line of a Markdown table.
MARKDOWN_WIDTH = 110

#: Columns of a table with one per run that anyone would read beside each other.
MOST_RUNS = 6

#: Runs of one value that are named; more are counted.
MOST_NAMED = 2


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


def _seconds(value: float) -> str:
    if 0 < abs(value) < 0.1:
        return f"{float(f'{value:.2g}'):.8f}".rstrip("0")
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def _usd(value: float) -> str:
    return f"{value:.2f}" if value == 0 or abs(value) >= 1 else f"{value:.5f}"


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else "<0.001"


def _signed(value: float, digits: int) -> str:
    """With its sign, which what is rounded to nothing does not have."""
    text = f"{value:+.{digits}f}"
    return text if float(text) else text[1:]


_FORMATS: dict[str, Callable[[float], str]] = {
    "percent": _percent,
    "seconds": _seconds,
    "usd": _usd,
    "p": _p,
    "number": lambda v: f"{v:.3g}" if abs(v) < 1000 else f"{v:,.0f}",
    "signed": lambda v: _signed(v, 3),
    "points": lambda v: _signed(100 * v, 1),
    "rating": lambda v: _signed(v, 0),
    "count": lambda v: f"{v:,.0f}",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its key, its heading (with the unit), and how its values are written.

    ``kind`` is ``text`` or one of percent, seconds, usd, p, number, signed, points, rating, count.
    Columns with ``names_row`` say which row it is; ``rare`` ones are shown only where some value is
    not 0.
    """

    key: str
    heading: str
    kind: str = "text"
    names_row: bool = False
    rare: bool = False

    def show(self, value: Value) -> str:
        """Return a value as text; an estimate with its interval in brackets."""
        if value is None:
            return UNKNOWN_TEXT
        if isinstance(value, str):
            return plain(value)
        write = _FORMATS[self.kind]
        if not isinstance(value, Estimate):
            return write(value)
        if value.value is None:
            return UNKNOWN_TEXT
        if value.low is None or value.high is None:
            return write(value.value)
        return f"{write(value.value)} [{write(value.low)}, {write(value.high)}]"


@dataclass(slots=True)
class Table:
    """Rows under a title; ``notes`` are sentences that belong below it.

    ``per_run`` says that all columns but those that name the row hold the same thing, one per run.
    Rows with the same value of the column ``group_by`` stand together.
    """

    key: str
    title: str
    columns: Sequence[Column]
    rows: list[dict[str, Value]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    per_run: bool = False
    group_by: str | None = None

    def shown_columns(self) -> list[Column]:
        """Return the columns without those in which nothing is known, except the first."""
        return [
            column
            for i, column in enumerate(self.columns)
            if i == 0 or any(_worth_showing(row.get(column.key), column) for row in self.rows)
        ]

    def same_everywhere(self, columns: Sequence[Column]) -> tuple[list[Column], list[Column]]:
        """Return columns with one known value in all of several rows, and the others."""
        if len(self.rows) < 2:
            return [], list(columns)
        same = []
        for column in columns[1:]:
            texts = {column.show(row.get(column.key)) for row in self.rows}
            if len(texts) == 1 and UNKNOWN_TEXT not in texts:
                same.append(column)
        return same, [column for column in columns if column not in same]

    def pieces(self, width: int) -> Iterator[Sequence[Column]]:
        """Yield the columns in groups of at most ``width`` characters, texts folded to that end.

        Each begins with those that name the rows.
        """
        columns = self.shown_columns()
        if sum(map(self._least, columns)) > width:
            columns = self.same_everywhere(columns)[1]
        names = [column for column in columns if column.names_row] or list(columns[:1])
        rest = [column for column in columns if column not in names]
        used = sum(map(self._least, names))
        group: list[Column] = []
        for column in rest:
            wide = used + sum(map(self._least, [*group, column]))
            if group and wide > width:
                yield [*names, *group]
                group = []
            group.append(column)
        yield [*names, *group]

    def said_once(self, width: int) -> str:
        """Return what is equal in every row and left out of the pieces; nothing where none is."""
        columns = self.shown_columns()
        if sum(map(self._least, columns)) <= width:
            return ""
        same, _ = self.same_everywhere(columns)
        values = (f"{c.heading} {c.show(self.rows[0].get(c.key))}" for c in same)
        return f"in every row: {', '.join(values)}." if same else ""

    def width_of(self, column: Column) -> int:
        """Return the characters that a column takes beside others; a long text is folded."""
        texts = [column.show(row.get(column.key)) for row in self.rows]
        most = max(map(len, [*texts, *column.heading.split(), ""]))
        return 2 + (min(most, LONGEST_TEXT) if column.kind == "text" else most)

    def _least(self, column: Column) -> int:
        wide = self.width_of(column)
        return min(wide, 2 + NARROW_TEXT) if column.kind == "text" else wide

    def by_value(self) -> Table:
        """Return a table with many columns per run as one of values and the runs that have them."""
        names = [column for column in self.columns if column.names_row]
        runs = [column for column in self.columns if not column.names_row]
        if not self.per_run or len(runs) <= MOST_RUNS:
            return self
        columns = [*names, Column("value", "value"), Column("runs", "runs")]
        turned = Table(self.key, self.title, columns, notes=self.notes)
        for row in self.rows:
            having: dict[str, list[str]] = {}
            for column in runs:
                having.setdefault(column.show(row.get(column.key)), []).append(column.heading)
            known = {column.key: row.get(column.key) for column in names}
            turned.rows += [
                {**known, "value": value, "runs": runs_in_words(which)}
                for value, which in having.items()
            ]
        return turned

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON: every column, estimates as objects with value, low, high and n."""
        return {
            "title": self.title,
            "rows": [{c.key: _plain(row.get(c.key)) for c in self.columns} for row in self.rows],
            "notes": list(self.notes),
        }


def runs_in_words(names: Sequence[str]) -> str:
    """Return the names of a few runs, the number of more."""
    return ", ".join(names) if len(names) <= MOST_NAMED else f"{len(names)} runs"


def _worth_showing(value: Value, column: Column) -> bool:
    if isinstance(value, Estimate):
        value = value.value
    return value is not None and value != "" and not (column.rare and value == 0)


def _plain(value: Value) -> Any:
    if isinstance(value, Estimate):
        return {"value": value.value, "low": value.low, "high": value.high, "n": value.n}
    return value


def to_csv(tables: Sequence[Table]) -> str:
    """Return one CSV in long form: table, row, column, value, low, high; unknown is empty.

    Long form holds tables of any width in one file: ``pd.read_csv(f).query("table == 'results'")``.
    Rates are fractions of 1, times seconds, money US dollars.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["table", "row", "label", "column", "value", "low", "high", "n"])
    for table in tables:
        for number, row in enumerate(table.rows):
            label = row.get(table.columns[0].key)
            for column in table.columns:
                value = row.get(column.key)
                cells = (
                    [value.value, value.low, value.high, value.n]
                    if isinstance(value, Estimate)
                    else [value, None, None, None]
                )
                writer.writerow(map(as_cell, [table.key, number, label, column.key, *cells]))
    return out.getvalue()


def to_markdown(tables: Sequence[Table]) -> str:
    """Return Markdown of GitHub, a section per table; wide ones in pieces below each other."""
    parts = []
    for table in (table.by_value() for table in tables):
        if not table.rows and not table.notes:
            continue
        lines = [f"## {_markdown(table.title)}", ""]
        if table.rows:
            for columns in table.pieces(MARKDOWN_WIDTH):
                lines += [*_markdown_grid(table, columns), ""]
            if same := table.said_once(MARKDOWN_WIDTH):
                lines.append(f"- {_markdown(same)}")
        lines += [f"- {_markdown(note)}" for note in table.notes]
        parts.append("\n".join(lines).rstrip() + "\n")
    return "\n".join(parts)


def _markdown_grid(table: Table, columns: Sequence[Column]) -> Iterator[str]:
    yield "| " + " | ".join(_markdown(c.heading) for c in columns) + " |"
    yield "|" + "|".join("---" if c.kind == "text" else "--:" for c in columns) + "|"
    for row in table.rows:
        yield "| " + " | ".join(_markdown(c.show(row.get(c.key))) for c in columns) + " |"


def _markdown(text: str) -> str:
    for mark in ("\\", "|", "*", "_", "`", "["):
        text = text.replace(mark, "\\" + mark)
    for mark, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\n", " ")):
        text = text.replace(mark, entity)
    return text
