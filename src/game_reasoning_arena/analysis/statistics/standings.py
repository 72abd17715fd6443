"""One row per episode and seat: who sat there, against whom, and what became of it.

Policies for episodes in which a player ran out of legal answers (it forfeited, or the run put a
random move in its place):

- ``loss``: that player lost, and its only opponent won, whatever came after; the default. It
  returns the least that the game can pay and its only opponent the most, as a player who leaves the
  table could be made to pay. Two who failed in the same turn, where players move at the same time,
  both lost, and neither to the other.
- ``drop``: the episode counts for nobody.
- ``as-played``: the record as it stands: substituted moves are taken as the player's own, a forfeit
  is a loss as the run's rules say, with returns as under ``loss``.

In a game of more than two the others have no result where somebody forfeits. An outage, a spent
budget and an unfinished episode are never a loss. They stay among the episodes that began, and are
shown apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from game_reasoning_arena.analysis.statistics import told_apart
from game_reasoning_arena.analysis.statistics.competitors import (
    Competitor,
    PlayerKey,
    competitors,
    run_names,
)
from game_reasoning_arena.analysis.statistics.episode_rows import (
    POLICIES,
    finished_rows,
    returns_under,
    unfinished_rows,
)
from game_reasoning_arena.recording.frames import LoadedRuns

__all__ = [
    "POLICIES",
    "PROMPTS",
    "SCORES",
    "Limits",
    "Standings",
    "decides",
    "returns_under",
    "standings",
]

SCORES: Final = {"win": 1.0, "draw": 0.5, "loss": 0.0}

#: The game of runs of prompts.
PROMPTS: Final = "prompts"


@dataclass(slots=True)
class Standings:
    """The table, and what its labels stand for.

    ``table`` has a row per episode and seat: run, episode, seed, deal (what is the same luck: the
    seed, or the prompt), copy (a number that episodes share which nothing random could have made
    different, 0 for others), game, seat, player, competitor (its label), against (the others'
    labels by seat, joined by " | "), rival (the only opponent's label; None if there are several,
    or if both failed in the same turn), players, status, cause (why this seat forfeited, or None),
    substituted, move_limit, returns (as recorded), and two columns per policy: its name, for win,
    draw, loss or None, and :func:`returns_under` it, for the return with what a failure costs.

    ``limits`` are the least and greatest return of each game, and whether the runs recorded them
    rather than showed them.
    """

    table: pd.DataFrame
    competitors: dict[PlayerKey, Competitor]
    notes: list[str] = field(default_factory=list)
    limits: dict[str, Limits] = field(default_factory=dict)

    def label(self, run: int, player: str) -> str:
        """Return the label of a player of a run."""
        return self.competitors[run, player].label


@dataclass(frozen=True, slots=True)
class Limits:
    """The least and the greatest return of a game; ``recorded`` False where they are those seen."""

    low: float
    high: float
    recorded: bool


def standings(loaded: LoadedRuns) -> Standings:
    """Gather every episode of every run.

    Reads ``loaded.responses``, to know of episodes that began without finishing.
    """
    known = competitors(loaded)
    parts = [finished_rows(loaded, known), unfinished_rows(loaded, known)]
    table = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    notes: list[str] = []
    for asked in (True, False):  # those who are asked first: their names tell the others' deals
        if found := told_apart.doubles(table, known, asked):
            told_apart.split(known, table, told_apart.tails(table, found, run_names(loaded)))
            if asked:
                named = ", ".join(sorted({label for label, _ in found}))
                notes.append(
                    "Players with the same settings played the same deals in several runs, so "
                    f"these are told apart by run: {named}."
                )
    notes += _other_names(known)
    limits = _limits(loaded, table)
    _count_failures(table, limits)
    table["copy"] = _copies(table, known)
    return Standings(table, known, notes, limits)


def _other_names(competitors: Mapping[PlayerKey, Competitor]) -> Iterator[str]:
    """Competitors that runs gave several names."""
    names: dict[str, dict[str, None]] = {}
    for competitor in competitors.values():
        if competitor.given is not None:
            names.setdefault(competitor.label, {})[competitor.given] = None
    for label, every in names.items():
        if len(every) > 1:
            yield (
                f"{label}: its display_name is {' and '.join(every)}, and its settings are the "
                "same under each, so it is one competitor."
            )


def of_prompts(games: pd.Series[Any]) -> pd.Series[bool]:
    """Return which of some games are none, but files of prompts."""
    asked = {game for game in games.unique() if str(game).partition("(")[0] == PROMPTS}
    return games.isin(asked)


def decides(rows: pd.DataFrame) -> bool:
    """Return whether these episodes can be won or lost; answers to prompts cannot."""
    if len(rows) and bool(of_prompts(rows["game"]).all()):
        return False
    completed = rows[rows["status"] == "completed"]
    return completed.empty or bool(completed["returns"].notna().any())


def _limits(loaded: LoadedRuns, table: pd.DataFrame) -> dict[str, Limits]:
    """The least and greatest return of each game: recorded by its runs, else those seen."""
    seen = table.groupby("game", sort=False)["returns"].agg(["min", "max"])
    found = {
        str(game): Limits(float(low), float(high), False)
        for game, low, high in zip(seen.index, seen["min"], seen["max"], strict=True)
    }
    for game, part in table.groupby("game", sort=False):
        for run in part["run"].unique():
            utility = loaded.readers[run].run.utility
            if isinstance(utility, list | tuple) and len(utility) == 2 and None not in utility:
                found[str(game)] = Limits(float(utility[0]), float(utility[1]), True)
                break
    asked = [game for game in found if game.partition("(")[0] == PROMPTS]
    return found | {game: Limits(0.0, 1.0, True) for game in asked}


def _count_failures(table: pd.DataFrame, limits: Mapping[str, Limits]) -> None:
    """Put in a column of returns per policy."""
    low = table["game"].map({game: limit.low for game, limit in limits.items()}).astype(float)
    high = table["game"].map({game: limit.high for game, limit in limits.items()}).astype(float)
    touched = table["touched"].to_numpy(dtype=bool)
    failed = table["failed"].to_numpy(dtype=bool)
    recorded = table["returns"].to_numpy(dtype=np.float64)
    others = np.where((table["players"] == 2).to_numpy(), high.to_numpy(), np.nan)
    paid = np.where(failed, low.to_numpy(), others)
    blamed = np.where(touched, paid, recorded)
    table[returns_under("loss")] = blamed
    table[returns_under("drop")] = np.where(touched, np.nan, recorded)
    ended = (table["status"] == "forfeit").to_numpy()
    table[returns_under("as-played")] = np.where(ended, blamed, recorded)


def _copies(table: pd.DataFrame, competitors: Mapping[PlayerKey, Competitor]) -> NDArray[np.int64]:
    """Numbers that equal episodes share where nothing random could have made them differ.

    ``copy`` holds the number of the list of moves, 0 where chance moved or the moves are not known.
    """
    lines = table["copy"].to_numpy(dtype=np.int64)
    draws = {c.label: c.draws for c in competitors.values()}
    drawn = table["competitor"].map(draws).fillna(True).to_numpy(dtype=bool)
    if not (lines != 0).any() or drawn.all():
        return np.zeros(len(table), dtype=np.int64)
    order = [table["run"], table["episode"]]
    steady = ~pd.Series(drawn).groupby(order).transform("any").to_numpy(dtype=bool)
    steady &= (lines != 0) & table["status"].isin(("completed", "forfeit")).to_numpy()
    found = np.zeros(len(table), dtype=np.int64)
    if steady.any():
        some = table[steady]
        keys = [some[name] for name in ("game", "competitor", "against", "seat", "copy", "returns")]
        found[steady] = (
            pd.Series(0, index=some.index).groupby(keys, sort=False, dropna=False).ngroup() + 1
        )
    return found
