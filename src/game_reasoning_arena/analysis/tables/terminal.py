"""Tables for a terminal of any width, without leaving anything out.

A table that fits is one grid, with texts folded where that is enough: between words and after the
marks inside names, ``/``, ``-``, ``_``. One that does not fit so first loses the columns that say
the same in every row, which are listed once above it; then it is cut into grids below each other,
each beginning with what names the rows: the names themselves, or numbers where the names would take
half the width. A table with a column per run lists each row's values with the runs that have them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from rich import box
from rich.cells import cell_len, chop_cells
from rich.console import Group
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from game_reasoning_arena.analysis.tables.forms import MOST_RUNS, Column, Table, runs_in_words
from game_reasoning_arena.process.text import plain

if TYPE_CHECKING:
    from rich.console import RenderableType

#: Characters between two columns.
_GAP: Final = 2

#: The names of the rows are repeated in each grid while they take no more than this of the width.
_MOST_FOR_NAMES: Final = 0.5

#: No text is folded to less than this.
_NARROWEST: Final = 8

#: A table is cut rather than that a row of it takes more lines than this.
_MOST_LINES: Final = 3

#: What a text may be folded between: words, and parts of names with the mark after them.
_PARTS: Final = re.compile(r"[^\s/_:,-]*[\s/_:,-]+|[^\s/_:,-]+")

_NUMBER: Final = Column("#", "#", "count")


def to_rich(table: Table, width: int | None = None) -> RenderableType:
    """Draw for a terminal of ``width`` characters; None is as wide as it takes."""
    parts: list[RenderableType] = [Text(table.title, style="bold")] if table.title else []
    if table.rows:
        columns = table.shown_columns()
        fits = width is None or _folds(columns, table, width)
        if table.per_run and not (fits and len(columns) <= MOST_RUNS + 2):
            parts += _values(columns, table)
        elif fits:
            parts.append(_grid(columns, table, width))
        elif width is not None:
            parts += _grids(columns, table, width)
    parts += [_indented(Text(plain(note), style="yellow"), 2) for note in table.notes]
    parts.append(Text(""))
    return Group(*parts)


def _grids(columns: Sequence[Column], table: Table, width: int) -> list[RenderableType]:
    """The table in as many grids as it takes."""
    parts: list[RenderableType] = []
    same, columns = table.same_everywhere(columns)
    if same:
        shared = " · ".join(f"{c.heading} {c.show(table.rows[0].get(c.key))}" for c in same)
        parts.append(_indented(Text(f"in every row: {shared}", style="dim"), 2))
    names = [column for column in columns if column.names_row] or [columns[0]]
    rest = [column for column in columns if column not in names]
    if _width(names, table) > _MOST_FOR_NAMES * width and _width(columns, table) > width:
        first = [_NUMBER, *names]
        again = [_NUMBER]
    else:
        first = again = names
    grid = list(first)
    for column in rest:
        if grid != again and _width([*grid, column], table) > width:
            parts += [_grid(grid, table, width), Text("")]
            grid = list(again)
        grid.append(column)
    parts.append(_grid(grid, table, width))
    return parts


def _values(columns: Sequence[Column], table: Table) -> list[RenderableType]:
    """Each row's values, and the columns that have them."""
    names = [column for column in columns if column.names_row] or [columns[0]]
    parts: list[RenderableType] = []
    for row in table.rows:
        title = Text("  " + names[0].show(row.get(names[0].key)))
        for column in names[1:]:
            if row.get(column.key):
                title.append(f"  ({column.heading})", style="bold red")
        parts.append(title)
        having: dict[str, list[str]] = {}
        for column in columns:
            if column not in names:
                having.setdefault(column.show(row.get(column.key)), []).append(column.heading)
        for value, runs in having.items():
            line = Text(value)
            line.append(f"  {plain(runs_in_words(runs))}", style="dim")
            parts.append(_indented(line, 4))
    return parts


def one_grid(table: Table, width: int | None = None) -> Grid:
    """Return the table as one grid, of ``width`` characters if texts can be folded to that."""
    return _grid(table.shown_columns(), table, width)


def _grid(columns: Sequence[Column], table: Table, width: int | None = None) -> Grid:
    """One grid; texts are folded where it is wider than the terminal."""
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, collapse_padding=True)
    widths = _widths(columns, table, width)
    for column, mine in zip(columns, widths, strict=True):
        grid.add_column(
            Text(plain(column.heading)),
            justify="left" if column.kind == "text" else "right",
            overflow="fold",
            width=None if width is None else mine,
        )
    for number, row in enumerate(table.rows, 1):
        cells = []
        for column, mine in zip(columns, widths, strict=True):
            text = str(number) if column is _NUMBER else column.show(row.get(column.key))
            fold = width is not None and column.kind == "text"
            cells.append(Text("\n".join(folded(text, mine)) if fold else text))
        grid.add_row(*cells)
    return grid


def folded(text: str, width: int) -> list[str]:
    """Return lines of at most ``width`` characters; only wider words are broken inside."""
    lines = []
    for whole in text.split("\n"):
        line = ""
        for part in _PARTS.findall(whole):
            if line and cell_len((line + part).rstrip()) > width:
                lines.append(line.rstrip())
                line = ""
            line += part
            while cell_len(line.rstrip()) > width:
                first, *rest = chop_cells(line, width)
                lines.append(first)
                line = "".join(rest)
        lines.append(line.rstrip())
    return lines


def _folds(columns: Sequence[Column], table: Table, width: int) -> bool:
    """Whether the table is one grid of ``width`` with no word broken and no row too high."""
    widths = _widths(columns, table, width)
    if sum(widths) + _GAP * (len(widths) - 1) > width:
        return False
    return all(
        column.kind != "text"
        or (mine >= _longest_part(column, table) and _height(column, table, mine) <= _MOST_LINES)
        for column, mine in zip(columns, widths, strict=True)
    )


def _height(column: Column, table: Table, width: int) -> int:
    return max(len(folded(text, width)) for text in _shown(column, table))


def _longest_part(column: Column, table: Table) -> int:
    """Characters of the longest text that should not be broken."""
    texts = [*_shown(column, table), column.heading]
    return max(cell_len(p.rstrip()) for text in texts for p in (_PARTS.findall(text) or [""]))


def _indented(text: Text, by: int) -> Padding:
    return Padding(text, (0, 0, 0, by), expand=False)


def _widths(columns: Sequence[Column], table: Table, width: int | None) -> list[int]:
    """Characters per column; the widest texts are narrowed until the grid fits.

    Words are broken only where folding between them is not enough.
    """
    widths = [_needed(column, table) for column in columns]
    room = None if width is None else width - _GAP * (len(widths) - 1)
    if room is not None and sum(widths) > room:
        texts = [i for i, column in enumerate(columns) if column.kind == "text"]
        whole = {i: max(_NARROWEST, _longest_part(columns[i], table)) for i in texts}
        _narrow(widths, room, whole)
        _narrow(widths, room, dict.fromkeys(texts, _NARROWEST))
        for i in texts:  # lines that end early leave room for others
            lines = [line for text in _shown(columns[i], table) for line in folded(text, widths[i])]
            words = columns[i].heading.split()
            widths[i] = min(widths[i], max(map(cell_len, [*lines, *words, " "])))
    slack = 0 if width is None else width - sum(widths) - _GAP * (len(widths) - 1)
    for i, column in enumerate(columns):  # a heading in one line where there is room for it
        more = cell_len(column.heading) - widths[i]
        if 0 < more <= slack:
            widths[i], slack = widths[i] + more, slack - more
    return widths


def _narrow(widths: list[int], room: int, least: Mapping[int, int]) -> None:
    """Take from the widest of some columns, down to what each needs, until all fit in a room."""
    while sum(widths) > room:
        left = [i for i in least if widths[i] > least[i]]
        if not left:
            return
        widths[max(left, key=lambda i: widths[i])] -= 1


def _shown(column: Column, table: Table) -> list[str]:
    return [column.show(row.get(column.key)) for row in table.rows]


def _needed(column: Column, table: Table) -> int:
    """Characters for the widest cell and the longest word of the heading."""
    if column is _NUMBER:
        return len(str(len(table.rows)))
    return max(cell_len(text) for text in (*_shown(column, table), *column.heading.split(), " "))


def _width(columns: Sequence[Column], table: Table) -> int:
    return sum(_needed(column, table) + _GAP for column in columns) - _GAP
