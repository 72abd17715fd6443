"""Write a run directory: appended and flushed as results arrive, readable whenever it stops.

A line is one ``write`` on a descriptor opened for appending, so a kill leaves at most one torn
line, the last. ``run.json``, ``config.yaml`` and ``summary.csv`` are replaced as a whole.

Episodes of random players alone cost microseconds to play again, less than a ``write``: their
lines may be gathered for a few hundredths of a second (``gather``).
"""

from __future__ import annotations

import csv
import fcntl
import io
import logging
import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from game_reasoning_arena.errors import RunStorageError, UserError
from game_reasoning_arena.process.files import (
    make_directory,
    open_lock,
    open_to_append,
    open_to_read,
    remove_leftovers,
    replace_file,
    write_all,
)
from game_reasoning_arena.process.text import as_cell
from game_reasoning_arena.recording import layout
from game_reasoning_arena.recording.encoding import encode
from game_reasoning_arena.recording.run_record import RunRecord, encode_run
from game_reasoning_arena.records import CallKey, EpisodeRecord, ResponseRecord

log = logging.getLogger(__name__)

#: Seconds between two checks that a file still exists; a check costs as much as a write. Gathered
#: lines are written after this time at the latest.
LOOK_EVERY_S = 0.02

#: Gathered lines are written at once beyond so many bytes.
GATHERED = 1 << 16

Redact = Callable[[str], str]


def _plain(text: str) -> str:
    return text


class _LineFile:
    """A file that only grows, by one line per write."""

    def __init__(self, path: Path, redact: Redact) -> None:
        self.path = path
        self._redact = redact
        self._look_again = 0.0
        self._gathered = bytearray()
        self._fd = open_to_append(path)

    def append(self, record: Any, *, gather: bool = False) -> None:
        line = encode(record) + b"\n"
        if gather and len(self._gathered) < GATHERED and time.monotonic() < self._look_again:
            self._gathered += line
        elif self._gathered:
            self._gathered += line
            self.flush()
        else:
            self._write(line)

    def _write(self, line: bytes) -> None:
        if self._redact is not _plain:
            text = line.decode()
            redacted = self._redact(text)
            if redacted is not text:
                line = redacted.encode()
        try:
            write_all(self._fd, line)
            now = time.monotonic()
            if now >= self._look_again:
                self._look_again = now + LOOK_EVERY_S
                if os.fstat(self._fd).st_nlink == 0:
                    raise FileNotFoundError(2, "the file was removed while the run wrote to it")
        except OSError as error:
            raise RunStorageError(
                f"{self.path} cannot be written any more: {error.strerror or error}. What was "
                "written before is kept; make room or restore the directory, then resume."
            ) from error

    def flush(self) -> None:
        """Write the gathered lines."""
        if self._gathered:
            lines, self._gathered = bytes(self._gathered), bytearray()
            self._write(lines)

    def sync(self) -> None:
        """Write all lines to the disk."""
        self.flush()
        with suppress(OSError):  # a file system without fsync
            os.fsync(self._fd)

    def close(self) -> None:
        if self._fd >= 0:
            try:
                self.flush()
            finally:
                os.close(self._fd)
                self._fd = -1


class DirectoryLock:
    """Held by the one process that writes a run directory; the system frees it when that dies.

    Raises:
        UserError: another process holds it, or it cannot be held.
    """

    def __init__(self, directory: Path) -> None:
        path = directory / layout.LOCK
        try:
            self._fd = open_lock(path)
        except OSError as error:
            raise UserError(
                f"{directory} cannot be locked for writing: {path} {_reason(error)}. Correct its "
                "permissions or delete that file, or work on a copy of the directory."
            ) from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise UserError(
                f"{directory} is being written by another process. Wait for it, or stop it."
            ) from None
        except OSError:
            log.warning("%s: this file system has no locks; write to it once at a time", directory)
        remove_leftovers(directory)

    def close(self) -> None:
        """Release the lock."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _reason(error: OSError) -> str:
    return f"({error.strerror or error})"


def is_begun(directory: Path) -> bool:
    """Return whether a directory holds a run to go on with, or its lines, if not its run.json."""
    files = (directory / layout.RESPONSES, directory / layout.EPISODES)
    return (directory / layout.RUN).is_file() or any(
        path.is_file() and path.stat().st_size for path in files
    )


def refuse_begun(directory: Path, option: str) -> None:
    """Refuse a directory that already holds a run: runs are never added to another.

    Raises:
        UserError: it holds a run, or lines of one whose ``run.json`` is lost.
    """
    if os.path.lexists(directory / layout.RUN):
        raise UserError(
            f"{directory} holds a run already. Finish it with `arena resume {directory}`, or "
            f"choose another directory ({option})."
        )
    for name in (layout.RESPONSES, layout.EPISODES):
        path = directory / name
        if os.path.lexists(path) and (not path.is_file() or path.stat().st_size):
            raise UserError(
                f"{directory} holds {name} of a run whose {layout.RUN} is missing, and nothing is "
                f"added to it. `arena resume {directory}` makes a new {layout.RUN} from what is "
                f"there; or choose another directory ({option})."
            )


class RunWriter:
    """The one writer of a run directory.

    Args:
        directory: created if it is missing; must hold no run unless ``resume`` is set.
        redact: applied to every text before it is written.
        resume: continue the run that is there; the caller holds the directory's lock.
        known: calls with recorded answers (a live set); they are not written again.
        gather: whether all players are random, so that lines of episodes may wait for others.
        option: the option that chooses another directory, for advice in errors.

    Raises:
        UserError: the directory holds a run, or cannot be created.
        RunStorageError: (any method) the disk is full, read-only, or the directory is gone.
    """

    def __init__(
        self,
        directory: Path,
        *,
        redact: Redact | None = None,
        resume: bool = False,
        known: Collection[CallKey] = (),
        gather: bool = False,
        option: str = "hydra.run.dir=DIR",
    ) -> None:
        self.directory = directory
        self._gather = gather
        self._redact = redact or _plain
        self._known = known
        if not resume:
            refuse_begun(directory, option)
        try:
            make_directory(directory)
            self._lock = None if resume else DirectoryLock(directory)
            self._responses = _LineFile(directory / layout.RESPONSES, self._redact)
            self._episodes = _LineFile(directory / layout.EPISODES, self._redact)
        except OSError as error:
            raise UserError(
                f"{directory} cannot be written: {error.strerror or error}. Choose another "
                f"directory with {option} or correct its permissions."
            ) from error

    def response(self, record: ResponseRecord) -> None:
        """Append one attempt; do nothing for an answer that is already on disk."""
        if self._known and record.outcome is not None and record.key in self._known:
            return
        self._responses.append(record)

    def episode(self, record: EpisodeRecord) -> None:
        """Append one finished episode."""
        self._episodes.append(record, gather=self._gather)

    def run(self, record: RunRecord) -> None:
        """Replace ``run.json``; the lines are written first, and reach the disk at the end."""
        if record.finished_at is None:
            self._episodes.flush()
        else:
            self._responses.sync()
            self._episodes.sync()
        self._replace(layout.RUN, encode_run(record).decode())

    def config(self, text: str) -> None:
        """Replace ``config.yaml``."""
        self._replace(layout.CONFIG, text)

    def json(self, name: str, content: Any) -> None:
        """Replace another JSON file of the run, such as its profile."""
        self._replace(name, orjson.dumps(content, option=orjson.OPT_INDENT_2).decode() + "\n")

    def summary(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Replace ``summary.csv``; the columns are the first row's keys, None is an empty cell."""
        out = io.StringIO()
        if rows:
            table = csv.DictWriter(out, fieldnames=list(rows[0]), lineterminator="\n")
            table.writeheader()
            table.writerows({key: as_cell(value) for key, value in row.items()} for row in rows)
        self._replace(layout.SUMMARY, out.getvalue(), durable=False)

    def close(self) -> None:
        """Close the files."""
        self._responses.close()
        self._episodes.close()
        if self._lock is not None:
            self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _replace(self, name: str, text: str, *, durable: bool = True) -> None:
        path = self.directory / name
        try:
            replace_file(path, self._redact(text), durable=durable)
        except OSError as error:
            raise RunStorageError(
                f"{path} cannot be written: {error.strerror or error}. What was written before "
                "is kept; make room or restore the directory, then resume."
            ) from error


def is_locked(directory: Path) -> bool:
    """Return whether a process of this machine is writing to the run."""
    try:
        with open_to_read(directory / layout.LOCK) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return False
    except BlockingIOError:
        return True
    except OSError:
        return False
