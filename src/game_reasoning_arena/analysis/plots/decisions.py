"""Plots of judged decisions: regret and adjusted returns by competitor, regret by turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from matplotlib.figure import Figure

from game_reasoning_arena.analysis.plots.style import (
    BLUE,
    CYCLE,
    DASHES,
    GREY,
    MARKERS,
    MOST_ROWS,
    PAGE,
    first_of,
    height_of,
    line_legend,
    new_figure,
    point,
    ranks,
    ticks,
)
from game_reasoning_arena.analysis.tables.estimates import Estimate

if TYPE_CHECKING:
    from game_reasoning_arena.analysis.compare import Comparison
    from game_reasoning_arena.analysis.tables.forms import Table, Value

#: Of the plots over games: rows of a table by game.
_Rows = dict[str, list[dict[str, "Value"]]]
_MOST_LINES: Final = 8


def regret_points(comparison: Comparison, width: float = PAGE) -> Figure | None:
    """Draw the regret per decision of each competitor, a panel per game."""
    return _points(
        comparison,
        width,
        "decisions",
        (("regret", "regret per decision", BLUE),),
        "regret per decision, in returns; 95 % interval",
    )


def adjusted_points(comparison: Comparison, width: float = PAGE) -> Figure | None:
    """Draw mean returns with and without luck, a panel per game."""
    return _points(
        comparison,
        width,
        "adjusted_returns",
        (("returns", "mean return", GREY), ("adjusted", "without luck", BLUE)),
        "mean return; 95 % interval",
    )


def regret_by_turn(comparison: Comparison, width: float = PAGE) -> Figure | None:
    """Draw regret over the turns of a game, a line per competitor, a panel per game."""
    rows = _by_game(_table(comparison, "regret_by_turn"))
    if not rows:
        return None
    figure, axes = new_figure(width, 0.6 + 2.5 * len(rows), len(rows))
    names = list(dict.fromkeys(_name(row) for mine in rows.values() for row in mine))[:_MOST_LINES]
    for axis, (game, mine) in zip(axes, rows.items(), strict=True):
        bins = list(dict.fromkeys(str(row["bin"]) for row in mine))
        bins.sort(key=lambda text: int(text.partition("-")[0]))
        for number, name in enumerate(names):
            points = [
                (bins.index(str(row["bin"])), row["regret"]) for row in mine if _name(row) == name
            ]
            if points:
                _line(axis, number, name, points)
        axis.set_xticks(range(len(bins)), bins)
        axis.set_title(game)
        axis.set_ylabel("regret per decision")
        axis.set_xlabel("turn")
    line_legend(figure, axes)
    return figure


def _line(axis: Any, number: int, name: str, points: list[tuple[int, Value]]) -> None:
    known = [(at, one) for at, one in points if isinstance(one, Estimate) and one.value is not None]
    values = [one.value or 0.0 for _, one in known]
    low = [
        value - (one.low if one.low is not None else value)
        for value, (_, one) in zip(values, known, strict=True)
    ]
    high = [
        (one.high if one.high is not None else value) - value
        for value, (_, one) in zip(values, known, strict=True)
    ]
    axis.errorbar(
        [at + 0.06 * number for at, _ in known], values, yerr=[low, high], label=name,
        color=CYCLE[number % len(CYCLE)], capsize=3, linestyle=DASHES[number % len(DASHES)],
        marker=MARKERS[number % len(MARKERS)],
    )  # fmt: skip


def _points(
    comparison: Comparison,
    width: float,
    key: str,
    columns: tuple[tuple[str, str, str], ...],
    label: str,
) -> Figure | None:
    """A row per competitor, a panel per game, and in it a point for each column."""
    table = _table(comparison, key)
    if table is None or not table.rows:
        return None
    games = list(dict.fromkeys(str(row["game"]) for row in table.rows))
    order = {game: ranks(comparison, game) for game in games}
    last = len(table.rows)
    every = sorted(table.rows, key=lambda row: order[str(row["game"])].get(_name(row), last))
    shown = every[:MOST_ROWS]
    rows: _Rows = {}
    for row in shown:
        rows.setdefault(str(row["game"]), []).append(row)
    tall = sum(height_of(list(map(_name, mine)), width) for mine in rows.values())
    figure, axes = new_figure(
        width, 0.7 * len(rows) + 1.3 * tall + 0.7, len(rows), [len(r) + 1 for r in rows.values()]
    )
    for axis, (game, mine) in zip(axes, rows.items(), strict=True):
        for number, (column, name, colour) in enumerate(columns):
            shift = 0.14 * (number - (len(columns) - 1) / 2)
            for place, row in enumerate(mine):
                if isinstance(value := row[column], Estimate):
                    point(
                        axis, place + 2 * shift, value, fmt=MARKERS[number], color=colour,
                        markersize=4, label=name if place == 0 else None,
                    )  # fmt: skip
        ticks(axis, [_name(row) for row in mine], width)
        axis.axvline(0, color=GREY, linewidth=0.8)
        axis.set_title(game)
    axes[-1].set_xlabel(label + first_of(len(shown), len(table.rows)))
    if len(columns) > 1:
        line_legend(figure, axes)
    return figure


def _table(comparison: Comparison, key: str) -> Table | None:
    return next((table for table in comparison.judged_tables if table.key == key), None)


def _by_game(table: Table | None) -> _Rows:
    rows: _Rows = {}
    for row in table.rows if table is not None else ():
        rows.setdefault(str(row["game"]), []).append(row)
    return rows


def _name(row: dict[str, Value]) -> str:
    return str(row["competitor"])
