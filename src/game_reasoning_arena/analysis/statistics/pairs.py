"""Every two competitors of a game: paired where they played the same deals, if they did."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from itertools import combinations
from typing import Final

import numpy as np
import pandas as pd

from game_reasoning_arena.analysis.statistics.intervals import (
    cluster_sums,
    clustered_rate,
    difference_of_rates,
)
from game_reasoning_arena.analysis.statistics.paired import (
    ALPHA,
    SignTest,
    cannot_resolve,
    holm,
    mean_needed,
    paired_difference,
    pairs_needed,
    rates_needed,
    sign_flip_test,
    sign_test,
)
from game_reasoning_arena.analysis.statistics.standings import POLICIES, SCORES, Standings, decides
from game_reasoning_arena.analysis.tables.estimates import Estimate

_UNITS: Final = {None: "games", "deal": "deals", "deal and seat": "pairs of games"}


@dataclass(slots=True)
class Pair:
    """Two competitors at one game.

    ``basis`` is ``same deals`` (paired by seed, seat and opponents), ``met`` (they played each
    other; paired by seed), ``same opponents`` (unpaired) or ``nothing shared``.
    ``difference`` is of scores, A minus B, in [-1, 1]; ``returns`` of mean returns. ``n`` counts
    the episodes of each side behind them, ``tested`` the units that the test took: of a ``unit`` of
    ``deal``, all its episodes together, or ``deal and seat``, one episode of each side.
    ``one_seat``: they met, each always in the same seat. ``among_others``: they met, in games of
    more than two, where turning the seats leaves the same player behind the other.
    """

    game: str
    a: str
    b: str
    basis: str
    n: int = 0
    difference: Estimate = field(default_factory=lambda: Estimate(None))
    returns: Estimate = field(default_factory=lambda: Estimate(None))
    unit: str | None = None
    tested: int | None = None
    test: SignTest | None = None
    p: float | None = None
    adjusted: float | None = None
    needed: int | None = None
    depends_on_policy: bool = False
    one_seat: bool = False
    among_others: bool = False

    @property
    def resolved(self) -> bool:
        """Whether the difference stands after Holm's correction."""
        return self.adjusted is not None and self.adjusted < ALPHA

    def verdict(self) -> str:
        """One plain clause."""
        if self.basis == "nothing shared":
            return "cannot be compared"
        if self.resolved:
            better = self.a if self.lead() > 0 else self.b
            if self.one_seat:
                return f"{better} is ahead, but nobody changed seats"
            tail = ", but it depends on how forfeits count" if self.depends_on_policy else ""
            return f"{better} is better{tail}"
        if self.among_others:
            return "not tested: more than two played"
        if self.p is None and self.basis == "met":
            return "no game between them was decided"
        if self.p is None:
            low, high = self.difference.low, self.difference.high
            if low is None or high is None or low <= 0 <= high:
                return "not resolved (unpaired)"
            return f"{self.a if low > 0 else self.b} ahead (unpaired, uncorrected)"
        if self.test is not None and cannot_resolve(self.test.better + self.test.worse):
            return f"too few {_UNITS[self.unit]} differ to show anything"
        return "not resolved"

    def lead(self) -> float:
        """Above 0 where A is ahead in what was tested, below 0 where B is."""
        if self.test is not None and self.test.better != self.test.worse:
            return self.test.better - self.test.worse
        if self.test is None and self.returns.value:  # what was tested
            return self.returns.value
        return self.difference.value or 0.0


def compare_pairs(standings: Standings, policy: str) -> list[Pair]:
    """All pairs of competitors at each game; Holm's correction runs over all that were tested.

    Players that are no model (random, search) are paired with models, not with each other. Settings
    that met themselves are a control: only the two are compared.
    """
    twins = {c.label: c.twin_of for c in standings.who.values()}
    asked = {c.label for c in standings.who.values() if c.asked}
    pairs = []
    for game, part in standings.table.groupby("game", sort=False):
        if not decides(part):
            continue
        labels = list(dict.fromkeys(part["who"]))
        wanted = [
            (a, b)
            for a, b in combinations(labels, 2)
            if (a in asked or b in asked or not asked) and twins.get(a) == twins.get(b)
        ]
        rows = {label: part[part["who"] == label] for label in labels}
        for a, b in wanted:
            pairs.append(_compare(str(game), a, b, rows[a], rows[b], policy))
    tested = [pair for pair in pairs if pair.p is not None]
    adjusted = holm([pair.p for pair in tested if pair.p is not None])
    for pair, value in zip(tested, adjusted, strict=True):
        pair.adjusted = value
    return pairs


def _compare(
    game: str, a: str, b: str, mine: pd.DataFrame, other: pd.DataFrame, policy: str
) -> Pair:
    matched = _match(mine, other)
    if len(matched):
        pair = _paired(Pair(game, a, b, "same deals"), matched, policy)
        if pair.n or pair.returns.known:
            return pair
    met = mine[mine["rival"] == b]
    if len(met):
        return _met(Pair(game, a, b, "met"), met, other[other["rival"] == a], policy)
    common = set(mine["against"]) & set(other["against"])
    common.discard("")
    if common:
        return _unpaired(Pair(game, a, b, "same opponents"), mine, other, common, policy)
    shared = mine.merge(other[["run", "episode"]], on=["run", "episode"])
    if len(shared):  # where both failed nobody is a rival
        return Pair(game, a, b, "met", among_others=bool((shared["players"] > 2).any()))
    return Pair(game, a, b, "nothing shared")


def _match(mine: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Rows of both that share seed, seat and opponents; repeats are matched in order."""
    keys = ["seed", "seat", "against"]
    columns = [*keys, "returns", *POLICIES]
    left, right = mine[columns].copy(), other[columns].copy()
    for side in (left, right):
        side["repeat"] = side.groupby(keys, dropna=False).cumcount()
    return left.merge(right, on=[*keys, "repeat"], suffixes=("_a", "_b"))


def _paired(pair: Pair, matched: pd.DataFrame, policy: str) -> Pair:
    gaps, seeds = _gaps(matched, policy)
    profits, return_seeds = _profits(matched)
    pair.n = len(gaps)
    if len(profits):
        pair.returns = paired_difference(profits, return_seeds)
    if len(gaps):
        pair.test = sign_test(gaps)
        pair.difference = paired_difference(gaps, seeds, limits=(-1.0, 1.0))
        pair.unit, pair.tested = "deal and seat", pair.test.pairs
    if _rich(profits, steps=(0.0, 1.0, 2.0)) or not len(gaps):
        pair.n = len(profits)
        pair.p = sign_flip_test(profits, return_seeds) if len(profits) else None
        pair.needed = mean_needed(profits, return_seeds)
        pair.test = None
        pair.unit, pair.tested = "deal", len(set(return_seeds))
    elif pair.test is not None:
        pair.p = pair.test.p
        pair.needed = pairs_needed(pair.test.better, pair.test.worse, pair.test.pairs)
        significant = pair.p < ALPHA
        for other in POLICIES:
            if other != policy:
                values, _ = _gaps(matched, other)
                again = sign_test(values)
                flipped = (again.better - again.worse) * (pair.test.better - pair.test.worse) < 0
                pair.depends_on_policy |= (again.p < ALPHA) != significant or flipped
    return pair


def _gaps(matched: pd.DataFrame, policy: str) -> tuple[np.ndarray, list[Hashable]]:
    both = matched[matched[f"{policy}_a"].notna() & matched[f"{policy}_b"].notna()]
    gaps = both[f"{policy}_a"].map(SCORES).astype(float) - both[f"{policy}_b"].map(SCORES).astype(
        float
    )
    return gaps.to_numpy(dtype=np.float64), list(both["seed"])


def _met(pair: Pair, mine: pd.DataFrame, other: pd.DataFrame, policy: str) -> Pair:
    """Games against each other: a seed with both seat orders is one observation."""
    keys = ["run", "episode", "seed"]
    columns = [*keys, "returns", *POLICIES]
    met = mine[columns].merge(other[columns], on=keys, suffixes=("_a", "_b"))
    gaps, seeds = _gaps(met, policy)
    profits, return_seeds = _profits(met)
    pair.n = len(gaps)
    pair.one_seat = mine["seat"].nunique() == 1
    if len(gaps):
        pair.difference = paired_difference(gaps, seeds, limits=(-1.0, 1.0))
        sums, counts = cluster_sums(gaps, seeds)
        pair.test = sign_test(sums)
        pair.unit, pair.tested = "deal", pair.test.pairs
        pair.p = pair.test.p
        needed = pairs_needed(pair.test.better, pair.test.worse, pair.test.pairs)
        pair.needed = None if needed is None else round(needed * float(counts.mean()))
    if len(profits):
        pair.returns = paired_difference(profits, return_seeds)
        if _rich(profits, steps=(0.0, 1.0, 2.0)):
            pair.n = len(profits)
            pair.unit, pair.tested = "deal", len(set(return_seeds))
            pair.p = sign_flip_test(profits, return_seeds)
            pair.needed = mean_needed(profits, return_seeds)
            pair.test = None
    return pair


def _profits(matched: pd.DataFrame) -> tuple[np.ndarray, list[Hashable]]:
    both = matched[matched["returns_a"].notna() & matched["returns_b"].notna()]
    profits = (both["returns_a"] - both["returns_b"]).to_numpy(dtype=np.float64)
    return profits, list(both["seed"])


def _rich(profits: np.ndarray, steps: tuple[float, ...]) -> bool:
    """Whether returns say more than who was ahead: poker is won by large pots."""
    return bool(set(np.unique(np.abs(profits))) - set(steps))


def _unpaired(
    pair: Pair, mine: pd.DataFrame, other: pd.DataFrame, common: set[str], policy: str
) -> Pair:
    sides, rates = [], []
    for rows in (mine, other):
        kept = rows[rows["against"].isin(common) & rows[policy].notna()]
        won = kept[policy] == "win"
        sides.append((int(won.sum()), len(kept)))
        rates.append(clustered_rate(won, list(kept["seed"])))
    (won_a, n_a), (won_b, n_b) = sides
    pair.difference = difference_of_rates(*rates)
    low, high = pair.difference.low, pair.difference.high
    if low is not None and high is not None and low <= 0 <= high:
        pair.needed = rates_needed(won_a, n_a, won_b, n_b)
    pair.n = min(n_a, n_b)
    return pair
