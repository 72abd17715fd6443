"""What is shown when a run has ended: a table per player, the directory, the next step."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from game_reasoning_arena.records import Status

if TYPE_CHECKING:
    from rich.table import Table

    from game_reasoning_arena.run import RunResult

PLAIN_WIDTH = 120


def show_result(result: RunResult) -> None:
    """Print the table on stdout and what matters beside it."""
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH, highlight=False)
    console.print(result_table(result.summary))
    played = ", ".join(f"{count} {status}" for status, count in sorted(result.episodes.items()))
    console.print(f"episodes: {played or 'none'}", markup=False)
    if any("scripted" in str(row["model"]) for row in result.summary):
        console.print("scripted_* are stand-ins that follow rules; no language model played.")
    distorted = result.totals.get("calls_distorted_by_client") or 0
    if result.totals["calls"] and distorted > 0.05 * result.totals["calls"]:
        console.print(
            f"warning: the client was too busy for {distorted} of {result.totals['calls']} calls; "
            "their time in this process (client_s) is not small against the provider's. Lower "
            "concurrency, or use the direct backend.",
            markup=False,
        )
    if result.status is not Status.COMPLETED:
        console.print(f"{result.status}: {result.reason}", markup=False)
        console.print(
            f"finish it with: arena resume {result.directory}", markup=False, soft_wrap=True
        )
    console.print(f"directory: {result.directory}", markup=False, soft_wrap=True)


def result_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """One line per player and seat."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    columns = ["player", "seat", "model", "episodes", "win", "draw", "loss", "return"]
    columns += ["failures", "calls", "p50 s", "tokens", "cost $"]
    for column in columns:
        table.add_column(column, justify="left" if column in ("player", "model") else "right")
    for row in rows:
        failures = [row[key] for key in _FAILURE_COLUMNS if row[key] is not None]
        tokens = (
            None
            if row["completion_tokens"] is None
            else (row["prompt_tokens"] or 0) + row["completion_tokens"]
        )
        table.add_row(
            row["player"],
            str(row["seat"]),
            row["model"] or row["type"],
            str(row["episodes"]),
            str(row["wins"]),
            str(row["draws"]),
            str(row["losses"]),
            _number(row["mean_return"], "+.2f"),
            str(sum(failures)) if failures else "",
            "" if row["calls"] is None else str(row["calls"]),
            "" if row["calls"] is None else _number(row["latency_p50_s"], ".3f"),
            "" if row["calls"] is None else _number(tokens, "d"),
            "" if row["calls"] is None else _number(row["cost_usd"], ".4f"),
        )
    return table


_FAILURE_COLUMNS = (
    "illegal",
    "unparsable",
    "truncated",
    "empty",
    "refused",
    "context_overflow",
)


def _number(value: float | None, form: str) -> str:
    return "?" if value is None else format(value, form)
