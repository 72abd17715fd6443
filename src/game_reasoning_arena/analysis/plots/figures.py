"""Plots with intervals, for print and screen, as files or as SVG for the report's page."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from matplotlib import rc_context
from matplotlib.figure import Figure

from game_reasoning_arena.analysis.plots import FORMATS
from game_reasoning_arena.analysis.plots.decisions import (
    adjusted_points,
    regret_by_turn,
    regret_points,
)
from game_reasoning_arena.analysis.plots.results import (
    failure_bars,
    results_bars,
    temperature_curves,
)
from game_reasoning_arena.analysis.plots.spread import latency_distributions, pair_heat_map
from game_reasoning_arena.analysis.plots.standing import leaderboard_points, rating_points
from game_reasoning_arena.analysis.plots.style import COLUMN, PAGE, style
from game_reasoning_arena.errors import UserError

if TYPE_CHECKING:
    from game_reasoning_arena.analysis.compare import Comparison

INK: Final = "#1A1A1A"

#: Draws at a width in inches; None when the runs have nothing for it.
Draw = Callable[["Comparison", float], Figure | None]


def plots() -> dict[str, Draw]:
    """Return every plot by its file name."""
    return {
        "leaderboard": leaderboard_points,
        "ratings": rating_points,
        "results": results_bars,
        "temperature": temperature_curves,
        "latency": latency_distributions,
        "pairs": pair_heat_map,
        "failures": failure_bars,
        "regret": regret_points,
        "adjusted": adjusted_points,
        "regret_by_turn": regret_by_turn,
    }


def save_plots(
    comparison: Comparison,
    directory: Path,
    formats: Sequence[str] = FORMATS,
    columns: int = 2,
) -> Iterator[Path]:
    """Write each plot that has data.

    Args:
        comparison: the runs.
        directory: is made.
        formats: of :data:`FORMATS`; PNG has 300 dots per inch.
        columns: of a paper with two columns that a plot spans, 1 or 2.

    Raises:
        UserError: the directory cannot be written.
    """
    width = PAGE if columns == 2 else COLUMN
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, draw in plots().items():
            figure = _drawn(draw, comparison, INK, width)
            if figure is None:
                continue
            for suffix in formats:
                path = directory / f"{name}.{suffix}"
                with _drawing(INK):
                    figure.savefig(path, dpi=300, facecolor="white")
                yield path
    except OSError as error:
        raise UserError(f"{directory} cannot be written: {error.strerror or error}.") from error


def svg_texts(comparison: Comparison) -> dict[str, str]:
    """Return each plot as an SVG element whose ink is the page's own text colour."""
    ink = "#010203"
    texts = {}
    for name, draw in plots().items():
        figure = _drawn(draw, comparison, ink)
        if figure is None:
            continue
        out = io.StringIO()
        with _drawing(ink, {"svg.hashsalt": name}):
            figure.savefig(
                out,
                format="svg",
                transparent=True,
                metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")),
            )
        text = out.getvalue()
        texts[name] = text[text.index("<svg") :].replace(ink, "currentColor")
    return texts


def _drawn(draw: Draw, comparison: Comparison, ink: str, width: float = PAGE) -> Figure | None:
    with _drawing(ink):
        figure = draw(comparison, width)
        if figure is not None:
            figure.draw_without_rendering()  # lays out, once for all files
            figure.set_layout_engine("none")
        return figure


@contextmanager
def _drawing(ink: str, more: Mapping[str, Any] | None = None) -> Iterator[None]:
    """Our style; letters that the font lacks are boxes in a PNG, without a word of warning."""
    with rc_context({**style(ink), **(more or {})}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        yield
