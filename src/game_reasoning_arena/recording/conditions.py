"""The conditions of each run as columns: models, sampling, swept settings.

The tables that ``load_runs`` gives get them, so that results can be grouped by them. A sampling
parameter that is never set has no column.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from game_reasoning_arena.process.files import read_json
from game_reasoning_arena.recording import layout
from game_reasoning_arena.recording.config_text import flatten
from game_reasoning_arena.recording.reader import RunReader

#: Columns of a player, in this order.
PARAMETERS = ("temperature", "max_tokens", "top_p", "top_k", "seed")


class Conditions:
    """The conditions of some runs.

    Args:
        readers: the runs, in the order of their table.
    """

    def __init__(self, readers: Sequence[RunReader]) -> None:
        self._readers = readers

    @cached_property
    def players(self) -> list[dict[str, dict[str, Any]]]:
        """Type, model and used sampling parameters, by run and player."""
        return [_players(reader) for reader in self._readers]

    @cached_property
    def swept(self) -> dict[str, list[Any]]:
        """Values of the settings that sweeps varied, by column name, one per run.

        Settings of one player are left out where the players' own columns have them.
        """
        flat = [flatten(reader.config) for reader in self._readers]
        names = _column_names(self.axes)
        return {
            names[key]: [_plain(mine.get(key)) for mine in flat]
            for key in self.axes
            if any(key in mine for mine in flat)
        }

    @cached_property
    def axes(self) -> list[str]:
        """The dotted keys that sweeps varied, groups such as ``model`` among them."""
        sweeps = dict.fromkeys(reader.path.parent for reader in self._readers)
        return list(dict.fromkeys(key for path in sweeps for key in _axes(path / layout.SWEEP)))

    def runs(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the table of runs with each player's type, model and sampling, and what varied."""
        names = dict.fromkeys(name for run in self.players for name in run)
        for name in names:
            for key in ("type", "model", *PARAMETERS):
                column = [run.get(name, {}).get(key) for run in self.players]
                if any(value is not None for value in column):
                    table[f"{name}_{key}"] = column
        return self._with_swept(table, np.arange(len(self._readers)))

    def episodes(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the table of episodes with models and sampling by seat, and the winner's model."""
        if table.empty:
            return table
        codes, seated = self._seatings(table)
        most = max((len(seats or ()) for _, seats in seated), default=0)
        for seat in range(most):
            for key in ("model", *PARAMETERS):
                of_each = [
                    self.players[run].get(seats[seat], {}).get(key)
                    if seats and seat < len(seats)
                    else None
                    for run, seats in seated
                ]
                if key == "model" or any(value is not None for value in of_each):
                    table[f"seat_{seat}_{key}"] = _taken(of_each, codes)
        which, different = _players_of_runs(table, "winner")
        models = [self.players[int(run)].get(name, {}).get("model") for run, name in different]
        table["winner_model"] = _taken(models, which)
        return self._with_swept(table, table["run"].to_numpy())

    def responses(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the table of responses with the sampling of the player that was asked."""
        if "player" in table and len(table):
            which, different = _players_of_runs(table, "player")
            for key in PARAMETERS:
                of_each = [self.players[int(run)].get(name, {}).get(key) for run, name in different]
                if key not in table and any(value is not None for value in of_each):
                    table[key] = _taken(of_each, which)
        return self._with_swept(table, table["run"].to_numpy())

    def seats(self, episodes: pd.DataFrame) -> pd.DataFrame:
        """Return one row per episode and seat; see ``LoadedRuns.seats``."""
        codes, seated = self._seatings(episodes)
        sizes = np.array([len(seats or ()) for _, seats in seated], dtype=np.int64)
        counts = sizes[codes] if len(codes) else np.zeros(0, dtype=np.int64)
        rows = np.repeat(np.arange(len(episodes)), counts)
        seat = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        kept = ["run", "episode", "seed", "game", "prompt", "group", "status"]
        table = episodes[kept].iloc[rows].reset_index(drop=True)
        table["seat"] = seat.astype(np.int16)
        starts = np.cumsum(sizes) - sizes
        place = starts[codes[rows]] + seat if len(rows) else seat
        flat = [(run, name) for run, seats in seated for name in seats or ()]
        table["player"] = _taken([name for _, name in flat], place)
        for key in ("type", "model", *PARAMETERS):
            of_each = [self.players[run].get(name, {}).get(key) for run, name in flat]
            if key in ("type", "model") or any(value is not None for value in of_each):
                name = "sampling_seed" if key == "seed" else key
                table[name] = _taken(of_each, place)
        others = [
            tuple(name for other, name in enumerate(seats or ()) if other != mine)
            for _, seats in seated
            for mine in range(len(seats or ()))
        ]
        table["opponents"] = pd.Series(others, dtype=object).to_numpy()[place] if others else None
        table["returns"] = _by_seat(episodes["returns"], counts)
        table["score"] = _by_seat(episodes["scores"], counts)
        forfeit = episodes["forfeit_seat"].to_numpy(dtype=np.float64, na_value=np.nan)[rows]
        table["forfeited"] = forfeit == seat
        winner = episodes["winner"].astype(object).to_numpy()[rows]
        table["won"] = winner == table["player"].astype(object).to_numpy()
        return self._with_swept(table, table["run"].to_numpy())

    def _seatings(self, episodes: pd.DataFrame) -> tuple[Any, list[tuple[int, Any]]]:
        """Return a number per episode for its run and seating, and what the numbers stand
        for.
        """
        pairs = list(zip(episodes["run"].tolist(), episodes["seats"].tolist(), strict=True))
        numbers: dict[tuple[int, Any], int] = {}
        codes = [numbers.setdefault(pair, len(numbers)) for pair in pairs]
        return np.asarray(codes, dtype=np.int64), list(numbers)

    def _with_swept(self, table: pd.DataFrame, runs: Any) -> pd.DataFrame:
        for name, per_run in self.swept.items():
            if name not in table:
                table[name] = _taken(per_run, runs)
        return table


def _players(reader: RunReader) -> dict[str, dict[str, Any]]:
    agents = reader.config.get("agents")
    agents = agents if isinstance(agents, Mapping) else {}
    found = {}
    for name in dict.fromkeys([*reader.run.players, *agents]):
        player = reader.run.players.get(name, {})
        agent = agents.get(name)
        agent = agent if isinstance(agent, Mapping) else {}
        sampling = agent.get("sampling")
        sampling = sampling if isinstance(sampling, Mapping) else {}
        found[str(name)] = {
            "type": player.get("type") or agent.get("type"),
            "model": player.get("model") or agent.get("model"),
            **{key: _plain(sampling.get(key)) for key in PARAMETERS if sampling.get(key) != "auto"},
        }
    return found


def _players_of_runs(table: pd.DataFrame, column: str) -> tuple[Any, list[tuple[int, Any]]]:
    """Return a number per row for the run and the player that a column names, and what they stand
    for.
    """
    names = table[column].astype("category").cat
    every = len(names.categories) + 1
    keys = table["run"].to_numpy(dtype=np.int64) * every + names.codes.to_numpy() + 1
    found, which = np.unique(keys, return_inverse=True)
    named = [None, *names.categories]
    return which, [(int(key // every), named[key % every]) for key in found]


def _axes(path: Any) -> Mapping[str, Any]:
    """Return the settings that a sweep varied; none where there is no sweep that can be read."""
    try:
        content = read_json(path)
    except (OSError, ValueError):
        return {}
    axes = content.get("axes") if isinstance(content, Mapping) else None
    return axes if isinstance(axes, Mapping) else {}


def _column_names(axes: Iterable[str]) -> dict[str, str]:
    """Return a column's name per swept key: its last part, or all of it where that is ambiguous."""
    keys = list(axes)
    names = {}
    for key in keys:
        group, _, rest = key.partition(".")
        if group == "agents":
            names[key] = rest.replace(".sampling", "").replace(".", "_")
            continue
        last = key.rpartition(".")[2]
        alone = sum(other.rpartition(".")[2] == last for other in keys) == 1
        names[key] = last if alone else key.replace(".", "_")
    return names


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)


def _taken(values: Sequence[Any], places: Any) -> Any:
    """Return the values at some places: numbers as such, texts as categories."""
    known = [value for value in values if value is not None]
    if known and all(isinstance(v, int | float) and not isinstance(v, bool) for v in known):
        numbers = np.array([np.nan if v is None else float(v) for v in values])
        return numbers[places]
    kinds = list(dict.fromkeys(str(value) for value in known))
    code = {name: number for number, name in enumerate(kinds)}
    codes = np.array([-1 if v is None else code[str(v)] for v in values], dtype=np.int64)
    chosen = codes[places] if len(codes) else codes
    return pd.Categorical.from_codes(chosen, categories=pd.Index(kinds, dtype=object))


def _by_seat(column: pd.Series[Any], counts: Any) -> Any:
    """Return a number per row from tuples by seat; NaN where there is none."""
    nothing = np.nan
    found = [
        nothing if value is None else float(value)
        for tuples, count in zip(column.tolist(), counts.tolist(), strict=True)
        for value in (tuples if isinstance(tuples, tuple) else (None,) * count)
    ]
    return np.asarray(found, dtype=np.float64)
