"""The leaderboards as tables, and as the head of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from game_reasoning_arena.analysis.statistics.leaderboard import SHOWN, Board, Leaderboard, Place
from game_reasoning_arena.analysis.statistics.measures import Measure
from game_reasoning_arena.analysis.tables.forms import Column, Table, Value
from game_reasoning_arena.analysis.tables.head import Section


def boards_table(found: Leaderboard) -> Table:
    """Return the leaderboards of all games as one table."""
    measures = {board.measure for board in found.boards}
    columns = [
        Column("game", "game", names_row=True),
        Column("rank", "#", "count"),
        Column("competitor", "competitor", names_row=True),
        Column("episodes", "episodes", "count"),
        *(
            Column(measure.value, f"{SHOWN[measure][0]} [95 %]", SHOWN[measure][1])
            for measure in Measure
            if measure in measures
        ),
        Column("letters", "group"),
        Column("label", "settings"),
    ]
    table = Table("leaderboard", "Leaderboard", columns)
    for board in found.boards:
        for rank, place in enumerate(board.places, 1):
            table.rows.append(_row(board, place, rank))
        table.rows += [_row(board, place, None) for place in board.baselines]
    if any(row["letters"] for row in table.rows):
        table.notes.append(
            "group: competitors that share a letter are not told apart (p (Holm) 0.05 or more)."
        )
    return table


def _row(board: Board, place: Place, rank: int | None) -> dict[str, Value]:
    return {
        "game": board.game,
        "rank": rank,
        "competitor": place.competitor,
        "episodes": place.episodes,
        board.measure.value: place.value,
        "letters": place.letters or None,
        "label": place.full if place.full != place.competitor else None,
    }


def overall_table(found: Leaderboard) -> Table:
    """Return the overall row of everybody who played all games."""
    table = Table(
        "overall",
        "Over all games",
        [
            Column("rank", "#", "count"),
            Column("competitor", "competitor", names_row=True),
            Column("episodes", "episodes", "count"),
            Column("score", "mean score % [95 %]", "percent"),
            Column("games", "games", "count"),
        ],
    )
    games = len(found.boards)
    rank = 0
    for place in found.overall:
        rank += not place.baseline
        table.rows.append(
            {
                "rank": None if place.baseline else rank,
                "competitor": place.competitor,
                "episodes": place.episodes,
                "score": place.value,
                "games": games,
            }
        )
    if table.rows:
        table.notes.append(
            "The mean of the scores (win 1, draw 1/2; accuracy for prompts) at each game, every "
            "game weighing the same; only of those who played all games."
        )
    return table


def sections(found: Leaderboard) -> list[Section]:
    """Return the head of a comparison: a section per game, and one over all games."""
    made = []
    for board in found.boards:
        heading, kind, _ = SHOWN[board.measure]
        headings = ["#", "competitor", "episodes", f"{heading} [95 %]", "group"]
        every = [*board.places, *board.baselines]
        made.append(_section(board.sentence, headings, every, kind))
    made += [Section(sentence, (), ()) for sentence in found.unranked]
    if found.overall:
        models = [place for place in found.overall if not place.baseline]
        headings = ["#", "competitor", "episodes", "mean score % [95 %]"]
        sentence = _overall_sentence(found, models)
        made.append(
            replace(
                _section(sentence, headings, found.overall, "percent"), whole=True, table="overall"
            )
        )
    return made


def _section(sentence: str, headings: Sequence[str], places: Sequence[Place], kind: str) -> Section:
    column = Column("value", "", kind)

    def row(place: Place, rank: str, name: str) -> list[str]:
        cells = [rank, name, f"{place.episodes:,}", column.show(place.value), place.letters]
        return cells[: len(headings)]

    models = [place for place in places if not place.baseline]
    return Section(
        sentence,
        headings,
        [row(place, str(rank), place.competitor) for rank, place in enumerate(models, 1)],
        [
            row(place, "", f"{place.competitor} ({_apart(place)})")
            for place in places
            if place.baseline
        ],
    )


def _apart(place: Place) -> str:
    """Why a place has no rank."""
    return "self-play" if place.self_play else "baseline"


def _overall_sentence(found: Leaderboard, models: Sequence[Place]) -> str:
    games = len(found.boards)
    if not models:
        return f"Over all {games} games: no model played all of them."
    text = (
        f"Over all {games} games, each weighing the same: "
        f"{models[0].competitor} has the highest mean score."
    )
    if found.left_out:
        names = ", ".join(found.left_out[:3]) + (" ..." if len(found.left_out) > 3 else "")
        text += f" Not in it, since they lack a game: {names}."
    return text
