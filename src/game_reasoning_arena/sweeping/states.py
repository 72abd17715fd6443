"""How the jobs of a sweep stand, read from what they left on disk."""

from __future__ import annotations

import csv
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from game_reasoning_arena.metering.budget import Totals
from game_reasoning_arena.recording import layout
from game_reasoning_arena.recording.decoding import episode_of, response_of
from game_reasoning_arena.recording.reader import RunReader, is_run, read_lines
from game_reasoning_arena.recording.summary import Summary
from game_reasoning_arena.recording.writer import is_locked
from game_reasoning_arena.records import Status
from game_reasoning_arena.sweeping.store import (
    PENDING,
    Job,
    Sweep,
    end_file,
    read_json,
    replace_file,
)

#: Statuses of ``run.json`` after which nobody writes to the run any more.
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
    """Take every job's state and numbers from its directory."""
    for job in sweep.jobs:
        refresh_job(sweep, job)


def refresh_job(sweep: Sweep, job: Job) -> None:
    """Take one job's state and numbers from its directory."""
    directory = sweep.run_directory(job)
    run = read_json(directory / layout.RUN)
    end = read_json(end_file(sweep.job_file(job)))
    if end is not None:  # written after run.json, or where there could be none
        job.status, job.reason = end["status"], end.get("reason")
    elif run is not None and run.get("status") in ENDED:
        job.status, job.reason = run["status"], run.get("reason")
        errors = (run.get("episodes") or {}).get("error")
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
    """Write an end that the job could not write itself into its run.json and the sweep."""
    job.status, job.reason = status, reason
    file = sweep.run_directory(job) / layout.RUN
    run = read_json(file)
    if run is not None and run.get("status") not in ENDED and not is_locked(file.parent):
        run |= {"status": status, "reason": reason}
        replace_file(file, orjson.dumps(run, option=orjson.OPT_INDENT_2).decode() + "\n")
    sweep.rows[job.number] = summary_rows(file.parent, ended=False)


def used(sweep: Sweep, skip: Collection[Job] = ()) -> Totals:
    """What the jobs have used so far, for a budget that is shared; ``skip`` are counted by others.

    Runs that were killed did not write down their totals: their answers are counted.
    """
    totals = Totals()
    for job in sweep.jobs:
        if any(job is one for one in skip):
            continue
        directory = sweep.run_directory(job)
        run = read_json(directory / layout.RUN)
        if run is not None and run.get("status") in ENDED:
            totals.merge(totals_of(run.get("totals") or {}))
        elif (directory / layout.RESPONSES).is_file():
            for line in read_lines(directory / layout.RESPONSES, notice=lambda _: None):
                totals.add_line(line)
    return totals


def totals_of(recorded: Mapping[str, Any]) -> Totals:
    """The ``totals`` of a run.json as numbers to go on from."""
    return Totals(
        calls=recorded.get("calls") or 0,
        requests=recorded.get("requests") or 0,
        failed_calls=recorded.get("failed_calls") or 0,
        prompt_tokens=recorded.get("prompt_tokens") or 0,
        completion_tokens=recorded.get("completion_tokens") or 0,
        cost_usd=recorded.get("known_cost_usd") or 0.0,
        unpriced=recorded.get("calls_without_price") or 0,
        untokened=recorded.get("calls_without_token_counts") or 0,
        distorted=recorded.get("calls_distorted_by_client") or 0,
    )


def summary_rows(directory: Path, *, ended: bool) -> list[dict[str, Any]]:
    """A run's rows per player and seat, counted anew where it could not write them itself."""
    file = directory / layout.SUMMARY
    if ended and file.is_file():
        with file.open(newline="", encoding="utf-8") as lines:
            return [{k: _value(k, v) for k, v in row.items()} for row in csv.DictReader(lines)]
    if not is_run(directory):
        return []
    notes: list[str] = []
    reader = RunReader(directory, notice=notes.append)
    players = [
        _Player(name, said["type"], _Model(said["model"]) if said["model"] else None)
        for name, said in (reader.run.get("players") or {}).items()
    ]
    if not players:
        return []
    summary = Summary(players)
    if (directory / layout.EPISODES).is_file():
        for line in reader.episodes():
            summary.episode(episode_of(line))
    if (directory / layout.RESPONSES).is_file():
        for line in reader.responses():
            summary.response(response_of(line))
    return summary.rows()


def _value(key: str, text: str) -> Any:
    if text == "":
        return None
    if key in _TEXTS:
        return text
    return float(text) if any(c in text for c in ".en") else int(text)
