"""One event loop for the life of the process.

A local inference engine belongs to the loop that started it, so the jobs of a sweep share one loop;
`asyncio.run` would close it after each.
"""

from __future__ import annotations

import asyncio
import atexit
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_runner: asyncio.Runner | None = None


#: The longest time in seconds without a look at sockets, timers and signals.
REST_EVERY_S = 0.02


class Rest:
    """Lets the event loop run its sockets, timers and signals between tasks that never wait.

    However many such tasks there are, one of them works in each round of the loop; otherwise a
    Ctrl-C would be noticed only after every one had its turn.
    """

    def __init__(self) -> None:
        self._since = time.monotonic()
        self._ending = False

    @property
    def due(self) -> bool:
        """Return whether it has been long since the last round of the loop."""
        return time.monotonic() - self._since > REST_EVERY_S

    async def take(self) -> None:
        """Wait for a round of the loop."""
        while self.due:
            if not self._ending:
                self._ending = True
                asyncio.get_running_loop().call_soon(self._end)
            await asyncio.sleep(0)

    def _end(self) -> None:
        self._since, self._ending = time.monotonic(), False


def run_coroutine(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on the process's loop; not from inside the loop."""
    global _runner  # noqa: PLW0603  one loop per process is the point
    if _runner is None:
        _runner = asyncio.Runner()
        atexit.register(_close)
    return _runner.run(coroutine)


def _close() -> None:
    global _runner  # noqa: PLW0603
    if _runner is not None:
        # The loop would start a thread to join its pool's threads, which Python refuses this late
        # (from 3.12 on); they have been joined already, before any atexit handler.
        _runner.get_loop().shutdown_default_executor = _done  # type: ignore[method-assign]
        _runner.close()
        _runner = None


async def _done(timeout: float | None = None) -> None:
    """Do nothing: there is nothing left to wait for."""
