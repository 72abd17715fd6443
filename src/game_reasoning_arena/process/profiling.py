"""Time profile of a run, and the lag of its event loop.

The loop's lag is measured in every run: if it is large, ``queue_s`` and ``client_s`` are large,
too.
``profile=true`` adds the time spent in each part.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from game_reasoning_arena.process.quantiles import Quantiles
from game_reasoning_arena.records import ResponseRecord

#: Seconds between two measurements of the loop.
LOOK_EVERY_S = 0.05


class LoopLag:
    """Measures how late the event loop is: schedules calls at set times and compares."""

    def __init__(self) -> None:
        self._lags = Quantiles()
        self._worst = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Start to measure the running loop."""
        self._loop = asyncio.get_running_loop()
        self._schedule()

    def stop(self) -> None:
        """Stop measuring."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def as_dict(self) -> dict[str, float | None]:
        """Return the lag in seconds; None in runs too short to measure."""
        return {
            "p50": self._lags.at(0.5),
            "p99": self._lags.at(0.99),
            "max": self._worst if self._lags.at(0.5) is not None else None,
        }

    def _schedule(self) -> None:
        self._due = self._loop.time() + LOOK_EVERY_S
        self._timer = self._loop.call_at(self._due, self._look)

    def _look(self) -> None:
        lag = max(self._loop.time() - self._due, 0.0)
        self._lags.add(lag)
        self._worst = max(self._worst, lag)
        self._schedule()


class Profile:
    """Seconds by part of a run.

    ``prompt``, ``parse``, ``record`` and ``engine`` (the game: rules, texts, names of moves) are
    this process's own work. ``queue``, ``wire``, ``client`` and ``decode`` come from the answers,
    ``search`` from players that compute; these overlap where episodes do. ``idle`` is wall time in
    which this process used no processor.
    """

    OVERLAPPING = frozenset({"queue", "wire", "client", "decode", "search"})

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._counts: dict[str, int] = {}
        self._wall = time.perf_counter()
        self._cpu = time.process_time()

    def add(self, part: str, seconds: float | None) -> None:
        """Add some seconds; None is unknown and adds nothing."""
        if seconds is not None:
            self._seconds[part] = self._seconds.get(part, 0.0) + seconds
            self._counts[part] = self._counts.get(part, 0) + 1

    def answered(self, record: ResponseRecord) -> None:
        """Add an answer's own times; those of a cached answer belong to an earlier run."""
        if record.from_cache:
            return
        self.add("queue", record.queue_s)
        self.add("wire", record.latency_s)
        self.add("client", record.client_s)
        self.add("decode", record.decode_s)

    def as_dict(self) -> dict[str, Any]:
        """Return the profile for ``profile.json``."""
        wall = time.perf_counter() - self._wall
        cpu = time.process_time() - self._cpu
        return {
            "wall_s": wall,
            "cpu_s": cpu,
            "idle_s": max(wall - cpu, 0.0),
            "parts": {
                part: {
                    "seconds": seconds,
                    "count": self._counts[part],
                    "mean_s": seconds / self._counts[part],
                    "overlaps": part in self.OVERLAPPING,
                }
                for part, seconds in sorted(self._seconds.items())
            },
        }


_active: Profile | None = None


@contextmanager
def profiled(profile: Profile | None) -> Iterator[None]:
    """Make ``profile`` the target of :func:`part`."""
    global _active  # noqa: PLW0603  the parts lie deep in code that knows no run
    before = _active
    _active = profile
    try:
        yield
    finally:
        _active = before


def part(name: str) -> AbstractContextManager[None]:
    """Count the time spent inside; must not be held over an ``await``."""
    return _NOT_COUNTED if _active is None else _counted(_active, name)


def spent(name: str, seconds: float) -> None:
    """Count time that passed over an ``await``, where it overlaps with other episodes."""
    if _active is not None:
        _active.add(name, seconds)


_NOT_COUNTED = nullcontext()


@contextmanager
def _counted(profile: Profile, name: str) -> Iterator[None]:
    began = time.perf_counter()
    try:
        yield
    finally:
        profile.add(name, time.perf_counter() - began)
