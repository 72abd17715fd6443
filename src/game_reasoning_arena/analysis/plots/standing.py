"""Plots of where competitors stand: the leaderboards by what is tested, and the ratings.

A row per model, sorted as the leaderboard is; those that share a letter are not told apart by the
tests that the verdict rests on. Baselines are lines of reference; settings that met themselves
stand apart, with open marks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from matplotlib.figure import Figure

from game_reasoning_arena.analysis.plots.style import (
    BLUE,
    COLUMN,
    MOST_ROWS,
    first_of,
    height_of,
    ink_colour,
    line_legend,
    new_figure,
    point,
    ticks,
)
from game_reasoning_arena.analysis.statistics.leaderboard import SHOWN, Place
from game_reasoning_arena.analysis.tables.estimates import Estimate

if TYPE_CHECKING:
    from game_reasoning_arena.analysis.compare import Comparison

#: Dashes of the lines of reference; more lines would not be told apart.
_LINES: Final = ("--", ":", "-.", (0, (7, 2)))


@dataclass(slots=True)
class _Row:
    """A competitor: its name, its value, its letters, and whether it met itself."""

    name: str
    value: Estimate
    letters: str = ""
    self_play: bool = False


@dataclass(slots=True)
class _Panel:
    """The rows of one game, and what is drawn as a line through them."""

    title: str
    label: str
    percent: bool
    rows: list[_Row] = field(default_factory=list)
    lines: list[_Row] = field(default_factory=list)


def leaderboard_points(comparison: Comparison, width: float) -> Figure | None:
    """Draw the measure that is tested at each game, and the mean score over all."""
    found = comparison.leaderboard
    panels = [
        _panel(
            board.game, SHOWN[board.measure][0], SHOWN[board.measure][1] == "percent",
            [*board.places, *board.baselines],
        )
        for board in found.boards
    ]  # fmt: skip
    if found.overall:
        panels.append(_panel("over all games", "mean score %", True, found.overall))
    return _draw(panels, width)


def rating_points(comparison: Comparison, width: float) -> Figure | None:
    """Draw the ratings of each game; the letters are the leaderboard's."""
    boards = {board.game: board for board in comparison.leaderboard.boards}
    panels = []
    for game, fits in comparison.ratings.items():
        board = boards.get(game)
        if board is None:
            continue
        known = {place.competitor: place for place in (*board.places, *board.baselines)}
        for number, fit in enumerate(fits, 1):
            title = game if len(fits) == 1 else f"{game}, group {number}"
            title += " (one-sided: sizes are lower bounds)" if fit.regularised else ""
            panel = _Panel(title, "rating, points", False)
            for competitor, rating in fit.ratings.items():
                place = known.get(competitor)
                baseline = place is None or (place.baseline and not place.self_play)
                row = _Row(competitor, rating, place.letters if place else "")
                (panel.lines if baseline else panel.rows).append(row)
            panels.append(panel)
    return _draw(panels, width)


def _panel(title: str, heading: str, percent: bool, places: Sequence[Place]) -> _Panel:
    panel = _Panel(title, heading.replace(" %", ", %"), percent)
    for place in places:
        row = _Row(place.competitor, place.value, place.letters, place.self_play)
        line = place.baseline and not place.self_play
        (panel.lines if line else panel.rows).append(row)
    return panel


def _draw(panels: list[_Panel], width: float) -> Figure | None:
    """Draw the panels below each other; None where nothing is known."""
    panels = [p for p in panels if any(row.value.known for row in p.rows)]
    if not panels:
        return None
    shown = [(panel, _known(panel)[:MOST_ROWS]) for panel in panels]
    height = 0.5 + sum(0.78 + height_of([r.name for r in rows], width) for _, rows in shown)
    sizes = [len(rows) + 1 for _, rows in shown]
    figure, axes = new_figure(width, height, len(panels), sizes)
    dashes = {
        name: _LINES[number % len(_LINES)]
        for number, name in enumerate(dict.fromkeys(_references(panels)))
    }
    for axis, (panel, rows) in zip(axes, shown, strict=True):
        _rows(axis, rows, width)
        for line in panel.lines:
            if line.value.value is not None and line.name in dashes:
                axis.axvline(
                    line.value.value, color=ink_colour(), linewidth=1.0, alpha=0.75,
                    linestyle=dashes[line.name], label=line.name, zorder=0,
                )  # fmt: skip
        if panel.percent:
            axis.xaxis.set_major_formatter(lambda v, _: f"{100 * v:.0f}")
        axis.set_title(panel.title)
        more = first_of(len(rows), len(_known(panel)))
        axis.set_xlabel(f"{panel.label}; 95 % interval{more}")
        axis.grid(axis="x")
    notes = []
    if any(row.letters for panel in panels for row in panel.rows):
        notes.append("same letter: not told apart (Holm)")
    if any(row.self_play for panel in panels for row in panel.rows):
        notes.append("open mark: self-play")
    if notes:
        between = "; " if width > COLUMN else "\n"
        figure.supxlabel(between.join(notes), fontsize=7, x=0.99, ha="right")
    line_legend(figure, axes)
    return figure


def _known(panel: _Panel) -> list[_Row]:
    return [row for row in panel.rows if row.value.known]


def _references(panels: Sequence[_Panel]) -> Iterator[str]:
    """The names of the first lines, as many as have dashes of their own."""
    names = list(dict.fromkeys(line.name for panel in panels for line in panel.lines))
    yield from names[: len(_LINES)]


def _rows(axis: Any, rows: Sequence[_Row], width: float) -> None:
    for place, row in enumerate(rows):
        point(
            axis, place, row.value, color=BLUE, ecolor=ink_colour(), elinewidth=1.0,
            marker="s" if row.self_play else "o",
            markerfacecolor="none" if row.self_play else BLUE,
        )  # fmt: skip
        if row.letters:
            axis.text(
                1.015, place, row.letters, transform=axis.get_yaxis_transform(), va="center",
                fontsize=7.5,
            )  # fmt: skip
    ticks(axis, [row.name for row in rows], width)
