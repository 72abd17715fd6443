"""Plots of latencies and of differences between pairs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from game_reasoning_arena.analysis.plots.style import (
    BLUE,
    CYCLE,
    DASHES,
    MOST_ROWS,
    SKY,
    first_of,
    ink_colour,
    line_legend,
    new_figure,
)
from game_reasoning_arena.analysis.statistics.costs import answered_calls

if TYPE_CHECKING:
    from game_reasoning_arena.analysis.compare import Comparison


#: At most this many competitors beside each other in a heat map.
_MOST_COLUMNS = 40


def latency_distributions(comparison: Comparison) -> Figure | None:
    """How slow answers were: whole distributions of a few competitors, quantiles of many."""
    timed = answered_calls(comparison.responses)
    timed = timed[timed["latency_s"] > 0]
    every = [
        (f"{who}  (n={len(part):,})", np.sort(part["latency_s"].to_numpy(dtype=np.float64)))
        for who, part in timed.groupby("who", sort=False)
    ]
    parts = every[:MOST_ROWS]
    if not parts:
        return None
    figure = _curves(parts) if len(parts) <= len(CYCLE) else _quantile_rows(parts)
    axis = figure.axes[0]
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter(lambda v, _: f"{v:g}")
    axis.xaxis.set_minor_formatter(lambda v, _: f"{v:g}" if f"{v:e}"[0] in "25" else "")
    axis.tick_params(axis="x", which="minor", labelsize=7)
    axis.set_xlabel(
        "latency of the provider, seconds (log scale)" + first_of(len(parts), len(every))
    )
    return figure


def _curves(parts: Sequence[tuple[str, Any]]) -> Figure:
    """Share of answers not slower than x, with a 95 % band.

    The band is A. Dvoretzky, J. Kiefer and J. Wolfowitz's with P. Massart's constant (1990, Annals
    of Probability 18, 1269-1283).
    """
    figure, (axis,) = new_figure(6.4, 3.2 + 0.17 * len(parts))
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


def _quantile_rows(parts: Sequence[tuple[str, Any]]) -> Figure:
    """A row each: median with its 95 % interval, a line from p5 to p95, a tick at p99."""
    figure, (axis,) = new_figure(7.6, 0.9 + 0.3 * len(parts))
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
    axis.set_yticks(range(len(parts)), [label for label, _ in parts])
    axis.set_ylim(len(parts) - 0.4, -0.6)
    axis.set_title("median with 95 % interval, p5 to p95, tick: p99", fontweight="normal")
    axis.spines["left"].set_visible(False)
    axis.tick_params(axis="y", length=0)
    axis.grid(axis="x")
    return figure


def pair_heat_map(comparison: Comparison) -> Figure | None:
    """Score of the row minus score of the column, in points, with intervals; * where resolved."""
    known = [pair for pair in comparison.pairs if pair.score.value is not None]
    if not known:
        return None
    games = list(dict.fromkeys(pair.game for pair in known))
    every = {
        game: list(dict.fromkeys(x for p in known if p.game == game for x in (p.a, p.b)))
        for game in games
    }
    names = {game: found[:_MOST_COLUMNS] for game, found in every.items()}
    sizes = [len(names[game]) for game in games]
    figure = Figure(
        figsize=(3.6 + 0.72 * max(sizes), 0.9 * len(games) + 0.42 * sum(sizes) + 0.5),
        layout="constrained",
    )
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(games), 1, squeeze=False, gridspec_kw={"height_ratios": sizes})
    image: Any = None
    for axis, game in zip(grid[:, 0], games, strict=True):
        image = _heat(axis, names[game], [pair for pair in known if pair.game == game], max(sizes))
        axis.set_title(game + first_of(len(names[game]), len(every[game])))
    bar = figure.colorbar(image, ax=list(grid[:, 0]), shrink=0.9, aspect=30, pad=0.02)
    bar.outline.set_visible(False)
    figure.supxlabel(
        # Below, where there is room for it: beside a small bar its label would be cut off.
        "row minus column, points of score [95 % interval]\n* stands after Holm's correction",
        fontsize=8,
        ha="left",
        x=0.02,
    )
    return figure


def _points(score: float) -> str:
    """Signed whole points; nothing is minus 0."""
    points = round(100 * score)
    return f"{points:+d}" if points else "0"


def _heat(axis: Any, names: Sequence[str], pairs: Sequence[Any], widest: int) -> Any:
    grid = np.full((len(names), len(names)), np.nan)
    notes: dict[tuple[int, int], str] = {}
    for pair in pairs:
        if pair.a not in names or pair.b not in names:
            continue
        i, j, value = names.index(pair.a), names.index(pair.b), pair.score
        star = "*" if pair.resolved else ""
        for row, column, sign in ((i, j, 1), (j, i, -1)):
            grid[row, column] = 100 * sign * value.value
            text = f"{_points(sign * value.value)}{star}"
            if value.low is not None:
                low, high = sorted((sign * value.low, sign * value.high))
                text += f"\n[{_points(low)}, {_points(high)}]"
            notes[row, column] = text
    image = axis.imshow(grid, cmap="PuOr", vmin=-100, vmax=100, aspect="auto")
    axis.set_xlim(-0.5, widest - 0.5)  # cells of all panels are equally wide
    for (row, column), text in notes.items():
        axis.text(
            column, row, text, ha="center", va="center", fontsize=7, linespacing=1.1,
            color="white" if abs(grid[row, column]) > 60 else "black",
        )  # fmt: skip
    numbers = [str(k) for k in range(1, len(names) + 1)]
    for k in range(len(names)):
        axis.text(k, k, "–", ha="center", va="center")
    axis.set_xticks(range(len(names)), numbers)
    axis.set_yticks(
        range(len(names)), [f"{name}   {k}" for name, k in zip(names, numbers, strict=True)]
    )
    axis.xaxis.tick_top()
    axis.spines[:].set_visible(False)
    axis.tick_params(length=0)
    return image
