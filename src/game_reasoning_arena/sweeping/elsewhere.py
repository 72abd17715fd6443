"""Jobs in other processes and on other machines: start them, watch their directories, count."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from game_reasoning_arena.errors import BudgetReached, DamagedRecordError
from game_reasoning_arena.metering.budget import Budget
from game_reasoning_arena.process.files import open_to_read
from game_reasoning_arena.recording import layout
from game_reasoning_arena.recording.decoding import episode_of, response_of
from game_reasoning_arena.recording.lines import scan
from game_reasoning_arena.records import FINAL, Status
from game_reasoning_arena.running.progress import Progress
from game_reasoning_arena.running.stopping import GRACE_S
from game_reasoning_arena.sweeping.files import end_file
from game_reasoning_arena.sweeping.launchers import Launcher
from game_reasoning_arena.sweeping.states import mark_failed, refresh_job, used
from game_reasoning_arena.sweeping.store import PENDING, Job, Sweep

#: Seconds between checks of the jobs.
LOOK_S = 0.5
#: Seconds for a file written on another machine to appear here.
APPEAR_S = 15.0
#: Seconds after a stop before workers are ended, and then for them to be gone.
STOP_S = GRACE_S + 5.0
GONE_S = 30.0


@dataclass
class _Signals:
    count: int = 0
    name: str = ""


@dataclass
class _State:
    """The jobs that still run."""

    sweep: Sweep
    launcher: Launcher
    shown: Progress
    budget: Budget
    out: dict[Path, Job]
    tails: dict[Path, _Tail]
    ending: dict[Path, tuple[float, str | None]] = field(default_factory=dict)
    stopped: str | None = None
    stop_at: float = 0.0
    cancelled: bool = False


def play_elsewhere(
    sweep: Sweep, jobs: Sequence[Job], launcher: Launcher, shown: Progress
) -> str | None:
    """Play the jobs through a launcher; return why they were stopped, or None."""
    out = {sweep.job_file(job).absolute(): job for job in jobs}
    budget = Budget(**sweep.settings.budget, totals=used(sweep, skip=jobs), name="sweep.budget")
    tails = {file: _Tail(sweep.run_directory(job)) for file, job in out.items()}
    for tail in tails.values():
        shown.expect(0, done=tail.skip_what_is_there(budget))
    state = _State(sweep, launcher, shown, budget, out, tails)
    with shown, launcher:
        if len(jobs) > 1 and any(limit is not None for limit in sweep.settings.budget.values()):
            shown.show_message(
                "sweep.budget is counted twice a second over all jobs: those that run at once may "
                "pass it by what they ask in about a second, none by more than was left when it "
                "began. budget.* is each job's own."
            )
        launcher.submit({f: job.experiment.keys for f, job in out.items() if job.experiment})
        with _listening(sweep) as signals:
            while state.out:
                time.sleep(LOOK_S)
                _stop_if_asked(state, signals)
                _look(state)
                if state.cancelled and time.monotonic() > state.stop_at + GONE_S:
                    break
    for job in state.out.values():
        _settle(state, job, "it did not end when it was asked to")
    sweep.stop_file.unlink(missing_ok=True)
    return state.stopped


def _look(state: _State) -> None:
    """Handle what happened since the last check."""
    for file, job in state.out.items():
        if state.tails[file].read(state.shown, state.budget) and job.status == PENDING:
            job.status = Status.RUNNING
    try:
        state.budget.enter()
        state.budget.in_flight = 0
    except BudgetReached as reached:
        state.sweep.ask_to_stop("budget", str(reached))
    now = time.monotonic()
    for ended in state.launcher.ended():
        wait = 0.0 if ended.problem else APPEAR_S
        state.ending.setdefault(ended.job_file, (now + wait, ended.problem))
    for file, (until, problem) in list(state.ending.items()):
        if not end_file(file).exists() and now < until and state.stopped is None:
            continue
        del state.ending[file]
        if file in state.out:
            job = state.out.pop(file)
            state.tails[file].read(state.shown, state.budget)
            _settle(state, job, problem)
            state.sweep.write()


def _settle(state: _State, job: Job, problem: str | None) -> None:
    refresh_job(state.sweep, job)
    if end_file(state.sweep.job_file(job)).exists():
        return
    if state.stopped is None:
        mark_failed(state.sweep, job, problem or "its process ended before the run did")
    elif (state.sweep.run_directory(job) / layout.RUN).exists():
        mark_failed(state.sweep, job, state.stopped, status=Status.INTERRUPTED)
    else:
        job.status, job.reason = PENDING, None


def _stop_if_asked(state: _State, signals: _Signals) -> None:
    if not signals.count:
        return
    now = time.monotonic()
    if state.stopped is None:
        state.stopped = f"stopped by {signals.name}"
        state.stop_at = now + STOP_S
        state.shown.show_message(
            f"Stopping: running jobs get {STOP_S:.0f} s to finish what is in flight. "
            "Once more stops at once."
        )
    elif not state.cancelled and (signals.count > 1 or now > state.stop_at):
        state.cancelled = True
        state.stop_at = now
        state.launcher.cancel()


@contextmanager
def _listening(sweep: Sweep) -> Iterator[_Signals]:
    """Count SIGINT and SIGTERM instead of being interrupted by them.

    The stop file is written at once: a worker that also got the signal may ask for its next job.
    """
    seen = _Signals()

    def note(number: int, _: Any) -> None:
        seen.count += 1
        seen.name = signal.Signals(number).name
        sweep.ask_to_stop("interrupted", f"stopped by {seen.name}")

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield seen
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Tail:
    """Reads what a job appends to its files, in whole lines."""

    def __init__(self, directory: Path) -> None:
        self._episodes = directory / layout.EPISODES
        self._responses = directory / layout.RESPONSES
        self._read: dict[Path, int] = {}

    def skip_what_is_there(self, budget: Budget) -> int:
        """Count an earlier sitting's answers for the budget; return the number of its final
        episodes.
        """
        for line in self._new_lines(self._responses):
            budget.totals.add_line(line)
        return sum(line["status"] in FINAL for line in self._new_lines(self._episodes))

    def read(self, shown: Progress, budget: Budget) -> bool:
        """Show what is new; return whether there was anything."""
        answers = self._new_lines(self._responses)
        for line in answers:
            budget.totals.add_line(line)
            with suppress(DamagedRecordError):
                shown.answered(response_of(line), budget.totals)
        episodes = self._new_lines(self._episodes)
        for line in episodes:
            with suppress(DamagedRecordError):
                shown.episode_done(episode_of(line), budget.totals)
        return bool(answers or episodes)

    def _new_lines(self, path: Path) -> list[dict[str, Any]]:
        try:
            with open_to_read(path) as file:
                # A resumed job rewrites its episodes without the unfinished ones.
                start = min(self._read.get(path, 0), os.fstat(file.fileno()).st_size)
                lines = list(scan(file, path.name, offset=start))
        except OSError:
            return []
        if lines and not lines[-1].ended:
            del lines[-1]  # it is being written
        self._read[path] = lines[-1].end if lines else start
        # The job itself reports a damaged line.
        return [line.record for line in lines if line.record is not None]
