"""The test of every verdict: are differences as often and as far one way as the other, by deal?

Each deal gives one total of differences, A minus B. If neither is better, A and B could be
exchanged in any deal, so each total might as well have had the other sign. The p-value is the share
of all 2^k ways to sign them whose sum is at least as far from 0 as the one seen. Whatever is
dependent within a deal (seats, shared opponents, luck of the cards, a player's good day on it)
changes sign together, so nothing has to be assumed of it.

Sources: R. A. Fisher (1935), The Design of Experiments, section 21; J. P. Romano (1990), On the
behavior of randomization tests without a group invariance assumption, JASA 85, 686-692, for equal
means without exchangeability. Where all totals have one size it is the exact sign test, McNemar's.
All ways are counted, not drawn: the sum is a convolution, read off its characteristic function (M.
Pagano and D. Tritchler, 1983, On obtaining permutation distributions in polynomial time, JASA 78,
435-440).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import fft, stats

Floats = NDArray[np.float64]

#: Points of the distribution times different sizes that are worked through at most.
WORK: Final = 1 << 25

#: Different sizes that are followed one by one; the smaller ones' sum is normal.
SIZES: Final = 128

#: Standard deviations beyond which a signed sum has less than 1e-18 of its chance, whatever the
#: sizes (W. Hoeffding, 1963, JASA 58, 13-30).
REACH: Final = 9.2

#: Parts of 1 that sizes are looked for in, before they are rounded.
_PARTS: Final = (1, 2, 4, 3, 6, 5, 10, 100, 12, 60, 1000)


def sign_flip_test(totals: Floats) -> float:
    """Return the two-sided p-value that ``totals``, one per deal, are symmetric about 0.

    It is exact for totals that are multiples of something, as scores and returns of games are;
    others are rounded to
    a part in 10,000 or less of the sum's standard deviation. 1 where all are 0.
    """
    moved = totals[totals != 0]
    if not len(moved):
        return 1.0
    whole, exact = _whole(moved)
    sizes, counts = np.unique(np.abs(whole), return_counts=True)
    if exact and len(sizes) == 1:
        ahead = int((moved > 0).sum())
        return float(stats.binomtest(ahead, len(moved), 0.5).pvalue)
    if sizes[0] == 0:
        sizes, counts = sizes[1:], counts[1:]
    least = 2.0 ** (1 - len(moved)) if len(moved) < 1000 else 0.0
    return min(1.0, max(_tails(sizes, counts, abs(int(whole.sum()))), least))


def _tails(sizes: NDArray[np.int64], counts: NDArray[np.int64], seen: int) -> float:
    """Chance that the signed sum is as far from 0 as ``seen``."""
    if seen == 0:
        return 1.0
    spread = float(np.sqrt(np.square(sizes.astype(np.float64)) @ counts))
    if seen >= REACH * spread:
        return 0.0
    # Adding a size or not, in place of adding or taking it, gives (sum + total) / 2.
    total = int(sizes @ counts)
    points = fft.next_fast_len(min(total, int(REACH * spread)) + 2, real=True)
    angles = np.pi / points * np.arange(points // 2 + 1)
    chances = np.ones_like(angles)
    small = max(0, len(sizes) - SIZES)
    if small:
        chances *= np.exp(-(angles**2) * float(sizes[:small] ** 2 @ counts[:small]) / 2)
    for size, count in zip(sizes[small:], counts[small:], strict=True):
        chances *= np.cos(angles * size) ** float(count)
    # Around its middle; what lies further out wraps around and is nothing.
    found = fft.irfft(chances * np.exp(-1j * angles * (total % 2)), points)
    edge = (total - seen) // 2 - total // 2 + points // 2
    return 2 * float(np.roll(found, points // 2)[: edge + 1].sum())


def _whole(totals: Floats) -> tuple[NDArray[np.int64], bool]:
    """The totals as whole multiples of their common measure, or of a fine step; and if exactly."""
    most = WORK // min(len(np.unique(np.abs(totals))), SIZES)
    spread = float(np.sqrt(totals @ totals))
    least = float(np.abs(totals).min())
    for parts in (*_PARTS, *(part / least for part in _PARTS)):  # multiples of the least of them
        scaled = totals * parts
        whole = np.rint(scaled)
        if np.abs(scaled - whole).max() < 1e-6 and np.abs(whole).max() < 2**53:
            found = whole.astype(np.int64)
            found //= np.gcd.reduce(np.abs(found))
            if min(float(np.abs(found).sum()), spread * parts * REACH) <= most:
                return found, True
            break
    step = REACH * spread / min(most, 1 << 16)
    return np.rint(totals / step).astype(np.int64), False


def holm(p_values: Floats | list[float]) -> list[float]:
    """Return adjusted p-values, in the order given, that keep the chance of any false finding.

    Source: S. Holm (1979), A simple sequentially rejective multiple test procedure, Scandinavian
    Journal of Statistics 6, 65-70.
    """
    order = np.argsort(p_values, kind="stable")
    left = len(order) - np.arange(len(order))
    raised = np.minimum(1.0, left * np.asarray(p_values, dtype=np.float64)[order])
    adjusted = np.empty(len(order))
    adjusted[order] = np.maximum.accumulate(raised) if len(order) else raised
    return [float(value) for value in adjusted]
