"""The difference between two competitors by their games, one total per deal.

In a deal, A and B are compared in every game that they played against each other (A's value minus
B's) and in every two games that they played from the same seat against the same others (A's value
minus B's in its own). The total of a deal is the sum of all these differences: in a round robin,
A's points minus B's. Under small differences of strength this weighs the two kinds of evidence as
the model of R. A. Bradley and M. E. Terry (1952) would: a win over each other says twice as much,
with twice the variance.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from game_reasoning_arena.analysis.statistics.clusters import observations
from game_reasoning_arena.analysis.statistics.standings import of_prompts

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
_NONE: Codes = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Contrast:
    """Differences of A and B, summed within deals.

    Attributes:
        totals: sum of the differences of each observation (a deal, or several that are copies).
        counts: how many differences each is the sum of.
        met: how many of them come from games against each other.
        matched: how many from two games on the same deal, seat and opponents.
        deals: how many deals there are, copies counted apart.
    """

    totals: Floats
    counts: Floats
    met: int
    matched: int
    deals: int

    @property
    def differences(self) -> int:
        """All differences, each of an episode of either side."""
        return self.met + self.matched


@dataclass(frozen=True, slots=True)
class Pairing:
    """Rows in which two competitors can be compared: A's, and beside each the one of B.

    ``met`` are of the same game, ``matched`` of two games on the same deal, from the same seat,
    against the same others.
    """

    met: Codes
    met_other: Codes
    matched: Codes
    matched_other: Codes


class GameTable:
    """The rows of one game, coded so that two competitors' games are found at once.

    Args:
        part: rows of the standings' table, of one game.
    """

    def __init__(self, part: pd.DataFrame) -> None:
        self.part = part.reset_index(drop=True)
        self.deals = pd.factorize(self.part["deal"])[0].astype(np.int64)
        self.copies = self.part["copy"].to_numpy(dtype=np.int64)
        self.games = (
            self.part.groupby(["run", "episode"], sort=False).ngroup().to_numpy().astype(np.int64)
        )
        self.rows: dict[str, Codes] = {
            str(competitor): np.asarray(rows, dtype=np.int64)
            for competitor, rows in self.part.groupby("competitor", sort=False).indices.items()
        }
        self.names = list(self.rows)

    @cached_property
    def rivals(self) -> NDArray[Any]:
        """The only opponent's label per row; None where there is none."""
        return self.part["rival"].to_numpy(dtype=object)

    @cached_property
    def other(self) -> Codes:
        """The row of the only opponent in the same game; -1 where there is none."""
        found = np.full(len(self.part), -1, dtype=np.int64)
        two = np.flatnonzero((self.part["players"] == 2).to_numpy())
        two = two[np.argsort(self.games[two], kind="stable")]
        same = np.flatnonzero(self.games[two][1:] == self.games[two][:-1])
        first, second = two[same], two[same + 1]
        found[first], found[second] = second, first
        return found

    @cached_property
    def places(self) -> dict[str, tuple[Codes, Codes]]:
        """Of each competitor, numbers of its places (deal, seat, opponents, repeat), and rows.

        The numbers are sorted, and equal where two could be compared by them.
        """
        keys = ["deal"] if of_prompts(self.part["game"]).all() else ["deal", "seat", "against"]
        repeat = self.part.groupby(["competitor", *keys], sort=False, dropna=False).cumcount()
        by = [self.part[key] for key in keys] + [repeat]
        codes = self.part.groupby(by, sort=False, dropna=False).ngroup().to_numpy().astype(np.int64)
        found = {}
        for competitor, rows in self.rows.items():
            order = np.argsort(codes[rows], kind="stable")
            found[competitor] = codes[rows][order], rows[order]
        return found

    def observations(self, rows: Codes) -> Codes:
        """Return the observation of each of some rows."""
        return observations(self.deals[rows], self.copies[rows], self.games[rows])

    def pairing(self, a: str, b: str) -> Pairing:
        """Return the rows in which A and B can be compared."""
        mine = self.rows.get(a, _NONE)
        mine = mine[(self.rivals[mine] == b) & (self.other[mine] >= 0)]
        if a not in self.rows or b not in self.rows:
            return Pairing(mine, self.other[mine], _NONE, _NONE)
        (places_a, rows_a), (places_b, rows_b) = self.places[a], self.places[b]
        _, at_a, at_b = np.intersect1d(places_a, places_b, assume_unique=True, return_indices=True)
        return Pairing(mine, self.other[mine], rows_a[at_a], rows_b[at_b])

    def contrast(self, pairing: Pairing, values: Floats) -> Contrast:
        """Return the difference between two competitors by their games.

        Args:
            pairing: where they can be compared.
            values: what is compared, per row; NaN where a row counts for nothing.
        """
        met = values[pairing.met] - values[pairing.met_other]
        matched = values[pairing.matched] - values[pairing.matched_other]
        known = ~np.isnan(np.concatenate([met, matched]))
        gaps = np.concatenate([met, matched])[known]
        mine = np.concatenate([pairing.met, pairing.matched])[known]
        yours = np.concatenate([pairing.met_other, pairing.matched_other])[known]
        codes = self.deals[mine]
        deals = len(np.unique(codes))
        if self.copies.any():  # all games of a deal take part in what it is a copy of
            both = np.concatenate([mine, yours])
            codes = observations(self.deals[both], self.copies[both], self.games[both])[: len(mine)]
        which, codes = np.unique(codes, return_inverse=True)
        return Contrast(
            np.bincount(codes, weights=gaps, minlength=len(which)).astype(np.float64),
            np.bincount(codes, minlength=len(which)).astype(np.float64),
            met=int((~np.isnan(met)).sum()),
            matched=int((~np.isnan(matched)).sum()),
            deals=deals,
        )
