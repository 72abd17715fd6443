"""What all plots share.

Colours are Okabe and Ito's (M. Okabe, K. Ito 2008, Color Universal Design), which people with any
common colour vision tell apart; lines also differ in dashes and markers, parts of bars in hatching,
so that a grey print stays legible. Figures are drawn without pyplot, so nothing global changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from matplotlib import rcParams
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from game_reasoning_arena.analysis.tables.terminal import folded

if TYPE_CHECKING:
    from game_reasoning_arena.analysis.compare import Comparison
    from game_reasoning_arena.analysis.tables.estimates import Estimate

#: Inches: the text of a page, and one of two columns of it.
PAGE: Final = 7.0
COLUMN: Final = 3.35
_PAGE_HEIGHT: Final = 9.2

BLUE, ORANGE, GREEN, VERMILLION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
SKY, PURPLE, YELLOW, GREY = "#56B4E9", "#CC79A7", "#F0E442", "#999999"
CYCLE: Final = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, GREY, "#000000")
DASHES: Final = ("-", "--", "-.", ":")
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "*")

#: More names than these have two lines at the most.
_FEW: Final = 6

#: At most this many rows in one figure; more would not be read.
MOST_ROWS = 120


#: Fonts with letters that the usual one lacks, used where they are installed.
_MORE_FONTS: Final = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "WenQuanYi Zen Hei", "Droid Sans Fallback",
    "Noto Sans Devanagari", "Noto Sans Arabic", "Noto Emoji", "Symbola",
)  # fmt: skip


@cache
def _fonts() -> list[str]:
    from matplotlib.font_manager import fontManager

    installed = {font.name for font in fontManager.ttflist}
    return ["DejaVu Sans", *(name for name in _MORE_FONTS if name in installed)]


def style(ink: str) -> dict[str, Any]:
    """Return settings of matplotlib for a text colour."""
    return {
        "font.size": 8,
        "font.family": _fonts(),
        "text.color": ink,
        "text.parse_math": False,  # a dollar sign in a model's name is a dollar sign
        "axes.labelcolor": ink,
        "axes.edgecolor": ink,
        "axes.titleweight": "bold",
        "axes.titlesize": 9,
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "xtick.color": ink,
        "xtick.labelsize": 7,
        "ytick.color": ink,
        "grid.color": GREY,
        "grid.alpha": 0.3,
        "legend.frameon": False,
        "svg.fonttype": "none",
        "pdf.fonttype": 42,  # whole fonts: conferences refuse the other kind
        "lines.linewidth": 1.4,
        "lines.markersize": 5,
    }


def new_figure(
    width: float, height: float, panels: int = 1, rows: Sequence[int] | None = None
) -> tuple[Figure, Sequence[Any]]:
    """Return a figure of a size in inches, and its panels from top to bottom.

    Args:
        width: of the figure.
        height: of the figure, less where rows can be closer to keep it on a page.
        panels: how many there are.
        rows: how many rows each has, which makes some higher than others; None for equal ones.
    """
    most = max(_PAGE_HEIGHT, 0.2 * sum(rows or ()) + 0.7 * panels)
    figure = Figure(figsize=(width, min(height, most)), layout="constrained")
    FigureCanvasAgg(figure)
    ratios = None if rows is None else {"height_ratios": [max(1, n) for n in rows]}
    axes = figure.subplots(panels, 1, squeeze=False, gridspec_kw=ratios)[:, 0]
    return figure, list(axes)


def ranks(comparison: Comparison, game: str | None = None) -> Mapping[str, int]:
    """Return the place of each competitor in a game's leaderboard, models before baselines.

    Args:
        comparison: the runs.
        game: whose leaderboard; None for all of them, the first game first.
    """
    boards = [b for b in comparison.leaderboard.boards if game in (None, b.game)]
    places = [place for board in boards for place in board.places]
    places += [place for board in boards for place in board.baselines]
    return {
        competitor: rank
        for rank, competitor in enumerate(dict.fromkeys(p.competitor for p in places))
    }


def in_order(names: Sequence[str], order: Mapping[str, int]) -> list[str]:
    """Return names as the leaderboards have them; those in none of them come last."""
    return sorted(names, key=lambda name: order.get(name, len(order)))


def ticks(axis: Any, names: Sequence[str], width: float) -> None:
    """Name the rows of a panel, the first on top; long names take several lines."""
    axis.set_yticks(range(len(names)), _folded(names, width), fontsize=7)
    axis.set_ylim(len(names) - 0.45, -0.55)
    axis.tick_params(axis="y", length=0)


def height_of(names: Sequence[str], width: float) -> float:
    """Return the inches that rows of these names take, which are equally high."""
    lines = max((name.count("\n") for name in _folded(names, width)), default=0)
    return len(names) * max(0.2, 0.06 + 0.115 * (lines + 1))


def _folded(names: Sequence[str], width: float) -> list[str]:
    """Return names in as many lines as leave a figure on its page."""
    return [in_lines(name, width, 3 if len(names) <= _FEW else 2) for name in names]


def in_lines(name: str, width: float, lines: int = 1) -> str:
    """Return a name in at most so many lines that leave room for a panel, cut if it is longer."""
    most = 36 if width > COLUMN else 22
    parts = folded(name, most)
    if len(parts) > lines:
        rest = "".join(parts[lines - 1 :])
        parts = [*parts[: lines - 1], f"{rest[: most // 2 - 1]}…{rest[-(most // 2) :]}"]
    return "\n".join(parts)


def counted(name: str, count: int, width: float) -> str:
    """Return a name with the number of what was counted, where there is room for it."""
    return f"{name}  (n={count:,})" if width > COLUMN else name


def point(axis: Any, at: float, value: Estimate, **how: Any) -> None:
    """Draw an estimate with its interval in a row; nothing where it is not known."""
    if value.value is None:
        return
    low = value.value if value.low is None else value.low
    high = value.value if value.high is None else value.high
    axis.errorbar(
        value.value, at, xerr=[[value.value - low], [high - value.value]], capsize=2.5, **how
    )


def first_of(shown: int, all_of_them: int) -> str:
    """Return what a title adds where not all are shown; nothing where they are."""
    return f" (the first {shown} of {all_of_them})" if shown < all_of_them else ""


def ink_colour() -> str:
    """Return the text colour of the current style."""
    return str(rcParams["text.color"])


def bar_legend(figure: Figure, parts: Sequence[tuple[str, str, str]]) -> None:
    """Draw a legend of (label, colour, hatch) above the panels."""
    handles = [
        Patch(
            facecolor=colour, hatch=hatch, label=label, edgecolor=ink_colour() if hatch else colour
        )
        for label, colour, hatch in parts
    ]
    figure.legend(
        handles=handles, loc="outside upper left", fontsize=7.5, handlelength=1.4,
        columnspacing=1.0, ncols=_columns(figure, [label for label, _, _ in parts]),
    )  # fmt: skip


def _columns(figure: Figure, labels: Sequence[str]) -> int:
    """Return how many labels of a legend stand beside each other."""
    width, sizes = figure.get_figwidth(), [0.4 + 0.062 * len(label) for label in labels]
    return len(labels) if sum(sizes) <= width else max(1, int(width / max(sizes)))


def line_legend(figure: Figure, axes: Sequence[Any]) -> None:
    """Draw one legend above the panels for the lines of all of them."""
    handles: dict[str, Any] = {}
    for axis in axes:
        handles.update({label: h for h, label in zip(*axis.get_legend_handles_labels())})  # noqa: B905
    if not handles:
        return
    names = [in_lines(name, figure.get_figwidth(), 2) for name in handles]
    figure.legend(
        handles.values(), names, loc="outside upper left", fontsize=7.5, columnspacing=1.2,
        ncols=_columns(figure, list(handles)),
    )  # fmt: skip
