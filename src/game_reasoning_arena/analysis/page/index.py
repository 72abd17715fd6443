"""The index of a page's episodes: a few numbers each, column by column.

What repeats, such as games and the names at the seats, is a number: its place in a list of names,
in order of first appearance.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from game_reasoning_arena.analysis.compare import Comparison
from game_reasoning_arena.analysis.page.judgements import LEVELS, Judgements
from game_reasoning_arena.analysis.page.prompts import PromptMarks
from game_reasoning_arena.analysis.statistics.competitors import run_names
from game_reasoning_arena.records import FAILURES

#: Kinds of failure in the order of the index's bits.
KINDS: Final = (*FAILURES, "outage", "substitute")

_RESULTS: Final = {"win": "w", "draw": "d", "loss": "l"}

_KEY: Final = ["run", "episode"]


class Index:
    """An entry per episode of the standings, in the order of runs and numbers.

    Args:
        comparison: the runs; their ``episodes`` must have been loaded with moves.
        judgements: of the same runs.

    Attributes:
        keys: run and number of each episode.
    """

    def __init__(self, comparison: Comparison, judgements: Judgements) -> None:
        self._loaded = comparison.loaded
        self._judgements = judgements
        self._prompts = PromptMarks(comparison.answers)
        self._names: dict[str, list[Any]] = {}
        seats = comparison.standings.table.sort_values([*_KEY, "seat"], kind="stable")
        starts = starts_of(*(seats[name].to_numpy() for name in _KEY))
        ends = np.append(starts[1:], len(seats))
        self._spans = list(zip(starts.tolist(), ends.tolist(), strict=True))
        first = seats.iloc[starts]
        self.keys = list(zip(*(first[name].tolist() for name in _KEY), strict=True))
        lines = pd.MultiIndex.from_frame(self._loaded.episodes[_KEY])
        self._lines = lines.get_indexer(pd.MultiIndex.from_frame(first[_KEY])).tolist()
        self._columns: dict[str, list[Any]] = {
            "run": first["run"].tolist(),
            "number": first["episode"].tolist(),
            "seed": list(map(str, first["seed"])),  # as text: a browser's numbers have 53 bits
            "game": self._coded("game", first["game"]),
            "seating": self._seating(seats),
            "results": self._results(seats[comparison.policy]),
            "status": self._coded("status", map(str, first["status"])),
            **self._forfeits(seats["cause"]),
            "turns": list(map(_number, self.line("turns"))),
            "duration": list(map(_number, self.line("duration_s"))),
            "failures": self._failures(starts, seats),
            "cut": first["move_limit"].astype(int).tolist(),
            "judged": self._judged(),
            "chunk": [],
            "place": [],
            **self._marks(),
        }

    def line(self, name: str) -> list[Any]:
        """Return a column of the episodes' lines; None where an episode has none."""
        values = self._loaded.episodes[name].tolist()
        return [values[at] if at >= 0 else None for at in self._lines]

    def place(self, chunk: int, place: int) -> None:
        """Note in which chunk, and where in it, the next episode lies."""
        self._columns["chunk"].append(chunk)
        self._columns["place"].append(place)

    def content(self) -> dict[str, Any]:
        """Return the index as the page reads it; complete once each episode has its place."""
        names = self._names
        return {
            "runs": run_names(self._loaded),
            "labels": names["label"],
            "games": [
                {"name": name, "short": name.partition("(")[0], "parameters": game_parameters(name)}
                for name in names["game"]
            ],
            "statuses": names["status"],
            "causes": names["cause"],
            "kinds": KINDS,
            "levels": LEVELS if self._judgements else (),
            "groups": names["group"],
            "scored": bool(self._prompts),
            "seatings": names["seating"],
            "episodes": self._columns,
        }

    def _coded(self, kind: str, values: Iterable[Any]) -> list[int | None]:
        """Return the number of each value, None for None."""
        seen: dict[Any, int] = {}
        codes = [None if v is None else seen.setdefault(v, len(seen)) for v in values]
        self._names[kind] = list(seen)
        return codes

    def _seating(self, seats: pd.DataFrame) -> list[int | None]:
        labels = self._coded("label", seats["competitor"])
        pairs = list(zip(labels, seats["player"], strict=True))
        return self._coded("seating", (tuple(pairs[a:b]) for a, b in self._spans))

    def _results(self, results: pd.Series[Any]) -> list[str]:
        letters = "".join(_RESULTS.get(result, "-") for result in results)
        return [letters[a:b] for a, b in self._spans]

    def _forfeits(self, causes: pd.Series[Any]) -> dict[str, list[Any]]:
        """The first seat that forfeited each episode, and why."""
        failed = causes.notna().tolist()
        reasons = causes.tolist()
        seats = [failed.index(True, a, b) - a if any(failed[a:b]) else None for a, b in self._spans]
        found = (
            None if seat is None else str(reasons[start + seat])
            for seat, (start, _) in zip(seats, self._spans, strict=True)
        )
        return {"forfeit": seats, "cause": self._coded("cause", found)}

    def _failures(self, starts: NDArray[np.int64], seats: pd.DataFrame) -> list[int]:
        """Kinds of failures as bits."""
        answers = _failed_answers(self._loaded.responses)
        bits = np.array([answers.get(key, 0) for key in self.keys], dtype=np.int64)
        substituted = np.logical_or.reduceat(seats["substituted"].to_numpy(dtype=bool), starts)
        bits[substituted] |= 1 << KINDS.index("substitute")
        broken = (seats["status"].iloc[starts] == "error").to_numpy(dtype=bool)
        bits[broken] |= 1 << KINDS.index("outage")
        return list(map(int, bits))

    def _judged(self) -> list[str]:
        if not self._judgements:
            return ["-" * (end - start) for start, end in self._spans]
        return [
            self._judgements.worst(run, episode, end - start)
            for (run, episode), (start, end) in zip(self.keys, self._spans, strict=True)
        ]

    def _marks(self) -> dict[str, list[Any]]:
        columns = self._prompts.columns(self.keys, [end - start for start, end in self._spans])
        return {**columns, "group": self._coded("group", columns["group"])}


def starts_of(run: NDArray[Any], episode: NDArray[Any]) -> NDArray[np.int64]:
    """Return where each episode begins in rows that are sorted by run and episode."""
    changed = np.ones(len(run), dtype=bool)
    changed[1:] = (np.diff(run) != 0) | (np.diff(episode) != 0)
    return np.flatnonzero(changed)


def game_parameters(game: str) -> dict[str, str]:
    """Return the parameters in an engine's game string, as text: ``hex(board_size=5)``."""
    found = re.fullmatch(r"\w+\((.*)\)", game)
    if not found or "(" in found[1]:
        return {}
    pairs = (part.partition("=") for part in found[1].split(",") if "=" in part)
    return {name.strip(): value.strip() for name, _, value in pairs}


def known(value: Any) -> Any:
    """Return a value of a table, None for what pandas calls null."""
    return None if value is None or (not isinstance(value, str) and pd.isna(value)) else value


def _failed_answers(responses: pd.DataFrame) -> dict[tuple[int, int], int]:
    """Kinds of failed answers by episode, as bits."""
    bits = pd.Series(0, index=responses.index)
    for bit, kind in enumerate(FAILURES):
        bits[responses["outcome"] == kind] = 1 << bit
    bits[responses["outcome"].isna()] = 1 << KINDS.index("outage")
    marked = pd.DataFrame({"run": responses["run"], "episode": responses["episode"], "bits": bits})
    marked = marked[marked["bits"] > 0].drop_duplicates()
    totals: dict[tuple[int, int], int] = {}
    for run, episode, value in zip(marked["run"], marked["episode"], marked["bits"], strict=True):
        key = (int(run), int(episode))
        totals[key] = totals.get(key, 0) | int(value)
    return totals


def _number(value: Any) -> float | int | None:
    if value is None or value is pd.NA or value != value:
        return None
    return int(value) if float(value).is_integer() else float(value)
