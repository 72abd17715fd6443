"""Ctrl-C and SIGTERM: the first lets calls in flight finish, the second stops at once."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from game_reasoning_arena.errors import Interrupted
from game_reasoning_arena.metering.meter import Meter

#: Seconds for calls in flight to finish after the first signal.
GRACE_S = 10.0
#: Seconds between checks for calls in flight. People at the terminal and computing engines are not
#: waited for.
LOOK_S = 0.05


class Stop:
    """Stops the runs of this process together."""

    def __init__(self) -> None:
        self.reason: str | None = None
        self._meters: list[Meter] = []
        self._loading = False
        self._closing = False

    @contextmanager
    def while_closing(self) -> Iterator[None]:
        """Surround the work after the last answer: a stop lets it finish, and a cancellation after
        a second signal is no failure.
        """
        self._closing = True
        try:
            yield
        except asyncio.CancelledError:
            if self.reason is None:
                raise
        finally:
            self._closing = False

    @contextmanager
    def while_loading(self, long: bool) -> Iterator[None]:
        """Surround the work before the first question; ``long`` where it cannot be left at once.

        Raises:
            Interrupted: the run was stopped; nothing had begun yet.
        """
        self._loading = long
        try:
            yield
        except asyncio.CancelledError:
            if self.reason is None:
                raise
            raise Interrupted(f"{self.reason} before anything was asked") from None
        finally:
            self._loading = False

    @property
    def requested(self) -> bool:
        """Whether a stop was requested; another task may change this at any await."""
        return self.reason is not None

    def watch(self, meter: Meter) -> None:
        """Stop this run, too, when a stop is requested."""
        self._meters.append(meter)
        if self.reason is not None:
            meter.stop(self.reason)

    def request(self, why: str) -> None:
        """Stop without a signal: calls in flight finish, nothing new begins."""
        if self.reason is None:
            self.reason = why
            for meter in self._meters:
                meter.stop(why)

    def _in_flight(self) -> int:
        return sum(meter.in_flight for meter in self._meters)

    @contextmanager
    def listening(self, message: Callable[[str], None]) -> Iterator[None]:
        """Listen for signals around the current task's work.

        An immediate stop cancels the task. The work must swallow that cancellation when ``reason``
        is set, record how far it got, and end as usual.
        """
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None
        timer: asyncio.Handle | None = None

        def stop(name: str) -> None:
            nonlocal timer
            if self.reason is not None:
                task.cancel()
                return
            self.request(f"stopped by {name}")
            if waiting := self._in_flight():
                message(
                    f"Stopping: waiting up to {GRACE_S:.0f} s for {waiting} calls in flight. "
                    "Once more stops at once."
                )
            elif self._loading:
                message("Stopping: the loading is called off, which takes a few seconds.")
            timer = loop.call_soon(look, loop.time() + GRACE_S)

        def look(until: float) -> None:
            """Cancel when nothing is in flight; answers are recorded at once, so none is lost."""
            nonlocal timer
            if self._in_flight() and loop.time() < until:
                timer = loop.call_later(LOOK_S, look, until)
            elif not self._closing:
                task.cancel()

        with _routed(loop, stop):
            try:
                yield
            finally:
                if timer is not None:
                    timer.cancel()
                while self.reason is not None and task.cancelling():
                    task.uncancel()


@contextmanager
def _routed(loop: asyncio.AbstractEventLoop, stop: Callable[[str], None]) -> Iterator[None]:
    """Route SIGINT and SIGTERM; leave them alone where that is impossible (threads, Windows)."""
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
