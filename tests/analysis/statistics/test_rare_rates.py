"""Rates of 0 and 1, whose clustering only others can tell: by hand, and their coverage."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from game_reasoning_arena.analysis.statistics.intervals import (
    clustered_rate,
    rates_together,
    wilson,
)


def _by_hand(others: list[list[tuple[int, int]]], clusters: int, size: int) -> float:
    """The upper limit of no hit in ``clusters`` of ``size``, written anew: loops and formulas."""
    seen = expected = 0.0
    with_hits = 0
    for other in others:
        n, hits = sum(c for _, c in other), sum(h for h, _ in other)
        if 0 < hits < n:
            rate = hits / n
            k = len(other)
            seen += k / (k - 1) * sum((h - c * rate) ** 2 for h, c in other)
            expected += n * rate * (1 - rate)
            with_hits += sum(h > 0 for h, _ in other)
    z = stats.norm.ppf(0.975)
    effect = max(1.0, seen / expected) * (stats.t.ppf(0.975, with_hits - 1) / z) ** 2
    trials = min(clusters * size, max(clusters, clusters * size / effect))
    return float(z**2 / (trials + z**2))


def _hits(rng: np.random.Generator, rate: float, alike: float, deals: int, size: int) -> Any:
    """Hits per deal; ``alike`` is the correlation within a deal (beta-binomial)."""
    if not alike:
        return rng.binomial(size, rate, deals)
    spread = (1 - alike) / alike
    return rng.binomial(size, rng.beta(rate * spread, (1 - rate) * spread, deals))


def _trials(hits: Any, size: int) -> tuple[Any, Any]:
    deals = np.repeat(np.arange(len(hits)), size)
    return np.tile(np.arange(size), len(hits)) < np.asarray(hits)[deals], deals


def test_no_failure_borrows_how_alike_deals_are_from_the_others() -> None:
    rng = np.random.default_rng(3)
    for alike in (0.0, 0.1, 0.4):
        others = [_hits(rng, rate, alike, 60, 9) for rate in (0.03, 0.08)]
        parts = {"none": _trials([0] * 60, 9)}
        parts |= {f"other {i}": _trials(hits, 9) for i, hits in enumerate(others)}
        found = rates_together(parts)
        by_hand = _by_hand([[(int(h), 9) for h in hits] for hits in others], 60, 9)
        assert (found["none"].value, found["none"].low) == (0, 0)
        assert found["none"].high == pytest.approx(by_hand)
        for name in ("other 0", "other 1"):  # who failed needs nobody's help
            assert found[name] == clustered_rate(*parts[name])
    perfect = rates_together({"all": _trials([9] * 60, 9), "other": parts["other 0"]})["all"]
    assert perfect.high == 1
    assert perfect.low is not None


def test_without_others_who_failed_deals_are_what_counts() -> None:
    none = _trials([0] * 60, 9)
    alone = rates_together({"none": none, "neither": none})["none"]
    assert alone == clustered_rate(*none)
    assert alone.high == pytest.approx(wilson(0, 60).high)
    once = rates_together({"none": none, "once": _trials([1] + [0] * 59, 9)})["none"]
    assert once == alone  # one deal cannot tell how alike its answers are


@pytest.mark.parametrize("alike", [0.0, 0.05, 0.2])
def test_intervals_of_rare_failures_cover(alike: float) -> None:
    """Deals as users play them: 60 of 9 answers; two models fail more often, by the same deals."""
    rng = np.random.default_rng(int(100 * alike))
    for rate in (0.002, 0.005):
        held, borrowed = 0, 0
        for _ in range(400):
            parts = {"rare": _trials(_hits(rng, rate, alike, 60, 9), 9)}
            parts |= {str(q): _trials(_hits(rng, q, alike, 60, 9), 9) for q in (0.03, 0.05)}
            found = rates_together(parts)["rare"]
            assert found.low is not None
            assert found.high is not None
            held += found.low <= rate <= found.high
            borrowed += found.value == 0
        assert borrowed > 20
        assert held / 400 >= 0.92
