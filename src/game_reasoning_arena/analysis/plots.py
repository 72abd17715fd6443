"""Plots with intervals, for print and screen.

Colours are Okabe and Ito's (M. Okabe, K. Ito 2008, Color Universal Design), which people with any
common colour vision tell apart; lines also differ in dashes and markers, parts of bars in hatching,
so that a grey print stays legible. Figures are drawn without pyplot, so nothing global changes.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from game_reasoning_arena.analysis.costs import FAILURES, temperature_points
from game_reasoning_arena.analysis.intervals import wilson
from game_reasoning_arena.analysis.results import groups
from game_reasoning_arena.errors import UserError

if TYPE_CHECKING:
    from game_reasoning_arena.analysis.compare import Comparison

BLUE, ORANGE, GREEN, VERMILLION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
SKY, PURPLE, YELLOW, GREY = "#56B4E9", "#CC79A7", "#F0E442", "#999999"
CYCLE: Final = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, GREY, "#000000")
_DASHES: Final = ("-", "--", "-.", ":")
_MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "*")

#: Part of a bar: key, label, colour, hatch, colour of the number inside.
_RESULTS: Final = (
    ("win", "win", BLUE, "", "white"),
    ("draw", "draw", "#C8C8C8", "", "black"),
    ("loss", "loss", VERMILLION, "", "white"),
    ("apart", "outage or unfinished", "white", "////", "black"),
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

INK: Final = "#1A1A1A"

#: At most this many rows in one figure; more would not be read.
MOST_ROWS = 120

Draw = Callable[["Comparison"], Figure | None]


def plots() -> dict[str, Draw]:
    """Every plot by its file name; a plot is None when the runs have nothing for it."""
    return {
        "results": results_bars,
        "temperature": temperature_curves,
        "latency": latency_distributions,
        "pairs": pair_heat_map,
        "failures": failure_bars,
    }


def save_plots(comparison: Comparison, directory: Path) -> Iterator[Path]:
    """Write each plot that has data as PNG (200 dpi) and SVG.

    Raises:
        UserError: the directory cannot be written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, draw in plots().items():
            figure = _drawn(draw, comparison, INK)
            if figure is None:
                continue
            for suffix in ("png", "svg"):
                path = directory / f"{name}.{suffix}"
                with rc_context(_style(INK)):
                    figure.savefig(path, dpi=200, facecolor="white")
                yield path
    except OSError as error:
        raise UserError(f"{directory} cannot be written: {error.strerror or error}.") from error


def svg_texts(comparison: Comparison) -> dict[str, str]:
    """Each plot as an SVG element whose ink is the page's own text colour."""
    ink = "#010203"
    texts = {}
    for name, draw in plots().items():
        figure = _drawn(draw, comparison, ink)
        if figure is None:
            continue
        out = io.StringIO()
        with rc_context({**_style(ink), "svg.hashsalt": name}):
            figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
        text = out.getvalue()
        texts[name] = text[text.index("<svg") :].replace(ink, "currentColor")
    return texts


def _drawn(draw: Draw, comparison: Comparison, ink: str) -> Figure | None:
    with rc_context(_style(ink)):
        return draw(comparison)


def _style(ink: str) -> dict[str, Any]:
    return {
        "font.size": 9,
        "font.family": "sans-serif",
        "text.color": ink,
        "text.parse_math": False,  # a dollar sign in a model's name is a dollar sign
        "axes.labelcolor": ink,
        "axes.edgecolor": ink,
        "axes.titleweight": "bold",
        "axes.titlesize": 10,
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "xtick.color": ink,
        "ytick.color": ink,
        "grid.color": GREY,
        "grid.alpha": 0.3,
        "legend.frameon": False,
        "svg.fonttype": "none",
        "lines.linewidth": 1.6,
    }


def _figure(width: float, height: float, panels: int = 1) -> tuple[Figure, Sequence[Any]]:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(panels, 1, squeeze=False)[:, 0]
    return figure, list(axes)


def _ink() -> str:
    from matplotlib import rcParams

    return str(rcParams["text.color"])


def results_bars(comparison: Comparison) -> Figure | None:
    """Win, draw, loss of all episodes that began, with the win rate's Wilson interval."""
    table = comparison.standings.table
    table = table[table["players"] > 1]
    bars = list(groups(table))[:MOST_ROWS]
    if not bars:
        return None
    games = list(dict.fromkeys(game for game, _, _ in bars))
    heights = [sum(g == game for g, _, _ in bars) for game in games]
    figure = Figure(figsize=(7.2, 0.9 * len(games) + 0.42 * len(bars) + 0.6), layout="constrained")
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
    axes[-1].set_xlabel("share of episodes that began; bar: 95 % interval of the win rate")
    _bar_legend(figure, [(label, colour, hatch) for _, label, colour, hatch, _ in _RESULTS])
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
            edgecolor=_ink() if hatch else colour, linewidth=0.4,
        )  # fmt: skip
        if size >= 0.08 and key != "apart":
            # Away from the interval's whisker, which sits at the end of the wins.
            x = left + size / 2 if key != "win" else min(0.02, size / 2)
            axis.text(
                x, place, f"{size:.0%}", color=inside, va="center", fontsize=8,
                ha="center" if key != "win" else "left",
            )  # fmt: skip
        left += size
    win = wilson(int(counts.get("win", 0)), began)
    if win.value is not None and win.low is not None and win.high is not None:
        whisker = [[win.value - win.low], [win.high - win.value]]
        for width, colour in ((3.2, "white"), (1.3, "black")):
            axis.errorbar(
                win.value, place, xerr=whisker, fmt="none", ecolor=colour, elinewidth=width,
                capsize=3, capthick=width,
            )  # fmt: skip


def _bar_legend(figure: Figure, parts: Sequence[tuple[str, str, str]]) -> None:
    from matplotlib.patches import Patch

    handles = [
        Patch(facecolor=colour, hatch=hatch, label=label, edgecolor=_ink() if hatch else colour)
        for label, colour, hatch in parts
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=len(parts), fontsize=8)


def temperature_curves(comparison: Comparison) -> Figure | None:
    """Win rate over temperature with Wilson intervals, a panel per game."""
    points = temperature_points(comparison.loaded, comparison.standings, comparison.policy)
    if not points:
        return None
    games = list(dict.fromkeys(game for _, game in points))
    models = list(dict.fromkeys(model for model, _ in points))
    figure, axes = _figure(6.4, 0.6 + 2.9 * len(games), len(games))
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
                linestyle=_DASHES[number % len(_DASHES)], marker=_MARKERS[number % len(_MARKERS)],
            )  # fmt: skip
        axis.set_title(game)
        axis.set_ylim(-0.02, 1.02)
        axis.yaxis.set_major_formatter(lambda v, _: f"{v:.0%}")
        axis.set_ylabel("win rate, 95 % interval")
        axis.grid(axis="y")
    axes[-1].set_xlabel("temperature")
    _line_legend(figure, axes)
    return figure


def _line_legend(figure: Figure, axes: Sequence[Any]) -> None:
    handles = {}
    for axis in axes:
        handles.update({label: h for h, label in zip(*axis.get_legend_handles_labels())})  # noqa: B905
    figure.legend(
        handles.values(), handles.keys(), loc="outside upper left", fontsize=8,
        ncols=1 if max(map(len, handles)) > 34 else 2,
    )  # fmt: skip


def latency_distributions(comparison: Comparison) -> Figure | None:
    """Share of answers not slower than x, with a 95 % band.

    The band is A. Dvoretzky, J. Kiefer and J. Wolfowitz's with P. Massart's constant (1990, Annals
    of Probability 18, 1269-1283).
    """
    responses = comparison.responses
    timed = responses[responses["latency_s"].notna() & responses["outcome"].notna()]
    timed = timed[timed["latency_s"] > 0]
    if timed.empty:
        return None
    figure, (axis,) = _figure(6.4, 3.6)
    for number, (who, part) in enumerate(timed.groupby("who", sort=False)):
        values = np.sort(part["latency_s"].to_numpy(dtype=np.float64))
        n = len(values)
        shares = np.arange(1, n + 1) / n
        if n > 2000:  # more points than pixels
            kept = np.unique(np.linspace(0, n - 1, 2000).astype(int))
            values, shares = values[kept], shares[kept]
        band = math.sqrt(math.log(2 / 0.05) / (2 * n))
        colour = CYCLE[number % len(CYCLE)]
        axis.step(
            values, shares, where="post", color=colour, linestyle=_DASHES[number % len(_DASHES)],
            label=f"{who}  (n={n:,})",
        )  # fmt: skip
        axis.fill_between(
            values, np.clip(shares - band, 0, 1), np.clip(shares + band, 0, 1), step="post",
            color=colour, alpha=0.15, linewidth=0,
        )  # fmt: skip
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter(lambda v, _: f"{v:g}")
    axis.xaxis.set_minor_formatter(lambda v, _: "")
    for share in (0.5, 0.95):
        axis.axhline(share, color=_ink(), linewidth=0.5, alpha=0.5)
        axis.annotate(
            f"p{100 * share:.0f}", (1, share), xycoords=("axes fraction", "data"),
            fontsize=7, va="bottom", ha="right",
        )  # fmt: skip
    axis.set_ylim(0, 1.01)
    axis.yaxis.set_major_formatter(lambda v, _: f"{v:.0%}")
    axis.set_xlabel("latency of the provider, seconds (log scale)")
    axis.set_ylabel("answers not slower, 95 % band")
    axis.grid(axis="both")
    _line_legend(figure, [axis])
    return figure


def pair_heat_map(comparison: Comparison) -> Figure | None:
    """Score of the row minus score of the column, in points, with intervals; * where resolved."""
    known = [pair for pair in comparison.pairs if pair.difference.value is not None]
    if not known:
        return None
    games = list(dict.fromkeys(pair.game for pair in known))
    sizes = {
        g: list(dict.fromkeys(x for p in known if p.game == g for x in (p.a, p.b))) for g in games
    }
    tallest = max(map(len, sizes.values()))
    side = min(24.0, 2.6 + 0.95 * tallest)
    figure, axes = _figure(side + 1.2, (side * 0.62 + 0.6) * len(games), len(games))
    image: Any = None
    for axis, game in zip(axes, games, strict=True):
        names = sizes[game][:MOST_ROWS]
        image = _heat(axis, names, [pair for pair in known if pair.game == game])
        axis.set_title(game)
    bar = figure.colorbar(
        image, ax=list(axes), shrink=0.8, label="score, row minus column (points)"
    )
    bar.outline.set_visible(False)
    axes[-1].set_xlabel("* the difference stands after Holm's correction; [95 % interval]")
    return figure


def _heat(axis: Any, names: Sequence[str], pairs: Sequence[Any]) -> Any:
    grid = np.full((len(names), len(names)), np.nan)
    notes: dict[tuple[int, int], str] = {}
    for pair in pairs:
        if pair.a not in names or pair.b not in names:
            continue
        i, j, value = names.index(pair.a), names.index(pair.b), pair.difference
        star = "*" if pair.resolved else ""
        for row, column, sign in ((i, j, 1), (j, i, -1)):
            grid[row, column] = 100 * sign * value.value
            text = f"{100 * sign * value.value:+.0f}{star}"
            if value.low is not None and len(names) <= 14:
                low, high = sorted((100 * sign * value.low, 100 * sign * value.high))
                text += f"\n[{low:+.0f}, {high:+.0f}]"
            notes[row, column] = text
    image = axis.imshow(grid, cmap="PuOr", vmin=-100, vmax=100, aspect="auto")
    for (row, column), text in notes.items():
        dark = abs(grid[row, column]) > 60
        axis.text(
            column, row, text, ha="center", va="center", fontsize=7,
            color="white" if dark else "black",
        )  # fmt: skip
    for k in range(len(names)):
        axis.text(k, k, "·", ha="center", va="center")
    axis.set_xticks(range(len(names)), names, rotation=30, ha="right", rotation_mode="anchor")
    axis.set_yticks(range(len(names)), names)
    axis.spines[:].set_visible(False)
    axis.tick_params(length=0)
    return image


def failure_bars(comparison: Comparison) -> Figure | None:
    """What failed answers were, as shares of all answers, with the total's Wilson interval."""
    responses = comparison.responses
    answered = responses[responses["outcome"].notna()]
    rows = [(str(w), p) for w, p in answered.groupby("who", sort=False)][:MOST_ROWS]
    counts = [(who, len(part), part["outcome"].value_counts()) for who, part in rows]
    seen = [kind for kind in FAILURES if any(found.get(kind, 0) for _, _, found in counts)]
    if not seen:
        return None
    figure, (axis,) = _figure(7.2, 1.3 + 0.42 * len(counts))
    highest = 0.0
    for place, (_, n, found) in enumerate(counts):
        left = 0.0
        for kind in seen:
            colour, hatch = _KINDS[kind]
            size = found.get(kind, 0) / n
            axis.barh(
                place, size, left=left, height=0.72, color=colour, hatch=hatch,
                edgecolor="black", linewidth=0.4,
            )  # fmt: skip
            left += size
        total = wilson(int(sum(found.get(kind, 0) for kind in seen)), n)
        assert total.value is not None
        assert total.low is not None
        assert total.high is not None
        highest = max(highest, total.high)
        axis.errorbar(
            total.value, place, xerr=[[total.value - total.low], [total.high - total.value]],
            fmt="none", ecolor=_ink(), elinewidth=1.3, capsize=3,
        )  # fmt: skip
    axis.set_yticks(range(len(counts)), [f"{who}  (n={n:,})" for who, n, _ in counts])
    axis.set_ylim(len(counts) - 0.45, -0.55)
    axis.set_xlim(0, min(1.0, highest * 1.05))
    axis.xaxis.set_major_formatter(lambda v, _: f"{v:.1%}" if highest < 0.1 else f"{v:.0%}")
    axis.set_xlabel("share of all answers; bar: 95 % interval of the total")
    axis.grid(axis="x")
    axis.spines["left"].set_visible(False)
    axis.tick_params(axis="y", length=0)
    _bar_legend(figure, [(kind.replace("_", " "), *_KINDS[kind]) for kind in seen])
    return figure
