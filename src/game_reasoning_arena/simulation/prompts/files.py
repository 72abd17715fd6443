"""Rows of data files: read once from start to end, then again one by one by their numbers.

Only the byte at which each row begins is kept, so that memory does not grow with the texts. Files
that cannot be read from the middle (gzip, one JSON document, Parquet) are copied as lines into a
temporary file first.
"""

from __future__ import annotations

import csv
import json
import os
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from game_reasoning_arena.errors import UserError
from game_reasoning_arena.simulation.prompts.formats import (
    BOM,
    DELIMITERS,
    ENDINGS,
    Copy,
    Row,
    copied,
    ending,
    filled,
    json_row,
    table_row,
    text_row,
)

#: The data files that ship, by the names that ``simulation.file`` takes.
SHIPPED = Path(__file__).resolve().parent.parent / "data"

#: The most characters in a cell of a CSV file: a prompt may hold a whole book.
_LONGEST_CELL = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a row, for errors."""

    file: str
    kind: str
    number: int
    key: str = "simulation.file"

    def __str__(self) -> str:
        return f"{self.key}={self.file!r}, {self.kind} {self.number}"


def data_files(file: str, *, key: str = "simulation.file") -> list[Path]:
    """Return the files of a setting: one file, or all of a directory in the order of names.

    A name without a folder is looked for in the working directory, then among the shipped files.

    Raises:
        UserError: it is missing, has an unknown ending, or is a directory without data files.
    """
    path = Path(file).expanduser()
    if not path.exists() and path.parent == Path() and (SHIPPED / path).is_file():
        path = SHIPPED / path
    if path.is_dir():
        found = sorted(one for one in path.iterdir() if one.is_file() and ending(one))
        if not found:
            raise UserError(
                f"{key}={file!r} is a directory without data files. They end in "
                f"{', '.join(ENDINGS)}, also with .gz behind it."
            )
        return [one.resolve() for one in found]
    if not ending(path):
        raise UserError(
            f"{key}={file!r} has an unknown ending. Possible: {', '.join(ENDINGS)}, also with .gz "
            "behind it, or a directory of such files."
        )
    if not path.is_file():
        raise UserError(f"{key}={file!r} cannot be read: No such file or directory.")
    return [path.resolve()]


class Rows:
    """The rows of some files.

    Args:
        paths: the files, in order.
        header: the columns of CSV and TSV files that do not name them in their first line.
        key: the setting that names the files, for errors.

    Attributes:
        columns: the columns of the first row, known once :meth:`scan` has begun.
    """

    def __init__(
        self, paths: Sequence[Path], *, header: Sequence[str] = (), key: str = "simulation.file"
    ) -> None:
        self._header = tuple(header)
        self._key = key
        several = len(paths) > 1
        self._parts = [_Part(path, path.name if several else str(path)) for path in paths]
        self._firsts: list[int] = []
        self.columns: list[str] = []

    def __len__(self) -> int:
        return sum(len(part.starts) for part in self._parts)

    def scan(self) -> Iterator[tuple[Place, Row]]:
        """Read all rows in order; afterwards ``rows[n]`` reads each again.

        Raises:
            UserError: a file cannot be read or a row is damaged; the error names the row.
        """
        self._firsts.clear()
        for part in self._parts:
            del part.starts[:], part.ends[:]
        for part in self._parts:
            self._firsts.append(len(self))
            yield from self._scan(part)

    def stem(self, number: int) -> str | None:
        """Return the name of the file that holds a row; None if there is only one file."""
        return self._parts[self._part(number)].path.name.split(".")[0] if self.several else None

    @property
    def several(self) -> bool:
        """Whether the rows come from more than one file."""
        return len(self._parts) > 1

    def __getitem__(self, number: int) -> Row:
        """Return a row by its number from 0.

        Raises:
            UserError: the file has changed since the scan.
        """
        index = self._part(number)
        part = self._parts[index]
        return part.row(number - self._firsts[index])

    def _part(self, number: int) -> int:
        if not 0 <= number < len(self):
            raise IndexError(number)
        index = len(self._firsts) - 1
        while self._firsts[index] > number:
            index -= 1
        return index

    def _scan(self, part: _Part) -> Iterator[tuple[Place, Row]]:
        where = f"{self._key}={part.shown!r}"
        kind = ending(part.path)
        try:
            if part.copy is None:
                part.copy = copied(part.path, kind, where)
            with part.opened() as file:
                lines = _Lines(file, where)
                part.begin(file)
                if kind in DELIMITERS:
                    rows = self._table(part, lines, DELIMITERS[kind])
                elif kind == ".txt":
                    part.decode = text_row
                    rows = _each_line(lines, text_row, where)
                else:
                    part.decode = json_row
                    rows = _each_line(lines, json_row, where)
                word = "row" if kind in (".parquet", ".json") else "line"
                for start, end, number, row in rows:
                    if not self.columns:
                        self.columns = list(row)
                    part.starts.append(start)
                    part.ends.append(end)
                    yield Place(part.shown, word, number, self._key), row
        except OSError as error:
            raise UserError(f"{where} cannot be read: {error.strerror or error}.") from error
        except EOFError as error:
            raise UserError(f"{where} cannot be read: {error}") from error

    def _table(
        self, part: _Part, lines: _Lines, delimiter: str
    ) -> Iterator[tuple[int, int, int, Row]]:
        csv.field_size_limit(_LONGEST_CELL)
        reader = csv.reader(lines, delimiter=delimiter)
        where = f"{self._key}={part.shown!r}"
        try:
            header = self._header or tuple(next(reader, ()))
            if not self.columns:
                self.columns = list(header)
            part.decode = table_row(header, delimiter)
            begun, number = lines.taken, lines.number + 1
            for cells in reader:
                start, line = begun, number
                begun, number = lines.taken, lines.number + 1
                if not cells:
                    continue
                if len(cells) > len(header):
                    raise UserError(
                        f"{where}, line {line} has {len(cells)} cells, but the header names "
                        f"{len(header)}. A cell that holds a {_NAMES[delimiter]} stands in "
                        'quotes: "Yes, or no?"'
                    )
                yield start, begun, line, filled(header, cells)
        except csv.Error as error:
            raise UserError(f"{where}, line {lines.number}: {error}.") from error


_NAMES = {",": "comma", "\t": "tab"}


@dataclass(slots=True)
class _Part:
    """One file, with the start and end of each row in it (or in its copy)."""

    path: Path
    shown: str
    starts: array[int] = field(default_factory=lambda: array("q"))
    ends: array[int] = field(default_factory=lambda: array("q"))
    decode: Callable[[str], Row] = json_row
    copy: Copy | None = None
    stamp: tuple[int, int] = (0, 0)

    def opened(self) -> IO[bytes]:
        """Open the file, or its copy, at its beginning."""
        return self.path.open("rb") if self.copy is None else self.copy.opened()

    def begin(self, file: IO[bytes]) -> None:
        """Remember the file's size and time."""
        self.stamp = _stamp(os.fstat(file.fileno()))

    def row(self, number: int) -> Row:
        """Read one row again."""
        start, end = self.starts[number], self.ends[number]
        if self.copy is not None:
            return self.decode(self.copy.read(start, end).decode())
        try:
            with self.path.open("rb", buffering=0) as file:
                if _stamp(os.fstat(file.fileno())) == self.stamp:
                    return self.decode(os.pread(file.fileno(), end - start, start).decode())
        except OSError as error:
            raise UserError(
                f"{self.path} cannot be read any more: {error.strerror or error}. Put it back, "
                "then resume the run."
            ) from error
        raise UserError(
            f"{self.path} was changed while the run was reading it. Put it back as it was, then "
            "resume the run; or begin a new one."
        )


def _stamp(found: os.stat_result) -> tuple[int, int]:
    return found.st_size, found.st_mtime_ns


class _Lines:
    """The lines of a file as text; counts the bytes and lines taken."""

    def __init__(self, file: IO[bytes], where: str) -> None:
        self._file = file
        self._where = where
        self.taken = 0
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._file.readline()
        if not line:
            raise StopIteration
        self.number += 1
        mark = len(BOM) if self.number == 1 and line.startswith(BOM) else 0
        self.taken += len(line)
        try:
            return line[mark:].decode()
        except UnicodeDecodeError as error:
            raise UserError(
                f"{self._where} cannot be read: line {self.number} is not UTF-8 text. Save the "
                "file as UTF-8."
            ) from error


def _each_line(
    lines: _Lines, decode: Callable[[str], Row], where: str
) -> Iterator[tuple[int, int, int, Row]]:
    start = 0
    for line in lines:
        begun, start = start, lines.taken
        if not line.strip():
            continue
        try:
            yield begun, lines.taken, lines.number, decode(line)
        except (json.JSONDecodeError, RecursionError) as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else "too deeply nested"
            raise UserError(
                f"{where}, line {lines.number} is not JSON: {reason}. A .jsonl file holds one JSON "
                "object a line, names and texts in double quotes; for a list or an object over "
                "several lines name the file .json."
            ) from error
