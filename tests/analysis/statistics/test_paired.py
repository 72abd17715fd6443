"""Paired tests against published worked examples, and their error rates by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from game_reasoning_arena.analysis.statistics.intervals import difference_of_rates, wilson
from game_reasoning_arena.analysis.statistics.paired import (
    cannot_resolve,
    holm,
    mcnemar_exact,
    mean_needed,
    paired_difference,
    pairs_connor,
    pairs_needed,
    rates_needed,
    sign_flip_test,
    sign_test,
    sign_test_power,
)

# Published numbers are held against implementations that share no code with ours, in the versions
# named; docs/statistics.md tells the whole of it.


def test_sign_test_published() -> None:
    """M. Hollander and D. A. Wolfe, Nonparametric Statistical Methods, example 3.5, as C. Geyer's
    course works it (stat.umn.edu, Stat 5601, "Examples: Sign Test"): 21 of 25, upper tail 0.00046.
    R 4.2.2: binom.test(21, 25) gives 0.00091052."""
    found = sign_test([1] * 21 + [-1] * 4 + [0] * 3)
    assert (found.better, found.worse, found.equal) == (21, 4, 3)
    assert found.p / 2 == pytest.approx(0.00046, abs=5e-6)
    assert found.p == pytest.approx(0.00091052, abs=5e-9)


@pytest.mark.parametrize(("b", "c", "p"), [(12, 2, 0.0129), (9, 2, 0.0654)])
def test_mcnemar_published(b: int, c: int, p: float) -> None:
    """P. Armitage and G. Berry (1994), Statistical Methods in Medical Research, 3rd ed., p. 127,
    two media for tubercle bacilli, as StatsDirect's manual works it ("Exact test for matched
    pairs": P = 0.0129); M. P. Fay's vignette "Exact McNemar's Test" in R's exact2x2, table 21, 9,
    2, 12. Both: statsmodels 0.15.0, mcnemar(exact=True), and R's binom.test."""
    assert mcnemar_exact(b, c) == pytest.approx(p, abs=5e-5)
    assert mcnemar_exact(c, b) == mcnemar_exact(b, c)
    assert mcnemar_exact(0, 0) == 1.0


def test_holm_published() -> None:
    """The example in the manual of pingouin's multicomp(method="holm"), and one in which the
    running maximum acts; R 4.2.2, p.adjust(method="holm"), and statsmodels 0.15.0 agree."""
    assert holm([0.5, 0.003, 0.32, 0.054, 0.0003]) == pytest.approx(
        [0.64, 0.012, 0.64, 0.162, 0.0015]
    )
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]


# Cross- minus self-fertilised maize in eighths of an inch, C. Darwin (1876): data set ``darwin`` of
# R's boot.
_MAIZE = (49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48)


def test_sign_flips_published() -> None:
    """R. A. Fisher (1935), The Design of Experiments, section 21: of the 32,768 ways to set the
    signs of Darwin's differences, 863 give a sum of 314 or more, and as many -314 or less. R 4.2.2
    counts the same by going through all of them."""
    pairs = list(range(len(_MAIZE)))
    assert sum(_MAIZE) == 314
    found = sign_flip_test(_MAIZE, pairs, resamples=2 ** len(_MAIZE))
    assert found == pytest.approx(2 * 863 / 2**15)
    guess = sign_flip_test(_MAIZE, pairs)  # by drawing, as longer samples are
    assert guess == pytest.approx(found, abs=4 * math.sqrt(found * (1 - found) / 4999))


def test_pairs_needed_published() -> None:
    """R. J. Connor (1987), p. 209: shares 0.45 and 0.05 need 23 pairs for 80 % by the large-sample
    test, as the calculator of powerandsamplesize.com shows it ("Compare Paired Proportions"). The
    exact test's power was summed over all outcomes of R's binom.test: 0.7994 with 24 pairs, 0.8202
    with 25; and 0.56932 for the 100 pairs of shares 0.5 and 0.3 in exact2x2's vignette."""
    assert pairs_connor(45, 5, 100) == 23
    assert pairs_needed(45, 5, 100) == 25
    assert sign_test_power(24, 0.45, 0.05) == pytest.approx(0.7993697, abs=5e-7)
    assert sign_test_power(25, 0.45, 0.05) == pytest.approx(0.8201621, abs=5e-7)
    assert sign_test_power(100, 0.5, 0.3) == pytest.approx(0.5693193, abs=5e-7)
    assert pairs_needed(5, 5, 20) is None
    assert pairs_needed(0, 0, 0) is None


@pytest.mark.parametrize(("better", "worse"), [(0.30, 0.15), (0.08, 0.02), (0.6, 0.4)])
def test_pairs_needed_gives_the_power_it_promises(better: float, worse: float) -> None:
    """By simulation of the test that is really run, which the large-sample number falls short of
    for it is conservative."""
    needed = pairs_needed(round(1000 * better), round(1000 * worse), 1000)
    assert needed is not None
    rng = np.random.default_rng(3)
    repeats = 2000
    drawn = rng.multinomial(needed, [better, worse, 1 - better - worse], size=repeats)
    power = sum(mcnemar_exact(int(a), int(b)) < 0.05 for a, b, _ in drawn) / repeats
    assert power == pytest.approx(0.80, abs=0.005 + 4 * math.sqrt(0.8 * 0.2 / repeats))


def test_rates_needed_published() -> None:
    """R's manual of power.prop.test: rates 0.50 and 0.75 need n = 76.7 for a power of 90 %."""
    assert rates_needed(50, 100, 75, 100, power=0.9) == 77
    assert rates_needed(30, 60, 45, 60, power=0.9) == 77
    assert rates_needed(1, 2, 2, 4) is None
    assert rates_needed(0, 0, 1, 2) is None


def test_rates_needed_give_the_power_they_promise() -> None:
    """By simulation of the interval that is shown."""
    rng = np.random.default_rng(13)
    n = rates_needed(65, 100, 85, 100)
    assert n is not None
    repeats = 3000
    won = zip(rng.binomial(n, 0.65, repeats), rng.binomial(n, 0.85, repeats), strict=True)
    found = [difference_of_rates(wilson(int(a), n), wilson(int(b), n)) for a, b in won]
    power = sum(one.high < 0 for one in found) / repeats
    assert power == pytest.approx(0.80, abs=0.01 + 4 * math.sqrt(0.8 * 0.2 / repeats))


def test_mean_needed_published() -> None:
    """S. Chow, J. Shao, H. Wang (2008), Sample Size Calculations in Clinical Research, 2nd ed.,
    p. 51, as the calculator of powerandsamplesize.com shows it ("1-Sample, 2-Sided Equality"):
    half a standard deviation needs 31.4, so 32. R's pwr 1.3-0, pwr.norm.test(d = 0.5, power = 0.8),
    gives 31.395."""
    spread = np.array([-1.0, 1.0] * 500)
    values = 0.5 + spread / spread.std(ddof=1)
    assert mean_needed(values, list(range(1000))) == 32
    assert mean_needed([1.0], [1]) is None


def test_mean_needed_gives_the_power_it_promises() -> None:
    """By simulation of the sign-flip test on returns that share seeds."""
    rng = np.random.default_rng(9)

    def draw(seeds: int) -> tuple[np.ndarray, list[int]]:
        keys = np.repeat(np.arange(seeds), 2)
        return 0.35 + rng.normal(size=seeds)[keys] + 0.5 * rng.normal(size=2 * seeds), keys.tolist()

    needed = mean_needed(*draw(20_000))
    assert needed is not None
    repeats = 500
    seeds = math.ceil(needed / 2)
    power = (
        sum(sign_flip_test(*draw(seeds), resamples=399) < 0.05 for _ in range(repeats)) / repeats
    )
    assert power == pytest.approx(0.80, abs=0.02 + 4 * math.sqrt(0.8 * 0.2 / repeats))


def test_a_against_a_rejects_no_more_than_5_times_in_100() -> None:
    """The exact test is conservative by the jumps of the binomial; its level is known exactly."""
    rng = np.random.default_rng(4)
    repeats, pairs = 3000, 60
    rejected = 0
    for _ in range(repeats):
        a, b = rng.choice([0, 0.5, 1], size=(2, pairs), p=[0.45, 0.1, 0.45])
        rejected += sign_test(a - b).p < 0.05
    differing = 1 - (0.45**2 * 2 + 0.1**2)
    level = sum(
        stats.binom.pmf(m, pairs, differing)
        * sum(stats.binom.pmf(k, m, 0.5) for k in range(m + 1) if mcnemar_exact(k, m - k) < 0.05)
        for m in range(pairs + 1)
    )
    assert 0.02 < level <= 0.05
    assert rejected / repeats == pytest.approx(level, abs=4 * math.sqrt(0.05 * 0.95 / repeats))


def test_sign_flips_reject_5_times_in_100_with_shared_seeds() -> None:
    rng = np.random.default_rng(5)
    repeats, seeds = 400, 30
    keys = np.repeat(np.arange(seeds), 2).tolist()
    rejected = 0
    for _ in range(repeats):
        values = np.repeat(rng.normal(size=seeds), 2) + 0.2 * rng.normal(size=2 * seeds)
        rejected += sign_flip_test(values, keys, resamples=399) < 0.05
    assert rejected / repeats == pytest.approx(0.05, abs=4 * math.sqrt(0.05 * 0.95 / repeats))


def test_paired_bootstrap_covers_and_rejects_when_seeds_are_shared() -> None:
    rng = np.random.default_rng(10)
    repeats, seeds = 400, 50
    keys = np.repeat(np.arange(seeds), 2).tolist()
    hits = rejected = 0
    for _ in range(repeats):
        # Both players meet the same luck; what the seed does to their difference is shared too.
        shared = np.repeat(rng.uniform(0.5, 2.0, size=seeds) * rng.normal(size=seeds), 2)
        values = shared + 0.3 * rng.normal(size=2 * seeds)
        shifted = paired_difference(values + 0.5, keys)
        hits += shifted.low <= 0.5 <= shifted.high
        none = paired_difference(values, keys, seed=1)
        rejected += not none.low <= 0 <= none.high
    error = 4 * math.sqrt(0.95 * 0.05 / repeats)
    assert hits / repeats == pytest.approx(0.95, abs=error)
    assert rejected / repeats == pytest.approx(0.05, abs=error)


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


def test_a_clear_difference_is_found() -> None:
    rng = np.random.default_rng(6)
    values = rng.normal(1.0, 1.0, size=50)
    keys = list(range(50))
    assert sign_flip_test(values, keys) < 0.001
    found = paired_difference(values, keys)
    assert found.low > 0


def test_too_few_pairs_can_never_show_anything() -> None:
    assert cannot_resolve(5)
    assert not cannot_resolve(6)
