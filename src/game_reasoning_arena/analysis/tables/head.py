"""The head of `arena compare`: the answer on one screen."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from game_reasoning_arena.analysis.tables.plain import plain

#: What everything fits into.
WIDTH = 100
HEIGHT = 40

#: Lines that are kept for what could turn the verdict.
_FOR_CAVEATS = 8


@dataclass(frozen=True, slots=True)
class Section:
    """A sentence with a small table below it; ``marked`` rows are lines of reference.

    ``whole`` is true of what holds over all games, which is kept where not everything has room.
    """

    sentence: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    marked: Sequence[Sequence[str]] = ()
    whole: bool = False


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
        height: lines at the most; tables are cut before sentences are.
    """
    last = textwrap.wrap(rest, width)
    warnings = _warnings(caveats, width, _FOR_CAVEATS)
    room = height - len(last) - len(warnings) - bool(warnings)
    sentences = [textwrap.wrap(plain(section.sentence), width) for section in sections]
    wanted = [len(s.rows) + len(s.marked) for s in sections]
    tables = [bool(want) for want in wanted]
    if sum(len(sentence) + 1 for sentence in sentences) + _least(wanted, tables) > room:
        room -= 2  # for what is left out
        tables = [bool(want) and s.whole for want, s in zip(wanted, sections, strict=True)]
    kept = _that_fit(sections, sentences, room - _least(wanted, tables))
    left = room - sum(len(sentences[i]) + 1 for i in kept) - sum(tables)
    shares = _shares([w if has else 0 for w, has in zip(wanted, tables, strict=True)], left)
    lines: list[str] = []
    for i in kept:
        lines += [*sentences[i], *_grid(sections[i], shares[i], width), ""]
    left_out = sum(bool(want) for want in wanted) - sum(tables[i] for i in kept)
    if left_out:
        lines += [f"... leaderboards of {left_out} games: --table leaderboard, or --games A,B", ""]
    return [*lines[:height], *warnings, *([""] if warnings else []), *last]


def _least(wanted: Sequence[int], tables: Sequence[bool]) -> int:
    """Lines that tables need: a heading and two rows each."""
    return sum(1 + min(want, 2) for want, has in zip(wanted, tables, strict=True) if has)


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


def _shares(wanted: Sequence[int], room: int) -> list[int]:
    """Rows per section, no section more than it wants, the room shared evenly."""
    shares = [0] * len(wanted)
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
        kept = min(len(section.marked), keep // 3)
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
        lines.append(f"  ... {cut} more: --table leaderboard")
    return [line.rstrip() for line in lines]


def _cell(text: str, width: int, column: int) -> str:
    if cell_len(text) > width:
        keep = width - 1
        text = f"{text[: keep // 2]}…{text[len(text) - (keep - keep // 2) :]}"
    pad = " " * (width - cell_len(text))
    return f"  {text}{pad}" if column == 1 else f"  {pad}{text}"
