"""Results per competitor: rates with intervals, and what forfeits do to them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import pandas as pd

from game_reasoning_arena.analysis.statistics.bradley_terry import Game, Ratings, rate
from game_reasoning_arena.analysis.statistics.intervals import (
    clustered_mean,
    clustered_rate,
    small_sample,
)
from game_reasoning_arena.analysis.statistics.standings import POLICIES, SCORES, Standings, decides
from game_reasoning_arena.analysis.tables.estimates import UNKNOWN, Estimate
from game_reasoning_arena.analysis.tables.forms import Column, Table, Value

_APART = ("error", "budget", "interrupted", "unfinished", "running")


def groups(table: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """(game, label, rows), games and labels in order of appearance."""
    for game, rows in table.groupby("game", sort=False):
        for who, part in rows.groupby("who", sort=False):
            yield str(game), str(who), part


def results_table(standings: Standings, policy: str) -> Table:
    """Win, draw, loss per game and competitor, over every episode that began."""
    table = Table(
        "results",
        f"Results (forfeits: {policy})",
        [
            Column("who", "competitor", names_row=True),
            Column("game", "game", names_row=True),
            Column("began", "episodes", "count"),
            Column("win", "win % [95 %]", "percent"),
            Column("draw", "draw %", "percent"),
            Column("loss", "loss % [95 %]", "percent"),
            Column("error", "outage %", "percent", rare=True),
            Column("open", "unfinished %", "percent", rare=True),
            Column("forfeits", "forfeits", "count"),
            Column("won_by_forfeit", "won by forfeit", "count", rare=True),
            Column("substituted", "with substitutes", "count", rare=True),
            Column("limit", "cut at limit", "count", rare=True),
            Column("score", "score % [95 %]", "percent"),
            Column("returns", "mean return [95 %]", "signed"),
            Column("played_out", "with a return", "count"),
        ],
    )
    small: dict[tuple[str, str], list[str]] = {}
    for game, who, part in groups(standings.table):
        table.rows.append(_result_row(game, who, part, policy))
        decided = int(part[policy].notna().sum())
        shared = int(part["players"].max()) > 1 and decides(part)
        if shared and (note := small_sample(decided)):
            small.setdefault((game, note), []).append(who)
    table.notes += [f"{', '.join(whos)}, {game}: {note}." for (game, note), whos in small.items()]
    if any(row["limit"] for row in table.rows):
        table.notes.append(
            "cut at limit: ended by max_moves; they count by the returns as they stood, which in "
            "most games is a draw."
        )
    table.notes += _several_opponents(standings)
    table.notes += _unlike(standings)
    if any(row["played_out"] is not None for row in table.rows):
        table.notes.append(
            "Rates are of all episodes that began, the score (win 1, draw 1/2) of decided ones, "
            "the mean return of those with a return (a forfeit has none). Intervals count whole "
            "seeds: episodes of the same deal are not independent."
        )
    return table


def _several_opponents(standings: Standings) -> Iterator[str]:
    """Whose row is of games against several opponents, with their numbers."""
    asked = {c.label for c in standings.who.values() if c.asked}
    two = standings.table[standings.table["players"] == 2]
    found = []
    for _, who, part in groups(two[two["who"].isin(asked)]):
        against = part["against"].value_counts(sort=False)
        if len(against) > 1:
            named = [f"{name} {count}" for name, count in against.items()]
            more = f", {len(named) - 4} more" if len(named) > 4 else ""
            found.append(f"{who} ({', '.join(named[:4])}{more})")
    if found:
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        yield f"one row of games against several opponents: {'; '.join(found[:3])}{more}."


def _unlike(standings: Standings) -> Iterator[str]:
    """Games in which models that never met had different opponents."""
    asked = {c.label: c.unsplit for c in standings.who.values() if c.asked}
    two = standings.table[standings.table["players"] == 2]
    for game, rows in two.groupby("game", sort=False):
        met = {
            str(who): set(part["against"])  # without runs: the same opponent in each
            for who, part in rows.groupby("who", sort=False)
            if who in asked
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


def _result_row(game: str, who: str, part: pd.DataFrame, policy: str) -> dict[str, Value]:
    if policy == "drop":  # dropped episodes leave the denominator too
        part = part[part[policy].notna() | ~part["loss"].notna()]
    began = len(part)
    shared = bool((part["players"] > 1).any()) and decides(part)
    results = part[policy].value_counts()

    def share(key: str) -> Estimate:
        return clustered_rate(part[policy] == key, list(part["seed"])) if shared else UNKNOWN

    played = part[part["returns"].notna() & (~part["substituted"] | (policy == "as-played"))]
    errors = int((part["status"] == "error").sum())
    left = int(part["status"].isin(_APART).sum()) - errors
    forfeited = part["status"] == "forfeit"
    return {
        "who": who,
        "game": game,
        "began": began,
        "win": share("win"),
        "draw": results.get("draw", 0) / began if shared and began else None,
        "loss": share("loss"),
        "error": errors / began if began else None,
        "open": left / began if began else None,
        "forfeits": int(part["cause"].notna().sum()) if shared else None,
        "won_by_forfeit": int((forfeited & (part[policy] == "win")).sum()) if shared else None,
        "substituted": int(part["substituted"].sum()),
        "limit": int(part["move_limit"].sum()),
        "score": score_of(part, policy) if shared else UNKNOWN,
        "returns": clustered_mean(played["returns"], list(played["seed"])),
        "played_out": len(played) if decides(part) else None,
    }


def score_of(part: pd.DataFrame, policy: str) -> Estimate:
    """Mean score of decided episodes in [0, 1], with an interval clustered by seed."""
    decided = part[part[policy].notna()]
    scores = decided[policy].map(SCORES).astype(float)
    return clustered_mean(scores, list(decided["seed"]), limits=(0.0, 1.0))


def policies_table(standings: Standings) -> Table:
    """The score under each way to count forfeits, side by side."""
    table = Table(
        "policies",
        "Score % by how forfeits and substituted moves count",
        [
            Column("who", "competitor", names_row=True),
            Column("game", "game", names_row=True),
            Column("touched", "episodes touched", "count"),
            Column("loss", "as loss [95 %]", "percent"),
            Column("drop", "dropped [95 %]", "percent"),
            Column("as-played", "as played [95 %]", "percent"),
        ],
    )
    touched = standings.table["loss"].notna() & standings.table["drop"].isna()
    if not touched.any():
        if decides(standings.table):
            table.notes.append("No forfeit and no substituted move: all ways to count agree.")
        return table
    for game, who, part in groups(standings.table[standings.table["players"] > 1]):
        row: dict[str, Value] = {
            "who": who,
            "game": game,
            "touched": int(touched[part.index].sum()),
        }
        row.update({policy: score_of(part, policy) for policy in POLICIES})
        table.rows.append(row)
    return table


def fits(standings: Standings, policy: str) -> dict[str, list[Ratings]]:
    """Ratings per game with two players; settings that met themselves tell nothing of others."""
    found = {}
    twins = {c.label for c in standings.who.values() if c.twin_of is not None}
    two = standings.table[(standings.table["players"] == 2) & (standings.table["seat"] == 0)]
    for game, part in two[two[policy].notna() & two["rival"].notna()].groupby("game", sort=False):
        games = [
            Game(who, rival, SCORES[result])
            for who, rival, result in zip(part["who"], part["rival"], part[policy], strict=True)
        ]
        fitted = rate([game for game in games if game.first not in twins] or games)
        if fitted:
            found[str(game)] = fitted
    return found


def ratings_table(rated: dict[str, list[Ratings]]) -> Table:
    """Ratings over all pairings of each game."""
    table = Table(
        "ratings",
        "Ratings (Bradley-Terry with ties and seat effect; points, 400 are odds of 10 to 1)",
        [
            Column("who", "competitor", names_row=True),
            Column("game", "game", names_row=True),
            Column("group", "group", "count"),
            Column("rating", "rating [95 %]", "rating"),
            Column("games", "games", "count"),
        ],
    )
    for game, groups_ in rated.items():
        for number, fit in enumerate(groups_, 1):
            for who, rating in fit.ratings.items():
                group = number if len(groups_) > 1 else None
                played = fit.played[who]
                table.rows.append(
                    {"who": who, "game": game, "group": group, "rating": rating, "games": played}
                )
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
