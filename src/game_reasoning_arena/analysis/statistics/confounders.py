"""What stands between competitors besides who played, in a sentence."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from itertools import combinations

from game_reasoning_arena.analysis.statistics.competitors import Competitor
from game_reasoning_arena.analysis.statistics.differences import (
    PLAYER_SETTINGS,
    entangled,
    shown_value,
)
from game_reasoning_arena.analysis.statistics.standings import Standings
from game_reasoning_arena.analysis.tables.forms import Table
from game_reasoning_arena.process.text import first_few
from game_reasoning_arena.recording.frames import LoadedRuns


def pooled(table: Table, standings: Standings) -> Iterator[str]:
    """Yield competitors whose episodes come from runs between which a confounder differs."""
    found: dict[str, list[str]] = defaultdict(list)
    suspects = [row for row in table.rows if row["confounds"]]
    for (game, competitor), part in standings.table.groupby(["game", "competitor"], sort=False):
        runs = part["run"].unique()
        unlike = [
            str(row["what"])
            for row in suspects  # None is not known, and no value of its own
            if len({row[f"run{run}"] for run in runs} - {None}) > 1
        ]
        if unlike:
            found[first_few(unlike, 3)].append(f"{competitor}, {game}")
    for unlike_, whos in found.items():
        yield f"{'; '.join(whos)}: one row of runs between which these differ: {unlike_}."


def confounded_line(
    table: Table, loaded: LoadedRuns, standings: Standings, met: Set[tuple[str, str, str]]
) -> str | None:
    """Return the loud line, or None when nothing recorded stands between the competitors.

    Args:
        table: of differences.
        loaded: the runs.
        standings: of the same runs.
        met: (game, A, B) of pairs that are compared by games against each other, in which what
            differs between runs was the same for both.
    """
    own = entangled(standings)
    found = []
    for key in own:
        values = {c.label: shown_value(c.settings.get(key)) for c in _compared(standings)}
        found.append(f"{key} of the players ({_by_value(values)})")
    if len(loaded.readers) > 1:
        for row in table.rows:
            setting = str(row["what"]).removeprefix("config ")
            if not row["confounds"] or (
                setting.startswith(PLAYER_SETTINGS) and setting.rpartition(".")[2] in own
            ):
                continue
            cells = [shown_value(row[f"run{run}"]) for run in range(len(loaded.readers))]
            if values := _apart(cells, standings, met):
                found.append(f"{row['what']} ({_by_value(values)})")
    if not found:
        return None
    between = " between the runs" if len(loaded.readers) > 1 else ""
    return (
        f"CONFOUNDED: besides who played, these differ{between}: {first_few(found, 6)}. "
        "A difference between competitors with different values may come from that."
    )


def _compared(standings: Standings) -> list[Competitor]:
    """Models; where there are none, everybody."""
    every = list(standings.competitors.values())
    return [c for c in every if c.asked] or every


def _apart(
    cells: Sequence[str], standings: Standings, met: Set[tuple[str, str, str]]
) -> dict[str, str]:
    """Values of those whose runs of a game have others than another's, with which they are
    compared over several runs."""
    labels = {c.label for c in _compared(standings)}
    found: dict[str, str] = {}
    for game, part in standings.table.groupby("game", sort=False):
        values = {
            str(competitor): tuple(sorted({cells[run] for run in mine["run"].unique()}))
            for competitor, mine in part.groupby("competitor", sort=False)
            if competitor in labels
        }
        for a, b in combinations(values, 2):
            if values[a] != values[b] and not {(game, a, b), (game, b, a)} & met:
                found |= {competitor: " and ".join(values[competitor]) for competitor in (a, b)}
    return found


def _by_value(values: Mapping[str, str]) -> str:
    """``100: alpha; 250: beta, gamma``, from the value of each."""
    having: dict[str, list[str]] = defaultdict(list)
    for competitor, value in values.items():
        having[value].append(competitor)
    parts = (f"{value}: {first_few(some, 4, last=', ')}" for value, some in having.items())
    return first_few(parts, 6, between="; ", last="; ")
