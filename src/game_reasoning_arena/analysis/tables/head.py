"""The head of `arena compare`: the answer on one screen."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from game_reasoning_arena.process.text import plain

#: What everything fits into.
WIDTH = 100
HEIGHT = 40

#: Lines for what could turn the verdict: as many as leave the leaderboards whole.
_FOR_CAVEATS = (8, 6, 4, 3)
#: Rows of a leaderboard that are always shown: the first, a line of reference, what is cut.
_LEAST_ROWS = 3


@dataclass(frozen=True, slots=True)
class Section:
    """A sentence with a small table below it; ``marked`` rows are lines of reference.

    ``whole`` is true of what holds over all games, which is kept where not everything has room.
    ``aside`` is true of a remark that takes one line, where one is left. ``table`` is the name of
    the table that holds all rows.
    """

    sentence: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    marked: Sequence[Sequence[str]] = ()
    whole: bool = False
    aside: bool = False
    table: str = "leaderboard"

    @property
    def size(self) -> int:
        """How many rows there are."""
        return len(self.rows) + len(self.marked)


def head_lines(
    sections: Sequence[Section],
    caveats: Sequence[str],
    rest: str,
    *,
    width: int = WIDTH,
    height: int = HEIGHT,
) -> list[str]:
    """Return the head as lines of at most ``width`` cells, ``height`` of them at the most.

    Args:
        sections: one per game, and one over all games.
        caveats: what could turn the verdict, the gravest first.
        rest: how to have everything else.
        width: cells in a line.
        height: lines at the most; remarks are left out before caveats are shortened, these before
            the leaderboards of games are, and their tails before sentences.
    """
    last = textwrap.wrap(rest, width)
    boards = [section for section in sections if not section.aside]
    asides = [_one_line(section.sentence, width) for section in sections if section.aside]
    sentences = [textwrap.wrap(plain(section.sentence), width) for section in boards]
    needed = _needed(boards, sentences)
    choices = [_warnings(caveats, width, most) for most in _FOR_CAVEATS]
    rooms = [height - len(last) - len(some) - bool(some) for some in choices]
    chosen = next((i for i, room in enumerate(rooms) if room >= needed), 0)
    warnings, room = choices[chosen], rooms[chosen]
    lines = _boards(boards, sentences, room, width)[:room]
    asides = asides[: room - len(lines)]
    return [*lines, *warnings, *([""] if warnings else []), *asides, *last]


def _needed(boards: Sequence[Section], sentences: Sequence[Sequence[str]]) -> int:
    """Lines in which every game's leaderboard is whole, and the overall one as short as it may."""
    return sum(
        len(sentence) + 1 + bool(board.size) + (_least(board) if board.whole else board.size)
        for board, sentence in zip(boards, sentences, strict=True)
    )


def _boards(
    boards: Sequence[Section], sentences: Sequence[Sequence[str]], room: int, width: int
) -> list[str]:
    """Sentences and leaderboards, as many and as long as have room."""
    wanted = [board.size for board in boards]
    tables = [bool(want) for want in wanted]
    if sum(len(sentence) + 1 for sentence in sentences) + _least_of(boards, tables) > room:
        room -= 2  # for what is left out
        tables = [bool(board.size) and board.whole for board in boards]
    kept = _that_fit(boards, sentences, room - _least_of(boards, tables))
    left = room - sum(len(sentences[i]) + 1 for i in kept) - sum(tables)
    shares = _shares([b if has else None for b, has in zip(boards, tables, strict=True)], left)
    lines: list[str] = []
    for i in kept:
        lines += [*sentences[i], *_grid(boards[i], shares[i], width), ""]
    left_out = sum(bool(want) for want in wanted) - sum(tables[i] for i in kept)
    if left_out:
        lines += [f"... leaderboards of {left_out} games: --table leaderboard, or --games A,B", ""]
    return lines


def _one_line(text: str, width: int) -> str:
    """A remark without what stands in parentheses at its end, or cut, where it is too long."""
    text = plain(text)
    if cell_len(text) > width:
        text = text.rpartition(" (")[0] or text
    return _cut(text, width)


def _least(board: Section) -> int:
    return min(board.size, _LEAST_ROWS)


def _least_of(boards: Sequence[Section], tables: Sequence[bool]) -> int:
    """Lines that some of the tables need."""
    return sum(1 + _least(board) for board, has in zip(boards, tables, strict=True) if has)


def _that_fit(
    sections: Sequence[Section], sentences: Sequence[Sequence[str]], room: int
) -> list[int]:
    """The sections whose sentences have room, what holds over all games before the others."""
    kept: list[int] = []
    for i in sorted(range(len(sections)), key=lambda i: not sections[i].whole):
        room -= len(sentences[i]) + 1
        if room < 0:
            break
        kept.append(i)
    return sorted(kept)


def _shares(boards: Sequence[Section | None], room: int) -> list[int]:
    """Rows per table, none more than it has: first the least of all, then games evenly, then what
    holds over all games."""
    shares = [0] * len(boards)
    for wanted in (
        [0 if board is None else _least(board) for board in boards],
        [0 if board is None or board.whole else board.size for board in boards],
        [0 if board is None else board.size for board in boards],
    ):
        while room > 0 and any(share < want for share, want in zip(shares, wanted, strict=True)):
            for i, want in enumerate(wanted):
                if room > 0 and shares[i] < want:
                    shares[i] += 1
                    room -= 1
    return shares


def _warnings(caveats: Sequence[str], width: int, most: int) -> list[str]:
    """As many caveats as fit whole in some lines, and how many there are beside them."""
    lines: list[str] = []
    for number, caveat in enumerate(caveats):
        folded = textwrap.wrap(f"! {plain(caveat)}", width, subsequent_indent="  ")
        left = len(caveats) - number
        if len(lines) + len(folded) > most - (left > 1):
            if not lines:  # one that is too long by itself is cut where it ends a line
                cut = folded[: most - 1]
                lines += [*cut[:-1], f"{cut[-1][: width - 4]} ..."]
                left -= 1
            if left:
                lines.append(f"! {left} more: --all")
            break
        lines += folded
    return lines


def _grid(section: Section, share: int, width: int) -> list[str]:
    """A heading and at most ``share`` rows; a cut one says so in its last row."""
    rows = [*section.rows, *section.marked]
    if not rows or share < 1:
        return []
    cut = len(rows) - share
    if cut > 0:
        keep = max(1, share - 1)
        kept = min(len(section.marked), max(keep // 3, int(keep > 1)))
        rows = [*section.rows[: keep - kept], *section.marked[:kept]]
        cut = len(section.rows) + len(section.marked) - len(rows)
    cells = [list(map(plain, row)) for row in (section.headings, *rows)]
    widths = [max(cell_len(row[i]) for row in cells) for i in range(len(section.headings))]
    over = sum(widths) + 2 * len(widths) - width
    if over > 0:  # names are cut in the middle, where they differ least
        widths[1] = max(12, widths[1] - over)
    lines = [
        "".join(_cell(c, w, i) for i, (c, w) in enumerate(zip(row, widths, strict=True)))
        for row in cells
    ]
    if cut > 0:
        lines.append(f"  ... {cut} more: --table {section.table}")
    return [line.rstrip() for line in lines]


def _cell(text: str, width: int, column: int) -> str:
    text = _cut(text, width)
    pad = " " * (width - cell_len(text))
    return f"  {text}{pad}" if column == 1 else f"  {pad}{text}"


def _cut(text: str, width: int) -> str:
    """A text that is too long without its middle."""
    if cell_len(text) <= width:
        return text
    keep = width - 1
    return f"{text[: keep // 2]}…{text[len(text) - (keep - keep // 2) :]}"
