"""One event loop for the life of the process.

A local inference engine belongs to the loop that started it, so the jobs of a sweep share one loop;
`asyncio.run` would close it after each.
"""

from __future__ import annotations

import asyncio
import atexit
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_runner: asyncio.Runner | None = None


def run_coroutine(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run to the end on the process's loop; must not be called from inside it."""
    global _runner  # noqa: PLW0603  one loop per process is the point
    if _runner is None:
        _runner = asyncio.Runner()
        atexit.register(_close)
    return _runner.run(coroutine)


def _close() -> None:
    global _runner  # noqa: PLW0603
    if _runner is not None:
        _runner.close()
        _runner = None
