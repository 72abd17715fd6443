"""What `arena assess` wrote beside some runs, by competitor, with the deal of every row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from game_reasoning_arena.analysis.statistics.competitors import run_names
from game_reasoning_arena.analysis.statistics.standings import Standings
from game_reasoning_arena.process.text import first_few
from game_reasoning_arena.recording.frames import LoadedRuns
from game_reasoning_arena.recording.reader import RunReader
from game_reasoning_arena.records import FINAL

_KEY = ["run", "episode", "seat"]


@dataclass(slots=True)
class Judged:
    """Decisions and results without luck of all assessed runs.

    ``seats`` has the rows of the standings' table that were assessed, with evaluator (its name and
    settings), gained (the return that the assessment counts), adjusted (the same without luck),
    method, and of the seat's own decisions decided (how many), regret and response (their means;
    NaN without any or where it is not known). ``decisions`` has a row per decision with game,
    competitor, deal, copy and evaluator.
    """

    seats: pd.DataFrame
    decisions: pd.DataFrame
    notes: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return len(self.seats) > 0


def judged_of(loaded: LoadedRuns, standings: Standings) -> Judged:
    """Return what is known of the decisions of some runs; empty where none was assessed."""
    assessed = {
        run: reader.assessment
        for run, reader in enumerate(loaded.readers)
        if reader.assessment is not None
    }
    if not assessed:
        return Judged(pd.DataFrame(), pd.DataFrame())
    names = {run: evaluator_name(assessment) for run, assessment in assessed.items()}
    seats = standings.table.merge(
        loaded.luck[[*_KEY, "returns", "adjusted_return", "method"]].rename(
            columns={"returns": "gained", "adjusted_return": "adjusted"}
        ),
        on=_KEY,
    )
    seats["evaluator"] = seats["run"].map(names)
    decisions = loaded.decisions.merge(
        seats[[*_KEY, "game", "competitor", "deal", "copy", "evaluator"]].rename(
            columns={"evaluator": "judged_by"}
        ),
        on=_KEY,
    )
    decisions["evaluator"] = decisions.pop("judged_by")
    own = decisions[decisions["regret"].notna()]
    means = own.groupby(_KEY, sort=False).agg(
        decided=("regret", "size"), regret=("regret", "mean"), response=("response_regret", "mean")
    )
    seats = seats.merge(means.reset_index(), on=_KEY, how="left")
    return Judged(seats, own, list(_notes(loaded, assessed)))


def evaluator_name(assessment: dict[str, Any]) -> str:
    """Return an evaluator's name with the settings that its judgements depend on."""
    settings = assessment.get("settings")
    by = str(assessment.get("by"))
    if not isinstance(settings, dict) or by == "solver":
        return by
    shown = [f"{value} {name}" for name, value in settings.items() if name not in _UNSAID]
    return f"{by} ({', '.join(shown)})" if shown else by


#: Settings that say where an evaluator is, or what its chance begins with.
_UNSAID = ("engine", "seed")


def parts(table: pd.DataFrame, *keys: str) -> Iterator[tuple[tuple[Any, ...], pd.DataFrame]]:
    """Yield the rows that have the same keys, in order of appearance."""
    if len(table):
        yield from table.groupby(list(keys), sort=False, observed=True)


def _notes(loaded: LoadedRuns, assessed: dict[int, dict[str, Any]]) -> Iterator[str]:
    """What was not assessed, or not with the same evaluator."""
    names = run_names(loaded)
    missing = []
    for run, reader in enumerate(loaded.readers):
        ended = int(
            (loaded.episodes.loc[loaded.episodes["run"] == run, "status"].isin(FINAL)).sum()
        )
        if run not in assessed:
            if ended and not _prompts(reader):
                missing.append(names[run])
            continue
        done = int((assessed[run].get("episodes") or {}).get("assessed") or 0)
        if assessed[run].get("status") != "completed" or done < ended:
            yield (
                f"{names[run]}: {done} of {ended} ended episodes are assessed; "
                f"`arena assess {reader.path}` goes on."
            )
    if missing:
        shown = first_few(missing, 4)
        yield f"not assessed, so not in these tables: {shown}. `arena assess DIR` judges them."


def _prompts(reader: RunReader) -> bool:
    simulation = reader.config.get("simulation")
    return isinstance(simulation, dict) and simulation.get("type") == "prompts"
