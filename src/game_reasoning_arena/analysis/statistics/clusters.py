"""What counts as one observation: a deal, and of deals that are copies of each other, one.

A deal is a seed of a game (both seatings, whoever sits there) or a prompt (all its repeats). Where
nothing random could have made two deals differ (no chance, players that always answer alike) and
they did not, the second is no news: their games are put together as one observation.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Codes = NDArray[np.int64]


def observations(deals: NDArray[Any], copies: Codes, games: Codes) -> Codes:
    """Return a number per row that rows of the same observation share, from 0 up.

    Args:
        deals: what is the same luck, per row.
        copies: a number per row that copies of a game share, 0 for a game that is no copy.
        games: a number per row that tells games apart.
    """
    codes = pd.factorize(deals)[0].astype(np.int64)
    if not copies.any():
        return codes
    # A deal is known by the set of its games: the sum of a random word for each.
    words = np.where(copies != 0, _mixed(copies), _mixed(-1 - games))
    apart = ~pd.DataFrame({"deal": codes, "word": words}).duplicated().to_numpy()
    signatures = np.zeros(int(codes.max()) + 1, dtype=np.uint64)
    np.add.at(signatures, codes[apart], words[apart])
    return pd.factorize(signatures[codes])[0].astype(np.int64)


def deals_of(part: pd.DataFrame) -> Codes:
    """Return the observation of every row of a part of the standings' table."""
    games = (part["run"].to_numpy(dtype=np.int64) << 40) + part["episode"].to_numpy(dtype=np.int64)
    return observations(part["deal"].to_numpy(), part["copy"].to_numpy(dtype=np.int64), games)


def distinct_games(part: pd.DataFrame) -> int:
    """Return how many of a competitor's games are no copy of another."""
    copies = part["copy"].to_numpy(dtype=np.int64)
    return int((copies == 0).sum()) + len(np.unique(copies[copies != 0]))


def _mixed(numbers: Codes) -> NDArray[np.uint64]:
    """Words of 64 bits that look random. Source: G. L. Steele, D. Lea, C. H. Flood (2014), Fast
    splittable pseudorandom number generators, OOPSLA, 453-472."""
    word = numbers.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))
