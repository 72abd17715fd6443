"""Checks of a record against its ``run.json``, against itself, and against its replay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from game_reasoning_arena.recording import layout
from game_reasoning_arena.recording.decoding import key_of
from game_reasoning_arena.recording.lines import read_lines
from game_reasoning_arena.recording.run_record import run_or_none
from game_reasoning_arena.records import CallKey

_Line = Mapping[str, Any]


def not_as_written(directory: Path) -> list[str]:
    """Return where the lines of a run are not those it wrote: counts of episodes that differ from
    ``run.json``, and repeated numbers.
    """
    statuses: dict[int, str] = {}
    twice: dict[str, None] = {}
    for line in _lines(directory / layout.EPISODES):
        number = line["episode"]
        if number in statuses:
            twice[f"episode {number} stands twice in {layout.EPISODES}"] = None
        statuses[number] = line["status"]
    asked: dict[CallKey, Any] = {}
    for line in _answers(directory):
        key = key_of(line)
        if asked.get(key) == line["messages"]:  # another question, asked again when resumed
            twice[f"{_where(key)} stands twice in {layout.RESPONSES}"] = None
        asked[key] = line["messages"]
    return [*_other_numbers(directory, Counter(statuses.values())), *twice]


def _other_numbers(directory: Path, found: Counter[str]) -> list[str]:
    run = run_or_none(directory)
    if run is None:
        return [f"{layout.RUN} cannot be read, so the number of its episodes is unknown"]
    if run.finished_at is None:  # it was killed before it wrote them
        return []
    counts = run.counts
    return [
        f"{layout.RUN} counts {counts.get(status, 0)} episodes with status {status}, "
        f"{layout.EPISODES} holds {found[status]}"
        for status in sorted(counts.keys() | found.keys())
        if counts.get(status, 0) != found[status]
    ]


def judged_otherwise(directory: Path, replayed: Path) -> list[str]:
    """Return the answers of a run whose verdict differs in its replay.

    Args:
        directory: the run.
        replayed: the run directory of its replay.
    """
    recorded = {key_of(line): _verdict(line) for line in _answers(directory)}
    found = []
    for line in _answers(replayed):
        key, now = key_of(line), _verdict(line)
        was = recorded.get(key, now)
        if was != now:
            found.append(f"{_where(key)}: the answer is recorded as {was}, but is {now}")
    return found


def _answers(directory: Path) -> Iterator[_Line]:
    return (line for line in _lines(directory / layout.RESPONSES) if line.get("outcome"))


def _lines(path: Path) -> Iterator[_Line]:
    return read_lines(path, notice=lambda _: None)  # reported by the replay


def _verdict(line: _Line) -> str:
    action = line.get("action")
    return str(line["outcome"]) if action is None else f"{line['outcome']} (move {action})"


def _where(key: CallKey) -> str:
    sample = f", sample {key.sample}" if key.sample else ""
    return f"episode {key.episode}, seat {key.seat}, turn {key.turn}, attempt {key.attempt}{sample}"
