"""The one reader of JSONL: lines checked by type, with the problem of each damaged one.

The lines of a run and of its assessment are checked against the fields of their records
(:mod:`game_reasoning_arena.recording.decoding`); other files against being JSON objects.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import msgspec

from game_reasoning_arena.process.files import open_to_read
from game_reasoning_arena.recording.decoding import line_decoder, problem_of

#: Called with one plain sentence for each thing that could not be read.
Notice = Callable[[str], None]

#: The most bytes of a line: a conversation of millions of tokens has about ten million.
LONGEST_LINE = 256 << 20

_BOM = b"\xef\xbb\xbf"


class RunDataWarning(UserWarning):
    """A run directory was read, but something in it is missing, torn, older or damaged."""


def warn(sentence: str) -> None:
    """Emit a :class:`RunDataWarning`."""
    warnings.warn(sentence, RunDataWarning, stacklevel=3)


class Line(NamedTuple):
    """One line of a file.

    ``offset`` and ``end`` are bytes. ``record`` is None for a damaged line, and ``problem`` then
    gives the reason. ``ended`` is false for a last line without its newline.
    """

    number: int
    offset: int
    end: int
    record: dict[str, Any] | None
    problem: str
    ended: bool
    mark: int

    @property
    def torn(self) -> bool:
        """Whether it is an incomplete line, as a kill or a power failure leaves it."""
        return self.record is None and not self.ended


def scan(file: BinaryIO, name: str, *, offset: int = 0) -> Iterator[Line]:
    """Yield the lines of an open file, blank ones left out.

    Args:
        file: opened for reading, in binary.
        name: the file's name, which decides the type of its lines.
        offset: offset of the first line to read, in bytes.
    """
    decode = line_decoder(name)
    file.seek(offset)
    number = 0
    while line := file.readline(LONGEST_LINE):
        number += 1
        here, offset = offset, offset + len(line)
        if here == 0 and line.startswith(_BOM):
            line = line[len(_BOM) :]
        if line.isspace():
            continue
        record, problem = None, ""
        try:
            record = decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            problem = problem_of(error)
        except RecursionError:
            problem = "it is nested too deep"
        yield Line(number, here, offset, record, problem, line.endswith(b"\n"), hash(line))


def read_lines(path: Path | str, *, notice: Notice | None = None) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSONL file, in the order they were written.

    Left out and reported are a torn last line, as a kill leaves it, damaged lines, and exact
    repetitions of earlier lines.

    Args:
        path: the file. A missing file is an :class:`OSError`, as with ``open``.
        notice: called with a sentence on what was left out; by default a :class:`RunDataWarning`.
    """
    for _, record in read_lines_at(path, notice=notice):
        yield record


def read_lines_at(
    path: Path | str, *, notice: Notice | None = None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the same as :func:`read_lines`, with each line's offset in bytes."""
    report = notice or warn
    damaged = repeated = 0
    first_damaged: Line | None = None
    first_repeated = 0
    seen: set[int] = set()
    with open_to_read(path) as file:
        for line in scan(file, Path(path).name):
            if line.torn:
                report(f"{path}: the last line (line {line.number}) is torn and was left out.")
            elif line.record is None:
                damaged += 1
                first_damaged = first_damaged or line
            elif line.mark in seen:
                repeated += 1
                first_repeated = first_repeated or line.number
            else:
                seen.add(line.mark)
                yield line.offset, line.record
    if first_damaged is not None:
        count = _lines(damaged, "damaged line", "damaged lines")
        where = f"at line {first_damaged.number} ({first_damaged.problem})"
        report(f"{path}: {count} left out, the first {where}.")
    if repeated:
        count = _lines(repeated, "line that stands", "lines that stand")
        report(f"{path}: {count} there twice left out, the first at line {first_repeated}.")


def _lines(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def read_line_at(path: Path | str, offsets: Iterable[int]) -> Iterator[dict[str, Any]]:
    """Yield the objects at byte offsets that :func:`read_lines_at` gave."""
    decode = line_decoder(Path(path).name)
    with open_to_read(path) as file:
        for offset in offsets:
            file.seek(offset)
            yield decode(file.readline(LONGEST_LINE).removeprefix(_BOM))
