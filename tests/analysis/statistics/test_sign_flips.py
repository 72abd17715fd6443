"""The test of every verdict: against all ways to sign deals, published examples, simulation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from game_reasoning_arena.analysis.statistics.sign_flips import holm, sign_flip_test

# Published numbers are held against implementations that share no code with ours, in the versions
# named; docs/statistics.md tells the whole of it.


def flips(*totals: float) -> float:
    """The p-value of some totals."""
    return sign_flip_test(np.array(totals, dtype=np.float64))


def _all_ways(totals: np.ndarray) -> float:
    """The share of all ways to set the signs that lead as far as the signs seen."""
    seen = abs(totals.sum()) - 1e-9
    ways = itertools.product((-1, 1), repeat=len(totals))
    return float(np.mean([abs(np.dot(way, totals)) >= seen for way in ways]))


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.integers(-6, 6), min_size=1, max_size=9),
    st.sampled_from([1.0, 0.5, 1 / 3, 0.1, 13.0, 1e-3, math.pi]),
)
def test_every_way_is_counted(whole: list[int], step: float) -> None:
    totals = np.array(whole) * step
    assert sign_flip_test(totals) == pytest.approx(_all_ways(totals), abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-3, 3).map(lambda x: x + 0.01 * math.sin(x)), min_size=1, max_size=9))
def test_totals_that_are_multiples_of_nothing_are_counted_as_well(values: list[float]) -> None:
    totals = np.array(values)
    if np.abs(totals).max() > 1e-3:  # what is 0 but for rounding is rounded
        kept = totals[np.abs(totals) > 1e-3]
        assert sign_flip_test(kept) == pytest.approx(_all_ways(kept), abs=0.02)


def test_sign_flips_published() -> None:
    """R. A. Fisher (1935), The Design of Experiments, section 21: of the 32,768 ways to set the
    signs of Darwin's differences (data set ``darwin`` of R's boot), 863 give a sum of 314 or more,
    and as many -314 or less. R 4.2.2 counts the same by going through all of them."""
    maize = (49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48)
    assert sum(maize) == 314
    assert flips(*maize) == pytest.approx(2 * 863 / 2**15)


@pytest.mark.parametrize(("b", "c", "p"), [(12, 2, 0.0129), (9, 2, 0.0654), (21, 4, 0.00091052)])
def test_totals_of_one_size_are_mcnemars_and_the_sign_test(b: int, c: int, p: float) -> None:
    """P. Armitage and G. Berry (1994), Statistical Methods in Medical Research, 3rd ed., p. 127,
    two media for tubercle bacilli, as StatsDirect's manual works it ("Exact test for matched
    pairs": P = 0.0129); M. P. Fay's vignette "Exact McNemar's Test" in R's exact2x2, table 21, 9,
    2, 12; M. Hollander and D. A. Wolfe, Nonparametric Statistical Methods, example 3.5, as C.
    Geyer's course works it (Stat 5601): 21 of 25. The first two: statsmodels 0.15.0,
    mcnemar(exact=True); all: R 4.2.2, binom.test."""
    for size in (1.0, 0.5, 7.0):
        assert flips(*[size] * b, *[-size] * c, 0.0, 0.0) == pytest.approx(p, abs=5e-5)
        assert flips(*[-size] * b, *[size] * c) == flips(*[size] * b, *[-size] * c)


def test_nothing_differs_nothing_is_found() -> None:
    assert flips() == flips(0.0, 0.0) == flips(1.0, -1.0) == flips(3.0, -2.0, -1.0) == 1.0
    assert flips(*[1.0] * 5) == 2 / 2**5
    assert flips(*[1.0, 2.0, 3.0, 4.0, 5.0, 7.0]) == pytest.approx(2 / 2**6)


@pytest.mark.parametrize("deals", [300, 30_000])
def test_many_deals_come_near_to_the_normal_distribution(deals: int) -> None:
    rng = np.random.default_rng(3)
    for totals in (
        rng.integers(-4, 5, deals) / 2,
        rng.choice([1.0, 3.0, 5.0, 13.0], deals) * rng.choice([-1, 1], deals),
        rng.normal(size=deals),
        rng.standard_t(4, size=deals),
    ):
        p = sign_flip_test(totals + 1e-300)
        normal = 2 * stats.norm.sf(abs(totals.sum()) / math.sqrt(totals @ totals))
        assert p == pytest.approx(normal, abs=0.02 if deals > 1000 else 0.06)


def test_a_clear_difference_of_many_deals_is_surest() -> None:
    rng = np.random.default_rng(6)
    assert flips(*rng.normal(1.0, 1.0, size=50)) < 1e-6
    assert 0.0 <= flips(*rng.choice([1.0, 2.0], size=5000)) < 1e-12


@pytest.mark.parametrize("deals", [6, 10, 30])
def test_equal_players_are_told_apart_in_5_of_100(deals: int) -> None:
    """Both seatings of a deal share its luck, which moves both; few deals, ties, big pots."""
    rng = np.random.default_rng(5)
    repeats = 1500
    rejected = [0, 0, 0]
    for _ in range(repeats):
        day = rng.normal(size=deals)
        pots = rng.choice([1, 3, 5, 13], deals) * np.sign(day)
        won = np.sign(np.round(day + rng.normal(0, 0.3, (2, deals)))).sum(axis=0)
        for place, totals in enumerate((day, pots.astype(float), won)):
            rejected[place] += sign_flip_test(totals) < 0.05
    for count in rejected:
        assert count / repeats <= 0.05 + 4 * math.sqrt(0.05 * 0.95 / repeats)
    assert max(rejected) / repeats > 0.02


def test_holm_published() -> None:
    """The example in the manual of pingouin's multicomp(method="holm"), and one in which the
    running maximum acts; R 4.2.2, p.adjust(method="holm"), and statsmodels 0.15.0 agree."""
    assert holm([0.5, 0.003, 0.32, 0.054, 0.0003]) == pytest.approx(
        [0.64, 0.012, 0.64, 0.162, 0.0015]
    )
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_holm_keeps_any_false_finding_at_5_in_100() -> None:
    """Twenty comparisons without a difference: one at least is found in 5 %, uncorrected in 64 %;
    with ten real differences besides, no more."""
    rng = np.random.default_rng(11)
    repeats, nulls = 4000, 20
    drawn = rng.random(size=(repeats, nulls))
    any_false = sum(min(holm(row.tolist())) < 0.05 for row in drawn) / repeats
    exact = 1 - (1 - 0.05 / nulls) ** nulls
    error = 4 * math.sqrt(0.05 * 0.95 / repeats)
    assert any_false == pytest.approx(exact, abs=error)
    assert (drawn.min(axis=1) < 0.05).mean() == pytest.approx(1 - 0.95**nulls, abs=0.04)
    with_real = sum(min(holm([*row, *[1e-6] * 10])[:nulls]) < 0.05 for row in drawn) / repeats
    assert with_real <= 0.05 + error
