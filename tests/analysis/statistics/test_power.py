"""How many deals are said to be needed, against published numbers and the test that is run."""

from __future__ import annotations

import math

import numpy as np
import pytest

from game_reasoning_arena.analysis.statistics.power import (
    deals_needed,
    fewest_deals,
    mcnemar_deals,
    sign_test_deals,
    sign_test_power,
    student_power,
)
from game_reasoning_arena.analysis.statistics.sign_flips import sign_flip_test

# Published numbers are held against implementations that share no code with ours, in the versions
# named; docs/statistics.md tells the whole of it.


def test_deals_of_the_sign_test_published() -> None:
    """R. J. Connor (1987), p. 209: shares 0.45 and 0.05 need 23 pairs for 80 % by the large-sample
    test, as the calculator of powerandsamplesize.com shows it ("Compare Paired Proportions"). The
    exact test's power was summed over all outcomes of R's binom.test: 0.7994 with 24 pairs, 0.8202
    with 25; and 0.56932 for the 100 pairs of shares 0.5 and 0.3 in exact2x2's vignette."""
    assert mcnemar_deals(45, 5, 100) == 23
    assert sign_test_deals(45, 5, 100) == 25
    assert deals_needed(np.array([2.0] * 45 + [-2.0] * 5 + [0.0] * 50)) == 25
    assert sign_test_power(24, 0.45, 0.05) == pytest.approx(0.7993697, abs=5e-7)
    assert sign_test_power(25, 0.45, 0.05) == pytest.approx(0.8201621, abs=5e-7)
    assert sign_test_power(100, 0.5, 0.3) == pytest.approx(0.5693193, abs=5e-7)
    assert sign_test_deals(5, 5, 20) is None
    assert sign_test_deals(0, 0, 0) is None


def test_students_power_published() -> None:
    """J. Cohen (1988), Statistical Power Analysis for the Behavioral Sciences, 2nd ed.: half a
    standard deviation needs 34 observations of a difference for 80 %, as R's manual of power.t.test
    has it for type "one.sample" (33.37)."""
    assert student_power(33, 0.5) < 0.80 <= student_power(34, 0.5)
    rng = np.random.default_rng(1)
    spread = rng.normal(size=1000)
    spread = (spread - spread.mean()) / spread.std(ddof=1)
    assert deals_needed(spread + 0.5) == 34


def test_nothing_seen_needs_no_number() -> None:
    assert deals_needed(np.array([1.0, -1.0])) is None
    assert deals_needed(np.array([1.0])) is None
    assert deals_needed(np.array([])) is None


@pytest.mark.parametrize("alpha", [0.05, 0.05 / 6, 0.05 / 28])
def test_fewer_deals_than_the_fewest_resolve_nothing(alpha: float) -> None:
    fewest = fewest_deals(1.0, alpha)
    assert sign_flip_test(np.ones(fewest)) < alpha
    assert sign_flip_test(np.ones(fewest - 1)) >= alpha


@pytest.mark.parametrize("tests", [1, 6, 28])
@pytest.mark.parametrize("kind", ["deals once", "both seats", "poker"])
def test_the_deals_said_to_be_needed_give_80_percent(kind: str, tests: int) -> None:
    """By simulation of the test that is run, at the level that is left by the correction."""
    rng = np.random.default_rng(tests)
    alpha = 0.05 / tests

    def deal(size: int) -> np.ndarray:
        if kind == "deals once":
            return rng.choice([1.0, 0.0, -1.0], size, p=[0.35, 0.5, 0.15])
        luck = rng.normal(0, 1, size)
        seats = [rng.random(size) < 1 / (1 + np.exp(-0.5 - way * luck)) for way in (1, -1)]
        won: np.ndarray = np.sum([2.0 * seat - 1.0 for seat in seats], axis=0)
        return won * (rng.choice([1, 3, 5], size) if kind == "poker" else 1.0)

    needed = deals_needed(deal(4_000), alpha=alpha)
    assert needed is not None
    repeats = 150
    power = np.mean([sign_flip_test(deal(needed)) < alpha for _ in range(repeats)])
    assert power == pytest.approx(0.80, abs=0.04 + 4 * math.sqrt(0.8 * 0.2 / repeats))
