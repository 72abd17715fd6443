"""Jobs in this process: one event loop, shared backends, limits and budget, several at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from contextvars import ContextVar
from typing import Any

from game_reasoning_arena.backends.base_backend import BaseLLMBackend
from game_reasoning_arena.errors import ArenaError, Interrupted
from game_reasoning_arena.metering.budget import Budget, Totals
from game_reasoning_arena.process.event_loop import run_coroutine
from game_reasoning_arena.process.faults import fault_of
from game_reasoning_arena.recording.writer import DirectoryLock, is_begun
from game_reasoning_arena.records import EpisodeRecord, Model, ResponseRecord, Status
from game_reasoning_arena.running.open_backends import open_backends
from game_reasoning_arena.running.past import Past, load_past
from game_reasoning_arena.running.progress import Progress
from game_reasoning_arena.running.runner import run_async
from game_reasoning_arena.running.stopping import Stop
from game_reasoning_arena.sweeping.expansion import share_backends
from game_reasoning_arena.sweeping.files import SweepClaims
from game_reasoning_arena.sweeping.logs import job_log
from game_reasoning_arena.sweeping.states import mark_failed, refresh_job, used
from game_reasoning_arena.sweeping.store import Job, Sweep

log = logging.getLogger(__name__)

_current: ContextVar[int | None] = ContextVar("job", default=None)


def play_here(sweep: Sweep, jobs: Sequence[Job], shown: Progress) -> str | None:
    """Play the jobs; return why they were stopped, or None.

    Args:
        sweep: written whenever a job ends.
        jobs: the jobs to play, with their experiments.
        shown: the display of the whole sweep.
    """
    with job_log(sweep.path, only=lambda: _current.get() is None):  # engines, and shared lines
        return run_coroutine(_play_all(sweep, jobs, shown))


async def _play_all(sweep: Sweep, jobs: Sequence[Job], shown: Progress) -> str | None:
    stop = Stop()
    spent = used(sweep, skip=jobs)
    budget = Budget(**sweep.settings.budget, totals=spent, name="sweep.budget")
    experiments = [job.experiment for job in jobs if job.experiment is not None]
    for job, shared in zip(jobs, share_backends(experiments), strict=True):
        job.experiment = shared
    with shown, stop.listening(shown.show_message):
        for shift in _shifts(jobs):
            if stop.requested:
                break
            stack = AsyncExitStack()
            try:
                try:
                    await open_backends(_wanted(shift), stack, stop, shown.show_message)
                except Interrupted:
                    break
                except ArenaError as error:  # an engine that does not start
                    for job in shift:
                        mark_failed(sweep, job, str(error))
                    sweep.write()
                    continue
                await _play_shift(sweep, shift, stop, shown, budget)
            finally:
                with stop.while_closing():
                    await stack.aclose()
    return stop.reason


async def _play_shift(
    sweep: Sweep, jobs: Sequence[Job], stop: Stop, shown: Progress, budget: Budget
) -> None:
    places = asyncio.Semaphore(sweep.settings.parallel_jobs)

    async def one(job: Job) -> None:
        async with places:
            if stop.reason is not None:
                return
            _current.set(job.number)
            await _play(sweep, job, stop, _JobProgress(shown, budget.totals), budget)

    tasks = [asyncio.create_task(one(job), name=f"job {job.number}") for job in jobs]
    try:
        await asyncio.gather(*tasks)
    except asyncio.CancelledError:
        if stop.reason is None:
            raise
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _play(sweep: Sweep, job: Job, stop: Stop, shown: Progress, budget: Budget) -> None:
    """Play one job; its errors do not affect the others."""
    experiment = job.experiment
    assert experiment is not None
    directory = sweep.run_directory(job)
    try:
        with job_log(directory, only=lambda: _current.get() == job.number):
            past: Past | None = None
            lock: DirectoryLock | None = None
            if is_begun(directory):
                lock = DirectoryLock(directory)
                past = load_past(directory, experiment)
                budget.totals.merge(past.totals)
                for note in past.notes:
                    shown.show_message(f"job {job.number}: {note}")
            try:
                result = await run_async(
                    experiment,
                    directory,
                    askers=experiment.backends,
                    stop=stop,
                    shown=shown,
                    overrides=job.overrides,
                    past=past,
                    shared_budgets=[budget],
                    claims=SweepClaims(sweep.path),
                )
            finally:
                if lock is not None:
                    lock.close()
        if result.status is Status.INTERRUPTED and stop.reason is None:
            stop.request(result.reason or "interrupted")  # a person quit: the whole sweep ends
        refresh_job(sweep, job)
    except ArenaError as error:
        mark_failed(sweep, job, str(error))
    except Exception as error:
        log.exception("job %d failed because of a fault", job.number)
        mark_failed(sweep, job, str(fault_of(error)))
    sweep.write()


def _loads(jobs: Sequence[Job]) -> dict[type[BaseLLMBackend], dict[str, Any]]:
    """Return what the jobs load into this process, by the kind of backend."""
    found: dict[type[BaseLLMBackend], dict[str, Any]] = {}
    for backend, models in _wanted(jobs):
        if loads := backend.loads(models):
            found.setdefault(type(backend), {}).update(loads)
    return found


def _shifts(jobs: Sequence[Job]) -> list[list[Job]]:
    """Return groups of jobs to play together: one, unless their loads do not fit side by side.

    In that case jobs that need the same load form a group, and the groups are played in turn.
    """
    if not any(kind.no_room_for(loads) for kind, loads in _loads(jobs).items()):
        return [list(jobs)]
    shifts: dict[frozenset[str], list[Job]] = {}
    for job in jobs:
        needed = frozenset(key for loads in _loads([job]).values() for key in loads)
        shifts.setdefault(needed, []).append(job)
    return list(shifts.values())


def _wanted(jobs: Sequence[Job]) -> list[tuple[BaseLLMBackend, list[Model]]]:
    """Return each distinct backend of the jobs with all the models that they need of it."""
    found: dict[int, tuple[BaseLLMBackend, dict[str, Model]]] = {}
    for job in jobs:
        assert job.experiment is not None
        for prefix, backend in job.experiment.backends.items():
            _, models = found.setdefault(id(backend), (backend, {}))
            models |= {m.name: m for m in job.experiment.models if m.backend == prefix}
    return [(backend, list(models.values())) for backend, models in found.values()]


class _JobProgress(Progress):
    """Passes one job's progress to the display of all, with the sweep's totals."""

    def __init__(self, whole: Progress, totals: Totals) -> None:
        super().__init__()
        self._whole = whole
        self._totals = totals

    def expect(self, episodes: int, *, done: int = 0) -> None:
        """Count only played episodes: all episodes of the sweep were expected at its start."""
        self._whole.expect(0, done=done)

    def watch(self, waits: Callable[[], Mapping[str, float]]) -> None:
        """Show the waits in the display of all."""
        self._whole.watch(waits)

    def answered(self, record: ResponseRecord, totals: Totals) -> None:
        """Count an answer or an outage."""
        self._whole.answered(record, self._totals)

    def episode_done(self, record: EpisodeRecord, totals: Totals) -> None:
        """Count an episode that ended."""
        self._whole.episode_done(record, self._totals)

    def show_message(self, text: str) -> None:
        """Show one line of text."""
        self._whole.show_message(text)
