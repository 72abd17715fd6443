"""Is A better than B where both played the same deals from the same seats?"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from game_reasoning_arena.analysis.statistics.intervals import cluster_sums, clustered_mean
from game_reasoning_arena.analysis.tables.estimates import Estimate

ALPHA = 0.05
POWER = 0.80

#: Above this many pairs the large-sample formula, up to 6 % too low, has to do.
EXACT_PAIRS = 100_000


@dataclass(frozen=True, slots=True)
class SignTest:
    """Pairs that A did better in, that B did better in, that were equal; two-sided exact p."""

    better: int
    worse: int
    equal: int
    p: float

    @property
    def pairs(self) -> int:
        """All pairs."""
        return self.better + self.worse + self.equal


def sign_test(differences: ArrayLike) -> SignTest:
    """The exact two-sided sign test; equal pairs carry no information and are left out.

    On outcomes that are only won or not won it is McNemar's exact test: the pairs that differ are
    binomial with chance 1/2 when neither side is better. Sources: W. J. Dixon and A. M. Mood
    (1946), The statistical sign test, JASA 41, 557-566; Q. McNemar (1947), Psychometrika 12,
    153-157. The binomial tail is ``scipy.stats.binomtest``.
    """
    values = np.asarray(differences, dtype=np.float64)
    better, worse = int((values > 0).sum()), int((values < 0).sum())
    return SignTest(better, worse, int((values == 0).sum()), mcnemar_exact(better, worse))


def mcnemar_exact(b: int, c: int) -> float:
    """Two-sided exact p-value from the two counts of pairs that differ; 1 when there are none."""
    return float(stats.binomtest(b, b + c, 0.5).pvalue) if b + c else 1.0


def paired_difference(
    differences: ArrayLike,
    clusters: Sequence[Hashable],
    *,
    limits: tuple[float, float] | None = None,
    seed: int = 0,
) -> Estimate:
    """The mean difference with a bootstrap interval that draws whole seeds.

    Source: as
    :func:`~game_reasoning_arena.analysis.statistics.intervals.clustered_mean`, on differences
    within pairs (Davison and Hinkley 1997).
    """
    return clustered_mean(differences, clusters, limits=limits, seed=seed)


def sign_flip_test(
    differences: ArrayLike, clusters: Sequence[Hashable], *, resamples: int = 4999, seed: int = 0
) -> float:
    """Two-sided permutation p-value for a mean difference of 0, flipping whole seeds.

    For returns with many values, where a sign alone would lose their size. Source: R. A. Fisher
    (1935), The Design of Experiments, section 21; by ``scipy.stats.permutation_test``.
    """
    sums, _ = cluster_sums(differences, clusters)
    if len(sums) < 2 or not np.any(sums):
        return 1.0
    outcome = stats.permutation_test(
        (sums,),
        np.mean,
        permutation_type="samples",
        vectorized=True,
        n_resamples=resamples,
        batch=max(1, 2_000_000 // len(sums)),
        rng=np.random.default_rng(seed),
    )
    return float(outcome.pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values, in the order given, that keep the chance of any false finding.

    Source: S. Holm (1979), A simple sequentially rejective multiple test procedure, Scandinavian
    Journal of Statistics 6, 65-70.
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [1.0] * len(p_values)
    running = 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, (len(order) - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted


def sign_test_power(pairs: int, better: float, worse: float, *, alpha: float = ALPHA) -> float:
    """Chance that the exact sign test rejects, for shares of pairs that A and B do better in.

    The number of pairs that differ is binomial, and given it the test is: the unconditional power
    of S. W. Duffy (1984), Asymptotic and exact power for the McNemar test and its analogue with R
    controls per case, Biometrics 40, 1005-1015. Shares of 1e-9 and less of that number are left
    out.
    """
    differing = better + worse
    low, high = stats.binom.ppf((1e-9, 1 - 1e-9), pairs, differing).astype(np.int64)
    counts = np.arange(low, high + 1)
    edge = _edges(alpha, max(256, 1 << int(high).bit_length()))[low : high + 1]
    share = better / differing
    rejects = stats.binom.cdf(edge, counts, share) + stats.binom.cdf(edge, counts, 1 - share)
    return float(stats.binom.pmf(counts, pairs, differing) @ rejects)


@lru_cache(maxsize=8)
def _edges(alpha: float, size: int) -> NDArray[np.float64]:
    """For 0 up to ``size`` pairs that differ, the most wins of the losing side at which the exact
    test still rejects; -1 where it never does."""
    counts = np.arange(size + 1)
    edge = stats.binom.ppf(alpha / 2, counts, 0.5)
    kept: NDArray[np.float64] = np.where(
        2 * stats.binom.cdf(edge, counts, 0.5) < alpha, edge, edge - 1
    )
    return kept


def pairs_needed(
    better: int, worse: int, pairs: int, *, alpha: float = ALPHA, power: float = POWER
) -> int | None:
    """Pairs that the exact sign test needs to resolve a difference as large as the one seen.

    The large-sample number of :func:`pairs_connor` is where the search begins; the exact test needs
    a few more, since it is conservative.

    Returns:
        a number of pairs, at most a thousandth more than needed; None when no difference was seen,
        so that no number would do.
    """
    start = pairs_connor(better, worse, pairs, alpha=alpha, power=power)
    if start is None or start > EXACT_PAIRS:
        return start
    shares = better / pairs, worse / pairs
    low, high = start - 1, start
    while sign_test_power(high, *shares, alpha=alpha) < power:
        low, high = high, math.ceil(1.1 * high) + 1
    while high - low > max(1, start // 1000):
        middle = (low + high) // 2
        if sign_test_power(middle, *shares, alpha=alpha) < power:
            low = middle
        else:
            high = middle
    return high


def pairs_connor(
    better: int, worse: int, pairs: int, *, alpha: float = ALPHA, power: float = POWER
) -> int | None:
    """Pairs that McNemar's large-sample test needs; None when no difference was seen.

    Source: R. J. Connor (1987), Sample size for testing differences in proportions for the
    paired-sample design, Biometrics 43, 207-211, with the observed share of differing pairs.
    """
    if pairs == 0 or better == worse:
        return None
    differing = (better + worse) / pairs
    gap = (better - worse) / pairs
    z_alpha, z_power = _z(alpha / 2), _z(1 - power)
    spread = z_alpha * math.sqrt(differing) + z_power * math.sqrt(differing - gap**2)
    return math.ceil((spread / gap) ** 2)


def mean_needed(
    differences: ArrayLike,
    clusters: Sequence[Hashable],
    *,
    alpha: float = ALPHA,
    power: float = POWER,
) -> int | None:
    """Pairs needed to resolve a mean difference as large as the one seen, seeds being the unit.

    Source: the normal approximation, J. Cohen (1988), Statistical Power Analysis for the
    Behavioral Sciences, 2nd ed., chapter 2 (paired means).

    Returns:
        a number of pairs; None when there is no difference or only one seed.
    """
    sums, counts = cluster_sums(differences, clusters)
    if len(sums) < 2 or counts.sum() == 0:
        return None
    per_seed = float(counts.mean())
    gap, spread = float(sums.mean()), float(sums.std(ddof=1))
    if gap == 0:
        return None
    z = _z(alpha / 2) + _z(1 - power)
    return math.ceil((z * spread / gap) ** 2 * per_seed)


def rates_needed(
    a: int, n_a: int, b: int, n_b: int, *, alpha: float = ALPHA, power: float = POWER
) -> int | None:
    """Episodes of each side needed to resolve a difference of unpaired rates as large as seen.

    Source: J. L. Fleiss, B. Levin, M. C. Paik (2003), Statistical Methods for Rates and
    Proportions, 3rd ed., chapter 4, without continuity correction.

    Returns:
        a number of episodes for each; None when no difference was seen.
    """
    if n_a == 0 or n_b == 0 or a * n_b == b * n_a:
        return None
    p, q = a / n_a, b / n_b
    middle = (p + q) / 2
    spread = _z(alpha / 2) * math.sqrt(2 * middle * (1 - middle))
    spread += _z(1 - power) * math.sqrt(p * (1 - p) + q * (1 - q))
    return math.ceil((spread / (p - q)) ** 2)


def cannot_resolve(differing: int, alpha: float = ALPHA) -> bool:
    """Whether so few pairs differ that even a clean sweep would leave p at or above ``alpha``."""
    return mcnemar_exact(differing, 0) >= alpha


def _z(tail: float) -> float:
    return float(stats.norm.isf(tail))
