"""One job of a sweep in a process of its own: on another core, another machine, later.

It plays the configuration in the job's file with the keys of its own environment, and writes beside
that file how it ended. It stops when the sweep's stop file appears.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from game_reasoning_arena.errors import ArenaError, BudgetReached, Interrupted, UserError
from game_reasoning_arena.metering.budget import Budget
from game_reasoning_arena.preflight.experiment import Experiment
from game_reasoning_arena.process.environment import load_environment
from game_reasoning_arena.process.event_loop import run_coroutine
from game_reasoning_arena.process.faults import fault_of
from game_reasoning_arena.process.paths import add_conf_dir, working_in
from game_reasoning_arena.process.secrets import Redactor
from game_reasoning_arena.recording.decoding import read_record, record_or_none
from game_reasoning_arena.recording.writer import DirectoryLock, is_begun, is_locked
from game_reasoning_arena.records import Status
from game_reasoning_arena.running.open_backends import open_backends
from game_reasoning_arena.running.past import load_past
from game_reasoning_arena.running.progress import Progress
from game_reasoning_arena.running.runner import RunResult, run_async
from game_reasoning_arena.running.stopping import GRACE_S, Stop
from game_reasoning_arena.sweeping.files import (
    EndFile,
    JobFile,
    StopFile,
    SweepClaims,
    encode_record,
    end_file,
    stop_file,
    write_file,
)
from game_reasoning_arena.sweeping.logs import job_log
from game_reasoning_arena.sweeping.states import used
from game_reasoning_arena.sweeping.store import load_sweep
from game_reasoning_arena.sweeping.stored import stored_experiment

log = logging.getLogger(__name__)

#: Seconds between checks of the stop file.
LOOK_S = 0.5


def play_job(job_file: str) -> None:
    """Play the job; never raises errors of the job itself.

    Args:
        job_file: absolute path of ``.jobs/N.json`` in a sweep's directory.
    """
    file = Path(job_file)
    stop = record_or_none(stop_file(file), StopFile)
    if stop is not None and stop.kind != "budget":
        return  # it stays pending
    try:
        status, reason = _play(file)
    except Interrupted as error:
        status, reason = Status.INTERRUPTED, str(error)
    except ArenaError as error:
        status, reason = Status.ERROR, str(error)
    except Exception as error:
        log.exception("the job failed because of a fault")
        status, reason = Status.ERROR, str(fault_of(error))
    end = EndFile(status=status, reason=Redactor().redact(reason) if reason else None)
    write_file(end_file(file), encode_record(end))


def _play(file: Path) -> tuple[Status, str | None]:
    try:
        job = read_record(file, JobFile)
    except OSError:
        raise UserError(
            f"{file} cannot be read here. Workers need the sweep's file system."
        ) from None
    where = job.standing or job.cwd
    if Path(where).is_dir():
        os.chdir(where)
    add_conf_dir(Path(job.config_dir) if job.config_dir is not None else None)
    load_environment()
    directory = file.parent.parent / Path(job.directory).name
    _end_gently_at_time_limits()
    begun = Path(job.cwd) if Path(job.cwd).is_dir() else Path.cwd()
    with working_in(begun), job_log(directory):
        experiment = stored_experiment(job)
        if is_begun(directory):
            with DirectoryLock(directory):
                result = run_coroutine(_run(file, job, directory, experiment, resumes=True))
        else:
            result = run_coroutine(_run(file, job, directory, experiment, resumes=False))
    return status_of(result)


def status_of(result: RunResult) -> tuple[Status, str | None]:
    """Return a run's status in its sweep: outages are errors of the job."""
    errors = result.episodes.get("error")
    if result.status is Status.COMPLETED and errors:
        return Status.ERROR, f"{errors} episodes ended without an answer (an outage)"
    return result.status, result.reason


async def _run(
    file: Path, job: JobFile, directory: Path, experiment: Experiment, *, resumes: bool
) -> RunResult:
    stop = Stop()
    shown = Progress()
    past = load_past(directory, experiment) if resumes else None
    budget = _left_of_the_sweeps(file, job.number)
    if past is not None:
        budget.totals.merge(past.totals)
    task = asyncio.current_task()
    assert task is not None
    async with AsyncExitStack() as stack:
        with stop.listening(shown.show_message):
            watching = asyncio.create_task(_watch(stop_file(file), stop, budget, task))
            stack.callback(watching.cancel)
            await open_backends(experiment.served, stack, stop, shown.show_message)
            return await run_async(
                experiment,
                directory,
                askers=experiment.backends,
                stop=stop,
                shown=shown,
                overrides=job.overrides,
                past=past,
                shared_budgets=[budget],
                claims=SweepClaims(file.parent.parent),
            )


@dataclass(kw_only=True)
class _SweepBudget(Budget):
    """The sweep's budget as a worker sees it: the use by others when the job began.

    The process that counts for all stops the sweep when it is spent; the job itself stops at the
    latest when it alone has spent it.
    """

    spent: str | None = None

    def enter(self) -> None:
        """Take a place for one call.

        Raises:
            BudgetReached: the sweep's budget is spent.
        """
        if self.spent is not None:
            raise BudgetReached(self.spent)
        super().enter()


def _left_of_the_sweeps(job_file: Path, number: int) -> _SweepBudget:
    sweep = load_sweep(job_file.parent.parent)
    mine = [one for one in sweep.jobs if one.number == number]
    limits = sweep.settings.budget
    return _SweepBudget(**limits, totals=used(sweep, skip=mine), name="sweep.budget")


async def _watch(
    stop_file: Path, stop: Stop, budget: _SweepBudget, task: asyncio.Task[Any]
) -> None:
    """Stop with the sweep: nothing new begins at once, everything ends after a grace period.

    If the sweep's own process was killed on this machine, its lock is free.
    """
    sweep = stop_file.parent.parent
    held = is_locked(sweep)
    while True:
        asked = record_or_none(stop_file, StopFile)
        if asked is not None and asked.kind == "budget":
            budget.spent = asked.reason
        elif asked is not None or (held and not is_locked(sweep)):
            stop.request("the sweep's own process is gone" if asked is None else asked.reason)
            await asyncio.sleep(GRACE_S)
            task.cancel()
            return
        await asyncio.sleep(LOOK_S)


def _end_gently_at_time_limits() -> None:
    """Stop at SIGUSR2 as at SIGTERM; SLURM through submitit announces the end of a job's time by
    it.
    """
    if threading.current_thread() is threading.main_thread():
        with suppress(ValueError):
            signal.signal(signal.SIGUSR2, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
