"""Intervals against published worked examples, and their coverage by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from game_reasoning_arena.analysis.statistics.intervals import (
    clustered_mean,
    clustered_rate,
    difference_of_means,
    small_sample,
    wilson,
)
from game_reasoning_arena.analysis.tables.estimates import Estimate

# Each published number is held against an implementation that shares no code with ours, in the
# versions named; docs/statistics.md tells the whole of it.


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (81, 263, 0.2553, 0.3662),
        (13, 16, 0.5699, 0.9341),
    ],
)
def test_wilson_published(successes: int, n: int, low: float, high: float) -> None:
    """R. G. Newcombe (1998), Two-sided confidence intervals for the single proportion, Statistics
    in Medicine 17, 857-872, table I, method 3: the second to fourth as R's ratesci quotes them in
    its own tests (test3.R, "Single proportion, Newcombe examples"). 13 of 16: M. Fagerland,
    S. Lydersen, P. Laake (2017), Statistical Analysis of Contingency Tables, chapter 2, by that
    book's own package, R's contingencytables (test-ch2.R). All five: statsmodels 0.15.0,
    proportion_confint."""
    found = wilson(successes, n)
    scipys = stats.binomtest(successes, n).proportion_ci(0.95, method="wilson")
    assert (found.low, found.high) == pytest.approx((scipys.low, scipys.high), abs=1e-12)
    assert found.value == successes / n
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("a", "n_a", "b", "n_b", "low", "high"),
    [
        (56, 70, 48, 80, 0.0524, 0.3339),
        (9, 10, 3, 10, 0.1705, 0.8090),
        (10, 10, 0, 20, 0.6791, 1.0),
        (84, 101, 89, 105, -0.1177, 0.0851),
        (5, 56, 0, 29, -0.0381, 0.1926),
    ],
)
def test_newcombe_published(a: int, n_a: int, b: int, n_b: int, low: float, high: float) -> None:
    """R. G. Newcombe (1998), Statistics in Medicine 17, 873-890, method 10: the first four as R's
    DescTools quotes them in its own tests from a SAS users' paper (WUSS 2016, 127), the last as
    ratesci does (test3.R, "Newcombe RD example (d)"). All: statsmodels 0.15.0,
    confint_proportions_2indep(method="newcomb")."""
    found = difference_of_means(wilson(a, n_a), wilson(b, n_b))
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


# Pups that lived for 21 days of those alive after 4, in litters of rats fed a chemical: C. S. Weil
# (1970), from D. A. Williams (1975), Biometrics 31, 949-952; data set ``rats`` of R's aod.
_LITTERS = ((12, 12), (11, 11), (10, 10), (9, 9), (10, 11), (9, 10), (9, 10), (8, 9), (8, 9),
            (4, 5), (7, 9), (4, 7), (5, 10), (3, 6), (3, 10), (0, 7))  # fmt: skip


def test_clustered_rate_published() -> None:
    """R 4.2.2: the variance of a ratio gives the design effect 3.95286; statsmodels 0.15.0: the
    same by OLS on a constant with errors clustered by litter. Wilson's limits are the roots x of
    n (p - x)^2 = z^2 x (1 - x), n being the 145 pups over the design effect, and less by the square
    of the normal quantile over Student's of 16 litters."""
    lived = [k < some for some, of in _LITTERS for k in range(of)]
    litters = [number for number, (_, of) in enumerate(_LITTERS) for _ in range(of)]
    found = clustered_rate(lived, litters)
    assert found.value == pytest.approx(112 / 145)
    z, student = stats.norm.isf(0.025), stats.t.isf(0.025, 15)
    left = 145 / 3.95286 * (z / student) ** 2
    rate = 112 / 145
    roots = np.roots([1 + z**2 / left, -2 * rate - z**2 / left, rate**2])
    assert (found.low, found.high) == pytest.approx(sorted(roots), abs=5e-5)


def test_a_mean_of_equal_clusters_has_students_interval() -> None:
    """By ``scipy.stats.ttest_1samp`` of the clusters' means."""
    rng = np.random.default_rng(5)
    values = rng.normal(3, 2, size=(12, 4))
    found = clustered_mean(values.ravel(), np.repeat(np.arange(12), 4))
    expected = stats.ttest_1samp(values.mean(axis=1), 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.n == 48


# United States cities in 1920 and 1930, thousands of people: table 2.1 of A. C. Davison and D. V.
# Hinkley (1997), data set ``city`` of R's boot, the software of that book.
_CITIES = ((138, 143), (93, 104), (61, 69), (179, 260), (48, 75), (37, 63), (29, 50), (23, 48),
           (30, 111), (2, 50))  # fmt: skip


def test_clustered_mean_published() -> None:
    """The growth of cities is a ratio of sums over clusters, as a mean over episodes of deals is:
    a city is a cluster of as many values as it had people. The ratio is 1.5203 in the book; its
    standard error is that of a regression through the origin with clustered errors (a residual and
    a weight per city), here by numpy's least squares."""
    values = [after / before for before, after in _CITIES for _ in range(before)]
    cities = [number for number, (before, _) in enumerate(_CITIES) for _ in range(before)]
    found = clustered_mean(values, cities)
    assert found.value == pytest.approx(1.5203125)
    weight, total = np.array(_CITIES, dtype=float).T
    (ratio,), *_ = np.linalg.lstsq(np.sqrt(weight)[:, None], total / np.sqrt(weight), rcond=None)
    error = math.sqrt(10 / 9 * ((total - ratio * weight) ** 2).sum()) / weight.sum()
    half = stats.t.isf(0.025, 9) * error
    assert (found.low, found.high) == pytest.approx((ratio - half, ratio + half))


@pytest.mark.parametrize("seeds", [6, 10, 30])
def test_means_cover_with_few_seeds_and_poker_returns(seeds: int) -> None:
    """Differences of pots are heavy-tailed; here plain percentiles cover 86 % with six seeds."""
    rng = np.random.default_rng(12)
    repeats = 1000
    sizes, shares = [0, 1, 3, 5, 7, 9, 11, 13], [0.04, 0.45, 0.2, 0.14, 0.08, 0.05, 0.03, 0.01]
    pots = rng.choice(sizes, p=shares, size=(2, repeats, seeds))
    won = (pots * rng.choice([-1, 1], size=pots.shape)).astype(np.float64)
    found = [clustered_mean(values, np.arange(seeds)) for values in won[0] - won[1]]
    hits = sum(one.low <= 0 <= one.high for one in found)
    error = 4 * math.sqrt(0.95 * 0.05 / repeats)
    assert 0.95 - error <= hits / repeats <= 0.98 + error


def test_nothing_seen_is_unknown_not_zero() -> None:
    assert wilson(0, 0).value is None
    assert difference_of_means(wilson(1, 2), wilson(0, 0)).value is None
    assert clustered_mean([], []).value is None


def test_wilson_covers() -> None:
    rng = np.random.default_rng(1)
    repeats, n, truth = 2000, 60, 0.3
    found = [wilson(int(k), n) for k in rng.binomial(n, truth, size=repeats)]
    hits = sum(e.low <= truth <= e.high for e in found)
    exact = _exact_wilson_coverage(n, truth)
    assert hits / repeats == pytest.approx(exact, abs=4 * math.sqrt(0.05 * 0.95 / repeats))
    assert exact == pytest.approx(0.95, abs=0.02)


def _exact_wilson_coverage(n: int, truth: float) -> float:
    return math.fsum(
        math.comb(n, k) * truth**k * (1 - truth) ** (n - k)
        for k in range(n + 1)
        if wilson(k, n).low <= truth <= wilson(k, n).high
    )


def test_newcombe_covers() -> None:
    rng = np.random.default_rng(8)
    repeats, n_a, n_b, p_a, p_b = 2000, 60, 40, 0.6, 0.4
    hits = 0
    for a, b in zip(
        rng.binomial(n_a, p_a, size=repeats), rng.binomial(n_b, p_b, size=repeats), strict=True
    ):
        found = difference_of_means(wilson(int(a), n_a), wilson(int(b), n_b))
        hits += found.low <= p_a - p_b <= found.high
    assert hits / repeats == pytest.approx(0.95, abs=0.01 + 4 * math.sqrt(0.05 * 0.95 / repeats))


@pytest.mark.parametrize("deals", [6, 10, 30])
@pytest.mark.parametrize("truth", [0.5, 0.9, 0.97])
@pytest.mark.parametrize("alike", [0.0, 0.5, 1.0])
def test_clustered_rate_covers(deals: int, truth: float, alike: float) -> None:
    """Each deal played six times, whose results are all the same, half related, or unrelated.

    Where they are not unrelated, an interval of so many episodes is wrong much more often.
    """
    rng = np.random.default_rng(4)
    repeats, size = 500, 6
    keys = np.repeat(np.arange(deals), size).tolist()
    hits = naive = 0
    for _ in range(repeats):
        deal = rng.random(deals) < truth
        if alike == 0.5:
            chance = rng.beta(truth, 1 - truth, size=deals)
        else:
            chance = np.where(alike, deal, truth)
        won = rng.random(deals * size) < np.repeat(chance, size)
        found, plain = clustered_rate(won, keys), wilson(int(won.sum()), deals * size)
        hits += found.low <= truth <= found.high
        naive += plain.low <= truth <= plain.high
    assert hits / repeats > 0.95 - 4 * math.sqrt(0.95 * 0.05 / repeats)
    if alike:
        assert naive < hits


def test_a_difference_of_clustered_rates_covers() -> None:
    """Newcombe's way with intervals of ten deals, each played six times."""
    rng = np.random.default_rng(6)
    repeats, deals, size = 500, 10, 6
    keys = np.repeat(np.arange(deals), size).tolist()
    hits = 0
    for _ in range(repeats):
        one, other = (
            clustered_rate(np.repeat(rng.random(deals) < chance, size), keys)
            for chance in (0.6, 0.4)
        )
        found = difference_of_means(one, other)
        hits += found.low <= 0.2 <= found.high
    assert hits / repeats > 0.95 - 4 * math.sqrt(0.95 * 0.05 / repeats)


def test_a_rate_of_many_deals_played_once_is_wilsons() -> None:
    """Where a deal is one trial, Student's quantile is all that is added."""
    rng = np.random.default_rng(7)
    won = rng.random(5000) < 0.3
    found, plain = clustered_rate(won, range(5000)), wilson(int(won.sum()), 5000)
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high), abs=2e-5)


def test_a_rate_knows_the_limits_of_its_deals() -> None:
    """All lost: each deal counts once. Each seat won once in each deal: the rate is well known."""
    lost = clustered_rate([False] * 60, [k // 6 for k in range(60)])
    assert (lost.low, lost.high) == pytest.approx((wilson(0, 10).low, wilson(0, 10).high))
    assert lost.n == 60
    even = clustered_rate([True, False] * 20, [k // 2 for k in range(40)])
    assert even.value == 0.5
    assert 0.5 - even.low == pytest.approx(even.high - 0.5)
    assert 0.05 < even.high - 0.5 < wilson(20, 40).high - 0.5
    one = clustered_rate([True, False], [5, 5])
    assert (one.value, one.low, one.high) == (0.5, None, None)
    assert clustered_rate([], []).value is None
    assert difference_of_means(one, wilson(1, 2)).low is None


def test_means_cover_where_unclustered_ones_would_not() -> None:
    rng = np.random.default_rng(2)
    repeats, clusters, size = 500, 20, 4
    keys = np.repeat(np.arange(clusters), size)
    hits = naive = 0
    for _ in range(repeats):
        shared = np.repeat(rng.normal(size=clusters), size)
        values = shared + 0.5 * rng.normal(size=clusters * size)
        found = clustered_mean(values, keys)
        hits += found.low <= 0 <= found.high
        half = 1.96 * values.std(ddof=1) / math.sqrt(len(values))
        naive += abs(values.mean()) <= half
    four_errors = 4 * math.sqrt(0.95 * 0.05 / repeats)
    assert hits / repeats == pytest.approx(0.95, abs=four_errors)
    assert naive / repeats < 0.95 - four_errors


def test_clustered_mean_knows_its_limits() -> None:
    one = clustered_mean([1.0, 0.0], [5, 5])
    assert (one.value, one.low, one.high) == (0.5, None, None)
    same = clustered_mean([1.0, 0.0, 1.0, 0.0], [1, 1, 2, 2])
    assert (same.value, same.low, same.high) == (0.5, None, None)


@pytest.mark.parametrize("strength", [0.6, 0.85, 0.95, 0.99])
def test_clustered_mean_covers_players_who_nearly_always_win(strength: float) -> None:
    """Ten deals: most samples of the strong ones hold no lost deal."""
    rng = np.random.default_rng(3)
    repeats = 400
    covered = 0
    for _ in range(repeats):
        wins = (rng.random(10) < strength).astype(float)
        found = clustered_mean(wins, np.arange(10), limits=(0.0, 1.0))
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= strength <= found.high
    assert covered / repeats > 0.95 - 4 * math.sqrt(0.95 * 0.05 / repeats)


_VALUES = st.lists(
    st.tuples(st.sampled_from([0.0, 0.5, 1.0, 1 / 3, 0.1]), st.integers(0, 6)), max_size=40
)


@settings(max_examples=300, deadline=None)
@given(_VALUES)
def test_intervals_of_bounded_means_contain_them_and_lie_in_range(
    drawn: list[tuple[float, int]],
) -> None:
    values, deals = [v for v, _ in drawn], [d for _, d in drawn]
    inside(clustered_mean(values, deals, limits=(0.0, 1.0)), 0.0, 1.0)
    inside(clustered_mean([2 * v - 1 for v in values], deals, limits=(-1.0, 1.0)), -1.0, 1.0)
    inside(clustered_rate([v == 1 for v in values], deals), 0.0, 1.0)
    inside(clustered_mean([26 * v - 13 for v in values], deals), -math.inf, math.inf)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60), st.integers(0, 60))
def test_intervals_of_rates_and_their_differences_contain_them(
    a: int, more_a: int, b: int, more_b: int
) -> None:
    first, second = wilson(a, a + more_a), wilson(b, b + more_b)
    inside(first, 0.0, 1.0)
    inside(difference_of_means(first, second), -1.0, 1.0)


@pytest.mark.parametrize("rate", [0, 1])
def test_everything_won_or_lost_reaches_the_end_of_the_scale(rate: int) -> None:
    for n in range(2, 300):
        for found in (wilson(rate * n, n), clustered_rate([rate] * 2 * n, np.arange(2 * n) // 2)):
            assert (found.high if rate else found.low) == rate == found.value


def inside(found: Estimate, low: float, high: float) -> None:
    """The interval holds its value and leaves no range."""
    if found.low is not None and found.high is not None:
        assert found.value is not None
        assert low <= found.low <= found.value <= found.high <= high


def test_small_samples_are_called_small() -> None:
    assert "only 10" in (small_sample(10) or "")
    assert small_sample(0)
    assert small_sample(30) is None
