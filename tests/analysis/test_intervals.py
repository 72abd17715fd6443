"""Intervals against published worked examples, and their coverage by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from game_reasoning_arena.analysis.intervals import (
    clustered_mean,
    newcombe,
    small_sample,
    wilson,
)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_published(successes: int, n: int, low: float, high: float) -> None:
    """R. G. Newcombe (1998), Two-sided confidence intervals for the single proportion, Statistics
    in Medicine 17, 857-872, table I, method 3."""
    found = wilson(successes, n)
    assert found.value == successes / n
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("a", "n_a", "b", "n_b", "low", "high"),
    [
        (56, 70, 48, 80, 0.0524, 0.3339),
        (9, 10, 3, 10, 0.1705, 0.8090),
        (10, 10, 0, 10, 0.6075, 1.0),
    ],
)
def test_newcombe_published(a: int, n_a: int, b: int, n_b: int, low: float, high: float) -> None:
    """R. G. Newcombe (1998), Statistics in Medicine 17, 873-890, table II, method 10."""
    found = newcombe(a, n_a, b, n_b)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


def test_nothing_seen_is_unknown_not_zero() -> None:
    assert wilson(0, 0).value is None
    assert newcombe(1, 2, 0, 0).value is None
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
    assert (same.low, same.high) == (0.5, 0.5)


def test_small_samples_are_called_small() -> None:
    assert "only 10" in (small_sample(10) or "")
    assert small_sample(0)
    assert small_sample(30) is None
