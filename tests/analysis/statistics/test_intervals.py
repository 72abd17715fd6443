"""Intervals against published worked examples, and their coverage by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from game_reasoning_arena.analysis.statistics.intervals import (
    clustered_mean,
    clustered_rate,
    difference_of_rates,
    small_sample,
    wilson,
)

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
    found = difference_of_rates(wilson(a, n_a), wilson(b, n_b))
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


# Pups that lived for 21 days of those alive after 4, in litters of rats fed a chemical: C. S. Weil
# (1970), from D. A. Williams (1975), Biometrics 31, 949-952; data set ``rats`` of R's aod.
_LITTERS = ((12, 12), (11, 11), (10, 10), (9, 9), (10, 11), (9, 10), (9, 10), (8, 9), (8, 9),
            (4, 5), (7, 9), (4, 7), (5, 10), (3, 6), (3, 10), (0, 7))  # fmt: skip


def test_clustered_rate_published() -> None:
    """R 4.2.2: the variance of a ratio gives the design effect 3.95286. statsmodels 0.15.0: the
    same by OLS on a constant with errors clustered by litter, and proportion_confint of the 31.545
    pups that are left of 145 by it and by Student's quantiles."""
    lived = [k < some for some, of in _LITTERS for k in range(of)]
    litters = [number for number, (_, of) in enumerate(_LITTERS) for _ in range(of)]
    found = clustered_rate(lived, litters)
    assert found.value == pytest.approx(112 / 145)
    assert (found.low, found.high) == pytest.approx((0.6016, 0.8841), abs=5e-5)


# United States cities in 1920 and 1930, thousands of people: table 2.1 of A. C. Davison and D. V.
# Hinkley (1997), data set ``city`` of R's boot, the software of that book.
_CITIES = ((138, 143), (93, 104), (61, 69), (179, 260), (48, 75), (37, 63), (29, 50), (23, 48),
           (30, 111), (2, 50))  # fmt: skip


def test_clustered_mean_published() -> None:
    """The growth of cities is a ratio of sums over clusters, as a mean over episodes of seeds is:
    a city is a cluster of as many values as it had people. R 4.2.2, boot 1.3-28.1, 399,999
    resamples: ratio 1.5203; percentile interval at Hesterberg's level for ten units, 98.29 %,
    1.208 to 2.345."""
    values = [after / before for before, after in _CITIES for _ in range(before)]
    cities = [number for number, (before, _) in enumerate(_CITIES) for _ in range(before)]
    found = clustered_mean(values, cities, resamples=100_000)
    assert found.value == pytest.approx(1.5203125)
    assert (found.low, found.high) == pytest.approx((1.2081, 2.3448), abs=0.02)


@pytest.mark.parametrize("seeds", [6, 10, 30])
def test_clustered_bootstrap_covers_with_few_seeds_and_poker_returns(seeds: int) -> None:
    """Differences of pots are heavy-tailed; here plain percentiles cover 86 % with six seeds."""
    rng = np.random.default_rng(12)
    repeats = 600
    sizes, shares = [0, 1, 3, 5, 7, 9, 11, 13], [0.04, 0.45, 0.2, 0.14, 0.08, 0.05, 0.03, 0.01]
    pots = rng.choice(sizes, p=shares, size=(2, repeats, seeds))
    won = (pots * rng.choice([-1, 1], size=pots.shape)).astype(np.float64)
    hits = 0
    for values in won[0] - won[1]:
        found = clustered_mean(values, range(seeds), resamples=1000)
        hits += found.low <= 0 <= found.high
    assert hits / repeats == pytest.approx(0.95, abs=4 * math.sqrt(0.95 * 0.05 / repeats))


def test_nothing_seen_is_unknown_not_zero() -> None:
    assert wilson(0, 0).value is None
    assert difference_of_rates(wilson(1, 2), wilson(0, 0)).value is None
    assert clustered_mean([], []).value is None


def test_wilson_covers() -> None:
    rng = np.random.default_rng(1)
    repeats, n, truth = 4000, 60, 0.3
    found = [wilson(int(k), n) for k in rng.binomial(n, truth, size=repeats)]
    hits = sum(e.low <= truth <= e.high for e in found)
    exact = _exact_wilson_coverage(n, truth)
    assert hits / repeats == pytest.approx(exact, abs=4 * math.sqrt(0.05 * 0.95 / repeats))
    assert exact == pytest.approx(0.95, abs=0.02)


def _exact_wilson_coverage(n: int, truth: float) -> float:
    return sum(
        math.comb(n, k) * truth**k * (1 - truth) ** (n - k)
        for k in range(n + 1)
        if wilson(k, n).low <= truth <= wilson(k, n).high
    )


def test_newcombe_covers() -> None:
    rng = np.random.default_rng(8)
    repeats, n_a, n_b, p_a, p_b = 4000, 60, 40, 0.6, 0.4
    hits = 0
    for a, b in zip(
        rng.binomial(n_a, p_a, size=repeats), rng.binomial(n_b, p_b, size=repeats), strict=True
    ):
        found = difference_of_rates(wilson(int(a), n_a), wilson(int(b), n_b))
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
        found = difference_of_rates(one, other)
        hits += found.low <= 0.2 <= found.high
    assert hits / repeats > 0.95 - 4 * math.sqrt(0.95 * 0.05 / repeats)


def test_a_rate_of_deals_that_are_played_once_is_wilsons() -> None:
    rng = np.random.default_rng(7)
    won = rng.random(40) < 0.3
    assert clustered_rate(won, range(40)) == wilson(int(won.sum()), 40)


def test_a_rate_knows_the_limits_of_its_deals() -> None:
    """All lost: each deal counts once. Both seats of a deal once: no better known than by games."""
    lost = clustered_rate([False] * 60, [k // 6 for k in range(60)])
    assert (lost.low, lost.high) == pytest.approx((wilson(0, 10).low, wilson(0, 10).high))
    assert lost.n == 60
    even = clustered_rate([True, False] * 20, [k // 2 for k in range(40)])
    assert (even.low, even.high) == pytest.approx((wilson(20, 40).low, wilson(20, 40).high))
    one = clustered_rate([True, False], [5, 5])
    assert (one.value, one.low, one.high) == (0.5, None, None)
    assert clustered_rate([], []).value is None
    assert difference_of_rates(one, wilson(1, 2)).low is None


def test_clustered_bootstrap_covers_where_an_unclustered_one_would_not() -> None:
    rng = np.random.default_rng(2)
    repeats, clusters, size = 300, 60, 4
    keys = np.repeat(np.arange(clusters), size).tolist()
    hits = naive = 0
    for _ in range(repeats):
        shared = np.repeat(rng.normal(size=clusters), size)
        values = shared + 0.5 * rng.normal(size=clusters * size)
        found = clustered_mean(values, keys, resamples=600)
        hits += found.low <= 0 <= found.high
        half = 1.96 * values.std(ddof=1) / math.sqrt(len(values))
        naive += abs(values.mean()) <= half
    four_errors = 4 * math.sqrt(0.95 * 0.05 / repeats)
    assert hits / repeats == pytest.approx(0.95, abs=four_errors)
    assert naive / repeats < 0.95 - four_errors


def test_clustered_mean_is_repeatable_and_knows_its_limits() -> None:
    values, keys = [1.0, 0.0, 0.5, 1.0], [1, 1, 2, 2]
    assert clustered_mean(values, keys) == clustered_mean(values, keys)
    one = clustered_mean([1.0, 0.0], [5, 5])
    assert (one.value, one.low, one.high) == (0.5, None, None)
    same = clustered_mean([1.0, 0.0, 1.0, 0.0], [1, 1, 2, 2])
    assert (same.value, same.low, same.high) == (0.5, None, None)


def test_clusters_that_all_agree_are_no_certainty() -> None:
    """0 of 20, Clopper and Pearson's one-sided bound: 1 - 0.05^(1/20) = 0.1391, as
    scipy.stats.binomtest(0, 20, alternative="less") has it."""
    lost = clustered_mean([0.0] * 40, [k // 2 for k in range(40)], limits=(0.0, 1.0))
    bound = stats.binomtest(0, 20, alternative="less").proportion_ci(0.95, method="exact").high
    assert bound == pytest.approx(0.1391, abs=5e-5)
    assert (lost.low, lost.high) == pytest.approx((0.0, bound))
    even = clustered_mean([1.0, 0.0] * 20, [k // 2 for k in range(40)], limits=(0.0, 1.0))
    assert (even.low, even.high) == pytest.approx((0.5 - bound / 2, 0.5 + bound / 2))


@pytest.mark.parametrize("strength", [0.6, 0.85, 0.95, 0.99])
def test_clustered_mean_covers_players_who_nearly_always_win(strength: float) -> None:
    """Ten deals: most samples of the strong ones hold no lost deal."""
    rng = np.random.default_rng(3)
    repeats = 400
    covered = 0
    for _ in range(repeats):
        wins = (rng.random(10) < strength).astype(float)
        found = clustered_mean(wins, range(10), limits=(0.0, 1.0), resamples=500)
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= strength <= found.high
    assert covered / repeats > 0.95 - 4 * math.sqrt(0.95 * 0.05 / repeats)


def test_small_samples_are_called_small() -> None:
    assert "only 10" in (small_sample(10) or "")
    assert small_sample(0)
    assert small_sample(30) is None
