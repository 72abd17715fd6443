"""Intervals for rates and means in which the deal is the unit, and what is too little to tell.

All are closed formulas over one sum and one count per deal, so that their cost grows with the
episodes alone.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Union

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from game_reasoning_arena.analysis.tables.estimates import UNKNOWN, Estimate

CONFIDENCE = 0.95

#: Below this many decided games a rate's interval is about ±18 points or wider.
SMALL_N = 30

Floats = NDArray[np.float64]
Clusters = Union[Sequence[Hashable], NDArray[Any], "pd.Series[Any]"]


def wilson(successes: int, n: int) -> Estimate:
    """Return the rate of independent trials with Wilson's score interval.

    Source: E. B. Wilson (1927), Probable inference, the law of succession, and statistical
    inference, JASA 22, 209-212.

    Returns:
        value, low and high in [0, 1]; unknown for ``n`` 0.
    """
    if n == 0:
        return UNKNOWN
    return _around(successes / n, *_wilson(successes / n, n, _quantiles(CONFIDENCE, n)[0]), n)


def _wilson(rate: float, trials: float, z: float) -> tuple[float, float]:
    """Wilson's limits for a number of trials that need not be whole."""
    weight = 1 + z**2 / trials
    centre = (rate + z**2 / (2 * trials)) / weight
    half = z / weight * math.sqrt(rate * (1 - rate) / trials + (z / (2 * trials)) ** 2)
    return max(0.0, centre - half), min(1.0, centre + half)


def cluster_sums(values: ArrayLike, clusters: Clusters) -> tuple[Floats, Floats]:
    """Return the sum and the count of ``values`` in each cluster, one entry per cluster."""
    numbers = np.asarray(values, dtype=np.float64)
    known = clusters if isinstance(clusters, np.ndarray | pd.Series) else _as_array(clusters)
    codes, found = pd.factorize(known)
    sums = np.bincount(codes, weights=numbers, minlength=len(found)).astype(np.float64)
    return sums, np.bincount(codes, minlength=len(found)).astype(np.float64)


def _as_array(clusters: Sequence[Hashable]) -> NDArray[Any]:
    return np.fromiter(clusters, dtype=object, count=len(clusters))


def clustered_rate(hits: ArrayLike, clusters: Clusters, confidence: float = CONFIDENCE) -> Estimate:
    """Return a rate with the interval of :func:`bounded_mean`.

    Args:
        hits: one truth value per episode.
        clusters: the deal of each.
    """
    return clustered_mean(hits, clusters, limits=(0.0, 1.0), confidence=confidence)


def rates_together(
    parts: Mapping[str, tuple[ArrayLike, Clusters]], confidence: float = CONFIDENCE
) -> dict[str, Estimate]:
    """Return rates of several, of which those that are 0 or 1 borrow how alike clusters are.

    Where nobody failed, nothing shows whether failures come together in a deal. The others do: by
    the design effect (L. Kish, 1965, Survey Sampling, 8.2) of all whose rate lies between, which is
    the variance of their totals over that of independent trials, at least 1, raised for few
    clusters with a hit as in :func:`bounded_mean`. A rate of 0 weighs its trials over that, never
    fewer than its clusters, which is what it weighs where there is nobody to borrow from.

    Args:
        parts: by name, one truth value per trial and the cluster of each.
        confidence: of the intervals.
    """
    sums = {name: cluster_sums(hits, clusters) for name, (hits, clusters) in parts.items()}
    effect = _design_effect(list(sums.values()), confidence)
    found = {}
    for name, (hits, counts) in sums.items():
        n, k = float(counts.sum()), float(len(counts))
        trials = None if effect is None else min(n, max(k, n / effect))
        found[name] = bounded_mean(hits, counts, confidence=confidence, trials=trials)
    return found


def _design_effect(parts: Sequence[tuple[Floats, Floats]], confidence: float) -> float | None:
    """How many times as much the totals vary as those of independent trials; None if unknown."""
    seen = independent = 0.0
    with_hits = 0
    for hits, counts in parts:
        n, k = counts.sum(), len(counts)
        rate = hits.sum() / n if n else 0.0
        if k < 2 or not 0 < rate < 1:
            continue
        seen += n**2 * _variance_of_ratio(hits, counts)
        independent += n * rate * (1 - rate)
        with_hits += int((hits > 0).sum())
    if with_hits < 2:
        return None
    z, t = _quantiles(confidence, with_hits - 1)
    return max(1.0, seen / independent) * (t / z) ** 2


def clustered_mean(
    values: ArrayLike,
    clusters: Clusters,
    *,
    limits: tuple[float, float] | None = None,
    confidence: float = CONFIDENCE,
) -> Estimate:
    """Return a mean whose interval takes whole clusters as observations.

    Args:
        values: one number per episode.
        clusters: the deal of each; episodes of a deal share its luck.
        limits: the least and the greatest value that there can be; None where they are not known,
            or so far out that they mean nothing.

    Returns:
        :func:`bounded_mean` between limits, else :func:`student_mean`; ``n`` counts the values.
    """
    sums, counts = cluster_sums(values, clusters)
    if limits is None:
        return student_mean(sums, counts, None, confidence)
    return bounded_mean(sums, counts, limits, confidence)


def bounded_mean(
    sums: Floats,
    counts: Floats,
    limits: tuple[float, float] = (0.0, 1.0),
    confidence: float = CONFIDENCE,
    *,
    trials: float | None = None,
) -> Estimate:
    """Return the mean of values between limits, from one sum and count per cluster.

    Wilson's interval of the effective number of observations: the binomial variance of the mean
    over the variance of the ratio of cluster totals (J. N. K. Rao and A. J. Scott, 1992, A simple
    method for the analysis of clustered binary data, Biometrics 48, 577-585), lowered for few
    clusters by Student's quantile over the normal one (E. L. Korn and B. I. Graubard, 1998,
    Confidence intervals for proportions with small expected number of positive counts estimated
    from survey data, Survey Methodology 24, 193-201). Among those recommended of seven by C.
    Franco, R. J. A. Little, T. A. Louis and E. V. Slud (2019), Comparative study of confidence
    intervals for proportions in complex sample surveys, Journal of Survey Statistics and
    Methodology 7, 334-364. Scores with draws and score differences are rates of their range.

    Where all clusters agree there is no variance to estimate. They then weigh as many observations
    as there are clusters, or ``trials`` where it is known, against z² unseen ones anywhere
    between the limits, which at a limit is Wilson's interval of that many trials.

    Returns:
        bounds are None with fewer than two clusters.
    """
    n, k = int(counts.sum()), len(counts)
    if n == 0:
        return UNKNOWN
    least, span = limits[0], limits[1] - limits[0]
    value = float(sums.sum() / n)
    if k < 2:
        return Estimate(value, None, None, n)
    rate = min(1.0, max(0.0, (value - least) / span))
    variance = _variance_of_ratio(sums, counts) / span**2
    z, t = _quantiles(confidence, k - 1)
    if variance < 1e-14:
        weight = k if trials is None else trials
        low, high = weight * rate / (weight + z**2), (weight * rate + z**2) / (weight + z**2)
    else:
        low, high = _wilson(rate, rate * (1 - rate) / variance * (z / t) ** 2, z)
    return _around(value, least + span * low, least + span * high, n)


def student_mean(
    sums: Floats,
    counts: Floats,
    limits: tuple[float, float] | None = None,
    confidence: float = CONFIDENCE,
) -> Estimate:
    """Return the mean with Student's interval over clusters, from one sum and count per cluster.

    The variance is that of the ratio of cluster totals: W. G. Cochran (1977), Sampling Techniques,
    3rd ed., 2.11 and 9A. On heavy tails on both sides Student's interval is conservative (B. Efron,
    1969, Student's t-test under symmetry conditions, JASA 64, 1278-1302), where percentiles of a
    bootstrap are too narrow.

    Returns:
        bounds are None with fewer than two clusters. Where all of them agree they are those of
        :func:`bounded_mean` between ``limits``, None where these are not known.
    """
    n, k = int(counts.sum()), len(counts)
    if n == 0:
        return UNKNOWN
    value = float(sums.sum() / n)
    variance = _variance_of_ratio(sums, counts) if k > 1 else 0.0
    if variance <= 1e-14 * max(1.0, value**2):
        if limits is None or not limits[0] <= value <= limits[1]:
            return Estimate(value, None, None, n)
        return bounded_mean(sums, counts, limits, confidence)
    half = _quantiles(confidence, k - 1)[1] * math.sqrt(variance)
    return Estimate(value, value - half, value + half, n)


def without_interval(found: Iterable[Estimate]) -> Iterator[str]:
    """Yield a note where one of some differences has no interval, which says why."""
    if any(one.value is not None and one.low is None for one in found):
        yield (
            "no interval: there is one deal, or all deals agree and nothing limits what a "
            "difference could be."
        )


def _variance_of_ratio(sums: Floats, counts: Floats) -> float:
    k, n = len(counts), counts.sum()
    errors = sums - counts * (sums.sum() / n)
    return float(k / (k - 1) * (errors @ errors) / n**2)


@lru_cache(maxsize=4096)
def _quantiles(confidence: float, freedom: int) -> tuple[float, float]:
    """The normal and Student's quantile of a two-sided interval."""
    tail = (1 - confidence) / 2
    return float(stats.norm.isf(tail)), float(stats.t.isf(tail, freedom))


def _around(value: float, low: float, high: float, n: int) -> Estimate:
    """An interval that holds its value, which rounding in the last digit may deny it."""
    return Estimate(value, min(low, value), max(high, value), n)


def difference_of_means(first: Estimate, second: Estimate) -> Estimate:
    """Return the difference of two independent means or rates from their intervals.

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
    return _around(gap, gap - down, gap + up, n)


def small_sample(n: int) -> str | None:
    """Return a sentence when ``n`` means next to nothing for a rate, else None."""
    if n >= SMALL_N:
        return None
    if n == 0:
        return "no decided games: no rate is known"
    half = wilson(n // 2, n)
    assert half.low is not None
    assert half.high is not None
    return (
        f"only {n} decided games: a rate of {n // 2}/{n} is compatible with anything from "
        f"{half.low:.0%} to {half.high:.0%}"
    )
