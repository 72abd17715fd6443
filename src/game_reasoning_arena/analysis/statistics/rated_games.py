"""Games of two as numbers that a fit can take: ordered pairs, results, deals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix


@dataclass(frozen=True, slots=True)
class Games:
    """Decided games, an entry each.

    Attributes:
        first: names at the first seat.
        second: names at the second seat.
        score: of the first: 1, 0.5 or 0.
        deal: a number that games of one deal share; None where all games are independent, so that
            the model's own information tells how sure it is.
    """

    first: Sequence[str] | NDArray[Any]
    second: Sequence[str] | NDArray[Any]
    score: Sequence[float] | NDArray[np.float64]
    deal: Sequence[int] | NDArray[np.int64] | None = None


class Played:
    """Games as numbers: ordered pairs, counts of their results, and deals.

    Attributes:
        pairs: players at the first and second seat, one row per ordered pair.
        counts: of (first wins, tie, second wins), one row per ordered pair.
        games: how many each player played.
        deals: how many there are; None where games are independent.
        cells: deals x (pairs, results) with the number of games; equal deals are put together.
        often: how many deals each row of ``cells`` stands for.
        taking_part: deals that each player has games in.
    """

    def __init__(
        self,
        first: NDArray[np.int64],
        second: NDArray[np.int64],
        score: NDArray[np.float64],
        deal: NDArray[Any] | None,
    ) -> None:
        size = int(max(first.max(), second.max())) + 1
        ordered, pair = np.unique(first * size + second, return_inverse=True)
        self.pairs = np.stack([ordered // size, ordered % size], axis=1)
        kind = np.rint(2 - 2 * score).astype(np.int64)
        width = 3 * len(ordered)
        cell = 3 * pair + kind
        self.counts = np.bincount(cell, minlength=width).reshape(-1, 3).astype(np.float64)
        self.games = np.bincount(np.concatenate([first, second]), minlength=size)
        self.deals: int | None = None
        if deal is None:
            return
        codes = pd.factorize(deal)[0]
        self.deals = int(codes.max()) + 1
        table = csr_matrix((np.ones(len(cell)), (codes, cell)), shape=(self.deals, width))
        table.sum_duplicates()
        self.cells, self.often = _put_together(table)
        seen = np.unique(np.concatenate([codes * size + first, codes * size + second]))
        self.taking_part = np.bincount(seen % size, minlength=size)


def _put_together(table: csr_matrix) -> tuple[csr_matrix, NDArray[np.float64]]:
    """The different rows of a sparse table, and how often each is there."""
    rng = np.random.default_rng(0)
    marks = table @ rng.random((table.shape[1], 2))
    _, first, often = np.unique(marks.round(9), axis=0, return_index=True, return_counts=True)
    return table[first], often.astype(np.float64)
