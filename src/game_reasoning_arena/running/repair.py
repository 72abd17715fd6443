"""Line files of a resumed run: read strictly, repaired where a kill or power loss tore a line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from game_reasoning_arena.errors import DamagedRecordError, UserError
from game_reasoning_arena.process.files import open_to_append, open_to_read, replace_file
from game_reasoning_arena.recording.lines import scan


@contextmanager
def damage_reported(path: Path, number: int) -> Iterator[None]:
    """Report a damaged line with its file, its number and a next step."""
    try:
        yield
    except DamagedRecordError as error:
        raise DamagedRecordError(
            f"{path}, line {number} is damaged: {error}. Correct or delete the line, then resume; "
            "what is deleted is asked or played again."
        ) from error


def repaired_lines(path: Path, notes: list[str]) -> list[tuple[int, dict[str, Any]]]:
    """Return the numbers and objects of the lines, each line once; a torn end is cut off.

    Raises:
        DamagedRecordError: a line before the end is damaged.
        UserError: the file cannot be read or repaired.
    """
    lines: list[tuple[int, dict[str, Any]]] = []
    seen: set[int] = set()
    repeated = 0
    torn = unended = None
    try:
        with open_to_read(path) as file:
            for line in scan(file, path.name):
                if line.torn:
                    torn = line
                elif line.record is None:
                    with damage_reported(path, line.number):
                        raise DamagedRecordError(line.problem)
                elif line.mark in seen:
                    repeated += 1
                else:
                    seen.add(line.mark)
                    lines.append((line.number, line.record))
                    unended = None if line.ended else line
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.") from error
    if torn is not None:
        _cut(path, torn.offset)
        notes.append(f"{path.name}: a torn last line of {torn.end - torn.offset} bytes was cut off")
    if unended is not None:
        _end_last_line(path)
    if repeated:
        notes.append(f"{path.name}: what stands there twice counts once ({repeated} lines)")
    return lines


def _cut(path: Path, size: int) -> None:
    descriptor = open_to_append(path)
    try:
        os.ftruncate(descriptor, size)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _end_last_line(path: Path) -> None:
    descriptor = open_to_append(path)
    try:
        os.write(descriptor, b"\n")
    finally:
        os.close(descriptor)


def rewrite_lines(path: Path, lines: list[dict[str, Any]]) -> None:
    """Replace a line file by these lines."""
    replace_file(path, b"".join(orjson.dumps(line) + b"\n" for line in lines))
