"""Tables as data, and the forms they are written in: terminal, CSV, Markdown, LaTeX, JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from game_reasoning_arena.analysis.intervals import Estimate

if TYPE_CHECKING:
    from rich.console import RenderableType

Value = str | int | float | Estimate | None

#: What stands where nothing is known, never 0.
UNKNOWN_TEXT = "–"


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


_FORMATS: dict[str, Callable[[float], str]] = {
    "percent": _percent,
    "seconds": _seconds,
    "usd": _usd,
    "p": _p,
    "number": lambda v: f"{v:.3g}" if abs(v) < 1000 else f"{v:,.0f}",
    "signed": lambda v: f"{v:+.3f}",
    "points": lambda v: f"{100 * v:+.1f}",
    "rating": lambda v: f"{v:+.0f}",
    "count": lambda v: f"{v:,.0f}",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its key, its heading (with the unit), and how its values are written.

    ``kind`` is ``text`` or one of percent, seconds, usd, p, number, signed, points, rating, count.
    ``minor`` columns give way on a narrow terminal; ``rare`` ones are shown only where some value
    is not 0.
    """

    key: str
    heading: str
    kind: str = "text"
    minor: bool = False
    rare: bool = False

    def show(self, value: Value) -> str:
        """A value as text; an estimate with its interval in brackets."""
        if value is None:
            return UNKNOWN_TEXT
        if isinstance(value, str):
            return value
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
    """Rows under a title; ``notes`` are sentences that belong below it."""

    key: str
    title: str
    columns: Sequence[Column]
    rows: list[dict[str, Value]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def shown_columns(self) -> list[Column]:
        """Without those in which nothing is known, except the first."""
        return [
            column
            for i, column in enumerate(self.columns)
            if i == 0 or any(_worth_showing(row.get(column.key), column) for row in self.rows)
        ]

    def as_dict(self) -> dict[str, Any]:
        """For JSON: every column, estimates as objects with value, low, high and n."""
        return {
            "title": self.title,
            "rows": [{c.key: _plain(row.get(c.key)) for c in self.columns} for row in self.rows],
            "notes": list(self.notes),
        }


def _worth_showing(value: Value, column: Column) -> bool:
    if isinstance(value, Estimate):
        value = value.value
    return value is not None and value != "" and not (column.rare and value == 0)


def _plain(value: Value) -> Any:
    if isinstance(value, Estimate):
        return {"value": value.value, "low": value.low, "high": value.high, "n": value.n}
    return value


def to_csv(tables: Sequence[Table]) -> str:
    """One CSV in long form: table, row, column, value, low, high; unknown is an empty cell.

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
                writer.writerow([table.key, number, label, column.key, *cells])
    return out.getvalue()


def to_markdown(tables: Sequence[Table]) -> str:
    """GitHub-flavoured Markdown, one section per table."""
    parts = []
    for table in tables:
        columns = table.shown_columns()
        lines = [f"## {table.title}", ""]
        if table.rows:
            lines.append("| " + " | ".join(_markdown(c.heading) for c in columns) + " |")
            lines.append(
                "|" + "|".join("---" if c.kind == "text" else "--:" for c in columns) + "|"
            )
            lines += [
                "| " + " | ".join(_markdown(c.show(row.get(c.key))) for c in columns) + " |"
                for row in table.rows
            ]
            lines.append("")
        lines += [f"- {_markdown(note)}" for note in table.notes]
        parts.append("\n".join(lines).rstrip() + "\n")
    return "\n".join(parts)


def _markdown(text: str) -> str:
    for mark in ("\\", "|", "*", "_", "`", "<", "["):
        text = text.replace(mark, "\\" + mark)
    return text.replace("\n", " ")


_LATEX: Mapping[str, str] = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "–": "--",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "±": r"$\pm$",
    "→": r"$\to$", "≥": r"$\ge$", "\n": " ",
}  # fmt: skip


def to_latex(tables: Sequence[Table]) -> str:
    """Tables with booktabs rules; put ``\\usepackage{booktabs}`` into the preamble."""
    parts = []
    for table in tables:
        if not table.rows:
            continue
        columns = table.shown_columns()
        shape = "".join("l" if column.kind == "text" else "r" for column in columns)
        lines = [
            r"\begin{table}",
            r"  \centering",
            rf"  \caption{{{_latex(table.title)}}}",
            rf"  \label{{tab:{table.key}}}",
            rf"  \begin{{tabular}}{{{shape}}}",
            r"    \toprule",
            "    " + " & ".join(_latex(c.heading) for c in columns) + r" \\",
            r"    \midrule",
        ]
        lines += [
            "    " + " & ".join(_latex(c.show(row.get(c.key))) for c in columns) + r" \\"
            for row in table.rows
        ]
        lines += [r"    \bottomrule", r"  \end{tabular}"]
        if table.notes:
            lines.append(r"  \par\smallskip\footnotesize " + _latex(" ".join(table.notes)))
        lines.append(r"\end{table}")
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _latex(text: str) -> str:
    # A leading bracket would be read as the optional argument of the line break before it.
    escaped = "".join(_LATEX.get(character, character) for character in text)
    return "{" + escaped + "}" if escaped.startswith("[") else escaped


def to_rich(table: Table, width: int | None = None) -> RenderableType:
    """For a terminal of ``width`` characters; None is as wide as it takes.

    Where the width does not do, minor columns are left out, the last first, and named.
    """
    from rich import box
    from rich.console import Group
    from rich.table import Table as RichTable
    from rich.text import Text

    parts: list[RenderableType] = [Text(table.title, style="bold")]
    if table.rows:
        columns, left_out = _fitting(table, width)
        too_wide = width is not None and _width(columns, table) > width
        grid = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for column in columns:
            right = column.kind != "text"
            grid.add_column(
                Text(column.heading),
                justify="right" if right else "left",
                overflow="fold",
                min_width=None if width is None or too_wide else _needed(column, table),
            )
        for row in table.rows:
            grid.add_row(*[Text(column.show(row.get(column.key))) for column in columns])
        parts.append(grid)
        if left_out:
            names = ", ".join(column.heading for column in left_out)
            parts.append(Text(f"  not shown for lack of width: {names}", style="dim"))
    parts += [Text(f"  {note}", style="yellow") for note in table.notes]
    parts.append(Text(""))
    return Group(*parts)


def _needed(column: Column, table: Table) -> int:
    """Characters for the widest cell and the longest word of the heading."""
    cells = [len(column.show(row.get(column.key))) for row in table.rows]
    return max(*cells, max(map(len, column.heading.split()), default=0), 1)


def _width(columns: Sequence[Column], table: Table) -> int:
    return sum(_needed(column, table) + 3 for column in columns)


def _fitting(table: Table, width: int | None) -> tuple[list[Column], list[Column]]:
    """Columns that fit, and those left out."""
    columns = table.shown_columns()
    left_out: list[Column] = []
    while width is not None and _width(columns, table) > width:
        minor = [column for column in columns if column.minor]
        if not minor:
            break
        columns.remove(minor[-1])
        left_out.insert(0, minor[-1])
    return columns, left_out
