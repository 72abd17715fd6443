"""The files of a sweep, with a type for every key: ``sweep.json`` and those in ``.jobs``.

``.jobs/N.json`` holds the configuration of job N, ``.jobs/N.end.json`` how its process ended, and
``.jobs/stop.json`` exists while all workers are to stop.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field

from game_reasoning_arena.errors import RunStorageError
from game_reasoning_arena.process.files import replace_file
from game_reasoning_arena.recording import layout
from game_reasoning_arena.recording.encoding import plain_data
from game_reasoning_arena.recording.run_record import Count

STOP_NAME = "stop.json"


class JobEntry(Struct, frozen=True, kw_only=True):
    """A job in ``sweep.json``; ``directory`` is a name in the sweep's directory."""

    number: Count
    directory: str
    overrides: list[str]
    values: dict[str, str]
    identity: str
    episodes: Count
    status: str
    reason: str | None = None

    def __post_init__(self) -> None:
        if self.directory in ("", ".", "..") or "/" in self.directory or "\0" in self.directory:
            raise ValueError(f"directory is {self.directory!r}, no name in the sweep's directory")


class BudgetEntry(Struct, frozen=True, kw_only=True):
    """``sweep.budget``; null is no limit."""

    usd: float | None = None
    tokens: int | None = None
    calls: int | None = None


class SettingsEntry(Struct, frozen=True, kw_only=True):
    """The settings for carrying out a sweep."""

    parallel_jobs: Count
    budget: BudgetEntry
    launcher: dict[str, Any] = field(default_factory=dict)


class SweepFile(Struct, frozen=True, kw_only=True):
    """The content of ``sweep.json``."""

    format_version: int
    status: str
    reason: str | None = None
    started_at: float
    finished_at: float | None = None
    command: list[str]
    cwd: str | None = None  # folder for relative paths of the command
    config_dir: str | None = None
    axes: dict[str, list[str]] = field(default_factory=dict)
    settings: SettingsEntry
    jobs: list[JobEntry]


class JobFile(Struct, frozen=True, kw_only=True):
    """The configuration of a job, resolved and without secrets."""

    number: Count
    directory: str
    overrides: list[str]
    cwd: str  # folder for relative paths of the configuration
    standing: str | None = None  # where the user stands: for .env, conf/ and modules
    config_dir: str | None = None
    identity: str | None = None
    config: dict[str, Any]


class EndFile(Struct, frozen=True, kw_only=True):
    """The end of a job's process."""

    status: str
    reason: str | None = None


class StopFile(Struct, frozen=True, kw_only=True):
    """The reason why all workers are to stop: ``interrupted`` or ``budget``."""

    kind: str
    reason: str


class SweepClaims:
    """Assigns each probe of a sweep to the first job that asks, on any machine.

    Args:
        sweep: the sweep's directory.
    """

    def __init__(self, sweep: Path) -> None:
        self._folder = sweep / layout.JOBS

    def _mark(self, question: str) -> Path:
        return self._folder / f"probed-{question}"

    def claim(self, question: str) -> bool:
        """Return whether no other job has asked the probe."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            os.close(os.open(self._mark(question), flags, 0o666))
        except FileExistsError:
            return False
        except OSError:
            return True
        return True

    def release(self, question: str) -> None:
        """Let another job ask the probe."""
        with suppress(OSError):
            self._mark(question).unlink()


def end_file(job_file: Path) -> Path:
    """Return the path of the file that records the end of a job's process."""
    return job_file.with_suffix(".end.json")


def stop_file(job_file: Path) -> Path:
    """Return the path of the file that exists while all workers are to stop."""
    return job_file.with_name(STOP_NAME)


def encode_record(record: Struct) -> str:
    """Return the text of a file of a sweep."""
    text = msgspec.json.encode(record, enc_hook=plain_data)
    return msgspec.json.format(text, indent=2).decode() + "\n"


def write_file(path: Path, text: str, *, durable: bool = True) -> None:
    """Replace a file of a sweep as a whole.

    Raises:
        RunStorageError: it cannot be written.
    """
    try:
        replace_file(path, text, durable=durable)
    except OSError as error:
        raise RunStorageError(f"{path} cannot be written: {error.strerror or error}.") from error
