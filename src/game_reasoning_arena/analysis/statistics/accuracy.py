"""Statistics of answers that are right or wrong, several of them to each prompt.

The prompt is the unit: answers of one model to one prompt are not independent.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from game_reasoning_arena.analysis.statistics.power import ALPHA, POWER

Floats = NDArray[np.float64]


def pass_at_k(n: int, right: int, k: int) -> float:
    """Return the unbiased estimate of the chance that one of ``k`` answers is right.

    1 - C(n - right, k) / C(n, k), of ``n`` answers of which ``right`` are right. Source: M. Chen
    and others (2021), Evaluating Large Language Models Trained on Code, arXiv:2107.03374, eq. 1.

    Raises:
        ValueError: ``k`` is not within 1 and ``n``.
    """
    if not 1 <= k <= n:
        raise ValueError(f"k must be 1 to {n}, not {k}")
    return 1.0 - math.comb(n - right, k) / math.comb(n, k)


def majority_at_k(right: int, wrong: Sequence[int], silent: int, k: int) -> float:
    """Return the unbiased estimate of the chance that the most frequent of ``k`` answers is right.

    The mean over all choices of ``k`` of the answers (a U-statistic: W. Hoeffding, 1948, A class of
    statistics with asymptotically normal distribution, Annals of Mathematical Statistics 19,
    293-325). Ties are broken at random; a missing answer is no vote, and no vote at all is
    wrong. Source of the vote: X. Wang and others (2023), Self-Consistency Improves Chain of Thought
    Reasoning in Language Models, ICLR.

    Args:
        right: how many answers are right; they count as one answer.
        wrong: how many there are of each wrong answer.
        silent: how many replies hold no answer.
        k: how many are drawn without replacement.

    Raises:
        ValueError: ``k`` is not within 1 and the number of replies.
    """
    n = right + sum(wrong) + silent
    if not 1 <= k <= n:
        raise ValueError(f"k must be 1 to {n}, not {k}")
    return _majority(right, tuple(sorted(wrong)), silent, k) / math.comb(n, k)


@lru_cache(maxsize=65536)
def _majority(right: int, wrong: tuple[int, ...], silent: int, k: int) -> float:
    """Choices of ``k``, each weighing the chance that the right answer wins its vote."""
    # Of the wrong answers: choices by (drawn, votes of the most frequent, how many have these).
    states: Counter[tuple[int, int, int]] = Counter({(0, 0, 0): 1})
    for size in wrong:
        grown: Counter[tuple[int, int, int]] = Counter()
        for (drawn, most, tied), ways in states.items():
            for votes in range(min(size, k - drawn) + 1):
                best = max(most, votes)
                ties = (tied if most == best else 0) + (votes == best and votes > 0)
                grown[drawn + votes, best, ties] += ways * math.comb(size, votes)
        states = grown
    total = 0.0
    for (drawn, most, tied), ways in states.items():
        for votes in range(1, min(right, k - drawn) + 1):
            silently = k - drawn - votes
            if votes < most or silently > silent:
                continue
            share = 1.0 if votes > most else 1.0 / (tied + 1)
            total += share * ways * math.comb(right, votes) * math.comb(silent, silently)
    return total


def cohen_kappa(first: Sequence[Hashable], second: Sequence[Hashable]) -> float | None:
    """Return the agreement of two raters beyond chance; None where chance alone agrees always.

    Source: J. Cohen (1960), A coefficient of agreement for nominal scales, Educational and
    Psychological Measurement 20, 37-46.
    """
    n = len(first)
    if n == 0:
        return None
    agreed = sum(a == b for a, b in zip(first, second, strict=True)) / n
    mine, other = Counter(first), Counter(second)
    by_chance = sum(mine[value] * other[value] for value in mine) / n**2
    return None if by_chance == 1 else (agreed - by_chance) / (1 - by_chance)


def detectable(differences: Floats, *, alpha: float = ALPHA, power: float = POWER) -> float | None:
    """Return the smallest mean difference that as many prompts would resolve, spread as these are.

    The normal approximation: J. Cohen (1988), Statistical Power Analysis for the Behavioral
    Sciences, 2nd ed., chapter 2 (paired means).

    Returns:
        None with fewer than two prompts, or where no two answers differ.
    """
    if len(differences) < 2 or not (spread := float(differences.std(ddof=1))):
        return None
    z = float(stats.norm.isf(alpha / 2) + stats.norm.isf(1 - power))
    return z * spread / math.sqrt(len(differences))


def votes_of(scores: Sequence[float], answers: Sequence[object]) -> tuple[int, list[int], int]:
    """Return how many answers are right, how many there are of each wrong one, and how many none.

    An answer is right where its score is 1.
    """
    wrong: Counter[str] = Counter()
    right = silent = 0
    for score, answer in zip(scores, answers, strict=True):
        if score == 1:
            right += 1
        elif isinstance(answer, str):
            wrong[answer] += 1
        else:  # None, or what a table makes of it
            silent += 1
    return right, list(wrong.values()), silent
