"""What a game is judged by: points for winning, what it pays, or the share of right answers."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from game_reasoning_arena.analysis.statistics.intervals import (
    bounded_mean,
    cluster_sums,
    student_mean,
)
from game_reasoning_arena.analysis.statistics.standings import (
    SCORES,
    Limits,
    decides,
    of_prompts,
    returns_under,
)
from game_reasoning_arena.analysis.tables.estimates import UNKNOWN, Estimate

Floats = NDArray[np.float64]


class Measure(StrEnum):
    """What is averaged, tested and shown."""

    SCORE = "score"  # win 1, draw 1/2, loss 0
    RETURN = "return"  # what the engine pays
    ACCURACY = "accuracy"  # of answers to prompts

    def span(self, limits: Limits | None) -> float | None:
        """Return how far apart two values can be; None where nothing limits them."""
        return 1.0 if self in _RATES else span_of(limits)


#: Measures that lie between 0 and 1 for every episode.
_RATES: Final = (Measure.SCORE, Measure.ACCURACY)


def span_of(limits: Limits | None) -> float | None:
    """Return how far apart a game's returns can be; None where that is not known."""
    if limits is None or not limits.recorded or not limits.low < limits.high:
        return None
    return limits.high - limits.low


def measure_of(part: pd.DataFrame) -> Measure | None:
    """Return the measure that loses nothing: the return where it holds more than who won.

    Poker is won by large pots: there some wins pay more than others. Where all wins pay alike, and
    all draws and losses, the score holds everything.

    Args:
        part: rows of the standings' table, of one game.

    Returns:
        None where there is nothing to measure.
    """
    if len(part) and bool(of_prompts(part["game"]).all()):
        return Measure.ACCURACY if part["returns"].notna().any() else None
    if not decides(part):
        return None
    played = part[(part["status"] == "completed") & part["returns"].notna()]
    if len(played) and bool((played["players"] == 1).all()):
        return Measure.RETURN
    paid = played.groupby("as-played", sort=False)["returns"].agg(["min", "max"])
    return Measure.SCORE if bool((paid["min"] == paid["max"]).all()) else Measure.RETURN


def values(part: pd.DataFrame, policy: str, measure: Measure) -> Floats:
    """Return what each row counts under a policy; NaN where it counts for nothing."""
    if measure is Measure.SCORE:
        return np.asarray(part[policy].map(SCORES), dtype=np.float64)
    return np.asarray(part[returns_under(policy)], dtype=np.float64)


def mean_of(
    part: Floats, deals: NDArray[np.int64], measure: Measure, limits: Limits | None = None
) -> Estimate:
    """Return the mean of values, NaN left out, with its interval over deals.

    Args:
        part: the values.
        deals: the observation that each belongs to.
        measure: what they are.
        limits: of the game's returns, where known.
    """
    known = ~np.isnan(part)
    if not known.any():
        return UNKNOWN
    sums, counts = cluster_sums(part[known], deals[known])
    return mean_of_sums(sums, counts, measure, limits)


def mean_of_sums(
    sums: Floats,
    counts: Floats,
    measure: Measure,
    limits: Limits | None = None,
    *,
    difference: bool = False,
) -> Estimate:
    """Return the mean of values or of differences of two, from sums and counts by deal."""
    if measure in _RATES:
        return bounded_mean(sums, counts, (-1.0, 1.0) if difference else (0.0, 1.0))
    span = span_of(limits)
    if limits is None or span is None:
        return student_mean(sums, counts)
    return student_mean(sums, counts, (-span, span) if difference else (limits.low, limits.high))
