"""Turn lines of each kind of data file into rows, and copy other files as lines."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import orjson

from game_reasoning_arena.errors import UserError

ENDINGS = (".jsonl", ".csv", ".tsv", ".json", ".parquet", ".txt")
#: The separator of cells.
DELIMITERS = {".csv": ",", ".tsv": "\t"}
BOM = b"\xef\xbb\xbf"

Row = dict[str, Any]


def ending(path: Path) -> str | None:
    """Return the ending that decides how a file is read; None if it is no data file."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    found = suffixes[-1] if suffixes else ""
    return found if found in ENDINGS else None


def text_row(line: str) -> Row:
    return {"prompt": line.removeprefix("\ufeff").strip()}


def json_row(line: str) -> Row:
    value = json.loads(line.removeprefix("\ufeff"), parse_int=_whole)
    return value if isinstance(value, dict) else {"prompt": value}


def _whole(digits: str) -> int | float:
    """Parse a whole number; ``int`` raises for thousands of digits, which no prompt needs."""
    return int(digits) if len(digits) < 1000 else float(digits)


def table_row(header: Sequence[str], delimiter: str) -> Callable[[str], Row]:
    def decode(text: str) -> Row:
        reader = csv.reader(
            io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=delimiter
        )
        return filled(header, next(iter(cells for cells in reader if cells)))

    return decode


def filled(header: Sequence[str], cells: Sequence[str]) -> Row:
    missing = [None] * (len(header) - len(cells))
    return dict(zip(header, [*cells, *missing], strict=True))


class Copy:
    """Lines in a file without a name, which is gone when this object is.

    Args:
        pieces: the lines to write.
    """

    def __init__(self, pieces: Iterable[bytes]) -> None:
        with tempfile.TemporaryFile() as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            self._descriptor = os.dup(file.fileno())
        weakref.finalize(self, os.close, self._descriptor)

    def read(self, start: int, end: int) -> bytes:
        """Return the bytes from ``start`` to ``end``."""
        return os.pread(self._descriptor, end - start, start)

    def opened(self) -> IO[bytes]:
        """Return the file, positioned at its start."""
        file = os.fdopen(os.dup(self._descriptor), "rb")
        file.seek(0)
        return file


def _lines(rows: Iterable[Row]) -> Iterator[bytes]:
    for row in rows:
        yield orjson.dumps(row, default=str, option=orjson.OPT_NON_STR_KEYS) + b"\n"


def copied(path: Path, kind: str | None, where: str) -> Copy | None:
    """Return a copy as lines of a file that cannot be read from the middle; None for others."""
    if kind == ".parquet":
        return Copy(_lines(_parquet_rows(path, where)))
    if kind == ".json":
        return Copy(_lines(_document_rows(path, where)))
    if path.suffix.lower() != ".gz":
        return None
    with gzip.open(path) as packed:
        return Copy(iter(lambda: packed.read(1 << 20), b""))


def _opened(path: Path) -> IO[bytes]:
    return gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb")  # type: ignore[return-value]


def _document_rows(path: Path, where: str) -> Iterator[Row]:
    """Yield the rows of one JSON document: a list, or an object with one list of objects."""
    with _opened(path) as file:
        try:
            document = json.loads(file.read().removeprefix(BOM), parse_int=_whole)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{where} is not JSON: {error}.") from error
    if isinstance(document, dict):
        lists = {
            key: value
            for key, value in document.items()
            if isinstance(value, list) and value and all(isinstance(row, dict) for row in value)
        }
        if len(lists) != 1:
            raise UserError(
                f"{where} is a JSON object with {len(lists)} lists of objects "
                f"({', '.join(lists) or 'its keys are ' + ', '.join(list(document)[:8])}); it "
                "must be a list of rows or hold one. Or write a row a line, as .jsonl."
            )
        (document,) = lists.values()
    if not isinstance(document, list):
        raise UserError(f"{where} must hold a list of rows, not {type(document).__name__}.")
    for row in document:
        yield row if isinstance(row, dict) else {"prompt": row}


def _parquet_rows(path: Path, where: str) -> Iterator[Row]:
    try:
        import pyarrow.parquet as parquet
        from pyarrow import ArrowInvalid
    except ImportError as error:
        raise UserError(
            f"{where} is a Parquet file, which needs the package pyarrow: "
            "pip install 'game-reasoning-arena[parquet]'. Or convert it to .jsonl."
        ) from error
    try:
        file = parquet.ParquetFile(path)
        for batch in file.iter_batches(batch_size=1024):
            yield from batch.to_pylist()
    except ArrowInvalid as error:
        raise UserError(f"{where} cannot be read: {error}") from error
