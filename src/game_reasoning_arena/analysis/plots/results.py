"""Plots of results: win, draw, loss; rates over temperature; what failures were."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from game_reasoning_arena.analysis.plots.style import (
    BLUE,
    CYCLE,
    DASHES,
    GREY,
    MARKERS,
    MOST_ROWS,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    YELLOW,
    bar_legend,
    first_of,
    ink_colour,
    line_legend,
    new_figure,
)
from game_reasoning_arena.analysis.statistics.clusters import deals_of
from game_reasoning_arena.analysis.statistics.costs import outcome_rates, temperature_points
from game_reasoning_arena.analysis.statistics.intervals import clustered_rate
from game_reasoning_arena.analysis.statistics.results import groups
from game_reasoning_arena.analysis.statistics.standings import decides
from game_reasoning_arena.records import FAILURES

if TYPE_CHECKING:
    from game_reasoning_arena.analysis.compare import Comparison

#: Part of a bar: key, label, colour, hatch, colour of the number inside.
_RESULTS: Final = (
    ("win", "win", BLUE, "", "white"),
    ("draw", "draw", "#E4E4E4", "", "black"),
    ("loss", "loss", ORANGE, "", "black"),  # vermillion is as dark as blue in a grey print
    ("apart", "outage or unfinished", "none", "////", "black"),
)
_KINDS: Final = dict(
    zip(
        FAILURES,
        zip(
            (VERMILLION, ORANGE, SKY, GREY, PURPLE, YELLOW), ("", "//", "..", "xx", "\\\\", "++"),
            strict=True,
        ),
        strict=True,
    )
)  # fmt: skip


def results_bars(comparison: Comparison) -> Figure | None:
    """Win, draw, loss of all episodes that began, with the win rate's interval."""
    table = comparison.standings.table
    table = table[table["players"] > 1]
    every = [found for found in groups(table) if decides(found[2])]
    bars = every[:MOST_ROWS]
    if not bars:
        return None
    games = list(dict.fromkeys(game for game, _, _ in bars))
    heights = [sum(g == game for g, _, _ in bars) for game in games]
    figure = Figure(figsize=(8, 0.9 * len(games) + 0.42 * len(bars) + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(
        len(games), 1, squeeze=False, sharex=True, gridspec_kw={"height_ratios": heights}
    )[:, 0]
    for axis, game in zip(axes, games, strict=True):
        mine = [(who, part) for g, who, part in bars if g == game]
        for place, (who, part) in enumerate(mine):
            _result_bar(axis, place, part, comparison.policy)
            mine[place] = (f"{who}  (n={len(part)})", part)
        axis.set_yticks(range(len(mine)), [name for name, _ in mine])
        axis.set_ylim(len(mine) - 0.45, -0.55)
        axis.set_xlim(0, 1)
        axis.set_title(game)
        axis.spines["left"].set_visible(False)
        axis.tick_params(axis="y", length=0)
    axes[-1].xaxis.set_major_formatter(lambda v, _: f"{v:.0%}")
    axes[-1].set_xlabel(
        f"share of episodes that began{first_of(len(bars), len(every))}\n"
        "whisker: 95 % interval of the win rate"
    )
    bar_legend(figure, [(label, colour, hatch) for _, label, colour, hatch, _ in _RESULTS])
    return figure


def _result_bar(axis: Any, place: int, part: Any, policy: str) -> None:
    counts = part[policy].value_counts()
    began, left = len(part), 0.0
    sizes = {key: counts.get(key, 0) / began for key in ("win", "draw", "loss")}
    sizes["apart"] = 1 - sum(sizes.values())
    for key, _, colour, hatch, inside in _RESULTS:
        size = sizes[key]
        if size < 1e-9:
            continue
        axis.barh(
            place, size, left=left, height=0.72, color=colour, hatch=hatch,
            edgecolor=ink_colour() if hatch else colour, linewidth=0.4,
        )  # fmt: skip
        if size >= 0.08 and key != "apart":
            axis.text(
                left + size / 2, place - 0.14, f"{size:.0%}", color=inside, va="center",
                ha="center", fontsize=8,
            )  # fmt: skip
        left += size
    win = clustered_rate(part[policy] == "win", deals_of(part))
    if win.value is not None and win.low is not None and win.high is not None:
        _whisker(axis, win.value, place + 0.2, win.low, win.high)


def _whisker(axis: Any, value: float, place: float, low: float, high: float) -> None:
    """An interval that is seen on any bar and any ground."""
    for width, colour in ((3.2, "white"), (1.3, "black")):
        axis.errorbar(
            value, place, xerr=[[value - low], [high - value]], fmt="none", ecolor=colour,
            elinewidth=width, capsize=2.5, capthick=width,
        )  # fmt: skip


def temperature_curves(comparison: Comparison) -> Figure | None:
    """Win rate over temperature with intervals, a panel per game."""
    points = temperature_points(comparison.loaded, comparison.standings, comparison.policy)
    if not points:
        return None
    games = list(dict.fromkeys(game for _, game in points))
    models = list(dict.fromkeys(model for model, _ in points))
    figure, axes = new_figure(6.4, 0.6 + 2.9 * len(games), len(games))
    for axis, game in zip(axes, games, strict=True):
        for number, model in enumerate(models):
            curve = points.get((model, game))
            if curve is None:
                continue
            # A small shift keeps whiskers at the same temperature apart.
            at = np.array(list(curve)) + 0.008 * (number - (len(models) - 1) / 2)
            values = np.array([(e.value, e.low, e.high) for e in curve.values()], dtype=float)
            axis.errorbar(
                at, values[:, 0], yerr=[values[:, 0] - values[:, 1], values[:, 2] - values[:, 0]],
                label=model, color=CYCLE[number % len(CYCLE)], capsize=3,
                linestyle=DASHES[number % len(DASHES)], marker=MARKERS[number % len(MARKERS)],
            )  # fmt: skip
        axis.set_title(game)
        axis.set_ylim(-0.02, 1.02)
        axis.yaxis.set_major_formatter(lambda v, _: f"{v:.0%}")
        axis.set_ylabel("win rate, 95 % interval")
        axis.grid(axis="y")
    axes[-1].set_xlabel("temperature")
    line_legend(figure, axes)
    return figure


def failure_bars(comparison: Comparison) -> Figure | None:
    """What failed answers were, as shares of all answers, with the total's interval."""
    responses = comparison.responses
    answered = responses[responses["outcome"].notna()]
    every = [(str(w), p) for w, p in answered.groupby("who", sort=False)]
    rows = every[:MOST_ROWS]
    totals = outcome_rates(answered, FAILURES)
    counts = [(who, part["outcome"].value_counts(), totals[who]) for who, part in rows]
    seen = [kind for kind in FAILURES if any(found.get(kind, 0) for _, found, _ in counts)]
    if not seen:
        return None
    figure, (axis,) = new_figure(7.2, 1.3 + 0.42 * len(counts))
    highest = 0.0
    for place, (_, found, total) in enumerate(counts):
        left = 0.0
        for kind in seen:
            colour, hatch = _KINDS[kind]
            size = found.get(kind, 0) / total.n
            axis.barh(
                place, size, left=left, height=0.72, color=colour, hatch=hatch,
                edgecolor="black", linewidth=0.4,
            )  # fmt: skip
            left += size
        highest = max(highest, total.high or total.value or 0.0)
        if total.value is not None and total.low is not None and total.high is not None:
            _whisker(axis, total.value, place, total.low, total.high)
    axis.set_yticks(range(len(counts)), [f"{who}  (n={total.n:,})" for who, _, total in counts])
    axis.set_ylim(len(counts) - 0.45, -0.55)
    axis.set_xlim(0, min(1.0, highest * 1.05))
    axis.xaxis.set_major_formatter(lambda v, _: f"{v:.1%}" if highest < 0.1 else f"{v:.0%}")
    axis.set_xlabel(
        f"share of all answers{first_of(len(rows), len(every))}\n"
        "whisker: 95 % interval of the total"
    )
    axis.grid(axis="x")
    axis.spines["left"].set_visible(False)
    axis.tick_params(axis="y", length=0)
    bar_legend(figure, [(kind.replace("_", " "), *_KINDS[kind]) for kind in seen])
    return figure
