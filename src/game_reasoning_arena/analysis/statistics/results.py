"""Results per competitor: rates with intervals, and what forfeits do to them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from game_reasoning_arena.analysis.statistics.bradley_terry import Ratings, rate
from game_reasoning_arena.analysis.statistics.clusters import deals_of, distinct_games
from game_reasoning_arena.analysis.statistics.intervals import clustered_rate, small_sample
from game_reasoning_arena.analysis.statistics.measures import (
    Measure,
    mean_of,
    measure_of,
    values,
)
from game_reasoning_arena.analysis.statistics.rated_games import Games
from game_reasoning_arena.analysis.statistics.standings import (
    POLICIES,
    SCORES,
    Limits,
    Standings,
    decides,
    of_prompts,
)
from game_reasoning_arena.analysis.tables.estimates import UNKNOWN, Estimate
from game_reasoning_arena.analysis.tables.forms import Column, Table, Value
from game_reasoning_arena.process.text import first_few

_APART = ("error", "budget", "interrupted", "unfinished", "running")


def groups(table: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Yield (game, label, rows), games and labels in order of appearance."""
    for game, rows in table.groupby("game", sort=False):
        for competitor, part in rows.groupby("competitor", sort=False):
            yield str(game), str(competitor), part


def results_table(standings: Standings, policy: str) -> Table:
    """Return win, draw, loss per game and competitor, over every episode that began."""
    table = Table(
        "results",
        f"Results (forfeits: {policy})",
        [
            Column("competitor", "competitor", names_row=True),
            Column("game", "game", names_row=True),
            Column("began", "episodes", "count"),
            Column("win", "win % [95 %]", "percent"),
            Column("draw", "draw %", "percent"),
            Column("loss", "loss % [95 %]", "percent"),
            Column("void", "no result %", "percent", rare=True),
            Column("error", "outage %", "percent", rare=True),
            Column("open", "unfinished %", "percent", rare=True),
            Column("forfeits", "forfeits", "count"),
            Column("won_by_forfeit", "won by forfeit", "count", rare=True),
            Column("substituted", "with substitutes", "count", rare=True),
            Column("limit", "cut at limit", "count", rare=True),
            Column("score", "score % [95 %]", "percent"),
            Column("returns", "mean return [95 %]", "signed"),
            Column("played_out", "with a return", "count"),
            Column("distinct", "distinct games", "count"),
        ],
    )
    small: dict[tuple[str, str], list[str]] = {}
    for game, competitor, part in groups(standings.table):
        table.rows.append(_result_row(game, competitor, part, policy, standings.limits.get(game)))
        decided = int(part[policy].notna().sum())
        shared = int(part["players"].max()) > 1 and decides(part)
        if shared and (note := small_sample(decided)):
            small.setdefault((game, note), []).append(competitor)
    table.notes += [f"{', '.join(whos)}, {game}: {note}." for (game, note), whos in small.items()]
    if any(row["limit"] for row in table.rows):
        table.notes.append(
            "cut at limit: ended by max_moves; they count by the returns as they stood, which in "
            "most games is a draw."
        )
    if any(row["void"] for row in table.rows):
        table.notes.append(
            "no result: ended by somebody else's forfeit in a game of more than two, or dropped."
        )
    table.notes += _several_opponents(standings)
    table.notes += _unlike(standings)
    table.notes += _cost_of_forfeits(standings, policy)
    if any(row["played_out"] is not None for row in table.rows):
        table.notes.append(
            "Rates are of all episodes that began and add up to them, the score (win 1, draw 1/2) "
            "and the mean return are of those that count. Intervals take the deal as the unit: "
            "episodes of the same seed are not independent."
        )
    return table


def _cost_of_forfeits(standings: Standings, policy: str) -> Iterator[str]:
    """What a forfeit returns, in games of which the return is the measure."""
    if policy == "drop":
        return
    table = standings.table
    for game in table.loc[table["touched"], "game"].unique():
        limits = standings.limits.get(str(game))
        whole = table[table["game"] == game]
        if limits is None or np.isnan(limits.low) or measure_of(whole) is not Measure.RETURN:
            continue
        known = "can pay" if limits.recorded else "was seen to pay"
        yield (
            f"{game}: a forfeit returns {limits.low:g}, the least that the game {known}, its only "
            f"opponent {limits.high:g}."
        )


def _several_opponents(standings: Standings) -> Iterator[str]:
    """Whose row is of games against several opponents, with their numbers."""
    asked = {c.label for c in standings.competitors.values() if c.asked}
    two = standings.table[standings.table["players"] == 2]
    found = []
    for _, competitor, part in groups(two[two["competitor"].isin(asked)]):
        against = part["against"].value_counts(sort=False)
        if len(against) > 1:
            named = (f"{name} {count}" for name, count in against.items())
            found.append(f"{competitor} ({first_few(named, 4, last=', ')})")
    if found:
        yield f"one row of games against several opponents: {first_few(found, 3, between='; ')}."


def _unlike(standings: Standings) -> Iterator[str]:
    """Games in which models that never met had different opponents."""
    asked = {c.label: c.unsplit for c in standings.competitors.values() if c.asked}
    two = standings.table[standings.table["players"] == 2]
    for game, rows in two.groupby("game", sort=False):
        met = {
            str(competitor): set(part["against"])  # without runs: the same opponent in each
            for competitor, part in rows.groupby("competitor", sort=False)
            if competitor in asked
        }
        unlike = [
            f"{a} and {b}"
            for a, b in combinations(met, 2)
            if met[a] != met[b] and asked[b] not in met[a]
        ]
        if unlike:
            yield (
                f"{game}: {unlike[0]}"
                + (f" (one of {len(unlike)} such pairs)" if len(unlike) > 1 else "")
                + " met different opponents, so their rows do not compare with each other."
            )


def _result_row(
    game: str, competitor: str, part: pd.DataFrame, policy: str, limits: Limits | None
) -> dict[str, Value]:
    began = len(part)
    shared = bool((part["players"] > 1).any()) and decides(part)
    deals = deals_of(part)
    results = tally(part, policy)

    def share(key: str) -> Estimate:
        return clustered_rate(part[policy] == key, deals) if shared else UNKNOWN

    def of_all(key: str) -> float | None:
        return results[key] / began if began else None

    returned = values(part, policy, Measure.RETURN)
    forfeited = part["status"] == "forfeit"
    return {
        "competitor": competitor,
        "game": game,
        "began": began,
        "win": share("win"),
        "draw": of_all("draw") if shared else None,
        "loss": share("loss"),
        "void": of_all("void") if shared else None,
        "error": of_all("error"),
        "open": of_all("open"),
        "forfeits": int(part["cause"].notna().sum()) if shared else None,
        "won_by_forfeit": int((forfeited & (part[policy] == "win")).sum()) if shared else None,
        "substituted": int(part["substituted"].sum()),
        "limit": int(part["move_limit"].sum()),
        "score": score_of(part, policy, deals) if shared else UNKNOWN,
        "returns": UNKNOWN
        if of_prompts(part["game"]).all()
        else mean_of(returned, deals, Measure.RETURN, limits),
        "played_out": int((~np.isnan(returned)).sum()) if decides(part) else None,
        "distinct": distinct_games(part) if part["copy"].any() else None,
    }


def tally(part: pd.DataFrame, policy: str) -> dict[str, int]:
    """Return how many of some episodes ended how; the counts add up to them.

    Keys: win, draw, loss; void (came to an end without a result for this player: somebody else's
    forfeit among more than two, a dropped episode, a game without winners), error (an outage), open
    (a spent budget, an interruption, unfinished).
    """
    decided = part[policy].value_counts()
    undecided = part.loc[part[policy].isna(), "status"]
    errors = int((undecided == "error").sum())
    left = int(undecided.isin(_APART).sum()) - errors
    counts = {key: int(decided.get(key, 0)) for key in SCORES}
    return counts | {"void": len(undecided) - errors - left, "error": errors, "open": left}


def score_of(part: pd.DataFrame, policy: str, deals: NDArray[np.int64] | None = None) -> Estimate:
    """Return the mean score of decided episodes in [0, 1], the deal being the interval's unit."""
    scores = values(part, policy, Measure.SCORE)
    return mean_of(scores, deals_of(part) if deals is None else deals, Measure.SCORE)


def copies(standings: Standings) -> Iterator[str]:
    """Yield a sentence per game in which identical games were played by players that never draw."""
    table = standings.table[standings.table["seat"] == 0]
    for game, part in table.groupby("game", sort=False):
        steady = part[part["copy"] != 0]
        different = distinct_games(steady)
        if different < len(steady):
            names = list(dict.fromkeys([*steady["competitor"], *steady["rival"].dropna()]))
            yield (
                f"{game}: {len(steady)} games of {first_few(names, 4)} are only {different} "
                "different ones: nothing in them is random (no chance, temperature 0), so more of "
                "them are copies. A copy is no evidence and is not counted as any; play others, or "
                "at a higher temperature."
            )


def policies_table(standings: Standings) -> Table:
    """Return the score, or the return where it is the measure, by each way to count forfeits."""
    kinds = {"loss": "as loss", "drop": "dropped", "as-played": "as played"}
    table = Table(
        "policies",
        "Score % by how forfeits and substituted moves count",
        [
            Column("competitor", "competitor", names_row=True),
            Column("game", "game", names_row=True),
            Column("touched", "episodes touched", "count"),
            *(Column(key, f"{text} [95 %]", "percent") for key, text in kinds.items()),
            *(
                Column(f"return_{key}", f"return {text} [95 %]", "signed")
                for key, text in kinds.items()
            ),
        ],
    )
    touched = standings.table["touched"]
    if not touched.any():
        if decides(standings.table):
            table.notes.append("No forfeit and no substituted move: all ways to count agree.")
        return table
    several = standings.table[standings.table["players"] > 1]
    measures = {game: measure_of(part) for game, part in several.groupby("game", sort=False)}
    for game, competitor, part in groups(several):
        deals = deals_of(part)
        row: dict[str, Value] = {
            "competitor": competitor,
            "game": game,
            "touched": int(touched[part.index].sum()),
        }
        row.update({policy: score_of(part, policy, deals) for policy in POLICIES})
        if measures.get(game) is Measure.RETURN:
            for policy in POLICIES:
                returned = values(part, policy, Measure.RETURN)
                row[f"return_{policy}"] = mean_of(
                    returned, deals, Measure.RETURN, standings.limits.get(game)
                )
        table.rows.append(row)
    return table


def fits(standings: Standings, policy: str) -> dict[str, list[Ratings]]:
    """Return ratings per game of two; settings that met themselves add nothing about others."""
    found = {}
    twins = {c.label for c in standings.competitors.values() if c.twin_of is not None}
    two = standings.table[(standings.table["players"] == 2) & (standings.table["seat"] == 0)]
    for game, every in two[two[policy].notna() & two["rival"].notna()].groupby("game", sort=False):
        others = every[~every["competitor"].isin(twins)]
        part = others if len(others) else every
        games = Games(
            part["competitor"].to_numpy(),
            part["rival"].to_numpy(),
            values(part, policy, Measure.SCORE),
            deals_of(part),
        )
        if fitted := rate(games):
            found[str(game)] = fitted
    return found


def ratings_table(rated: dict[str, list[Ratings]]) -> Table:
    """Return ratings over all pairings of each game."""
    table = Table(
        "ratings",
        "Ratings (Bradley-Terry with ties and seat effect; points, 400 are odds of 10 to 1)",
        [
            Column("competitor", "competitor", names_row=True),
            Column("game", "game", names_row=True),
            Column("group", "group", "count"),
            Column("rating", "rating [95 %]", "rating"),
            Column("games", "games", "count"),
            Column("deals", "deals", "count"),
        ],
    )
    for game, groups_ in rated.items():
        for number, fit in enumerate(groups_, 1):
            for place, (competitor, rating) in enumerate(fit.ratings.items()):
                row: dict[str, Value] = {
                    "competitor": competitor,
                    "game": game,
                    "group": number if len(groups_) > 1 else None,
                    "rating": rating,
                    "games": fit.played[competitor],
                    "deals": None if fit.deals is None else int(fit.deals[place]),
                }
                table.rows.append(row)
            shown = Column("seat", "", "rating").show(fit.seat)
            if fit.seat.known:
                table.notes.append(f"{game}: the first seat is worth {shown} points.")
            else:
                table.notes.append(
                    f"{game}: nobody changed seats, so a rating holds the worth of its player's "
                    "seat."
                )
            if fit.regularised:
                table.notes.append(
                    f"{game}: somebody, or a seat, won or lost everything, so a weak prior keeps "
                    "the ratings finite; take their size as a lower bound."
                )
        if len(groups_) > 1:
            table.notes.append(
                f"{game}: players of different groups never met, not even through others, so "
                "ratings compare only within a group."
            )
    return table
