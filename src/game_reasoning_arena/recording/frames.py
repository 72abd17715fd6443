"""Tables of any mix of runs: ``load_runs("outputs/2026-11-22/*")``.

Columns, dtypes, units and null rules are in :mod:`game_reasoning_arena.recording.columns`.
"""

from __future__ import annotations

import warnings
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from game_reasoning_arena.errors import UserError, choose_from
from game_reasoning_arena.recording import columns as layout
from game_reasoning_arena.recording.conditions import Conditions
from game_reasoning_arena.recording.judgement_columns import DECISIONS, LUCK
from game_reasoning_arena.recording.layout import EPISODES as EPISODES_FILE
from game_reasoning_arena.recording.lines import Notice, RunDataWarning
from game_reasoning_arena.recording.reader import RunReader, each_once, find_runs
from game_reasoning_arena.recording.run_record import RunRecord
from game_reasoning_arena.records import FINAL


@dataclass(slots=True)
class PromptSample:
    """The earliest first question of a player at a seat: (episode, turn) and the messages."""

    at: tuple[int, int]
    seed: int
    messages: list[dict[str, Any]]


@dataclass(slots=True)
class Prompts:
    """The prompts of players: system messages with counts, and an example of a first question."""

    systems: dict[tuple[int, str], Counter[str]] = field(default_factory=dict)
    first: dict[tuple[int, str, int], PromptSample] = field(default_factory=dict)

    def see(self, run: int, line: Mapping[str, Any]) -> None:
        """Count one line of responses."""
        messages = line.get("messages")
        if not messages:
            return
        player = line.get("player")
        if messages[0].get("role") == "system":
            counter = self.systems.setdefault((run, str(player)), Counter())
            counter[str(messages[0].get("content"))] += 1
        at = (line.get("episode") or 0, line.get("turn") or 0)
        if line.get("attempt") or not all(isinstance(number, int) for number in at):
            return
        key = (run, str(player), line.get("seat") or 0)
        known = self.first.get(key)
        if known is None or at < known.at:
            self.first[key] = PromptSample(at, line.get("seed") or 0, messages)


def _lost_episodes(reader: RunReader, held: int) -> str | None:
    """Return a sentence on lines that a power failure or a hand took from a finished run."""
    run, path = reader.run, reader.path / EPISODES_FILE
    counted = sum(run.counts.values())
    if run.finished_at is None or held >= counted or not path.is_file():
        return None
    return (
        f"{path} holds {held} of the {counted} episodes that run.json counts: the others are lost. "
        f"`arena resume {reader.path}` plays them again."
    )


class LoadedRuns:
    """Runs as tables: ``runs``, ``episodes`` and, read when first asked for, ``responses``,
    ``decisions`` and ``luck``.

    Attributes:
        readers: the directories, in the order of ``runs``.
        runs: one row per directory: run_id, path, status, started_at and finished_at (UTC),
            duration_s, seed, game, planned (episodes), finished (episodes that came to their end),
            format_version, commit, dirty, calls, tokens, cost_usd (null if unknown). Its index is
            the ``run`` column of the other tables.
        episodes: one row per episode of episodes.jsonl; a later line for it, as a resumed run
            writes it, replaces the earlier one.
        notices: one sentence for each missing, torn, older or damaged thing.
    """

    def __init__(
        self,
        readers: Sequence[RunReader],
        notices: list[str],
        *,
        columns: Sequence[str] | None = None,
        moves: bool = False,
    ) -> None:
        self.readers = tuple(readers)
        self.notices = notices
        self._columns = _chosen(columns)
        specs = {n: s for n, s in layout.EPISODES.items() if moves or n != "moves"}
        builder = layout.TableBuilder(specs)
        for run, reader in enumerate(self.readers):
            builder.extend(run, reader.episodes(), origin=reader.path)
        table = builder.frame()
        table = table.drop_duplicates(["run", "episode"], keep="last", ignore_index=True)
        held = table["run"].value_counts()
        notices += [
            sentence
            for run, reader in enumerate(self.readers)
            if (sentence := _lost_episodes(reader, int(held.get(run, 0)))) is not None
            and sentence not in notices  # these runs may be a choice from others
        ]
        conditions = Conditions(self.readers)
        self.episodes = conditions.episodes(table)
        self.runs = conditions.runs(self._runs_table())
        self._conditions = conditions

    @property
    def axes(self) -> list[str]:
        """The dotted keys that sweeps varied, groups such as ``model`` among them."""
        return self._conditions.axes

    @cached_property
    def seats(self) -> pd.DataFrame:
        """One row per episode and seat, with the player's model, sampling and result.

        Columns: run, episode, seed, game, prompt, group, status, seat, player, type, model, the
        sampling parameters that anybody set, opponents (tuple of names), returns (as recorded; NaN
        unless played out), score (of answers to prompts), forfeited, won (alone the best), and the
        settings that a sweep varied.
        """
        return self._conditions.seats(self.episodes)

    @cached_property
    def responses(self) -> pd.DataFrame:
        """One row per attempt. Bodies (text, reasoning, messages) only where asked for."""
        return self._scan[0]

    @cached_property
    def prompts(self) -> Prompts:
        """The prompts of the players, collected while ``responses`` is read."""
        return self._scan[1]

    @cached_property
    def response_offsets(self) -> NDArray[np.int64]:
        """The byte offset of each row of ``responses`` in its run's file."""
        return np.frombuffer(self._scan[2], dtype=np.int64)

    @cached_property
    def _scan(self) -> tuple[pd.DataFrame, Prompts, array[int]]:
        builder = layout.TableBuilder({name: layout.RESPONSES[name] for name in self._columns})
        prompts, offsets = Prompts(), array("q")

        def seen(run: int, reader: RunReader) -> Iterator[dict[str, Any]]:
            for offset, line in reader.responses_at():
                prompts.see(run, line)
                offsets.append(offset)
                yield line

        for run, reader in enumerate(self.readers):
            builder.extend(run, seen(run, reader), origin=reader.path)
        return self._conditions.responses(builder.frame()), prompts, offsets

    @cached_property
    def decisions(self) -> pd.DataFrame:
        """One row per decision of the runs that `arena assess` has judged."""
        builder = layout.TableBuilder(DECISIONS)
        for run, reader in enumerate(self.readers):
            builder.extend(run, reader.decisions(), origin=reader.path)
        return builder.frame()

    @cached_property
    def luck(self) -> pd.DataFrame:
        """One row per episode and seat of the runs that `arena assess` has judged."""
        builder = layout.TableBuilder(LUCK)
        for run, reader in enumerate(self.readers):
            builder.extend(run, reader.luck(), origin=reader.path)
        return builder.frame()

    def of_games(self, games: Sequence[str]) -> LoadedRuns:
        """Return the runs of some games alone.

        Raises:
            UserError: no run is of one of these games.
        """
        played = [None if pd.isna(game) else str(game) for game in self.runs["game"]]
        for game in games:
            if game not in played:
                known = sorted({name for name in played if name})
                raise UserError(f"No run is of the game {game!r}. {choose_from(game, known)}")
        kept = [r for r, game in zip(self.readers, played, strict=True) if game in games]
        moves = "moves" in self.episodes
        return LoadedRuns(kept, self.notices, columns=self._columns, moves=moves)

    def iter_responses(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield every line of responses with its run, one at a time, bodies and all."""
        for run, reader in enumerate(self.readers):
            for line in reader.responses():
                yield run, line

    def _runs_table(self) -> pd.DataFrame:
        ended = self.episodes[self.episodes["status"].isin(FINAL)]
        finished = ended.groupby("run").size()
        games = self.episodes.groupby("run")["game"].first()
        rows = []
        for run, reader in enumerate(self.readers):
            record = reader.run
            simulation = _dict(reader.config.get("simulation"))
            rows.append(
                {
                    "run_id": reader.run_id,
                    "path": str(reader.path),
                    "status": record.status,
                    "started_at": record.started_at,
                    "finished_at": record.finished_at,
                    "duration_s": record.duration_s,
                    "seed": record.seed,
                    "game": games.get(run, record.game or simulation.get("game")),
                    "planned": record.planned,
                    "finished": int(finished.get(run, 0)),
                    "format_version": record.format_version,
                    "commit": record.git.commit if record.git else None,
                    "dirty": record.git.dirty if record.git else None,
                    "calls": record.total("calls"),
                    "tokens": _token_sum(record),
                    "cost_usd": record.total("cost_usd"),
                }
            )
        table = pd.DataFrame(rows, columns=[*_RUN_DTYPES])
        for name, dtype in _RUN_DTYPES.items():
            if dtype == "datetime":
                table[name] = _instants(table[name])
            else:
                table[name] = table[name].astype(pd.api.types.pandas_dtype(dtype))
        table.index.name = "run"
        return table


_RUN_DTYPES = {
    "run_id": "object",
    "path": "object",
    "status": "category",
    "started_at": "datetime",
    "finished_at": "datetime",
    "duration_s": "float64",
    "seed": "Int64",
    "game": "category",
    "planned": "Int64",
    "finished": "Int64",
    "format_version": "Int64",
    "commit": "object",
    "dirty": "boolean",
    "calls": "Int64",
    "tokens": "Int64",
    "cost_usd": "float64",
}


def load_runs(
    *paths: Path | str | Iterable[Path | str],
    columns: Sequence[str] | None = None,
    moves: bool = False,
    notice: Notice | None = None,
) -> LoadedRuns:
    """Read runs, sweeps and glob patterns into tables.

    Args:
        paths: run directories, sweep directories (runs at any depth), or glob patterns, or lists of
            such.
        columns: the columns of ``responses``; by default all but the bodies (text, reasoning,
            messages, error), which are most of a run's bytes. The key columns run, episode, seat,
            turn, attempt and sample are always there.
        moves: whether ``episodes`` gets the column ``moves``.
        notice: called with a sentence for everything missing or damaged; by default a
            :class:`~game_reasoning_arena.recording.reader.RunDataWarning` each.

    Raises:
        UserError: a path does not exist or holds no run, or a column's name is unknown.
    """
    notices: list[str] = []

    def hear(sentence: str) -> None:
        if sentence in notices:
            return
        notices.append(sentence)
        if notice is None:
            warnings.warn(sentence, RunDataWarning, stacklevel=2)
        else:
            notice(sentence)

    for path in paths:
        if not isinstance(path, Path | str | Iterable):
            raise UserError(
                f"load_runs({path!r}): give paths of run directories, or lists of such."
            )
    every = [one for path in paths for one in ([path] if isinstance(path, Path | str) else path)]
    readers = each_once(find_runs(*every, notice=hear), hear)
    return LoadedRuns(readers, notices, columns=columns, moves=moves)


def rows(table: pd.DataFrame) -> Iterator[Any]:
    """Return the rows of a table as named tuples."""
    return table.itertuples(index=False)


_KEYS = ("run", "episode", "seat", "turn", "attempt", "sample")


def _chosen(columns: Sequence[str] | None) -> list[str]:
    if columns is None:
        return [name for name in layout.RESPONSES if name not in layout.BODIES]
    for name in columns:
        if name not in layout.RESPONSES:
            raise UserError(
                f"Responses have no column {name!r}. "
                + choose_from(name, layout.RESPONSES, limit=len(layout.RESPONSES))
            )
    wanted = {*_KEYS, *columns}
    return [name for name in layout.RESPONSES if name in wanted]


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _token_sum(record: RunRecord) -> int | None:
    """Return tokens in and out; None as soon as either is unknown."""
    sent, got = record.total("prompt_tokens"), record.total("completion_tokens")
    return None if sent is None or got is None else int(sent) + int(got)


def _instants(values: pd.Series[Any]) -> pd.Series[Any]:
    """Return UTC instants from ISO text or Unix seconds."""
    parsed = [
        pd.Timestamp(v, unit="s", tz="UTC")
        if isinstance(v, int | float) and not pd.isna(v)
        else pd.to_datetime(v, utc=True, errors="coerce")
        for v in values
    ]
    return pd.Series(pd.DatetimeIndex(parsed, tz="UTC"), index=values.index)
