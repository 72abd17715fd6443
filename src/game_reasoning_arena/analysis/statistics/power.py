"""How many deals the test of a verdict needs, corrected as it is corrected."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import stats

ALPHA = 0.05
POWER = 0.80

#: Above this many deals the large-sample formula, up to 6 % too low, has to do.
EXACT_DEALS = 100_000


def deals_needed(
    totals: NDArray[np.float64], *, alpha: float = ALPHA, power: float = POWER
) -> int | None:
    """Return the deals at which sign flips resolve a difference as large as the one seen.

    Where the totals that are not 0 have one size, the test is the exact sign test, and its exact
    power is taken; else the power of Student's test, to which sign flips come close (W. Hoeffding,
    1952, The large-sample power of tests based on permutations of observations, Annals of
    Mathematical Statistics 23, 169-192).

    Args:
        totals: one per deal.
        alpha: the level of the test, after its correction for many.

    Returns:
        a number of deals; None when no difference was seen, so that no number would do.
    """
    k, mean = len(totals), float(totals.mean()) if len(totals) else 0.0
    if k < 2 or mean == 0:
        return None
    sizes = np.unique(np.abs(totals[totals != 0]))
    if len(sizes) == 1:
        ahead, behind = int((totals > 0).sum()), int((totals < 0).sum())
        return sign_test_deals(ahead, behind, k, alpha=alpha, power=power)
    spread = float(totals.std(ddof=1))
    if spread == 0:
        return fewest_deals(1.0, alpha)
    effect = abs(mean) / spread
    start = max(2, math.ceil(((_z(alpha / 2) + _z(1 - power)) / effect) ** 2))
    if start > EXACT_DEALS:
        return start
    low, high = 1, start
    while student_power(high, effect, alpha) < power:
        low, high = high, math.ceil(1.1 * high) + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (
            (low, middle) if student_power(middle, effect, alpha) >= power else (middle, high)
        )
    return max(high, fewest_deals(float((totals != 0).mean()), alpha))


def student_power(deals: int, effect: float, alpha: float = ALPHA) -> float:
    """Return the chance that Student's two-sided test rejects.

    Args:
        deals: how many observations.
        effect: their mean over their standard deviation.
    """
    if deals < 2:
        return 0.0
    edge = float(stats.t.isf(alpha / 2, deals - 1))
    return float(stats.nct.sf(edge, deals - 1, effect * math.sqrt(deals)))


def fewest_deals(share: float, alpha: float = ALPHA) -> int:
    """Return the deals below which no result could be resolved.

    Args:
        share: of deals whose total is not 0.
    """
    return math.ceil((math.floor(1 - math.log2(alpha)) + 1) / share)


def sign_test_power(deals: int, better: float, worse: float, *, alpha: float = ALPHA) -> float:
    """Return the chance that the exact sign test rejects.

    The number of deals that differ is binomial, and given it the test is: the unconditional power
    of S. W. Duffy (1984), Asymptotic and exact power for the McNemar test and its analogue with R
    controls per case, Biometrics 40, 1005-1015. Shares of 1e-9 and less of that number are left
    out.

    Args:
        deals: how many there are.
        better: the share in which A is ahead.
        worse: the share in which B is.
    """
    differing = better + worse
    low, high = stats.binom.ppf((1e-9, 1 - 1e-9), deals, differing).astype(np.int64)
    counts = np.arange(low, high + 1)
    edge = _edges(alpha, max(256, 1 << int(high).bit_length()))[low : high + 1]
    share = better / differing
    rejects = stats.binom.cdf(edge, counts, share) + stats.binom.cdf(edge, counts, 1 - share)
    return float(stats.binom.pmf(counts, deals, differing) @ rejects)


@lru_cache(maxsize=8)
def _edges(alpha: float, size: int) -> NDArray[np.float64]:
    """For 0 up to ``size`` deals that differ, the most wins of the losing side at which the exact
    test still rejects; -1 where it never does."""
    counts = np.arange(size + 1)
    edge = stats.binom.ppf(alpha / 2, counts, 0.5)
    kept: NDArray[np.float64] = np.where(
        2 * stats.binom.cdf(edge, counts, 0.5) < alpha, edge, edge - 1
    )
    return kept


def sign_test_deals(
    better: int, worse: int, deals: int, *, alpha: float = ALPHA, power: float = POWER
) -> int | None:
    """Return the deals that the exact sign test needs to resolve a difference as large as seen.

    The large-sample number of :func:`mcnemar_deals` is where the search begins; the exact test
    needs a few more, since it is conservative.

    Returns:
        at most a thousandth more than needed; None when no difference was seen.
    """
    start = mcnemar_deals(better, worse, deals, alpha=alpha, power=power)
    if start is None or start > EXACT_DEALS:
        return start
    shares = better / deals, worse / deals
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


def mcnemar_deals(
    better: int, worse: int, deals: int, *, alpha: float = ALPHA, power: float = POWER
) -> int | None:
    """Return the deals that McNemar's large-sample test needs; None when no difference was seen.

    Source: R. J. Connor (1987), Sample size for testing differences in proportions for the
    paired-sample design, Biometrics 43, 207-211, with the observed share of differing pairs.
    """
    if deals == 0 or better == worse:
        return None
    differing = (better + worse) / deals
    gap = (better - worse) / deals
    z_alpha, z_power = _z(alpha / 2), _z(1 - power)
    spread = z_alpha * math.sqrt(differing) + z_power * math.sqrt(differing - gap**2)
    return math.ceil((spread / gap) ** 2)


def _z(tail: float) -> float:
    return float(stats.norm.isf(tail))
