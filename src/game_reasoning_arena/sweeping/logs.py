"""A job's own ``arena.log``."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from game_reasoning_arena.process.secrets import RedactingFilter
from game_reasoning_arena.recording import layout

_FORM = "%(asctime)s %(levelname)s %(name)s: %(message)s"


@contextmanager
def job_log(directory: Path, only: Callable[[], bool] | None = None) -> Iterator[None]:
    """Write what is logged to the run directory, made if missing; ``only`` when that is true."""
    directory.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(directory / layout.LOG, delay=True)
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
