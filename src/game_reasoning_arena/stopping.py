"""Ctrl-C and SIGTERM: the first lets what is in flight finish, the second stops at once."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from game_reasoning_arena.meter import Meter

#: Seconds that calls in flight get to finish after the first signal.
GRACE_S = 10.0


class Stop:
    """Stops the runs of this process together."""

    def __init__(self) -> None:
        self.reason: str | None = None
        self._meters: list[Meter] = []

    def watch(self, meter: Meter) -> None:
        """Stop this run too when it comes to it."""
        self._meters.append(meter)
        if self.reason is not None:
            meter.stop(self.reason)

    def request(self, why: str) -> None:
        """Stop without a signal: what is in flight finishes, nothing new begins."""
        if self.reason is None:
            self.reason = why
            for meter in self._meters:
                meter.stop(why)

    @contextmanager
    def listening(self, say: Callable[[str], None]) -> Iterator[None]:
        """Listen for signals around the current task's work.

        A stop that does not wait cancels the task; the work is to swallow that cancellation when
        ``reason`` is set, write down how far it came, and end as usual.
        """
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None
        grace: list[asyncio.TimerHandle] = []

        def stop(name: str) -> None:
            if self.reason is not None:
                task.cancel()
                return
            self.reason = f"stopped by {name}"
            for meter in self._meters:
                meter.stop(self.reason)
            waiting = sum(meter.in_flight for meter in self._meters)
            say(
                f"Stopping: waiting up to {GRACE_S:.0f} s for {waiting} calls in flight. "
                "Once more stops at once."
            )
            grace.append(loop.call_later(GRACE_S, task.cancel))

        with _routed(loop, stop):
            try:
                yield
            finally:
                for timer in grace:
                    timer.cancel()
                while self.reason is not None and task.cancelling():
                    task.uncancel()


@contextmanager
def _routed(loop: asyncio.AbstractEventLoop, stop: Callable[[str], None]) -> Iterator[None]:
    """Route SIGINT and SIGTERM; where that is impossible (threads, Windows) leave them alone."""
    routed = []
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError, RuntimeError, ValueError):
            before = signal.getsignal(number)
            loop.add_signal_handler(number, stop, number.name)
            routed.append((number, before))
    try:
        yield
    finally:
        for number, before in routed:
            loop.remove_signal_handler(number)
            signal.signal(number, before)
