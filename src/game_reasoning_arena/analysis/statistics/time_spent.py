"""Where runs that were played with ``profile=true`` spent their time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from game_reasoning_arena.analysis.statistics.competitors import run_names
from game_reasoning_arena.analysis.tables.forms import Column, Table, Value
from game_reasoning_arena.recording.frames import LoadedRuns

#: What the parts of a profile are.
PARTS: dict[str, str] = {
    "engine": "the game: rules, texts, names of moves",
    "prompt": "writing prompts",
    "parse": "reading answers",
    "record": "writing records",
    "queue": "calls that waited for limits or retries",
    "wire": "the provider's time of calls",
    "client": "what this process added to calls",
    "decode": "last token minus first",
    "search": "players that search or solve",
    "idle": "no processor used",
}


def time_table(loaded: LoadedRuns) -> Table:
    """Return a row per profiled run and part; no rows where none was profiled."""
    table = Table(
        "time",
        "Where the time went (profiled runs)",
        [
            Column("run", "run", names_row=True),
            Column("part", "part", names_row=True),
            Column("what", "what it is"),
            Column("seconds", "seconds", "seconds"),
            Column("share", "% of wall time", "percent"),
            Column("count", "times", "count"),
            Column("mean", "mean, seconds", "seconds"),
        ],
    )
    for name, reader in zip(run_names(loaded), loaded.readers, strict=True):
        profile = reader.profile
        if profile is not None:
            table.rows += _rows(name, profile)
            lag = reader.run.event_loop_lag_s.get("p99")
            if lag is not None:
                table.notes.append(f"{name}: the event loop was late by {lag:.3f} s (p99).")
    if table.rows:
        table.notes.insert(
            0, "Parts without a share overlap where calls or episodes do: they do not add up."
        )
    return table


def _rows(run: str, profile: Mapping[str, Any]) -> list[dict[str, Value]]:
    wall = float(profile["wall_s"])
    parts = sorted(profile["parts"].items(), key=lambda item: -float(item[1]["seconds"]))
    rows: list[dict[str, Value]] = [
        {
            "run": run,
            "part": name,
            "what": PARTS.get(name),
            "seconds": part["seconds"],
            "share": None if part["overlaps"] or not wall else part["seconds"] / wall,
            "count": part["count"],
            "mean": part["mean_s"],
        }
        for name, part in parts
    ]
    idle = float(profile["idle_s"])
    rows.append(
        {
            "run": run,
            "part": "idle",
            "what": PARTS["idle"],
            "seconds": idle,
            "share": idle / wall if wall else None,
        }
    )
    return rows
