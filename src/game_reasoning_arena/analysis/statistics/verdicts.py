"""The pairs as a table, and why a verdict says otherwise than an interval beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from game_reasoning_arena.analysis.statistics.paired import ALPHA
from game_reasoning_arena.analysis.statistics.pairs import Pair
from game_reasoning_arena.analysis.tables.estimates import Estimate
from game_reasoning_arena.analysis.tables.forms import Column, Table, Value

# What is said of pairs whose interval and verdict disagree, after their names.
_CORRECTED: Final = (
    "the interval leaves 0 out, yet not resolved. The test decides: its p (Holm) is corrected for "
    "all pairs that were tested, the interval is for this pair alone."
)
_NOT_OFTEN: Final = (
    "the interval leaves 0 out, yet not resolved. The test decides: it is exact and asks how often "
    "A is ahead; the interval approximates how far on average."
)
_NOT_FAR: Final = (
    "resolved, yet the interval is not on that side of 0. The test decides: it is exact and asks "
    "how often A is ahead; the interval approximates how far on average."
)
_RETURNS: Final = (
    "the scores' interval and the verdict say different things. The test decides, and it is of the "
    "returns, since they have many values."
)
_ROUGH: Final = (
    "the interval of the returns says otherwise than the verdict. The test decides: its level "
    "holds for few deals too, where the interval is an approximation."
)


def pairs_table(pairs: list[Pair]) -> Table:
    """The pairs as a table, the surest first."""
    table = Table(
        "pairs",
        "Which is better",
        [
            Column("a", "A", names_row=True),
            Column("b", "B", names_row=True),
            Column("game", "game", names_row=True),
            Column("verdict", "verdict"),
            Column("basis", "compared by"),
            Column("tested", "units tested", "count"),
            Column("unit", "unit"),
            Column("n", "episodes", "count"),
            Column("difference", "score A-B, points [95 %]", "points"),
            Column("record", "A / equal / B ahead"),
            Column("returns", "return A-B [95 %]", "signed"),
            Column("p", "p", "p"),
            Column("adjusted", "p (Holm)", "p"),
            Column("needed", "episodes for 80 % power", "count"),
        ],
    )
    strangers = [pair for pair in pairs if pair.basis == "nothing shared"]
    known = [pair for pair in pairs if pair.basis != "nothing shared"]
    for pair in sorted(known, key=lambda p: (p.adjusted is None, p.adjusted or 0.0, p.p or 0.0)):
        test = pair.test
        row: dict[str, Value] = {
            "a": pair.a,
            "b": pair.b,
            "game": pair.game,
            "basis": pair.basis,
            "tested": pair.tested,
            "unit": pair.unit,
            "n": pair.n,
            "difference": pair.difference,
            "record": f"{test.better} / {test.equal} / {test.worse}" if test else None,
            "returns": pair.returns,
            "p": pair.p,
            "adjusted": pair.adjusted,
            "needed": None if pair.resolved else pair.needed,
            "verdict": pair.verdict(),
        }
        table.rows.append(row)
    if any(pair.p is not None for pair in pairs):
        table.notes.append(
            "same deals: exact sign test (McNemar's where nothing is drawn), a unit being an "
            "episode of each with equal seed, seat and opponents; met: the same, a unit being all "
            "episodes of a deal; returns with many values: sign-flip test of whole deals. episodes "
            "are of each side. Intervals draw whole deals and are not corrected for many pairs; "
            "p (Holm) is."
        )
    table.notes += _disagreements(pairs)
    if any(row["needed"] is not None for row in table.rows):
        table.notes.append(
            "episodes for 80 % power: as many of each side would resolve a difference as large as "
            "the one seen (uncorrected for many pairs) four times in five."
        )
    if any(pair.one_seat for pair in pairs):
        table.notes.append(
            "nobody changed seats: a difference may be the seats'. Play with seats=rotate to tell."
        )
    if any(pair.among_others for pair in pairs):
        table.notes.append(
            "games of more than two players are not paired within an episode. Let each play the "
            "same seed against the same others, in a run of its own, to compare them deal by deal."
        )
    if any(pair.basis == "same opponents" for pair in pairs):
        table.notes.append(
            "same opponents: win rates of different deals, Newcombe's interval, no test. Run them "
            "with the same seed to compare them deal by deal."
        )
    if strangers:
        table.notes.append(
            f"{_some(list(_named(strangers, pairs)))}: cannot be compared, since they share no "
            "deals, no opponents and never met. Run them with the same seed and opponents to "
            "compare them."
        )
    return table


def disagreement(pair: Pair) -> str | None:
    """Why the test, which decides, says otherwise than an interval; None where none does."""
    if pair.p is None:
        return None
    verdict = 0 if not pair.resolved else 1 if pair.lead() > 0 else -1
    tested = pair.difference if pair.test is not None else pair.returns
    if _side(tested) not in (verdict, None):
        if not pair.resolved and pair.p < ALPHA:
            return _CORRECTED
        if pair.test is None:
            return _ROUGH
        return _NOT_FAR if pair.resolved else _NOT_OFTEN
    if pair.test is None and _side(pair.difference) not in (verdict, None):
        return _RETURNS
    return None


def _side(interval: Estimate) -> int | None:
    """On which side of 0 an interval lies, 0 where it holds it; None where there is none."""
    if interval.low is None or interval.high is None:
        return None
    return 1 if interval.low > 0 else -1 if interval.high < 0 else 0


def _disagreements(pairs: list[Pair]) -> Iterator[str]:
    """A line per reason for which verdicts and intervals disagree, with the pairs it is true of."""
    found: dict[str, list[str]] = {}
    for pair, name in zip(pairs, _named(pairs, pairs), strict=True):
        if (reason := disagreement(pair)) is not None:
            found.setdefault(reason, []).append(name)
    for reason, which in found.items():
        yield f"{_some(which)}: {reason}"


def _named(some: list[Pair], pairs: list[Pair]) -> Iterator[str]:
    """Both names of each of some pairs, with the game where all pairs have several."""
    several = len({pair.game for pair in pairs}) > 1
    for pair in some:
        yield f"{pair.a} and {pair.b}" + (f" at {pair.game}" if several else "")


def _some(texts: list[str]) -> str:
    """At most five, and how many more."""
    more = f" and {len(texts) - 5} more" if len(texts) > 5 else ""
    return "; ".join(texts[:5]) + more
