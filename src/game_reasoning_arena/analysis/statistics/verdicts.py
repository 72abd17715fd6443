"""The pairs as a table, and why a verdict differs from an interval beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from game_reasoning_arena.analysis.statistics.intervals import without_interval
from game_reasoning_arena.analysis.statistics.measures import Measure
from game_reasoning_arena.analysis.statistics.pairs import Pair
from game_reasoning_arena.analysis.statistics.power import ALPHA
from game_reasoning_arena.analysis.tables.estimates import Estimate
from game_reasoning_arena.analysis.tables.forms import Column, Table, Value
from game_reasoning_arena.process.text import first_few

# Remarks on pairs whose interval and verdict disagree, after their names.
_CORRECTED: Final = (
    "the interval leaves 0 out, yet not resolved. The test decides: its p (Holm) is corrected for "
    "all pairs that were asked about, the interval is for this pair alone."
)
_ROUGH: Final = (
    "the interval disagrees with the verdict. The test decides: its level holds for few deals "
    "too, where the interval is an approximation."
)
_OTHER: Final = (
    "the scores' interval and the verdict disagree. The test decides, and it is of the "
    "returns, since they hold more than who won."
)


def pairs_table(pairs: Sequence[Pair]) -> Table:
    """Return the pairs as a table, the surest first."""
    table = Table(
        "pairs",
        "Which is better",
        [
            Column("a", "A", names_row=True),
            Column("b", "B", names_row=True),
            Column("game", "game", names_row=True),
            Column("verdict", "verdict"),
            Column("basis", "compared by"),
            Column("tested", "deals tested", "count"),
            Column("n", "episodes", "count"),
            Column("score", "score A-B, points [95 %]", "points"),
            Column("returns", "return A-B [95 %]", "signed"),
            Column("record", "deals A / equal / B ahead"),
            Column("met", "A won / drawn / lost to B"),
            Column("met_score", "score of A against B % [95 %]", "percent"),
            Column("p", "p", "p"),
            Column("adjusted", "p (Holm)", "p"),
            Column("needed", "episodes for 80 % power", "count"),
        ],
    )
    strangers = [pair for pair in pairs if pair.basis == "nothing shared"]
    known = [pair for pair in pairs if pair.basis != "nothing shared"]
    known.sort(key=lambda p: (p.adjusted is None, p.adjusted or 0.0, p.p or 0.0))
    table.rows += [_row(pair) for pair in known]
    table.notes += _how(pairs)
    table.notes += _disagreements(pairs)
    table.notes += _limits(pairs)
    table.notes += without_interval(pair.difference for pair in known)
    if strangers:
        named = first_few(_named(strangers, pairs), 5, between="; ")
        table.notes.append(
            f"{named}: cannot be compared, since they share no "
            "deals, no opponents and never met. Run them with the same seed and opponents to "
            "compare them."
        )
    return table


def _row(pair: Pair) -> dict[str, Value]:
    met = pair.head_to_head
    return {
        "a": pair.a,
        "b": pair.b,
        "game": pair.game,
        "verdict": pair.verdict(),
        "basis": pair.basis,
        "tested": pair.tested or None,
        "n": pair.n or None,
        "score": pair.score,
        "returns": pair.returns,
        "record": f"{pair.ahead} / {pair.equal} / {pair.behind}" if pair.tested else None,
        "met": f"{met.won} / {met.drawn} / {met.lost}" if met and met.games else None,
        "met_score": met.score if met else None,
        "p": pair.p,
        "adjusted": pair.adjusted,
        "needed": None if pair.resolved else pair.needed,
    }


def _how(pairs: Sequence[Pair]) -> Iterator[str]:
    """What was tested, and against how many hypotheses."""
    tested = [pair for pair in pairs if pair.p is not None]
    if tested:
        yield (
            "Sign-flip test of whole deals (seeds), exact, of the "
            f"{' and the '.join(dict.fromkeys(_TESTED[pair.measure] for pair in tested))}: all "
            "games that the two played against each other (met) and against the same others from "
            "the same seats (same deals) together. episodes are of each side. Intervals take the "
            f"deal as the unit; p (Holm) is corrected for the {_count(tested)} asked about."
        )
    if any(not pair.resolved and pair.needed is not None for pair in tested):
        left = max(pair.hypotheses for pair in tested)
        yield (
            "episodes for 80 % power: as many of each side, dealt like these, would resolve a "
            "difference as large as the one seen four times in five"
            + (f", corrected for the {left} that are not resolved." if left > 1 else ".")
        )


_TESTED: Final = {
    Measure.SCORE: "score (win 1, draw 1/2)",
    Measure.RETURN: "return",
    Measure.ACCURACY: "accuracy",
}


def _count(tested: Sequence[Pair]) -> str:
    most = max(pair.family for pair in tested)
    controls = f" ({len(tested) - most} controls apart)" if most < len(tested) else ""
    return (f"{most} pairs" if most > 1 else "one pair") + controls


def _limits(pairs: Sequence[Pair]) -> Iterator[str]:
    """What some of the pairs cannot show."""
    copied = [pair for pair in pairs if pair.tested < pair.deals]
    if copied:
        named = first_few(_named(copied, pairs), 5, between="; ")
        yield (
            f"{named}: nothing random could make their games differ, "
            "so deals that are copies of each other count as one."
        )
    if any(pair.one_seat for pair in pairs):
        yield (
            "nobody changed seats: a difference may be the seats'. Play with seats=rotate to tell."
        )
    if any(pair.among_others for pair in pairs):
        yield (
            "games of more than two players are not paired within an episode. Let each play the "
            "same seed against the same others, in a run of its own, to compare them deal by deal."
        )
    if any(pair.unpaired for pair in pairs):
        yield (
            "same opponents: different deals, so that each side's interval is its own and there is "
            "no test. Run them with the same seed to compare them deal by deal."
        )


def disagreement(pair: Pair) -> str | None:
    """Return why the test, which decides, disagrees with an interval; None where it does not."""
    if pair.p is None:
        return None
    verdict = pair.lead() if pair.resolved else 0
    if _side(pair.difference) not in (verdict, None):
        return _CORRECTED if not pair.resolved and pair.p < ALPHA else _ROUGH
    if pair.measure is Measure.RETURN and _side(pair.score) not in (verdict, None):
        return _OTHER
    return None


def _side(interval: Estimate) -> int | None:
    """On which side of 0 an interval lies, 0 where it holds it; None where there is none."""
    if interval.low is None or interval.high is None:
        return None
    return 1 if interval.low > 0 else -1 if interval.high < 0 else 0


def _disagreements(pairs: Sequence[Pair]) -> Iterator[str]:
    """A line per reason for which verdicts and intervals disagree, with the pairs it is true of."""
    found: dict[str, list[str]] = {}
    for pair, name in zip(pairs, _named(pairs, pairs), strict=True):
        if (reason := disagreement(pair)) is not None:
            found.setdefault(reason, []).append(name)
    for reason, which in found.items():
        yield f"{first_few(which, 5, between='; ')}: {reason}"


def _named(some: Sequence[Pair], pairs: Sequence[Pair]) -> Iterator[str]:
    """Both names of each of some pairs, with the game where all pairs have several."""
    several = len({pair.game for pair in pairs}) > 1
    for pair in some:
        yield f"{pair.a} and {pair.b}" + (f" at {pair.game}" if several else "")
