"""Standard output that may be closed, full, deaf or unable to write a character."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def make_writable() -> None:
    """Make both outputs take any text, whatever the terminal can show and however they were given.

    Where one is closed, what is written to it goes nowhere, as does what standard error refuses.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115  for as long as we live
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr = io.TextIOWrapper(
            io.BufferedWriter(_Heedless(sys.stderr.fileno(), "wb", closefd=False)),
            encoding=sys.stderr.encoding,
            errors="backslashreplace",
            line_buffering=True,
        )


class _Heedless(io.FileIO):
    """Ignores errors of writing (a full disk, a closed reader): notes must not end a run."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


#: Errors of an output that accepts nothing more.
_OUTPUT_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF})


@contextmanager
def outlived() -> Iterator[list[str]]:
    """Survive an output that fails while something is printed inside.

    Yields:
        A list that holds the problems afterwards: none if all went well or the
        reader has gone (``| head``), which is no failure.
    """
    problems: list[str] = []
    try:
        yield problems
        sys.stdout.flush()
    except BrokenPipeError:
        _to_nowhere()
    except SystemExit as leaving:
        if not isinstance(leaving.__context__, BrokenPipeError):
            raise
        _to_nowhere()  # rich ends the process where the reader of a table has gone
    except OSError as error:
        if error.errno not in _OUTPUT_ERRORS:
            raise
        _to_nowhere()
        problems.append(f"standard output takes nothing more: {error.strerror or error}.")


def show(print_all: Callable[[], None], directory: Path) -> None:
    """Print results that are also in ``directory``; report a failure to print and continue."""
    with outlived() as problems:
        print_all()
    for problem in problems:
        sys.stderr.write(f"arena: {problem} The results are in {directory}.\n")


def _to_nowhere() -> None:
    """Send further output nowhere, as it has no reader."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, sys.stdout.fileno())
    except (OSError, ValueError):  # no file of its own, as under test
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    finally:
        os.close(nowhere)
