"""Plots of latencies and of differences between pairs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from game_reasoning_arena.analysis.plots.style import (
    BLUE,
    COLUMN,
    CYCLE,
    DASHES,
    MOST_ROWS,
    PAGE,
    SKY,
    counted,
    first_of,
    height_of,
    in_order,
    ink_colour,
    line_legend,
    new_figure,
    ranks,
    ticks,
)
from game_reasoning_arena.analysis.statistics.costs import answered_calls
from game_reasoning_arena.analysis.statistics.leaderboard import SHOWN

if TYPE_CHECKING:
    from game_reasoning_arena.analysis.compare import Comparison
    from game_reasoning_arena.analysis.statistics.pairs import Pair


#: At most this many competitors beside each other in a heat map.
_MOST_COLUMNS = 40

#: Inches of a cell in which a number is read, a mark of the usual size, a number with its interval.
_FOR_NUMBERS = 0.3
_FOR_MARKS = 0.18
_FOR_INTERVALS = 0.62


def latency_distributions(comparison: Comparison, width: float = PAGE) -> Figure | None:
    """Draw how slow answers were: distributions of a few competitors, quantiles of many."""
    timed = answered_calls(comparison.responses)
    timed = timed[timed["latency_s"] > 0]
    order = ranks(comparison)
    every = [
        (
            counted(str(competitor), len(part), width),
            np.sort(part["latency_s"].to_numpy(dtype=np.float64)),
        )
        for competitor, part in sorted(
            timed.groupby("competitor", sort=False), key=lambda f: order.get(str(f[0]), len(order))
        )
    ]
    parts = every[:MOST_ROWS]
    if not parts:
        return None
    figure = (_curves if len(parts) <= len(CYCLE) else _quantile_rows)(parts, width)
    axis = figure.axes[0]
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter(lambda v, _: f"{v:g}")
    axis.xaxis.set_minor_formatter(lambda v, _: f"{v:g}" if f"{v:e}"[0] in "25" else "")
    axis.tick_params(axis="x", which="minor", labelsize=7)
    what = "latency of the provider, s" if width > COLUMN else "latency, s"
    axis.set_xlabel(f"{what} (log scale){first_of(len(parts), len(every))}")
    return figure


def _curves(parts: Sequence[tuple[str, Any]], width: float) -> Figure:
    """Share of answers not slower than x, with a 95 % band.

    The band is A. Dvoretzky, J. Kiefer and J. Wolfowitz's with P. Massart's constant (1990, Annals
    of Probability 18, 1269-1283).
    """
    figure, (axis,) = new_figure(width, 2.9 + 0.17 * len(parts))
    for number, (label, every) in enumerate(parts):
        n = len(every)
        # No more points than pixels.
        kept = np.unique(np.linspace(0, n - 1, min(n, 2000)).astype(int))
        values, shares = every[kept], (kept + 1) / n
        band = math.sqrt(math.log(2 / 0.05) / (2 * n))
        colour = CYCLE[number]
        axis.step(
            values, shares, where="post", color=colour, label=label,
            linestyle=DASHES[number % len(DASHES)],
        )  # fmt: skip
        axis.fill_between(
            values, np.clip(shares - band, 0, 1), np.clip(shares + band, 0, 1), step="post",
            color=colour, alpha=0.15, linewidth=0,
        )  # fmt: skip
    for share in (0.5, 0.95):
        axis.axhline(share, color=ink_colour(), linewidth=0.5, alpha=0.5)
        axis.annotate(
            f"p{100 * share:.0f}", (1, share), xycoords=("axes fraction", "data"),
            fontsize=7, va="bottom", ha="right",
        )  # fmt: skip
    axis.set_ylim(0, 1.01)
    axis.yaxis.set_major_formatter(lambda v, _: f"{v:.0%}")
    axis.set_ylabel("answers not slower, 95 % band")
    axis.grid(axis="both")
    line_legend(figure, [axis])
    return figure


def _quantile_rows(parts: Sequence[tuple[str, Any]], width: float) -> Figure:
    """A row each: median with its 95 % interval, a line from p5 to p95, a tick at p99."""
    names = [name for name, _ in parts]
    figure, (axis,) = new_figure(width, 0.9 + height_of(names, width))
    for place, (_, values) in enumerate(parts):
        p5, p50, p95, p99 = np.quantile(values, (0.05, 0.5, 0.95, 0.99))
        # Order statistics around the median, binomial by the normal approximation.
        n = len(values)
        half = 0.98 * math.sqrt(n)
        low = values[max(0, math.floor(n / 2 - half))]
        high = values[min(n - 1, math.ceil(n / 2 + half))]
        axis.plot([p5, p95], [place, place], color=SKY, linewidth=3, solid_capstyle="butt")
        axis.plot([low, high], [place, place], color=BLUE, linewidth=6, solid_capstyle="butt")
        axis.plot([p50], [place], marker="o", color="white", markeredgecolor=BLUE, markersize=5)
        if n >= 100:
            axis.plot([p99], [place], marker="|", color=ink_colour(), markersize=9)
    ticks(axis, names, width)
    figure.suptitle("median with 95 % interval, p5 to p95, tick: p99", fontsize=8)
    axis.spines["left"].set_visible(False)
    axis.grid(axis="x")
    return figure


def pair_heat_map(comparison: Comparison, width: float = PAGE) -> Figure | None:
    """Draw row minus column in what is tested, with intervals; * where the verdict is sure."""
    known = [pair for pair in comparison.pairs if pair.difference.value is not None]
    if not known:
        return None
    games = list(dict.fromkeys(pair.game for pair in known))
    every = {
        game: in_order(
            list(dict.fromkeys(x for p in known if p.game == game for x in (p.a, p.b))),
            ranks(comparison, game),
        )
        for game in games
    }
    names = {game: found[:_MOST_COLUMNS] for game, found in every.items()}
    sizes = [len(names[game]) for game in games]
    cell = (width - (2.4 if width > COLUMN else 1.5)) / max(sizes)
    highest = max(height_of(found, width) / len(found) for found in names.values())
    row = max(highest, min(0.42, 0.75 * cell))
    figure, axes = new_figure(width, 0.7 * len(games) + row * sum(sizes) + 0.6, len(games), sizes)
    for axis, game in zip(axes, games, strict=True):
        mine = [pair for pair in known if pair.game == game]
        unit = "points" if SHOWN[mine[0].measure][2] == "points" else "return"
        _heat(axis, names[game], mine, max(sizes), cell, width)
        axis.set_title(f"{game}, {unit}{first_of(len(names[game]), len(every[game]))}")
    figure.supxlabel(
        "row minus column [95 % interval]; *: stands after Holm's correction"
        if width > COLUMN
        else "row minus column; *: stands\nafter Holm's correction",
        fontsize=7,
        ha="left",
        x=0.02,
    )
    return figure


def _shown(value: float, kind: str) -> str:
    """A signed difference, points whole; nothing is minus 0."""
    if kind != "points":
        return f"{value:+.2f}" if round(value, 2) else "0"
    points = round(100 * value)
    return f"{points:+d}" if points else "0"


def _heat(
    axis: Any, names: Sequence[str], pairs: Sequence[Pair], widest: int, cell: float, width: float
) -> None:
    """Draw the cells; their text is as long as a cell of so many inches holds."""
    grid = np.full((len(names), len(names)), np.nan)
    notes: dict[tuple[int, int], str] = {}
    for pair in pairs:
        if pair.a not in names or pair.b not in names:
            continue
        i, j, gap = names.index(pair.a), names.index(pair.b), pair.difference
        kind = SHOWN[pair.measure][2]
        star = "*" if pair.resolved and not pair.one_seat else ""
        for row, column, value in ((i, j, gap), (j, i, gap.negated())):
            assert value.value is not None
            grid[row, column] = value.value
            text = f"{_shown(value.value, kind)}{star}"
            if cell < _FOR_NUMBERS:
                text = f"{'+' if value.value > 0 else '-' if value.value < 0 else ''}{star}"
            elif value.low is not None and value.high is not None and cell > _FOR_INTERVALS:
                text += f"\n[{_shown(value.low, kind)}, {_shown(value.high, kind)}]"
            notes[row, column] = text
    most = 1.0 if kind == "points" else max(float(np.nanmax(np.abs(grid))), 1e-9)
    axis.imshow(grid, cmap="PuOr", vmin=-most, vmax=most, aspect="auto")
    size = 7.0 if cell > 0.75 else 6.0 if cell > _FOR_MARKS else 4.0
    axis.set_xlim(-0.5, widest - 0.5)  # cells of all panels are equally wide
    for (row, column), text in notes.items():
        axis.text(
            column, row, text, ha="center", va="center", fontsize=size,
            linespacing=1.1, color="white" if abs(grid[row, column]) > 0.6 * most else "black",
        )  # fmt: skip
    small = {"fontsize": 4.5, "rotation": 90} if cell < _FOR_MARKS else {}
    numbers = [str(k) for k in range(1, len(names) + 1)]
    for k in range(len(names)):
        axis.text(k, k, "–", ha="center", va="center")
    axis.set_xticks(range(len(names)), numbers, **small)
    ticks(axis, [f"{name}  {k}" for name, k in zip(names, numbers, strict=True)], width)
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.xaxis.tick_top()
    axis.spines[:].set_visible(False)
    axis.tick_params(length=0)
