"""States of a sweep's jobs, read from their directories."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec import structs

from game_reasoning_arena.errors import DamagedRecordError
from game_reasoning_arena.metering.budget import Totals
from game_reasoning_arena.metering.probe import probe_reply
from game_reasoning_arena.process.files import open_to_read, read_file
from game_reasoning_arena.recording import layout
from game_reasoning_arena.recording.decoding import episode_of, record_or_none, response_of
from game_reasoning_arena.recording.lines import read_lines
from game_reasoning_arena.recording.reader import RunReader, is_run
from game_reasoning_arena.recording.run_record import RunRecord, run_or_none, write_run
from game_reasoning_arena.recording.summary import Summary
from game_reasoning_arena.recording.writer import is_locked
from game_reasoning_arena.records import Status
from game_reasoning_arena.sweeping.files import EndFile, end_file
from game_reasoning_arena.sweeping.store import PENDING, Job, Sweep

#: Statuses of ``run.json`` after which no process writes to the run any more.
ENDED = frozenset({Status.COMPLETED, Status.ERROR, Status.BUDGET, Status.INTERRUPTED})
_TEXTS = frozenset({"player", "type", "model"})


@dataclass(frozen=True)
class _Model:
    name: str


@dataclass(frozen=True)
class _Player:
    name: str
    type: str
    model: Any


def refresh(sweep: Sweep) -> None:
    """Read every job's state and numbers from its directory.

    A finished job that lost lines, as in a power failure, is not finished any more.
    """
    for job in sweep.jobs:
        refresh_job(sweep, job)
        directory = sweep.run_directory(job)
        if job.finished and _lost_lines(directory):
            job.status, job.reason = Status.ERROR, f"lines of {directory} were lost"


def _lost_lines(directory: Path) -> bool:
    """Return whether a finished run's line files are cut; the run's resumption looks closer."""
    run = run_or_none(directory)
    if run is None:
        return True
    try:
        with open_to_read(directory / layout.EPISODES) as file:
            episodes = sum(line.endswith(b"\n") for line in file)
        with open_to_read(directory / layout.RESPONSES) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - 1, 0))
            ended = file.read() == (b"\n" if size else b"")
    except OSError:
        return True
    asked = (run.total("calls") or 0) > len(run.probe)
    return episodes < sum(run.counts.values()) or not ended or (size == 0 and asked)


def refresh_job(sweep: Sweep, job: Job) -> None:
    """Read one job's state and numbers from its directory."""
    directory = sweep.run_directory(job)
    run = run_or_none(directory)
    end = record_or_none(end_file(sweep.job_file(job)), EndFile)
    if end is not None:  # written after run.json, or instead of it
        job.status, job.reason = end.status, end.reason
    elif run is not None and run.status in ENDED:
        job.status, job.reason = run.status or "", run.reason
        errors = run.episodes.get("error")
        if job.status == Status.COMPLETED and errors:
            job.status = Status.ERROR
            job.reason = f"{errors} episodes ended without an answer (an outage)"
    elif run is not None and is_locked(directory):
        job.status, job.reason = Status.RUNNING, None
    elif run is not None:
        job.status, job.reason = Status.ERROR, "its process ended before the run did"
    else:
        job.status, job.reason = PENDING, None
    sweep.rows[job.number] = summary_rows(directory, ended=job.status in ENDED)


def mark_failed(sweep: Sweep, job: Job, reason: str, *, status: str = Status.ERROR) -> None:
    """Record the end of a job that could not do so itself, in its run.json and the sweep."""
    job.status, job.reason = status, reason
    directory = sweep.run_directory(job)
    run = run_or_none(directory)
    if run is not None and run.status not in ENDED and not is_locked(directory):
        with suppress(OSError):  # the sweep's own file holds it
            totals = {**run.totals, **totals_on_disk(directory).as_dict()}
            ended = structs.replace(run, status=status, reason=reason, totals=totals)
            write_run(directory, ended)
    sweep.rows[job.number] = summary_rows(directory, ended=False)


def used(sweep: Sweep, skip: Collection[Job] = ()) -> Totals:
    """Return what the jobs have used, for a shared budget, without those in ``skip``.

    Killed runs did not write their totals; their answers are counted.
    """
    totals = Totals()
    for job in sweep.jobs:
        if any(job is one for one in skip):
            continue
        directory = sweep.run_directory(job)
        run = run_or_none(directory)
        ended = run is not None and run.status in ENDED
        totals.merge(totals_of(run) if run is not None and ended else totals_on_disk(directory))
    return totals


def totals_of(run: RunRecord) -> Totals:
    """Return the ``totals`` of a run.json as totals to continue."""
    return Totals(
        calls=run.total("calls") or 0,
        requests=run.total("requests") or 0,
        failed_calls=run.total("failed_calls") or 0,
        prompt_tokens=run.total("prompt_tokens") or 0,
        completion_tokens=run.total("completion_tokens") or 0,
        cost_usd=run.total("known_cost_usd") or 0.0,
        unpriced=run.total("calls_without_price") or 0,
        untokened=run.total("calls_without_token_counts") or 0,
        distorted=run.total("calls_distorted_by_client") or 0,
    )


def totals_on_disk(directory: Path) -> Totals:
    """Return a run's totals by its answers and probes; run.json may be older, after a kill."""
    totals = Totals()
    run = run_or_none(directory)
    for probe in run.probe if run is not None else ():
        totals.add(probe_reply(probe))
    with suppress(OSError):
        for line in read_lines(directory / layout.RESPONSES, notice=lambda _: None):
            totals.add_line(line)
    return totals


def summary_rows(directory: Path, *, ended: bool) -> list[dict[str, Any]]:
    """Return a run's rows per player and seat, counted from its lines if it wrote none itself."""
    rows = _rows_on_disk(directory / layout.SUMMARY) if ended else []
    if rows and _are_whole(rows, run_or_none(directory)):
        return rows
    if not is_run(directory):
        return []
    notes: list[str] = []
    reader = RunReader(directory, notice=notes.append)
    players = [
        _Player(name, facts.get("type") or "", _Model(m) if (m := facts.get("model")) else None)
        for name, facts in reader.run.players.items()
    ]
    if not players:
        return []
    summary = Summary(players)
    if (directory / layout.EPISODES).is_file():
        for line in reader.episodes():
            with suppress(DamagedRecordError):  # the job's own resumption reports it
                summary.episode(episode_of(line))
    if (directory / layout.RESPONSES).is_file():
        for line in reader.responses():
            with suppress(DamagedRecordError):
                summary.response(response_of(line))
    return summary.rows()


def _are_whole(rows: Sequence[Mapping[str, Any]], run: RunRecord | None) -> bool:
    """Return whether the rows hold every seat of every episode: a power failure may cut some."""
    episodes: Counter[Any] = Counter()
    for row in rows:
        episodes[row.get("seat")] += row.get("episodes") or 0
    ended = sum(run.counts.values()) if run is not None else None
    return run is not None and len(episodes) == len(run.players) and {*episodes.values()} == {ended}


def _rows_on_disk(file: Path) -> list[dict[str, Any]]:
    """Return the rows of ``summary.csv``; none if it is missing, cut off or changed."""
    try:
        text = read_file(file).decode()
        if not text.endswith("\n"):
            return []
        return [
            {k: _value(k, v) for k, v in row.items()} for row in csv.DictReader(text.split("\n"))
        ]
    except (OSError, ValueError, TypeError, csv.Error):
        return []


def _value(key: str, text: str) -> Any:
    if text == "":
        return None
    if key in _TEXTS:
        return text
    return float(text) if any(c in text for c in ".en") else int(text)
