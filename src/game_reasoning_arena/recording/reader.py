"""Read run directories in any state.

A line file is read from start to end without holding it in memory; problems are reported, never
guessed away. :class:`RunReader` reads one directory, :func:`find_runs` finds directories in sweeps
and globs. :func:`game_reasoning_arena.recording.load_runs` makes tables of many runs.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypedDict

from game_reasoning_arena.errors import DamagedRecordError, UserError, near
from game_reasoning_arena.process.files import read_file, read_json
from game_reasoning_arena.process.yaml_text import load_yaml
from game_reasoning_arena.recording import layout
from game_reasoning_arena.recording.decoding import read_record
from game_reasoning_arena.recording.judgements import checked_facts
from game_reasoning_arena.recording.lines import (
    Notice,
    read_line_at,
    read_lines,
    read_lines_at,
    warn,
)
from game_reasoning_arena.recording.run_record import RunRecord, read_run
from game_reasoning_arena.records import FINAL, FORMAT_VERSION, Status

_MARKS = (layout.RUN, layout.EPISODES, layout.RESPONSES)


def is_run(path: Path) -> bool:
    """Return whether a directory holds a run, or the rest of one."""
    return any((path / mark).is_file() for mark in _MARKS)


class ProfilePart(TypedDict):
    """Seconds of one part of a run; those that overlap do not add up to its wall time."""

    seconds: float
    count: int
    mean_s: float
    overlaps: bool


class ProfileContent(TypedDict):
    """The content of ``profile.json``."""

    wall_s: float
    idle_s: float
    parts: dict[str, ProfilePart]


class RunReader:
    """One run directory.

    Args:
        path: a directory that :func:`is_run` accepts.
        notice: called for each missing or damaged thing; by default a :class:`RunDataWarning` each.

    Raises:
        UserError: it is no run directory.
    """

    def __init__(self, path: Path | str, *, notice: Notice | None = None) -> None:
        self.path = Path(path)
        self._notice = notice or warn
        if not is_run(self.path):
            raise UserError(
                f"{self.path} is no run directory: it holds none of {', '.join(_MARKS)}. "
                "A run directory is what `arena` prints at its end."
            )

    def __repr__(self) -> str:
        return f"RunReader({str(self.path)!r})"

    @cached_property
    def run(self) -> RunRecord:
        """``run.json``; an empty record when it is missing or damaged, which is reported."""
        path = self.path / layout.RUN
        try:
            record, problems = read_run(self.path)
        except FileNotFoundError:
            self._notice(
                f"{path} is missing: status, versions, git state and totals of the run are unknown."
            )
            return RunRecord()
        except (OSError, UserError) as error:
            self._notice(f"{path} cannot be read ({_why(error)}): its content is unknown.")
            return RunRecord()
        for problem in problems:
            self._notice(f"{path} is damaged at {problem}; that value is taken as unknown.")
        version = record.format_version
        if version is None:
            self._notice(f"{path} names no format_version: it is read as version {FORMAT_VERSION}.")
        elif version != FORMAT_VERSION:
            self._notice(
                f"{path} has format version {version}, this program knows {FORMAT_VERSION}: "
                "fields it does not know are ignored, fields that are absent are null."
            )
        return record

    @cached_property
    def config(self) -> dict[str, Any]:
        """The resolved configuration; an empty dict when it is missing, which is reported."""
        import yaml

        path = self.path / layout.CONFIG
        try:
            content = load_yaml(read_file(path))
        except FileNotFoundError:
            self._notice(f"{path} is missing: how the run was configured is unknown.")
            return {}
        except (yaml.YAMLError, OSError, ValueError) as error:
            self._notice(
                f"{path} cannot be read ({_why(error)}): how the run was configured is unknown."
            )
            return {}
        return dict(self._whole_nodes(content))

    def _whole_nodes(self, content: Any) -> Iterator[tuple[str, Any]]:
        """Yield the settings, without players and a simulation that are no groups of settings."""
        if not isinstance(content, dict):
            path = self.path / layout.CONFIG
            self._notice(f"{path} holds no settings: how the run was configured is unknown.")
            return
        for key, value in content.items():
            if key == "agents" and self._is_group(key, value):
                players = value.items()
                yield key, {n: a for n, a in players if self._is_group(f"agents.{n}", a)}
            elif key != "agents" and (key != "simulation" or self._is_group(key, value)):
                yield str(key), value

    def _is_group(self, key: str, value: Any) -> bool:
        if not isinstance(value, dict):
            self._notice(f"{self.path / layout.CONFIG} is damaged at {key}: taken as unknown.")
        return isinstance(value, dict)

    @cached_property
    def profile(self) -> ProfileContent | None:
        """``profile.json``; None where the run was not profiled, or where it is damaged."""
        path = self.path / layout.PROFILE
        try:
            return read_record(path, ProfileContent)
        except FileNotFoundError:
            return None
        except DamagedRecordError as error:
            self._notice(f"{error}: where time went is unknown.")
            return None

    @cached_property
    def assessment(self) -> dict[str, Any] | None:
        """``assessment.json``; None where the run was not assessed, or where it is damaged."""
        path = self.path / layout.ASSESSMENT
        content = read_json(path)
        if content is None:
            if path.exists():
                self._notice(f"{path} cannot be read: the run counts as not assessed.")
            elif any((self.path / name).exists() for name in (layout.DECISIONS, layout.LUCK)):
                self._notice(f"{path} is missing: the run counts as not assessed. {self._again()}")
            return None
        facts, damaged = checked_facts(content)
        if damaged:
            self._notice(f"{path} is damaged at {', '.join(damaged)}: taken as unknown.")
        return facts

    def decisions(self) -> Iterator[dict[str, Any]]:
        """Return the lines of ``decisions.jsonl``; none where the run was not assessed."""
        return self._judged(layout.DECISIONS)

    def luck(self) -> Iterator[dict[str, Any]]:
        """Return the lines of ``luck.jsonl``; none where the run was not assessed."""
        return self._judged(layout.LUCK)

    def _judged(self, name: str) -> Iterator[dict[str, Any]]:
        facts, path = self.assessment, self.path / name
        if facts is None:
            return
        if not path.is_file():
            if facts.get("episodes", {}).get("assessed"):
                self._notice(f"{path} is missing, though the run was assessed. {self._again()}")
            return
        read = 0
        for line in read_lines(path, notice=self._notice):
            read += 1
            yield line
        written = facts.get("counts", {}).get(Path(name).stem, 0)  # known of decisions
        if read < written:
            self._notice(f"{path} has lost {written - read} of {written} lines. {self._again()}")

    def _again(self) -> str:
        return f"`arena assess {self.path}` makes it again."

    @property
    def run_id(self) -> str:
        """The run's id; the directory's name if ``run.json`` holds none."""
        return self.run.run_id or self.path.name

    @property
    def status(self) -> Status | None:
        """The run's status, ``running`` while it goes on (or after a kill); None if unknown."""
        try:
            return Status(self.run.status or "")
        except ValueError:
            return None

    def episodes(self) -> Iterator[dict[str, Any]]:
        """Return the lines of ``episodes.jsonl``; none, reported, when the file is missing."""
        return (record for _, record in self.episodes_at())

    def responses(self) -> Iterator[dict[str, Any]]:
        """Return the lines of ``responses.jsonl``; none, reported, when the file is missing."""
        return (record for _, record in self.responses_at())

    def episodes_at(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield offsets and lines of ``episodes.jsonl``."""
        return self._lines(layout.EPISODES, "no result of an episode is known.")

    def responses_at(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield offsets and lines of ``responses.jsonl``."""
        return self._lines(layout.RESPONSES, "prompts, answers, latencies and cost are unknown.")

    def responses_from(self, offsets: Iterable[int]) -> Iterator[dict[str, Any]]:
        """Yield lines of ``responses.jsonl`` by their offsets."""
        return read_line_at(self.path / layout.RESPONSES, offsets)

    def _lines(self, name: str, loss: str) -> Iterator[tuple[int, dict[str, Any]]]:
        path = self.path / name
        if not path.is_file():
            what = "is no regular file" if os.path.lexists(path) else "is missing"
            self._notice(f"{path} {what}: {loss}")
            return
        yield from read_lines_at(path, notice=self._notice)


def find_runs(*paths: Path | str, notice: Notice | None = None) -> list[RunReader]:
    """Return the run directories in ``paths``: runs, sweeps (at any depth) and glob patterns.

    Each is listed once, in the given order; inside a sweep in natural order (``2`` before ``10``).
    Runs inside a run are not searched for.

    Raises:
        UserError: a path does not exist, a pattern matches nothing, or there is no run in it.
    """
    if not paths:
        raise UserError("No run directory is given. Name one or more, such as outputs/*/*.")
    found: dict[Path, RunReader] = {}
    for path in paths:
        for root in _expand(path):
            directories = list(_walk(root))
            if not directories and not _is_pattern(path):
                raise UserError(_nothing_in(root))
            for directory in directories:
                found.setdefault(directory.resolve(), RunReader(directory, notice=notice))
    if not found:
        asked = ", ".join(str(path) for path in paths)
        raise UserError(f"There is no run in {asked}: no directory holds one of {_MARKS}.")
    return list(found.values())


def each_once(readers: Sequence[RunReader], notice: Notice) -> list[RunReader]:
    """Return runs without copies of another, and without the parts of a merged run.

    Of copies the one with the most ended episodes is kept, as it went on after the others were
    made.
    """
    kept: dict[str, RunReader] = {}
    for reader in readers:
        run_id = reader.run.run_id or str(reader.path)
        other = kept.get(run_id)
        if other is not None and _length(other) >= _length(reader):
            notice(f"{reader.path} is a copy of {other.path} (the same run): left out.")
            continue
        if other is not None:
            notice(f"{other.path} is a copy of {reader.path} (the same run): left out.")
        kept[run_id] = reader
    wholes = {part.run_id: reader for reader in kept.values() for part in reader.run.merged}
    found = []
    for run_id, reader in kept.items():
        if (whole := wholes.get(run_id)) is not None:
            notice(f"{reader.path} is a part of {whole.path}, which was merged: left out.")
        else:
            found.append(reader)
    return found


def _length(reader: RunReader) -> int:
    return sum(str(line.get("status")) in FINAL for line in reader.episodes())


def _expand(path: Path | str) -> list[Path]:
    plain = Path(path).expanduser()
    if plain.is_dir():
        return [plain]
    if plain.is_file() and is_run(plain.parent):
        return [plain.parent]
    if _is_pattern(path):
        matches = sorted(map(Path, glob.glob(str(plain), recursive=True)), key=_natural)
        directories = [match for match in matches if match.is_dir()]
        if not directories:
            raise UserError(f"The pattern {str(path)!r} matches no directory.")
        return directories
    if plain.is_file():
        raise UserError(
            f"{str(path)!r} is a file. Give a run's directory, such as outputs/DATE/TIME."
        )
    parent = plain.parent
    beside = [entry.name for entry in parent.iterdir()] if parent.is_dir() else []
    close = near(plain.name, beside)
    hint = f" Did you mean {str(parent / close[0])!r}?" if close else ""
    raise UserError(f"{str(path)!r} does not exist.{hint}")


def _is_pattern(path: Path | str) -> bool:
    return glob.has_magic(str(path)) and not Path(path).exists()


def _walk(root: Path) -> Iterator[Path]:
    """Yield run directories at or below ``root``; links to directories are not followed."""
    if is_run(root):
        yield root
        return
    with os.scandir(root) as entries:
        below = [Path(e.path) for e in entries if e.is_dir(follow_symlinks=False)]
    for directory in sorted(below, key=_natural):
        if not directory.name.startswith("."):
            yield from _walk(directory)


def _natural(path: Path) -> list[tuple[int, str]]:
    """Return a sort key that orders numbers inside names as numbers."""
    return [
        (int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", str(path))
    ]


def _nothing_in(root: Path) -> str:
    entries = sorted(entry.name for entry in root.iterdir())
    if not entries:
        return f"{root} is empty: there is no run in it to read."
    shown = ", ".join(entries[:8]) + (", ..." if len(entries) > 8 else "")
    return (
        f"{root} holds no run: none of {', '.join(_MARKS)} is in it or below it (it holds {shown})."
    )


def _why(error: Exception) -> str:
    """Return an error's reason in one line, without the path, which the sentence names already."""
    text = getattr(error, "strerror", None) or str(error)
    return " ".join(text.split())
