"""Faults: unexpected exceptions, described in one line.

They come from the code of a user's own backend or agent as often as from ours, so the line names
the code and the place.
"""

from __future__ import annotations

import sys
import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from game_reasoning_arena.errors import Fault, Interrupted
from game_reasoning_arena.process.secrets import redact

_OURS = Path(__file__).resolve().parents[1]
_LIBRARIES = tuple(
    Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "purelib", "platlib")
)


@contextmanager
def nothing_written() -> Iterator[None]:
    """Say of an interruption within that it came before any file was written.

    Raises:
        Interrupted: instead of KeyboardInterrupt.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted("interrupted; nothing was run or written.") from None


def fault_of(error: Exception) -> Fault:
    """Return the error to report for an exception whose traceback was logged."""
    return Fault(f"a fault in the program: {describe_fault(error)}. arena.log holds the traceback.")


def describe_fault(error: BaseException) -> str:
    """Describe an exception and the innermost place in code that is not ours or a library's."""
    what = type(error).__name__
    if message := " ".join(str(error).split()):
        what += f": {redact(message)}"
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [
        frame
        for frame in frames
        if not frame.filename.startswith("<")  # frozen modules
        and not _lies_in(frame.filename, _OURS, *_LIBRARIES)
    ]
    ours = [frame for frame in frames if _lies_in(frame.filename, _OURS)]
    if isinstance(error, SyntaxError) or not (theirs or ours):
        return what  # the message of a SyntaxError has its own place
    at = (theirs or ours)[-1]
    origin = "" if theirs else "in the arena's own code: "
    return f"{what} ({origin}{_short(at.filename)}, line {at.lineno}, in {at.name})"


def _lies_in(filename: str, *roots: Path) -> bool:
    return any(Path(filename).resolve().is_relative_to(root) for root in roots)


def _short(filename: str) -> str:
    """Return a path relative to the working directory or to ``sys.path`` if it lies there."""
    path = Path(filename)
    for root in (Path.cwd(), *map(Path, sys.path)):
        if path.is_relative_to(root):
            return str(path.relative_to(root))
    return filename
