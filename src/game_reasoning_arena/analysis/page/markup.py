"""Tables as HTML that fits a desktop's width: no column beyond the edge, no name broken inside.

A table that is too wide is cut into several below each other, each beginning with what names the
rows. What a run holds is escaped here, and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from markupsafe import Markup, escape

from game_reasoning_arena.analysis.tables.forms import Column, Table
from game_reasoning_arena.analysis.tables.head import Section
from game_reasoning_arena.process.text import plain

#: What a table may take at a width of 1280, and what a character and a cell's padding take of it,
#: in pixels, in the widest of the usual fonts.
_ROOM: Final = 1180
_CHARACTER: Final = 8.7
_PADDING: Final = 18

#: A word of more characters may be broken after a mark within it.
_LONGEST_WORD: Final = 24

#: Marks inside names after which a line may end.
_BREAKS: Final = re.compile(r"(?<=[/_:,-])(?=\S)")


def answer(section: Section) -> Markup:
    """Return a sentence of the head with its leaderboard; lines of reference stand apart."""
    about, colon, rest = section.sentence.partition(": ")
    sentence = Markup("<h2><b>{}</b>{}</h2>").format(_words(about + colon), _words(rest))
    if not section.rows and not section.marked:
        return Markup('<section class="verdict">{}</section>').format(sentence)
    kinds = ["text" if heading in _TEXTS else "count" for heading in section.headings]
    columns = [
        Column(str(i), heading, kind)
        for i, (heading, kind) in enumerate(zip(section.headings, kinds, strict=True))
    ]
    body = [_row(columns, row, "") for row in section.rows]
    body += [_row(columns, row, ' class="reference"') for row in section.marked]
    return Markup(
        '<section class="verdict">{}<div class="ranking"><table><thead>{}</thead>'
        "<tbody>{}</tbody></table></div></section>"
    ).format(sentence, _head(columns), Markup("\n").join(body))


#: Columns of the head that hold words.
_TEXTS: Final = ("competitor", "group")


def markup(table: Table) -> Markup:
    """Return a table under its title, with its notes; its id is ``table-KEY``."""
    table = table.by_value()
    columns = table.shown_columns()
    title = visible(table.title)
    parts = [Markup('<h2 id="table-{}">{}</h2>').format(table.key, title)]
    if table.rows:
        same, columns = table.same_everywhere(columns)
        if same:
            shared = " · ".join(f"{c.heading} {c.show(table.rows[0].get(c.key))}" for c in same)
            parts.append(Markup('<p class="note">in every row: {}</p>').format(visible(shared)))
        for piece in _pieces(table, columns):
            rows = (_row(piece, [c.show(row.get(c.key)) for c in piece], "") for row in table.rows)
            parts.append(
                Markup(
                    '<div class="wide-table" tabindex="0" role="region" aria-label="{}"><table>'
                    "<thead>{}</thead><tbody>{}</tbody></table></div>"
                ).format(title, _head(piece), Markup("\n").join(rows))
            )
    parts += [Markup('<p class="note">{}</p>').format(visible(note)) for note in table.notes]
    return Markup("\n").join(parts)


def _pieces(table: Table, columns: Sequence[Column]) -> Iterator[Sequence[Column]]:
    """Yield the columns in groups that fit beside each other; each names the rows first."""
    names = [column for column in columns if column.names_row] or list(columns[:1])
    rest = [column for column in columns if column not in names]
    wide = {column.key: _least(column, table) for column in columns}
    left = _ROOM - sum(wide[column.key] for column in names)
    group: list[Column] = []
    for column in rest:
        if group and sum(wide[c.key] for c in [*group, column]) > left:
            yield [*names, *group]
            group = []
        group.append(column)
    yield [*names, *group]


def _least(column: Column, table: Table) -> float:
    """Pixels that a column cannot do without: its longest part that is not broken."""
    cells = {column.show(row.get(column.key)) for row in table.rows}
    parts = [part for cell in cells for part in _parts(cell)] + column.heading.split()
    return _PADDING + _CHARACTER * max(map(len, parts), default=1)


def _parts(text: str) -> Iterator[str]:
    """What stands in one line: words, intervals in brackets, parts of long names."""
    before, bracket, interval = text.partition(" [")
    if bracket and interval.endswith("]"):
        yield f"[{interval}"
        text = before
    for word in text.split():
        yield from _BREAKS.split(word) if len(word) > _LONGEST_WORD else [word]


def _head(columns: Sequence[Column]) -> Markup:
    cells = (
        Markup('<th scope="col"{}>{}</th>').format(_right(c.kind), _words(c.heading))
        for c in columns
    )
    return Markup("<tr>{}</tr>").format(Markup("").join(cells))


def _row(columns: Sequence[Column], texts: Sequence[str], attributes: str) -> Markup:
    cells = (
        Markup("<td{}>{}</td>").format(_right(column.kind), _words(text))
        for column, text in zip(columns, texts, strict=True)
    )
    return Markup("<tr{}>{}</tr>").format(
        Markup(attributes),  # noqa: S704 (a constant of this module)
        Markup("").join(cells),
    )


def _words(text: str) -> Markup:
    """A text of which no word and no interval is broken, and a long name only after a mark."""
    before, bracket, interval = text.partition(" [")
    if bracket and interval.endswith("]") and "[" not in interval:
        return _words(before) + Markup(' <span class="whole">{}</span>').format(
            visible(f"[{interval}")
        )
    words = []
    for word in re.split(r"(\s+)", text):
        if len(word) > _LONGEST_WORD:
            words.append(Markup("<wbr>").join(map(visible, _BREAKS.split(word))))
        elif _BREAKS.search(word):
            words.append(Markup('<span class="whole">{}</span>').format(visible(word)))
        else:
            words.append(visible(word))
    return Markup("").join(words)


def _right(kind: str) -> Markup:
    return Markup("") if kind == "text" else Markup(' class="number"')


def visible(text: str) -> Markup:
    """Return escaped text; control characters, and those that turn text around, by number."""
    return escape(plain(text))
