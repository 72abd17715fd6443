"""Tables of decisions: how good they are, who decides better, when, and results without luck."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from game_reasoning_arena.analysis.statistics.clusters import deals_of
from game_reasoning_arena.analysis.statistics.contrasts import GameTable
from game_reasoning_arena.analysis.statistics.hypotheses import Hypotheses
from game_reasoning_arena.analysis.statistics.intervals import (
    bounded_mean,
    cluster_sums,
    student_mean,
    without_interval,
)
from game_reasoning_arena.analysis.statistics.judged import Judged, parts
from game_reasoning_arena.analysis.statistics.measures import span_of
from game_reasoning_arena.analysis.statistics.power import ALPHA, deals_needed
from game_reasoning_arena.analysis.statistics.sign_flips import holm, sign_flip_test
from game_reasoning_arena.analysis.statistics.standings import Standings
from game_reasoning_arena.analysis.tables.estimates import UNKNOWN, Estimate
from game_reasoning_arena.analysis.tables.forms import Column, Table, Value

Floats = NDArray[np.float64]

#: Rows of one competitor in the tables by turn and by number of moves.
_MOST_BINS = 10
_WHO = (Column("competitor", "competitor", names_row=True), Column("game", "game", names_row=True))
_BY = Column("evaluator", "judged by", names_row=True)


def judged_tables(judged: Judged, standings: Standings, asked: Hypotheses) -> list[Table]:
    """Return the tables of assessed runs, the most telling first; none where none is."""
    if not judged:
        return []
    tables = [
        decisions_table(judged),
        adjusted_table(judged),
        judged_pairs(judged, standings, asked),
        binned_table(judged, "turn", "regret_by_turn", "Regret by turn", "turns"),
        binned_table(judged, "legal", "regret_by_moves", "Regret by legal moves", "legal moves"),
    ]
    return [table for table in tables if table.rows]


def judged_sentences(tables: Sequence[Table]) -> Iterator[str]:
    """Yield who decides best, a sentence per game; nothing without decisions that were judged.

    Args:
        tables: those of :func:`judged_tables`.
    """
    by_key = {table.key: table for table in tables}
    if (decisions := by_key.get("decisions")) is None:
        return
    regret = next(column for column in decisions.columns if column.key == "regret")
    pairs = by_key["judged_pairs"].rows if "judged_pairs" in by_key else []
    for game in dict.fromkeys(row["game"] for row in decisions.rows):
        tested = [
            row
            for row in pairs
            if row["game"] == game and str(row["measure"]).startswith(_MEASURES["regret"])
        ]
        names = {row[side] for row in tested for side in ("a", "b")}
        rows = [row for row in decisions.rows if row["game"] == game]
        best = next((row for row in rows if row["competitor"] in names), rows[0])
        name = str(best["competitor"])
        mine = [row for row in tested if name in (row["a"], row["b"])]
        sure = mine and all(row["verdict"] == f"{name} is better" for row in mine)
        how = "" if sure or not mine else ", not for sure"
        yield (
            f"{game}: {name} decides best{how}: regret {regret.show(best['regret'])} a decision "
            "(--table decisions)"
            if mine
            else f"{game}: {name} decides with regret {regret.show(best['regret'])} "
            "(--table decisions)"
        )


def mean_by_deal(part: pd.DataFrame, column: str, *, share: bool = False) -> Estimate:
    """Return the mean of a column with its interval over deals.

    Args:
        part: rows with deal, copy, run and episode.
        column: the values, NaN left out.
        share: they are truth values.
    """
    known = part[part[column].notna()]
    if known.empty:
        return UNKNOWN
    values = known[column].to_numpy(dtype=np.float64)
    sums, counts = cluster_sums(values, deals_of(known))
    if share:
        return bounded_mean(sums, counts)
    found = student_mean(sums, counts)
    if column in _NEVER_NEGATIVE and found.low is not None:
        return replace(found, low=max(0.0, found.low))
    return found


_NEVER_NEGATIVE = ("regret", "response_regret")


def decisions_table(judged: Judged) -> Table:
    """Return how good the decisions of each competitor are."""
    table = Table(
        "decisions",
        "Decisions",
        [
            *_WHO,
            _BY,
            Column("decisions", "decisions", "count"),
            Column("regret", "regret [95 %]", "number"),
            Column("optimal", "optimal % [95 %]", "percent"),
            Column("response", "regret to the opponent [95 %]", "number"),
            Column("accuracy", "accuracy % [95 %]", "number"),
            Column("inaccuracies", "inaccuracies", "count"),
            Column("mistakes", "mistakes", "count"),
            Column("blunders", "blunders", "count"),
            Column("forfeits", "forfeits", "count", rare=True),
        ],
        notes=list(judged.notes),
    )
    for (game, competitor, evaluator), part in parts(
        judged.decisions, "game", "competitor", "evaluator"
    ):
        chess = bool(part["accuracy"].notna().any())
        named = part["judgement"].value_counts()
        table.rows.append(
            {
                "competitor": str(competitor),
                "game": str(game),
                "evaluator": str(evaluator),
                "decisions": len(part),
                "regret": mean_by_deal(part, "regret"),
                "optimal": mean_by_deal(part, "optimal", share=True),
                "response": mean_by_deal(part, "response_regret"),
                "accuracy": mean_by_deal(part, "accuracy"),
                "inaccuracies": int(named.get("inaccuracy", 0)) if chess else None,
                "mistakes": int(named.get("mistake", 0)) if chess else None,
                "blunders": int(named.get("blunder", 0)) if chess else None,
                "forfeits": int((part["by"] == "forfeit").sum()),
            }
        )
    table.rows.sort(key=lambda row: (str(row["game"]), _value(row["regret"])))
    if table.rows:
        table.notes.append(
            "regret: what a decision gives away on average against the best move, in returns; "
            "against optimal play, and to the opponent as it really plays where that is known. "
            "optimal: decisions that cannot be told apart from the best. Substitutes' moves are "
            "nobody's decisions; a forfeit is one. Intervals count whole deals."
        )
    return table


def adjusted_table(judged: Judged) -> Table:
    """Return mean returns with and without luck, and how many games that is worth."""
    table = Table(
        "adjusted_returns",
        "Results without luck",
        [
            *_WHO,
            _BY,
            Column("episodes", "episodes", "count"),
            Column("returns", "return [95 %]", "signed"),
            Column("adjusted", "adjusted return [95 %]", "signed"),
            Column("worth", "as sure as episodes without it", "count"),
            Column("removed", "luck removed"),
        ],
    )
    known = judged.seats[judged.seats["adjusted"].notna()]
    for (game, competitor, evaluator), part in parts(known, "game", "competitor", "evaluator"):
        removed = list(dict.fromkeys(_REMOVED[str(m)] for m in part["method"] if m in _REMOVED))
        if not removed:
            continue
        raw, adjusted = mean_by_deal(part, "gained"), mean_by_deal(part, "adjusted")
        table.rows.append(
            {
                "competitor": str(competitor),
                "game": str(game),
                "evaluator": str(evaluator),
                "episodes": len(part),
                "returns": raw,
                "adjusted": adjusted,
                "worth": _worth(len(part), raw, adjusted),
                "removed": ", ".join(removed),
            }
        )
    table.rows.sort(key=lambda row: (str(row["game"]), -_value(row["adjusted"])))
    if table.rows:
        table.notes.append(
            "The adjusted return (AIVAT) has the mean of the return without the luck of chance and "
            "of opponents whose policy is known. A forfeit counts with the least return. as sure "
            "as: that many episodes like these would give an interval as narrow without it."
        )
    return table


_REMOVED = {"known_opponent": "chance and opponent", "chance": "chance"}


def _worth(episodes: int, raw: Estimate, adjusted: Estimate) -> int | None:
    widths = [
        None if one.low is None or one.high is None else one.high - one.low
        for one in (raw, adjusted)
    ]
    if widths[0] is None or not widths[1]:
        return None
    return round(episodes * (widths[0] / widths[1]) ** 2)


def _value(value: Value) -> float:
    found = value.value if isinstance(value, Estimate) else None
    return math.inf if found is None else found


def judged_pairs(judged: Judged, standings: Standings, asked: Hypotheses) -> Table:
    """Return who decides better and who returns more without luck, tested on the same deals."""
    table = Table(
        "judged_pairs",
        "Who decides better",
        [
            Column("a", "A", names_row=True),
            Column("b", "B", names_row=True),
            Column("game", "game", names_row=True),
            Column("measure", "measure", names_row=True),
            Column("verdict", "verdict"),
            Column("difference", "A-B [95 %]", "signed"),
            Column("tested", "deals tested", "count"),
            Column("ahead", "A ahead", "count"),
            Column("behind", "B ahead", "count"),
            Column("p", "p", "p"),
            Column("adjusted", "p (Holm)", "p"),
            Column("needed", "deals for 80 % power", "count"),
        ],
    )
    totals: list[Floats] = []
    for (game, evaluator), part in parts(judged.seats, "game", "evaluator"):
        labels = [str(label) for label in part["competitor"].unique()]
        measures = ["regret"]
        if part["method"].isin(list(_REMOVED)).any():
            measures.append("adjusted")
        played = GameTable(part)
        span = span_of(standings.limits.get(str(game)))
        for a, b in asked.among(labels, standings.competitors):
            pairing = played.pairing(a, b)
            for measure in measures:
                values = played.part[measure].to_numpy(dtype=np.float64)
                seen = played.contrast(pairing, -values if measure == "regret" else values)
                if not seen.differences:
                    continue
                totals.append(seen.totals)
                sign = -1.0 if measure == "regret" else 1.0
                # A regret is at most what the game's returns differ by; the adjusted return of
                # one episode may lie outside of them.
                limits = (-span, span) if span is not None and measure == "regret" else None
                table.rows.append(
                    {
                        "a": a,
                        "b": b,
                        "game": str(game),
                        "measure": f"{_MEASURES[measure]}, {evaluator}",
                        "difference": student_mean(sign * seen.totals, seen.counts, limits),
                        "tested": len(seen.totals),
                        "ahead": int((seen.totals > 0).sum()),
                        "behind": int((seen.totals < 0).sum()),
                    }
                )
    _corrected(table, totals)
    table.notes += without_interval(
        row["difference"] for row in table.rows if isinstance(row["difference"], Estimate)
    )
    return table


_MEASURES = {"regret": "regret", "adjusted": "adjusted return"}


def _corrected(table: Table, totals: Sequence[Floats]) -> None:
    """Test, correct for the number of tests, and say who is better."""
    p_values = [sign_flip_test(one) for one in totals]
    adjusted = holm(p_values)
    left = max(1, sum(p >= ALPHA for p in adjusted))
    for row, one, p, corrected in zip(table.rows, totals, p_values, adjusted, strict=True):
        row["p"], row["adjusted"] = p, corrected
        if corrected < ALPHA:
            row["verdict"] = f"{row['a'] if one.sum() > 0 else row['b']} is better"
        else:
            row["verdict"] = "not resolved" if one.any() else "the same on every deal"
            row["needed"] = deals_needed(one, alpha=ALPHA / left)
    if table.rows:
        table.notes.append(
            "Sign-flip test of whole deals, as for the results; of the mean regret of an episode's "
            "decisions, where less is better, and of the adjusted return. p (Holm) is corrected "
            f"for the {len(totals)} rows."
        )


def binned_table(judged: Judged, column: str, key: str, title: str, heading: str) -> Table:
    """Return regret and the share of optimal moves by turn or by number of legal moves."""
    table = Table(
        key,
        title,
        [
            *_WHO,
            _BY,
            Column("bin", heading, names_row=True),
            Column("decisions", "decisions", "count"),
            Column("regret", "regret [95 %]", "number"),
            Column("optimal", "optimal % [95 %]", "percent"),
        ],
    )
    for (game,), whole in parts(judged.decisions, "game"):
        bins = _bins(whole[column])
        for (competitor, evaluator), part in parts(whole, "competitor", "evaluator"):
            which = bins.loc[part.index]
            for name in sorted(which.unique(), key=lambda text: int(text.partition("-")[0])):
                rows = part[which == name]
                table.rows.append(
                    {
                        "competitor": str(competitor),
                        "game": str(game),
                        "evaluator": str(evaluator),
                        "bin": name,
                        "decisions": len(rows),
                        "regret": mean_by_deal(rows, "regret"),
                        "optimal": mean_by_deal(rows, "optimal", share=True),
                    }
                )
    return table


def _bins(values: pd.Series[Any]) -> pd.Series[Any]:
    """Name each whole number's bin: itself where there are few, else a range of equal width."""
    low, high = int(values.min()), int(values.max())
    if values.nunique() <= _MOST_BINS:
        return values.astype(int).astype(str)
    width = -(-(high - low + 1) // _MOST_BINS)
    starts = low + (values.astype(int) - low) // width * width
    return starts.map(lambda start: f"{start}-{min(high, start + width - 1)}")
