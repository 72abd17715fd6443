"""The output at the end of a run: a table per player, the directory, the next step."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from game_reasoning_arena.catalog.prefixes import meaning_of_name
from game_reasoning_arena.errors import NotFoundError, ReplayMiss
from game_reasoning_arena.process.output import show
from game_reasoning_arena.records import FAILURES, Status

if TYPE_CHECKING:
    from game_reasoning_arena.analysis.tables.forms import Table
    from game_reasoning_arena.running.runner import RunResult

#: In a pipe, each row and each sentence is one line.
PLAIN_WIDTH = 10_000
#: Columns that prompts without a game do not have.
_OF_GAMES = ("win", "draw", "loss", "return")
#: Note below a table in which some episodes were cut.
CUT_NOTE = (
    "cut: ended by simulation.max_moves; they count by the returns as they stood, which in most "
    "games is a draw"
)


def show_result(result: RunResult, *, words: Sequence[str] = (), next_step: bool = True) -> None:
    """Print the table on stdout, with notes and the next step.

    Args:
        result: of a run.
        words: words of this sitting alone, which the next one would need again.
        next_step: whether to print why it is not finished and how to finish it; else the caller
            does.
    """
    show(lambda: _print_result(result, words, next_step=next_step), result.directory)


def _print_result(result: RunResult, words: Sequence[str], *, next_step: bool) -> None:
    from rich.console import Console

    from game_reasoning_arena.analysis.tables.terminal import to_rich

    terminal = sys.stdout.isatty()
    console = Console(width=None if terminal else PLAIN_WIDTH, highlight=False)
    console.print(to_rich(result_table(result.summary), console.width if terminal else None))
    lines = [*_notes_on_columns(result.summary), *_notes_on_the_run(result)]
    lines += _what_is_next(result, words) if next_step else _recording_is_over(result)
    for line in (*lines, f"directory: {result.directory}"):
        # Text to copy is not wrapped; the rest is wrapped at words.
        console.print(line, markup=False, soft_wrap=str(result.directory) in line)


def _notes_on_columns(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what a reader needs to know about the table's columns."""
    lines = []
    if any(row["episodes"] > row["episodes_with_return"] > 0 for row in rows):
        lines.append("return: the mean over episodes that were played to their end")
    if any(row["cut_at_limit"] for row in rows):
        lines.append(CUT_NOTE)
    if note := cache_note(rows):
        lines.append(note)
    return lines


def stand_in_note(rows: Sequence[Mapping[str, Any]]) -> str | None:
    """Return a note on scripted players, if there are any.

    Args:
        rows: of ``summary.csv``.
    """
    models = [str(row["model"]) for row in rows if row["model"]]
    stand_ins = [stand_in for model in models if (stand_in := meaning_of_name(model).stand_in)]
    if not stand_ins:
        return None
    alone = len(stand_ins) == len(models)
    return stand_ins[0] + ("; no language model played." if alone else ", no language models.")


def _notes_on_the_run(result: RunResult) -> list[str]:
    """Return how the episodes ended, the players, and what delayed the run."""
    played = ", ".join(f"{count} {status}" for status, count in sorted(result.episodes.items()))
    lines = [f"episodes: {played or 'none'}"]
    if note := stand_in_note(result.summary):
        lines.append(note)
    lines += [f"not paired: {note}" for note in result.unpaired]
    held_up = result.totals.get("calls_distorted_by_client") or 0
    if result.totals["calls"] and held_up > 0.05 * result.totals["calls"]:
        lines.append(_held_up(held_up, result.totals["calls"], " or ".join(result.quicker)))
    if result.profile is not None:
        lines.append(_where_time_went(result.profile))
    lines += result.assessed
    lines += [
        f"outage ({count} x): {reason}"
        for reason, count in result.outages.items()
        if reason.partition(": ")[2] not in (result.reason or "")
    ]
    return lines


def _recording_is_over(result: RunResult) -> list[str]:
    """Return why a recording could not answer further questions, if that ended the run."""
    if not isinstance(result.cause, ReplayMiss):
        return []
    return [
        "A recording answers what it was asked, no more: the other players have led the game "
        "elsewhere. Choose a model that can answer."
    ]


def _what_is_next(result: RunResult, words: Sequence[str]) -> list[str]:
    """Return why a run is not finished, and the command that finishes it."""
    lines = []
    if result.status is not Status.COMPLETED:
        lines.append(f"{result.status}: {result.reason}")
    elif not result.outages:
        return []
    if over := _recording_is_over(result):
        lines += over
    elif result.status is Status.ERROR and not result.begun:
        lines.append("nothing was answered: when that is fixed, start it again")
    elif isinstance(result.cause, NotFoundError):
        lines.append(
            "with another address, or when the server has that model: arena resume "
            f"{shlex.join([str(result.directory), *words])} [provider.NAME.api_base=...]; for "
            "another model begin a new run"
        )
    else:
        lines.append(f"finish it with: {shlex.join(_words_to_finish(result, words))}")
    return lines


def _words_to_finish(result: RunResult, words: Sequence[str]) -> list[str]:
    """Return the command that continues a run, with a larger budget if one is spent."""
    spent = ""
    if result.status is Status.BUDGET and result.reason:
        spent = result.reason.partition("=")[0]
    again = ["arena", "resume", str(result.directory)]
    again += [word for word in words if word.partition("=")[0].lstrip("+") != spent]
    return [*again, f"{spent}=MORE"] if spent else again


def cache_note(rows: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the note below a table with answers from the cache; None if there are none."""
    cached = sum(row.get("from_cache") or 0 for row in rows)  # missing in older runs
    if not cached:
        return None
    answers = cached + sum(row["calls"] or 0 for row in rows)
    return (
        f"{cached} of {answers} answers came from the cache: they are no calls, and add nothing to "
        "p50 s, tokens and cost $"
    )


def _held_up(calls: int, of: int, instead: str) -> str:
    """Return a note on calls that waited for this process; the system decides if latencies hold it.

    Args:
        calls: number of calls that waited.
        of: number of all calls.
        instead: settings with which more calls a second are possible, if any.
    """
    from game_reasoning_arena.backends.openai.stamped_socket import arrivals_are_stamped

    text = (
        f"of {of} calls, {calls} spent more than a quarter of the provider's time in this process "
        "(client_s): it was too busy. "
    )
    if arrivals_are_stamped():
        faster = f", and {instead} make more calls a second" if instead else ""
        return f"note: {text}Latencies are free of that{faster}."
    lower = "lower concurrency" + (f", or use {instead}" if instead else "")
    return f"warning: {text}Latencies may hold some of it: {lower}."


def _where_time_went(profile: Mapping[str, Any]) -> str:
    """Return the parts of a profile, largest first; shares of the wall time where they add up."""
    wall = profile["wall_s"]
    parts = sorted(profile["parts"].items(), key=lambda item: -item[1]["seconds"])
    own = [f"{name} {part['seconds'] / wall:.0%}" for name, part in parts if not part["overlaps"]]
    calls = [f"{name} {part['mean_s'] * 1000:.1f} ms" for name, part in parts if part["overlaps"]]
    text = f"time: {wall:.2f} s, idle {profile['idle_s'] / wall:.0%}; " + ", ".join(own)
    return text + (f"; on average {', '.join(calls)}" if calls else "")


def result_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return one row per player and seat."""
    from game_reasoning_arena.analysis.tables.forms import Column, Table

    left_out = set(_OF_GAMES) if any(row["answered"] for row in rows) else {"answered"}
    if not any(row.get("scored") for row in rows):  # missing in older runs
        left_out.add("score %")
    if not any(row["cut_at_limit"] for row in rows):
        left_out.add("cut")
    columns = [
        Column(
            name,
            name,
            "text" if name in ("player", "model") else "count",
            names_row=name in ("player", "seat"),
        )
        for name in _COLUMNS
        if name not in left_out
    ]
    return Table("result", "", columns, [dict(_cells(row)) for row in rows])


_COLUMNS = (
    *(
        "player",
        "seat",
        "model",
        "episodes",
        "answered",
        "score %",
        "win",
        "draw",
        "loss",
        "cut",
        "return",
    ),
    *("failures", "calls", "p50 s", "tokens", "cost $"),
)


def _cells(row: Mapping[str, Any]) -> dict[str, str]:
    """Return a row's cells by column; empty if not applicable, "?" if unknown."""
    asked = row["calls"] is not None
    failures = [row[kind.value] for kind in FAILURES if row[kind.value] is not None]
    tokens = (
        None
        if row["completion_tokens"] is None
        else (row["prompt_tokens"] or 0) + row["completion_tokens"]
    )
    return {
        "player": row["player"],
        "seat": str(row["seat"]),
        "model": row["model"] or row["type"],
        "episodes": str(row["episodes"]),
        "answered": str(row["answered"]),
        "score %": _percent(row.get("mean_score")),
        "win": str(row["wins"]),
        "draw": str(row["draws"]),
        "loss": str(row["losses"]),
        "cut": str(row["cut_at_limit"]),
        "return": _number(row["mean_return"], "+.2f"),
        "failures": str(sum(failures)) if failures else "",
        "calls": str(row["calls"]) if asked else "",
        "p50 s": _number(row["latency_p50_s"], ".3f") if asked else "",
        "tokens": _number(tokens, "d") if asked else "",
        "cost $": _number(row["cost_usd"], ".4f") if asked else "",
    }


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f}"


def _number(value: float | None, form: str) -> str:
    return "?" if value is None else format(value, form)
