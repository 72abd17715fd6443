"""Plots of leaderboards and ratings: they show what the verdict is about, in its order."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from game_reasoning_arena.analysis.compare import Comparison
from game_reasoning_arena.analysis.plots.figures import INK, _drawn, plots
from game_reasoning_arena.analysis.plots.spread import pair_heat_map
from game_reasoning_arena.analysis.plots.standing import leaderboard_points, rating_points
from game_reasoning_arena.analysis.plots.style import COLUMN, PAGE, in_lines
from game_reasoning_arena.recording import load_runs
from tests.analysis.make_runs import Player, make_run
from tests.arena import Arena


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three models against random at two games, and one of them against itself."""
    base = tmp_path_factory.mktemp("runs")
    for number, fail in enumerate((0.6, 0.0, 0.2)):
        for game in ("tic_tac_toe", "kuhn_poker"):
            players = {"player_0": Player(f"direct_lab/m{number}", fail=fail), "player_1": Player()}
            make_run(base / f"{game}{number}", players, game=game, episodes=60)
    twins = {f"player_{seat}": Player("direct_lab/m1") for seat in (0, 1)}
    make_run(base / "self", twins, episodes=20)
    return base


@pytest.fixture(scope="module")
def comparison(runs: Path) -> Comparison:
    """The runs compared."""
    return Comparison(load_runs(runs))


def _rows(figure: Figure, panel: int) -> list[str]:
    axis = figure.axes[panel]
    return [text.get_text() for text in axis.get_yticklabels()]


def test_the_leaderboard_is_drawn_as_it_stands(comparison: Comparison) -> None:
    figure = _drawn(leaderboard_points, comparison, INK)
    assert figure is not None
    boards = comparison.leaderboard.boards
    assert [axis.get_title("left") for axis in figure.axes] == [
        *(board.game for board in boards),
        "over all games",
    ]
    for panel, board in enumerate(boards):
        apart = [place for place in board.baselines if place.self_play]
        rows = [place.competitor for place in (*board.places, *apart)]
        assert _rows(figure, panel) == rows
        axis = figure.axes[panel]
        letters = [text.get_text() for text in axis.texts]
        assert letters == [place.letters for place in board.places]
        measure = "mean return" if board.game == "kuhn_poker" else "score, %"
        assert axis.get_xlabel().startswith(measure)
        marks = [line for line in axis.lines if line.get_marker() in ("o", "s")]
        shown = [float(line.get_xdata()[0]) for line in marks]  # type: ignore[arg-type]
        assert shown == [place.value.value for place in (*board.places, *apart)]
        hollow = [line.get_markerfacecolor() == "none" for line in marks]
        assert hollow == [place in apart for place in (*board.places, *apart)]
        (reference,) = [line for line in axis.lines if line.get_label() == "random"]
        (random,) = [place for place in board.baselines if not place.self_play]
        assert float(reference.get_xdata()[0]) == random.value.value  # type: ignore[arg-type]
    assert sum(bool(place.self_play) for board in boards for place in board.baselines) == 2


def test_ratings_have_the_letters_of_the_verdict(comparison: Comparison) -> None:
    figure = _drawn(rating_points, comparison, INK)
    assert figure is not None
    boards = {board.game: board for board in comparison.leaderboard.boards}
    for panel, (game, (fit,)) in enumerate(comparison.ratings.items()):
        letters = {place.competitor: place.letters for place in boards[game].places}
        rows = [competitor for competitor in fit.ratings if competitor in letters]
        assert _rows(figure, panel) == rows
        assert [text.get_text() for text in figure.axes[panel].texts] == [letters[r] for r in rows]


def test_pairs_are_marked_where_the_verdict_is_sure(comparison: Comparison) -> None:
    figure = _drawn(pair_heat_map, comparison, INK)
    assert figure is not None
    marked = sum(text.get_text().count("*") for axis in figure.axes for text in axis.texts)
    sure = [pair for pair in comparison.pairs if pair.resolved and not pair.one_seat]
    assert marked == 2 * len(sure) > 0
    poker = next(axis for axis in figure.axes if axis.get_title("left").startswith("kuhn_poker"))
    assert poker.get_title("left") == "kuhn_poker, return"


def test_win_rates_are_drawn_where_they_are_the_measure(comparison: Comparison) -> None:
    def games(of: Comparison) -> list[str]:
        figure = _drawn(plots()["results"], of, INK)
        return [] if figure is None else [axis.get_title("left") for axis in figure.axes]

    assert games(comparison) == ["tic_tac_toe"]
    by_score = Comparison(comparison.loaded, measure="score")
    assert sorted(games(by_score)) == ["kuhn_poker", "tic_tac_toe"]


@pytest.mark.parametrize("width", [PAGE, COLUMN])
def test_figures_are_as_wide_as_a_paper_has_room(comparison: Comparison, width: float) -> None:
    for draw in plots().values():
        figure = _drawn(draw, comparison, INK, width)
        if figure is not None:
            assert figure.get_figwidth() == width
            assert figure.get_figheight() < 9.5


def test_long_names_are_folded_and_keep_both_ends() -> None:
    name = "meta-llama/Llama-3.1-405B-Instruct-Turbo-FP8-with-a-very-long-name-of-many-parts-v2"
    for lines in (1, 2, 3):
        shown = in_lines(name, COLUMN, lines)
        assert shown.count("\n") <= lines - 1
        assert max(map(len, shown.split("\n"))) <= 22
        assert shown.startswith("meta")
        assert shown.endswith("-v2")
    assert in_lines("short", COLUMN) == "short"


def test_formats_and_widths_are_chosen(runs: Path, arena: Arena) -> None:
    words = ("compare", str(runs), "--games", "kuhn_poker")
    assert arena(*words, "--plots", "all").code == 0
    assert {path.suffix for path in Path("all").iterdir()} == {".png", ".svg", ".pdf"}
    assert arena(*words, "--plots", "one", "--format", "pdf", "--columns", "1").code == 0
    assert {path.suffix for path in Path("one").iterdir()} == {".pdf"}
    content = Path("one/leaderboard.pdf").read_bytes()
    assert content.startswith(b"%PDF")
    (box,) = re.findall(rb"/MediaBox \[ 0 0 ([\d.]+) ", content)
    assert float(box) == pytest.approx(72 * COLUMN, abs=0.1)
    for wrong, told in (
        (("--plots", "p", "--format", "gif"), "--format gif is unknown"),
        (("--format", "pdf"), "--plots DIR"),
        (("--columns", "1"), "--plots DIR"),
    ):
        ran = arena(*words, *wrong)
        assert ran.code == 2
        assert told in ran.err
    assert not Path("p").exists()
