"""Every two competitors of a game that are asked about, tested by deal with all their games."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from game_reasoning_arena.analysis.statistics.contrasts import Contrast, GameTable, Pairing
from game_reasoning_arena.analysis.statistics.hypotheses import Hypotheses
from game_reasoning_arena.analysis.statistics.intervals import difference_of_means
from game_reasoning_arena.analysis.statistics.measures import (
    Floats,
    Measure,
    mean_of,
    mean_of_sums,
    measure_of,
    values,
)
from game_reasoning_arena.analysis.statistics.power import ALPHA, deals_needed
from game_reasoning_arena.analysis.statistics.sign_flips import holm, sign_flip_test
from game_reasoning_arena.analysis.statistics.standings import POLICIES, Limits, Standings
from game_reasoning_arena.analysis.tables.estimates import UNKNOWN, Estimate


@dataclass(frozen=True, slots=True)
class Record:
    """Games of two competitors against each other, as A sees them; ``score`` is A's mean."""

    won: int
    drawn: int
    lost: int
    score: Estimate

    @property
    def games(self) -> int:
        """All games that were decided."""
        return self.won + self.drawn + self.lost


@dataclass(slots=True)
class Pair:
    """Two competitors at one game.

    Attributes:
        measure: what is tested.
        met: games against each other behind the verdict.
        matched: pairs of games behind it, one of each on the same deal, from the same seat, against
            the same others.
        head_to_head: the games against each other by themselves; None where they never met.
        score: mean difference of scores, A minus B, in [-1, 1].
        returns: mean difference of returns.
        difference: the one of the two that is tested.
        deals: how many deals there are.
        tested: observations that the test took: the deals, copies put together.
        ahead, equal, behind: how many of them A is ahead in, nobody, B.
        p: of the test; ``adjusted`` after Holm's correction over all pairs that were asked about.
        needed: episodes of each side at which a difference like this would be resolved four times
            in five, with the correction; ``needed_deals`` the deals that these are.
        family: how many pairs the correction runs over.
        hypotheses: how many of them were not resolved, this one among them: what the level of
            ``needed`` is divided by.
        by_policy: 1 where A is better, -1 where B is, 0 where neither, under each way to count
            forfeits.
        unpaired: they share opponents but no deals, so that nothing is tested.
        one_seat: they met, each always in the same seat, and share nothing else.
        together: they sat in the same games, decided or not.
        among_others: these were of more than two, where turning the seats leaves the same player
            behind the other, and nothing else is shared.
    """

    game: str
    a: str
    b: str
    measure: Measure = Measure.SCORE
    met: int = 0
    matched: int = 0
    head_to_head: Record | None = None
    score: Estimate = UNKNOWN
    returns: Estimate = UNKNOWN
    difference: Estimate = UNKNOWN
    deals: int = 0
    tested: int = 0
    ahead: int = 0
    equal: int = 0
    behind: int = 0
    p: float | None = None
    adjusted: float | None = None
    needed: int | None = None
    needed_deals: int | None = None
    family: int = 1
    hypotheses: int = 1
    by_policy: Mapping[str, int] = field(default_factory=dict)
    unpaired: bool = False
    one_seat: bool = False
    together: bool = False
    among_others: bool = False

    @property
    def n(self) -> int:
        """Episodes of each side behind the verdict."""
        return self.met + self.matched

    @property
    def basis(self) -> str:
        """What the verdict comes from, in a few words."""
        if self.met and self.matched:
            return "met and same deals"
        if self.met or (self.together and not self.matched):
            return "met"
        if self.matched:
            return "same deals"
        return "same opponents" if self.unpaired else "nothing shared"

    @property
    def resolved(self) -> bool:
        """Whether the difference stands after Holm's correction."""
        return self.adjusted is not None and self.adjusted < ALPHA

    @property
    def depends_on_policy(self) -> bool:
        """Whether another way to count forfeits gives another verdict."""
        return len(set(self.by_policy.values())) > 1

    @property
    def hopeless(self) -> bool:
        """Whether so few deals differ that even a clean sweep of them would not be resolved."""
        moved = self.ahead + self.behind
        return self.p is not None and 2.0 ** (1 - moved) * self.hypotheses >= ALPHA

    @property
    def alike(self) -> bool:
        """Whether both came to the same on every deal."""
        return self.equal > 0 and not self.ahead and not self.behind

    def lead(self) -> int:
        """Return 1 where A is ahead in what was tested, -1 where B is, 0 where neither."""
        value = self.difference.value
        return 0 if not value else 1 if value > 0 else -1

    def verdict(self) -> str:
        """Return one plain clause."""
        if self.p is None:
            return self._untested()
        depends = ", but it depends on how forfeits count" if self.depends_on_policy else ""
        if self.resolved:
            better = self.a if self.lead() > 0 else self.b
            if self.one_seat:
                return f"{better} is ahead, but nobody changed seats"
            return f"{better} is better{depends}"
        if self.alike:
            return f"the same on every deal{depends}"
        if self.hopeless:
            what = "deals" if self.tested == self.deals else "distinct deals"
            return f"too few {what} differ to show anything{depends}"
        return f"not resolved{depends}"

    def _untested(self) -> str:
        if self.among_others:
            return "not tested: more than two played"
        if self.basis == "nothing shared":
            return "cannot be compared"
        if not self.unpaired:
            return "no game between them was decided"
        low, high = self.difference.low, self.difference.high
        if low is None or high is None or low <= 0 <= high:
            return "not resolved (unpaired)"
        return f"{self.a if low > 0 else self.b} ahead (unpaired, uncorrected)"


def compare_pairs(
    standings: Standings,
    policy: str,
    hypotheses: Hypotheses | None = None,
    chosen: Measure | None = None,
) -> list[Pair]:
    """Return all pairs that are asked about; Holm's correction runs over those that were tested.

    Settings that met themselves are a control, and corrected by themselves.

    Each is tested by sign flips of whole deals: see ``sign_flips`` for the test, ``contrasts`` for
    what a deal gives.

    Args:
        standings: of the runs.
        policy: how forfeits count.
        hypotheses: which pairs; by default all of models, see ``Hypotheses.among``.
        chosen: what is tested; None for what loses nothing, see ``measure_of``.
    """
    asked = hypotheses or Hypotheses()
    found: list[tuple[_GamePairs, Pair, dict[str, Test]]] = []
    for game, part in standings.table.groupby("game", sort=False):
        measure = chosen or measure_of(part)
        labels = [str(label) for label in part["competitor"].unique()]
        wanted = list(asked.among(labels, standings.competitors)) if measure is not None else []
        if not wanted or measure is None:
            continue
        game_pairs = _GamePairs(str(game), part, measure, standings.limits.get(str(game)))
        found += [(game_pairs, *game_pairs.compare(a, b, policy)) for a, b in wanted]
    twins = {c.label for c in standings.competitors.values() if c.twin_of is not None}
    for control in (False, True):
        _correct([one for one in found if (one[1].a in twins) is control and one[2]], policy)
    return [pair for _, pair, _ in found]


def _correct(tested: list[tuple[_GamePairs, Pair, dict[str, Test]]], policy: str) -> None:
    """Put in what is left of each test after Holm's correction over all of them."""
    adjusted = {name: holm([tests[name].p for _, _, tests in tested]) for name in POLICIES}
    left = sum(p >= ALPHA for p in adjusted[policy])
    for place, (game_pairs, pair, tests) in enumerate(tested):
        pair.adjusted = adjusted[policy][place]
        pair.family, pair.hypotheses = len(tested), max(1, left)
        pair.by_policy = {
            name: tests[name].ahead if adjusted[name][place] < ALPHA else 0 for name in POLICIES
        }
        if not pair.resolved:
            game_pairs.needs(pair, policy, ALPHA / left)


@dataclass(frozen=True, slots=True)
class Test:
    """A p-value, and who is ahead: 1 for A, -1 for B, 0 for neither."""

    p: float
    ahead: int


def _test(totals: Floats) -> Test:
    return Test(sign_flip_test(totals), int(np.sign(totals.sum())))


class _GamePairs:
    """The pairs of one game."""

    def __init__(
        self, game: str, part: pd.DataFrame, measure: Measure, limits: Limits | None
    ) -> None:
        self.game, self.measure, self.limits = game, measure, limits
        self.table = GameTable(part)
        self.part = self.table.part
        self.touched = bool(self.part["touched"].any())
        self.values = {
            (name, what): values(self.part, name, what)
            for name in (POLICIES if self.touched else POLICIES[:1])
            for what in {Measure.SCORE, Measure.RETURN, measure}
        }

    def compare(self, a: str, b: str, policy: str) -> tuple[Pair, dict[str, Test]]:
        """Return the pair, and its test under each policy."""
        pair, pairing = Pair(self.game, a, b, self.measure), self.table.pairing(a, b)
        seen = self._contrast(pairing, policy, self.measure)
        if not seen.differences:
            self._without_test(pair, pairing, policy)
            return pair, {}
        pair.met, pair.matched = seen.met, seen.matched
        pair.deals, pair.tested = seen.deals, len(seen.totals)
        pair.ahead, pair.behind = int((seen.totals > 0).sum()), int((seen.totals < 0).sum())
        pair.equal = pair.tested - pair.ahead - pair.behind
        pair.score = self._mean(pairing, policy, Measure.SCORE)
        pair.returns = self._mean(pairing, policy, Measure.RETURN)
        pair.difference = self._estimate(seen, self.measure)
        pair.head_to_head = self._record(pairing, policy)
        seats = self.part["seat"].to_numpy()[pairing.met]
        pair.one_seat = bool(seen.met) and not seen.matched and len(np.unique(seats)) == 1
        tests = dict.fromkeys(POLICIES, _test(seen.totals))
        for other in POLICIES if self.touched else ():
            totals = self._contrast(pairing, other, self.measure).totals
            if not np.array_equal(totals, seen.totals):
                tests[other] = _test(totals)
        pair.p = tests[policy].p
        return pair, tests

    def needs(self, pair: Pair, policy: str, alpha: float) -> None:
        """Put in how many deals and episodes the pair would need at a level."""
        pairing = self.table.pairing(pair.a, pair.b)
        totals = self._contrast(pairing, policy, self.measure).totals
        needed = deals_needed(totals, alpha=alpha)
        if needed is not None:
            pair.needed_deals = max(needed, pair.tested + 1)
            pair.needed = math.ceil(pair.needed_deals * pair.n / pair.tested)

    def _contrast(self, pairing: Pairing, policy: str, measure: Measure) -> Contrast:
        name = policy if self.touched else POLICIES[0]
        return self.table.contrast(pairing, self.values[name, measure])

    def _mean(self, pairing: Pairing, policy: str, measure: Measure) -> Estimate:
        return self._estimate(self._contrast(pairing, policy, measure), measure)

    def _estimate(self, seen: Contrast, measure: Measure) -> Estimate:
        return mean_of_sums(seen.totals, seen.counts, measure, self.limits, difference=True)

    def _record(self, pairing: Pairing, policy: str) -> Record | None:
        """What became of the games against each other."""
        name = policy if self.touched else POLICIES[0]
        scores = self.values[name, Measure.SCORE][pairing.met]
        if not len(scores):
            return None
        won, drawn, lost = (int((scores == score).sum()) for score in (1.0, 0.5, 0.0))
        deals = self.table.observations(pairing.met)
        return Record(won, drawn, lost, mean_of(scores, deals, Measure.SCORE))

    def _without_test(self, pair: Pair, pairing: Pairing, policy: str) -> None:
        """Add what is known of a pair of which no two games can be compared."""
        rows_a, rows_b = self.table.rows[pair.a], self.table.rows[pair.b]
        together = np.intersect1d(self.table.games[rows_a], self.table.games[rows_b])
        if len(together):
            several = self.part["players"].to_numpy()[rows_a] > 2
            pair.together = True
            pair.among_others = bool(several.any()) and not len(pairing.met)
            return
        against = self.part["against"].to_numpy(dtype=object)
        common = set(against[rows_a]) & set(against[rows_b]) - {""}
        if not common:
            return
        pair.unpaired = True
        name = policy if self.touched else POLICIES[0]
        sides = []
        for every in (rows_a, rows_b):
            rows = every[pd.Series(against[every]).isin(common).to_numpy()]
            deals = self.table.observations(rows)
            sides.append(
                mean_of(self.values[name, self.measure][rows], deals, self.measure, self.limits)
            )
        pair.difference = difference_of_means(*sides)
        if self.measure is Measure.RETURN:
            pair.returns = pair.difference
        else:
            pair.score = pair.difference
