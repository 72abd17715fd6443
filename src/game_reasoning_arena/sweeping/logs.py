"""A job's own ``arena.log``."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path

from game_reasoning_arena.errors import UserError
from game_reasoning_arena.process.files import make_directory, open_to_append
from game_reasoning_arena.process.secrets import RedactingFilter
from game_reasoning_arena.recording import layout

_FORM = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class _LogFile(logging.FileHandler):
    """A log that is appended to; refuses a link or a pipe in its place."""

    def _open(self) -> TextIOWrapper:
        return os.fdopen(open_to_append(self.baseFilename), "a", encoding="utf-8")


@contextmanager
def job_log(directory: Path, only: Callable[[], bool] | None = None) -> Iterator[None]:
    """Log into the run directory, created if missing; with ``only``, while that returns true."""
    try:
        make_directory(directory)
        handler = _LogFile(directory / layout.LOG)
    except OSError as error:
        raise UserError(
            f"{directory / layout.LOG} cannot be written ({error.strerror or error}). Correct its "
            "permissions or delete that file."
        ) from error
    handler.setFormatter(logging.Formatter(_FORM))
    handler.addFilter(RedactingFilter())
    if only is not None:
        handler.addFilter(lambda _: only())
    root = logging.getLogger()
    if root.level > logging.INFO:
        root.setLevel(logging.INFO)
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()
