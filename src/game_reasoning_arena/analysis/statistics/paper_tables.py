"""The tables that a paper prints: the answer, every difference with its test, and the failures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from game_reasoning_arena.analysis.statistics.leaderboard import SHOWN, Board, Leaderboard, Place
from game_reasoning_arena.analysis.statistics.measures import Measure
from game_reasoning_arena.analysis.statistics.pairs import Pair
from game_reasoning_arena.analysis.tables.forms import Column, Table, Value


def paper_tables(
    found: Leaderboard, pairs: Sequence[Pair], overall: Table, failures: Table
) -> list[Table]:
    """Return the tables, each as narrow as it can be.

    Args:
        found: the leaderboards.
        pairs: those that were asked about.
        overall: the table over all games; without rows where there is one game.
        failures: what failed answers were.
    """
    ranks = {place.competitor: number for number, place in enumerate(_everybody(found))}
    failures.rows.sort(key=lambda row: ranks.get(str(row["competitor"]), len(ranks)))
    return [_leaderboard(found), overall, _pairs(pairs, ranks), failures]


def _everybody(found: Leaderboard) -> list[Place]:
    """All competitors, the first of the first game first."""
    return [place for board in found.boards for place in (*board.places, *board.baselines)]


def _leaderboard(found: Leaderboard) -> Table:
    one = len(found.boards) == 1
    title = f"Leaderboard: {found.boards[0].game}" if one else "Leaderboard"
    heading = _one_heading([board.measure for board in found.boards])
    table = Table(
        "leaderboard",
        title,
        [
            *([] if one else [Column("game", "game", names_row=True)]),
            Column("rank", "#", "count", names_row=True),
            Column("competitor", "competitor", names_row=True),
            Column("episodes", "episodes", "count"),
            Column("value", f"{heading or 'result'} [95 %]", "percent"),
            Column("letters", "group"),
        ],
        group_by=None if one else "game",
    )
    for board in found.boards:
        places = [*board.places, *board.baselines]
        table.rows += [
            _place(board, place, number, named=heading is None)
            for number, place in enumerate(places, 1)
        ]
    if any(row["letters"] for row in table.rows):
        table.notes.append(
            "Group: competitors that share a letter are not told apart (p 0.05 or more after "
            "Holm's correction)."
        )
    if any(board.baselines for board in found.boards):
        table.notes.append("Players without a rank are baselines, or settings in self-play.")
    table.notes.append("Intervals take the deal as the unit.")
    return table


def _one_heading(measures: Sequence[Measure]) -> str | None:
    """The heading of all games' measure; None where they have several."""
    return SHOWN[measures[0]][0] if len(set(measures)) == 1 else None


def _place(board: Board, place: Place, number: int, *, named: bool) -> dict[str, Value]:
    heading, kind, _ = SHOWN[board.measure]
    return {
        "game": f"{board.game} ({heading})" if named else board.game,
        "rank": "" if place.baseline else number,
        "competitor": place.competitor,
        "episodes": place.episodes,
        "value": Column("value", heading, kind).show(place.value),
        "letters": place.letters,
    }


def _pairs(pairs: Sequence[Pair], ranks: Mapping[str, int]) -> Table:
    tested = [pair for pair in pairs if pair.p is not None]
    games = list(dict.fromkeys(pair.game for pair in tested))
    heading = _one_heading([pair.measure for pair in tested])
    table = Table(
        "pairs",
        f"Differences: {games[0]}" if len(games) == 1 else "Differences",
        [
            *([] if len(games) == 1 else [Column("game", "game", names_row=True)]),
            Column("a", "A", names_row=True),
            Column("b", "B", names_row=True),
            Column("deals", "deals", "count"),
            Column("gap", f"{heading or 'result'}, A - B [95 %]", "points"),
            Column("p", "p (Holm)", "p"),
            Column("resolved", "", "count"),
        ],
        group_by=None if len(games) == 1 else "game",
    )
    last = len(ranks)
    tested.sort(
        key=lambda p: (
            games.index(p.game),
            *sorted((ranks.get(p.a, last), ranks.get(p.b, last))),
        )
    )
    for pair in tested:
        turned = ranks.get(pair.a, last) > ranks.get(pair.b, last)
        name, _, kind = SHOWN[pair.measure]
        gap = pair.difference.negated() if turned else pair.difference
        table.rows.append(
            {
                "game": pair.game if heading else f"{pair.game} ({name})",
                "a": pair.b if turned else pair.a,
                "b": pair.a if turned else pair.b,
                "deals": pair.tested,
                "gap": Column("gap", "", kind).show(gap),
                "p": pair.adjusted if pair.adjusted is not None else pair.p,
                "resolved": "*" if pair.resolved else "",
            }
        )
    table.notes.append(
        "Exact sign-flip test of whole deals; p after Holm's correction over all pairs. "
        "*: the difference stands (p below 0.05). Differences of rates are in points."
    )
    if untested := len(pairs) - len(tested):
        table.notes.append(f"{untested} pairs share nothing by which they could be tested.")
    return table
