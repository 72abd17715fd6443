"""Intervals for rates and means, and what a sample is too small to say."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from game_reasoning_arena.analysis.tables.estimates import UNKNOWN, Estimate

CONFIDENCE = 0.95
RESAMPLES = 2000

#: Below this many decided games a rate's interval is about ±18 points or wider.
SMALL_N = 30


def wilson(successes: int, n: int, confidence: float = CONFIDENCE) -> Estimate:
    """A rate with its Wilson score interval.

    Source: E. B. Wilson (1927), Probable inference, the law of succession, and statistical
    inference, JASA 22, 209-212; computed by ``scipy.stats.binomtest``.

    Returns:
        value, low and high in [0, 1]; unknown for ``n`` 0.
    """
    if n == 0:
        return UNKNOWN
    bounds = stats.binomtest(successes, n).proportion_ci(confidence, method="wilson")
    return Estimate(successes / n, float(bounds.low), float(bounds.high), n)


def clustered_rate(
    hits: ArrayLike, clusters: Sequence[Hashable], confidence: float = CONFIDENCE
) -> Estimate:
    """A rate with its Wilson interval; where clusters hold several episodes, of as many
    independent ones as their agreement leaves.

    The effective number is n divided by the design effect, the variance of the ratio of cluster
    totals over the binomial one: J. N. K. Rao and A. J. Scott (1992), A simple method for the
    analysis of clustered binary data, Biometrics 48, 577-585. For few clusters it is lowered by
    Student's quantiles: E. L. Korn and B. I. Graubard (1998), Confidence intervals for proportions
    with small expected number of positive counts estimated from survey data, Survey Methodology 24,
    193-201. Wilson's interval of that number is among those recommended of seven by C. Franco,
    R. J. A. Little, T. A. Louis and E. V. Slud (2019), Comparative study of confidence intervals
    for proportions in complex sample surveys, Journal of Survey Statistics and Methodology 7,
    334-364.

    It is never more than n: deals of which each seat wins some are no better known for it. Where
    all episodes went the same way nothing tells how alike those of a cluster are, so that each
    cluster counts as one.

    Args:
        hits: one truth value per episode.
        clusters: the seed of each.

    Returns:
        value, low and high in [0, 1]; without bounds for one cluster of several episodes.
    """
    sums, counts = cluster_sums(hits, clusters)
    n, total, m = int(counts.sum()), int(sums.sum()), len(counts)
    if m == n:
        return wilson(total, n, confidence)
    rate = total / n
    if m == 1:
        return Estimate(rate, None, None, n)
    if total in (0, n):
        effective = float(m)
    else:
        variance = m / (m - 1) * float(((sums - counts * rate) ** 2).sum()) / n**2
        tail = (1 - confidence) / 2
        few = float(stats.t.isf(tail, n - 1) / stats.t.isf(tail, m - 1)) ** 2
        effective = min(float(n), few * rate * (1 - rate) / variance if variance else math.inf)
    # Wilson's formula, for a number of episodes that need not be whole.
    z = float(stats.norm.isf((1 - confidence) / 2))
    weight = 1 + z**2 / effective
    centre = (rate + z**2 / (2 * effective)) / weight
    half = z / weight * math.sqrt(rate * (1 - rate) / effective + z**2 / (4 * effective**2))
    return Estimate(rate, max(0.0, centre - half), min(1.0, centre + half), n)


def difference_of_rates(first: Estimate, second: Estimate) -> Estimate:
    """The difference of two independent rates from their intervals.

    Source: R. G. Newcombe (1998), Interval estimation for the difference between independent
    proportions, Statistics in Medicine 17, 873-890, method 10, for Wilson's intervals; that it
    holds for any intervals of the two: G. Y. Zou and A. Donner (2008), Construction of
    confidence limits about effect measures, Statistics in Medicine 27, 1693-1702.
    """
    if first.value is None or second.value is None:
        return UNKNOWN
    gap, n = first.value - second.value, first.n + second.n
    if first.low is None or first.high is None or second.low is None or second.high is None:
        return Estimate(gap, None, None, n)
    down = math.hypot(first.value - first.low, second.high - second.value)
    up = math.hypot(first.high - first.value, second.value - second.low)
    return Estimate(gap, gap - down, gap + up, n)


def cluster_sums(
    values: ArrayLike, clusters: Sequence[Hashable]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sum and count of ``values`` in each cluster, as two arrays of one entry per cluster."""
    numbers = np.asarray(values, dtype=np.float64)
    codes: dict[Hashable, int] = {}
    index = np.array([codes.setdefault(c, len(codes)) for c in clusters], dtype=np.intp)
    sums = np.bincount(index, weights=numbers, minlength=len(codes)).astype(np.float64)
    counts = np.bincount(index, minlength=len(codes)).astype(np.float64)
    return sums, counts


def clustered_mean(
    values: ArrayLike,
    clusters: Sequence[Hashable],
    *,
    limits: tuple[float, float] | None = None,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """A mean with a bootstrap interval that draws whole clusters.

    Episodes that share a seed share their chance events, so the seed is the unit that is drawn:
    A. C. Davison and D. V. Hinkley (1997), Bootstrap Methods and their Application, section 3.8.
    The interval is the expanded percentile interval of T. C. Hesterberg (2015), What teachers
    should know about the bootstrap, The American Statistician 69, 371-386, by
    ``scipy.stats.bootstrap``: with few seeds plain percentiles and BCa are too narrow (with ten
    seeds and poker's returns they cover 92 % and 90 %, this one 95 %).

    Where all k clusters agree there is nothing to resample. At least 0.05^(1/k) of all clusters
    are then like them (C. J. Clopper and E. S. Pearson, 1934, Biometrika 26, 404-413), and the
    rest lies somewhere between the limits.

    Args:
        values: one number per episode.
        clusters: the seed of each.
        limits: the least and the greatest value that there can be.
        seed: of the resampling, so that the same data give the same interval.

    Returns:
        the mean; bounds are None with fewer than two clusters, and where all clusters agree and no
        limits are known. ``n`` is the number of values.
    """
    sums, counts = cluster_sums(values, clusters)
    n = int(counts.sum())
    if n == 0:
        return UNKNOWN
    mean = float(sums.sum() / n)
    if len(sums) < 2:
        return Estimate(mean, None, None, n)
    if np.allclose(sums / counts, mean):
        if limits is None:
            return Estimate(mean, None, None, n)
        alike = (1 - confidence) ** (1 / len(sums))
        low, high = (alike * mean + (1 - alike) * limit for limit in limits)
        return Estimate(mean, low, high, n)

    def ratio(total: Any, count: Any, axis: int = -1) -> Any:
        return total.sum(axis=axis) / count.sum(axis=axis)

    bounds = stats.bootstrap(
        (sums, counts),
        ratio,
        paired=True,
        vectorized=True,
        confidence_level=_expanded(confidence, len(sums)),
        n_resamples=resamples,
        batch=max(1, 2_000_000 // len(sums)),
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Estimate(mean, float(bounds.low), float(bounds.high), n)


def _expanded(confidence: float, n: int) -> float:
    """The level at which percentiles of ``n`` resampled units are as wide as Student's interval."""
    tail = float(stats.t.isf((1 - confidence) / 2, n - 1)) * math.sqrt(n / (n - 1))
    return min(float(1 - 2 * stats.norm.sf(tail)), 1 - 1e-9)


def small_sample(n: int, what: str = "decided games") -> str | None:
    """A sentence when ``n`` says next to nothing about a rate, else None."""
    if n >= SMALL_N:
        return None
    if n == 0:
        return f"no {what}: no rate is known"
    half = wilson(n // 2, n)
    assert half.low is not None
    assert half.high is not None
    return (
        f"only {n} {what}: a rate of {n // 2}/{n} is compatible with anything from "
        f"{half.low:.0%} to {half.high:.0%}"
    )
