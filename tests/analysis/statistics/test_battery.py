"""A small battery of simulated designs; ``python -m benchmarks.battery`` is the whole of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from benchmarks.battery.battery import contrast, measure, row, wrong
from benchmarks.battery.designs import DESIGNS, draw

from game_reasoning_arena.analysis.statistics.clusters import deals_of
from game_reasoning_arena.analysis.statistics.contrasts import GameTable
from game_reasoning_arena.analysis.statistics.intervals import cluster_sums
from game_reasoning_arena.analysis.statistics.measures import Measure, values
from tests.analysis.statistics.made_standings import Table

_NAMED = {design.name: design for design in DESIGNS}


@pytest.mark.parametrize(
    "name",
    [
        "one opponent, 6 deals",
        "five opponents, model by deal",
        "round robin of 3, model by deal",
        "round robin of 5, 10 deals",
        "games of three, 20 deals",
        "heavy tails, returns, 20 deals",
        "forfeits 40%, by model and deal",
        "copies: 3 different deals of 40",
    ],
)
def test_nothing_is_said_that_is_not_so(name: str) -> None:
    found = measure(_NAMED[name], 120, truth_deals=20_000, rated_deals=1000)
    assert found
    assert not wrong({name: found}, errors=4)


def test_a_test_by_games_would_be_seen_to_be_wrong() -> None:
    """The battery's bounds are such that taking games for observations breaks them."""
    design = replace(_NAMED["five opponents, model by deal"], deals=40)
    drawn = draw(design, np.random.default_rng(1), 300)
    games = drawn.first[..., 0::4], drawn.second[..., 2::4]  # of the first model
    means = np.concatenate(games, axis=2).reshape(300, -1)
    errors = means.std(axis=1, ddof=1) / np.sqrt(means.shape[1])
    missed = np.abs(means.mean(axis=1) - means.mean()) > 1.96 * errors
    assert missed.mean() > 0.12


@pytest.mark.parametrize("name", ["five opponents, model by deal", "round robin of 5, 6 deals"])
def test_the_battery_sums_up_deals_as_compare_does(name: str) -> None:
    """One repetition of a design, once by its arrays and once by way of the standings."""
    drawn = draw(_NAMED[name], np.random.default_rng(2), 1, 6)
    table = Table()
    for deal in range(6):
        for game, (one, other) in enumerate(drawn.design.schedule):
            table.play(str(one), str(other), deal, float(drawn.scores[0, deal, game]))
    seen = table.standings(())
    coded = GameTable(seen.table)
    scores = values(seen.table, "loss", Measure.SCORE)
    found = coded.contrast(coded.pairing("0", "1"), scores)
    (expected,) = contrast(drawn, 0, 1).each()
    assert found.totals.tolist() == pytest.approx(expected[0].tolist())
    assert found.counts.tolist() == expected[1].tolist()
    mine = (seen.table["competitor"] == "0").to_numpy()
    sums, counts = cluster_sums(scores[mine], deals_of(seen.table[mine]))
    (expected,) = row(drawn, 0).each()
    assert (sums.tolist(), counts.tolist()) == (expected[0].tolist(), expected[1].tolist())
