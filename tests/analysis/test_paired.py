"""Paired tests against published worked examples, and their error rates by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from game_reasoning_arena.analysis.paired import (
    cannot_resolve,
    holm,
    mcnemar_exact,
    mean_needed,
    paired_difference,
    pairs_needed,
    sign_flip_test,
    sign_test,
)


def test_sign_test_published() -> None:
    """J. H. Zar (1999), Biostatistical Analysis, 4th ed., example 24.10: in 8 of 10 deer the
    hind leg is the longer; two-sided P = 0.10938."""
    found = sign_test([1] * 8 + [-1] * 2)
    assert (found.better, found.worse, found.equal) == (8, 2, 0)
    assert found.p == pytest.approx(0.109375)


def test_mcnemar_published() -> None:
    """M. P. Fay (2010), Two-sided exact tests and matching confidence intervals for discrete data,
    R Journal 2(1), 53-58: pairs that differ 9 and 2 give p = 0.06543."""
    assert mcnemar_exact(9, 2) == pytest.approx(0.06543, abs=5e-6)
    assert mcnemar_exact(0, 0) == 1.0


def test_holm_published() -> None:
    """The four p-values with which Holm's method is commonly shown, at level 0.05: the two least
    are rejected (0.005 x 4 and 0.01 x 3), then 0.03 x 2 stops it."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_pairs_needed_gives_the_power_it_promises() -> None:
    better, worse, pairs = 30, 15, 100
    needed = pairs_needed(better, worse, pairs)
    assert needed is not None
    rng = np.random.default_rng(3)
    repeats = 3000
    drawn = rng.multinomial(needed, [0.30, 0.15, 0.55], size=repeats)
    # Connor's formula is for the large-sample test, so that is what must have the power.
    z = np.abs(drawn[:, 0] - drawn[:, 1]) / np.sqrt(drawn[:, 0] + drawn[:, 1])
    power = (z > stats.norm.isf(0.025)).mean()
    assert power == pytest.approx(0.80, abs=4 * math.sqrt(0.8 * 0.2 / repeats))
    assert pairs_needed(5, 5, 20) is None
    assert pairs_needed(0, 0, 0) is None


def test_mean_needed_published() -> None:
    """J. Cohen (1988), table 2.4.1 by the normal approximation: d = 0.5, 80 %, two-sided 0.05
    needs 32 pairs (34 with Student's t)."""
    spread = np.array([-1.0, 1.0] * 500)
    values = 0.5 + spread / spread.std(ddof=1)
    assert mean_needed(values, list(range(1000))) == 32
    assert mean_needed([1.0], [1]) is None


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
