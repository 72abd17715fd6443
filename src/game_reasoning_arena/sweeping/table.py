"""The results of a sweep: the rows of ``sweep.csv``, and one table for people."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from game_reasoning_arena.configuration.demands import words_to_trust
from game_reasoning_arena.configuration.trust import typed_settings
from game_reasoning_arena.process.output import show
from game_reasoning_arena.records import FAILURES, Status
from game_reasoning_arena.running.result_table import (
    CUT_NOTE,
    PLAIN_WIDTH,
    cache_note,
    stand_in_note,
)
from game_reasoning_arena.sweeping.naming import plain_value, short_keys
from game_reasoning_arena.sweeping.store import PENDING, Job, Sweep

#: Rows shown on the terminal; the rest is in sweep.csv.
SHOWN = 60


def show_sweep(sweep: Sweep) -> None:
    """Print the table on stdout, the failures, the directory, and the next step."""
    show(lambda: _print_sweep(sweep), sweep.path)


def _print_sweep(sweep: Sweep) -> None:
    from rich.console import Console

    from game_reasoning_arena.analysis.tables.forms import Column, Table
    from game_reasoning_arena.analysis.tables.terminal import to_rich

    terminal = sys.stdout.isatty()
    console = Console(width=None if terminal else PLAIN_WIDTH, highlight=False)
    names = short_keys(sweep.axes)
    lines = [(job, line) for job in sweep.jobs for line in _lines(sweep.rows.get(job.number, []))]
    cut = any(line["cut"] not in ("", "0", "?") for _, line in lines)
    table = Table(
        "sweep",
        "",
        [
            Column("job", "job", "count", names_row=True),
            *(Column(f"swept {key}", name) for key, name in names.items()),
            Column("player", "player", names_row=True),
            *([] if _is_swept(lines, names) else [Column("model", "model")]),
            *(Column(name, name, "count") for name in _NUMBERS if name != "cut" or cut),
            Column("status", "status"),
        ],
    )
    for job, line in lines[:SHOWN]:
        swept = {f"swept {key}": plain_value(job.values.get(key, "")) for key in names}
        table.rows.append({"job": str(job.number), **swept, **line, "status": job.status})
    console.print(to_rich(table, console.width if terminal else None))
    if any(line["return"] not in ("", "?") for _, line in lines):
        console.print(
            "return: the player's mean over all its seats, of episodes with returns (a forfeit "
            "has none)"
        )
    if cut:
        console.print(CUT_NOTE, markup=False)
    if note := cache_note([row for rows in sweep.rows.values() for row in rows]):
        console.print(note, markup=False)
    if len(lines) > SHOWN:
        console.print(f"... and {len(lines) - SHOWN} more rows in sweep.csv")
    for job in sweep.jobs:
        if job.status not in (Status.COMPLETED, PENDING):
            console.print(
                f"job {job.number} {job.status}: {job.reason}", markup=False, soft_wrap=True
            )
    if note := stand_in_note([row for rows in sweep.rows.values() for row in rows]):
        console.print(note)
    counts: dict[str, int] = {}
    for job in sweep.jobs:
        counts[job.status] = counts.get(job.status, 0) + 1
    listed = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    console.print(f"jobs: {listed}")
    if sweep.status != Status.COMPLETED:
        if sweep.reason:
            console.print(f"{sweep.status}: {sweep.reason}", markup=False, soft_wrap=True)
        console.print(
            f"finish it with: arena resume {sweep.path}{_more(sweep)}", markup=False, soft_wrap=True
        )
    console.print(f"directory: {sweep.path}", markup=False, soft_wrap=True)


def _more(sweep: Sweep) -> str:
    """Return the words that a resumption needs: larger budgets, and what may run code."""
    spent = (job.reason or "" for job in sweep.jobs if job.status == Status.BUDGET)
    budgets = sorted({f"{reason.partition('=')[0]}=MORE" for reason in spent})
    trust = words_to_trust(typed_settings(sweep.command))
    return "".join(f" {shlex.quote(word)}" for word in (*budgets, *trust))


def _is_swept(lines: Sequence[tuple[Job, Mapping[str, str]]], keys: Iterable[str]) -> bool:
    """Return whether a swept column already holds each row's model."""
    return any(
        all(plain_value(job.values.get(key, "")) == line["model"] for job, line in lines)
        for key in keys
    )


_NUMBERS = (
    "answered",
    "score %",
    "win",
    "draw",
    "loss",
    "cut",
    "return",
    "failures",
    "calls",
    "p50 s",
    "cost $",
)


def _lines(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Return a row per player that was asked (or any if none was), all its seats together."""
    players: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        players.setdefault(row["player"], []).append(row)
    asked = {name: seats for name, seats in players.items() if seats[0]["calls"] is not None}
    lines = [_line(name, seats) for name, seats in (asked or players).items()]
    return lines or [dict.fromkeys(("player", "model", *_NUMBERS), "")]


def _line(name: str, seats: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    first = seats[0]
    line = dict.fromkeys(_NUMBERS, "")
    line |= {"player": name, "model": first["model"] or first["type"], "return": _return(seats)}
    answered = sum(row["answered"] or 0 for row in seats)
    if answered:  # prompts: there is nothing to win
        line["answered"] = str(answered)
        line["score %"] = _score(seats)
    else:
        for column, key in (("win", "wins"), ("draw", "draws"), ("loss", "losses")):
            line[column] = str(sum(row[key] for row in seats))
    # Missing in runs made before this column existed.
    cuts = [row["cut_at_limit"] for row in seats if row.get("cut_at_limit") is not None]
    line["cut"] = str(sum(cuts)) if len(cuts) == len(seats) else "?"
    if first["calls"] is None:
        return line
    failures = sum(row[outcome.value] or 0 for row in seats for outcome in FAILURES)
    p50 = sorted({f"{r['latency_p50_s']:.3f}" for r in seats if r["latency_p50_s"] is not None})
    costs = [row["cost_usd"] for row in seats if row["calls"] or row["outages"]]
    line["failures"], line["calls"] = str(failures), str(sum(row["calls"] for row in seats))
    line["p50 s"] = p50[0] if len(p50) == 1 else f"{p50[0]} to {p50[-1]}" if p50 else "?"
    line["cost $"] = "?" if None in costs else f"{sum(costs):.4f}"
    return line


def _score(seats: Sequence[Mapping[str, Any]]) -> str:
    """Return the mean score over all seats, in per cent; missing in older runs."""
    scored = [(row["mean_score"], row["scored"]) for row in seats if row.get("scored")]
    total = sum(count for _, count in scored)
    return f"{100 * sum(mean * count for mean, count in scored) / total:.1f}" if total else ""


def _return(seats: Sequence[Mapping[str, Any]]) -> str:
    """Return the mean return over all seats, weighted by their episodes with a return."""
    played = [(row["mean_return"], row["episodes_with_return"]) for row in seats]
    total = sum(count for _, count in played)
    if not total:
        return "" if any(row["answered"] for row in seats) else "?"
    return f"{sum(mean * count for mean, count in played if count) / total:+.3f}"


def worst(jobs: Sequence[Job]) -> tuple[str, str | None]:
    """Return the sweep's status from its jobs' (error before budget), unless it was itself stopped.

    A job that was interrupted (``scancel``, a time limit) counts as failed.
    """
    failed = [job for job in jobs if job.status in (Status.ERROR, Status.INTERRUPTED)]
    budget = [job for job in jobs if job.status == Status.BUDGET]
    for status, some in ((Status.ERROR, failed), (Status.BUDGET, budget)):
        if some:
            reasons = {job.reason for job in some}
            shared = some[0].reason if len(reasons) == 1 else None
            return status, shared or f"{len(some)} of {len(jobs)} jobs"
    if any(job.status in (PENDING, Status.RUNNING) for job in jobs):
        return Status.INTERRUPTED, "jobs were left to do"
    return Status.COMPLETED, None
