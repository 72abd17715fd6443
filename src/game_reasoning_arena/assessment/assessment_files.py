"""The files of an assessment: whole episodes are appended, and an existing file is continued.

An episode with all its lines in both ``decisions.jsonl`` and ``luck.jsonl`` is complete; lines of
incomplete episodes, left by a kill or a power failure, are removed.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from game_reasoning_arena.errors import RunStorageError, UserError
from game_reasoning_arena.process.files import (
    open_to_append,
    read_json,
    replace_file,
    write_all,
)
from game_reasoning_arena.recording import layout
from game_reasoning_arena.recording.judgements import checked_facts
from game_reasoning_arena.recording.lines import read_lines

_FILES = (layout.DECISIONS, layout.LUCK, layout.ASSESSMENT)


class AssessmentFiles:
    """The three files in one run directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def found(self) -> dict[str, Any] | None:
        """Return an earlier assessment's ``assessment.json``; None if there is none."""
        content = read_json(self._directory / layout.ASSESSMENT)
        return None if content is None else checked_facts(content)[0]

    def remove(self) -> None:
        """Remove all three files."""
        for name in _FILES:
            (self._directory / name).unlink(missing_ok=True)

    def repair(self, wanted: Mapping[int, tuple[int, int]]) -> set[int]:
        """Keep the lines of complete episodes and no others; return their numbers.

        Args:
            wanted: the number of decisions and of seats of each episode to assess.
        """
        decisions, luck = self._lines(layout.DECISIONS), self._lines(layout.LUCK)
        decided, seats = (
            Counter(line.get("episode") for line in lines) for lines in (decisions, luck)
        )
        done = {n for n, counts in wanted.items() if counts == (decided[n], seats[n])}
        for name, lines in ((layout.DECISIONS, decisions), (layout.LUCK, luck)):
            self._rewrite(name, [line for line in lines if line.get("episode") in done])
        return done

    def append(self, decisions: bytes, luck: bytes) -> None:
        """Append the lines of whole episodes."""
        for name, lines in ((layout.DECISIONS, decisions), (layout.LUCK, luck)):
            path = self._directory / name
            try:
                descriptor = open_to_append(path)
                try:
                    write_all(descriptor, lines)
                finally:
                    os.close(descriptor)
            except OSError as error:
                raise RunStorageError(_unwritable(path, error)) from error

    def write_assessment(self, content: Mapping[str, Any]) -> None:
        """Replace ``assessment.json``."""
        option = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS
        self._replace(layout.ASSESSMENT, orjson.dumps(content, option=option) + b"\n")

    def check_writable(self) -> None:
        """Fail before anything is computed.

        Raises:
            UserError: nothing can be written in the directory.
        """
        if not os.access(self._directory, os.W_OK):
            raise UserError(f"{self._directory} cannot be written, so nothing is assessed there.")

    def _lines(self, name: str) -> list[dict[str, Any]]:
        path = self._directory / name
        return list(read_lines(path, notice=lambda _: None)) if path.is_file() else []

    def _rewrite(self, name: str, lines: list[dict[str, Any]]) -> None:
        self._replace(name, b"".join(orjson.dumps(line) + b"\n" for line in lines))

    def _replace(self, name: str, content: bytes) -> None:
        path = self._directory / name
        try:
            replace_file(path, content)
        except OSError as error:
            raise RunStorageError(_unwritable(path, error)) from error


def _unwritable(path: Path, error: OSError) -> str:
    return (
        f"{path} cannot be written: {error.strerror or error}. What was written before is kept; "
        "make room, then assess again."
    )
