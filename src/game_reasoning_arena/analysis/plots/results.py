"""Plots of results: win, draw, loss; rates over temperature; what failures were."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib.figure import Figure

from game_reasoning_arena.analysis.plots.style import (
    BLUE,
    COLUMN,
    CYCLE,
    DASHES,
    GREY,
    MARKERS,
    MOST_ROWS,
    ORANGE,
    PAGE,
    PURPLE,
    SKY,
    VERMILLION,
    YELLOW,
    bar_legend,
    counted,
    first_of,
    height_of,
    ink_colour,
    line_legend,
    new_figure,
    ranks,
    ticks,
)
from game_reasoning_arena.analysis.statistics.clusters import deals_of
from game_reasoning_arena.analysis.statistics.costs import outcome_rates, temperature_points
from game_reasoning_arena.analysis.statistics.intervals import clustered_rate
from game_reasoning_arena.analysis.statistics.leaderboard import SHOWN
from game_reasoning_arena.analysis.statistics.measures import Measure
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


def results_bars(comparison: Comparison, width: float = PAGE) -> Figure | None:
    """Draw win, draw, loss of all episodes that began, with the win rate's interval.

    Only of games whose measure is the score: where wins pay unlike, they do not show who is better.
    """
    order = ranks(comparison)
    scored = {b.game for b in comparison.leaderboard.boards if b.measure is Measure.SCORE}
    table = comparison.standings.table
    table = table[
        (table["players"] > 1) & table["game"].isin(scored) & table["competitor"].isin(order)
    ]
    every = [found for found in groups(table) if decides(found[2])]
    games = list(dict.fromkeys(game for game, _, _ in every))
    in_game = {game: ranks(comparison, game) for game in games}
    every.sort(key=lambda found: (games.index(found[0]), in_game[found[0]][found[1]]))
    bars = every[:MOST_ROWS]
    if not bars:
        return None
    games = list(dict.fromkeys(game for game, _, _ in bars))
    names = {
        game: [counted(competitor, len(part), width) for g, competitor, part in bars if g == game]
        for game in games
    }
    tall = sum(0.06 * len(mine) + height_of(mine, width) for mine in names.values())
    figure, axes = new_figure(
        width, 0.55 * len(games) + tall + 1.0, len(games), list(map(len, names.values()))
    )
    for axis, game in zip(axes, games, strict=True):
        for place, part in enumerate(part for g, _, part in bars if g == game):
            _result_bar(axis, place, part, comparison.policy)
        ticks(axis, names[game], width)
        axis.set_xlim(0, 1)
        axis.xaxis.set_major_formatter(lambda v, _: f"{v:.0%}")
        axis.set_title(game)
        axis.spines["left"].set_visible(False)
        axis.tick_params(axis="x", labelbottom=axis is axes[-1])
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
                ha="center", fontsize=7,
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


def temperature_curves(comparison: Comparison, width: float = PAGE) -> Figure | None:
    """Draw what is tested over temperature, with intervals, a panel per game."""
    measures = {board.game: board.measure for board in comparison.leaderboard.boards}
    points = temperature_points(comparison.standings, comparison.policy, measures)
    if not points:
        return None
    games = list(dict.fromkeys(game for _, game in points))
    models = list(dict.fromkeys(model for model, _ in points))
    figure, axes = new_figure(width, 0.6 + 2.4 * len(games), len(games))
    for axis, game in zip(axes, games, strict=True):
        for number, model in enumerate(models):
            curve = points.get((model, game))
            if curve is None:
                continue
            # A small shift keeps whiskers at the same temperature apart.
            at = np.array(list(curve)) + 0.008 * (number - (len(models) - 1) / 2)
            values = np.array([(e.value, e.low, e.high) for e in curve.values()], dtype=float)
            values = np.where(np.isnan(values), values[:, :1], values)
            axis.errorbar(
                at, values[:, 0], yerr=[values[:, 0] - values[:, 1], values[:, 2] - values[:, 0]],
                label=model, color=CYCLE[number % len(CYCLE)], capsize=3,
                linestyle=DASHES[number % len(DASHES)], marker=MARKERS[number % len(MARKERS)],
            )  # fmt: skip
        heading, kind, _ = SHOWN[measures[game]]
        axis.set_title(game)
        if kind == "percent":
            axis.yaxis.set_major_formatter(lambda v, _: f"{100 * v:.0f}")
        axis.set_ylabel(f"{heading.replace(' %', ', %')}; 95 % interval")
        axis.grid(axis="y")
    axes[-1].set_xlabel("temperature")
    line_legend(figure, axes)
    return figure


def failure_bars(comparison: Comparison, width: float = PAGE) -> Figure | None:
    """Draw what failed answers were, as shares of all answers, with the total's interval."""
    responses = comparison.responses
    answered = responses[responses["outcome"].notna()]
    order = ranks(comparison)
    every = [(str(w), p) for w, p in answered.groupby("competitor", sort=False)]
    every.sort(key=lambda found: order.get(found[0], len(order)))
    rows = every[:MOST_ROWS]
    totals = outcome_rates(answered, FAILURES)
    counts = [
        (competitor, part["outcome"].value_counts(), totals[competitor])
        for competitor, part in rows
    ]
    seen = [kind for kind in FAILURES if any(found.get(kind, 0) for _, found, _ in counts)]
    if not seen:
        return None
    names = [counted(competitor, total.n, width) for competitor, _, total in counts]
    tall = 0.05 * len(names) + height_of(names, width)
    figure, (axis,) = new_figure(width, (1.1 if width > COLUMN else 1.4) + tall)
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
    ticks(axis, names, width)
    axis.set_xlim(0, min(1.0, highest * 1.05))
    axis.xaxis.set_major_formatter(lambda v, _: f"{v:.1%}" if highest < 0.1 else f"{v:.0%}")
    axis.set_xlabel(
        f"share of all answers{first_of(len(rows), len(every))}\n"
        "whisker: 95 % interval of the total"
    )
    axis.grid(axis="x")
    axis.spines["left"].set_visible(False)
    bar_legend(figure, [(kind.replace("_", " "), *_KINDS[kind]) for kind in seen])
    return figure
