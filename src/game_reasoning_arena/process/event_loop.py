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


#: Seconds that work in which nothing waits may go on.
REST_EVERY_S = 0.02


class Rest:
    """Has tasks that never wait let the event loop look at its sockets, timers and signals.

    However many such tasks there are, one of them works in each round of the loop: else a Ctrl-C
    would be heard only after every one had its turn.
    """

    def __init__(self) -> None:
        self._since = time.monotonic()
        self._ending = False

    async def if_due(self) -> None:
        """Wait for a round of the loop if it has been long since the last one."""
        while time.monotonic() - self._since > REST_EVERY_S:
            if not self._ending:
                self._ending = True
                asyncio.get_running_loop().call_soon(self._end)
            await asyncio.sleep(0)

    def _end(self) -> None:
        self._since, self._ending = time.monotonic(), False


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
        # The loop would start a thread to wait for its pool's, which Python refuses this late (from
        # 3.12 on); those have been waited for already, before anything that is registered atexit.
        _runner.get_loop().shutdown_default_executor = _done  # type: ignore[method-assign]
        _runner.close()
        _runner = None


async def _done(timeout: float | None = None) -> None:
    """Nothing is left to wait for."""
