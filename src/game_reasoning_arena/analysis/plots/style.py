"""What all plots share.

Colours are Okabe and Ito's (M. Okabe, K. Ito 2008, Color Universal Design), which people with any
common colour vision tell apart; lines also differ in dashes and markers, parts of bars in hatching,
so that a grey print stays legible. Figures are drawn without pyplot, so nothing global changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from matplotlib import rcParams
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch

BLUE, ORANGE, GREEN, VERMILLION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
SKY, PURPLE, YELLOW, GREY = "#56B4E9", "#CC79A7", "#F0E442", "#999999"
CYCLE: Final = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, GREY, "#000000")
DASHES: Final = ("-", "--", "-.", ":")
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "*")

#: At most this many rows in one figure; more would not be read.
MOST_ROWS = 120


def style(ink: str) -> dict[str, Any]:
    """Settings of matplotlib for a text colour."""
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


def new_figure(width: float, height: float, panels: int = 1) -> tuple[Figure, Sequence[Any]]:
    """A figure of a size in inches, and its panels from top to bottom."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(panels, 1, squeeze=False)[:, 0]
    return figure, list(axes)


def first_of(shown: int, all_of_them: int) -> str:
    """What a title adds where not all are shown; nothing where they are."""
    return f" (the first {shown} of {all_of_them})" if shown < all_of_them else ""


def ink_colour() -> str:
    """The text colour of the current style."""
    return str(rcParams["text.color"])


def bar_legend(figure: Figure, parts: Sequence[tuple[str, str, str]]) -> None:
    """A legend of (label, colour, hatch) above the panels."""
    handles = [
        Patch(
            facecolor=colour, hatch=hatch, label=label, edgecolor=ink_colour() if hatch else colour
        )
        for label, colour, hatch in parts
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=len(parts), fontsize=8)


def line_legend(figure: Figure, axes: Sequence[Any]) -> None:
    """One legend above the panels for the lines of all of them."""
    handles = {}
    for axis in axes:
        handles.update({label: h for h, label in zip(*axis.get_legend_handles_labels())})  # noqa: B905
    figure.legend(
        handles.values(), handles.keys(), loc="outside upper left", fontsize=8,
        ncols=1 if max(map(len, handles)) > 34 else 2,
    )  # fmt: skip
