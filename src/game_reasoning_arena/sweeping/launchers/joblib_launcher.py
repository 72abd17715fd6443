"""Processes on this machine, through joblib's loky."""

from __future__ import annotations

import multiprocessing.resource_tracker
import os
import signal
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from game_reasoning_arena.errors import UserError
from game_reasoning_arena.process.environment import keys_set_aside
from game_reasoning_arena.running.stopping import GRACE_S
from game_reasoning_arena.sweeping.launchers.base import Ended, Launcher
from game_reasoning_arena.sweeping.worker import play_job


class JoblibLauncher(Launcher):
    """Jobs in worker processes, each of which is reused for the next job.

    Every worker is an executor of its own: when a process dies, loky ends all workers of its
    executor, and the other jobs must go on.

    Args:
        n_jobs: processes at once; -1 is one per CPU core, or per group of GPUs.
        gpus: devices as in CUDA_VISIBLE_DEVICES; each process gets ``gpus_per_job`` of them for
            itself. None leaves the environment alone.
        gpus_per_job: devices for each process.

    Raises:
        UserError: the numbers do not fit.
    """

    package: ClassVar[str] = "joblib"

    def __init__(
        self, *, n_jobs: int = -1, gpus: Sequence[Any] | None = None, gpus_per_job: int = 1
    ) -> None:
        if n_jobs == 0 or n_jobs < -1:
            raise UserError(f"hydra.launcher.n_jobs={n_jobs}: give 1 or more, or -1.")
        slots: list[str | None] = []
        if gpus is not None:
            names = [str(gpu) for gpu in gpus]
            if not 1 <= gpus_per_job <= len(names):
                raise UserError(
                    f"hydra.launcher.gpus_per_job={gpus_per_job}: hydra.launcher.gpus names "
                    f"{len(names)} GPUs."
                )
            starts = range(0, len(names) - gpus_per_job + 1, gpus_per_job)
            slots = [",".join(names[at : at + gpus_per_job]) for at in starts]
            if n_jobs > len(slots):
                raise UserError(
                    f"hydra.launcher.n_jobs={n_jobs}: there are GPUs for {len(slots)} jobs at once."
                )
        self._dealt_out = bool(slots)
        wanted = (len(slots) or os.cpu_count() or 1) if n_jobs == -1 else n_jobs
        self._idle = [_Worker(slots[i] if slots else None) for i in range(wanted)]
        self._busy: list[_Worker] = []
        self._queue: list[tuple[Path, Collection[str] | None]] = []

    def sharing(self, jobs: int) -> tuple[int, str] | None:
        """Return all jobs, as all workers see all GPUs unless ``gpus`` assigns them."""
        if self._dealt_out:
            return None
        return min(jobs, len(self._idle) + len(self._busy)), "hydra.launcher.gpus=[0,1,...]"

    def submit(self, job_files: Mapping[Path, Collection[str] | None]) -> None:
        """Queue the jobs; as many as there are workers run at once."""
        self._queue += job_files.items()
        self._fill()

    def ended(self) -> list[Ended]:
        """Return the jobs that ended since the last call; their workers take the next ones."""
        found = []
        for worker in list(self._busy):
            if worker.future.done():
                self._busy.remove(worker)
                self._idle.append(worker)
                found.append(worker.result())
        self._fill()
        return found

    def cancel(self) -> None:
        """Kill the workers and drop the queue."""
        self._queue.clear()
        for worker in self._busy:
            worker.kill()

    def close(self) -> None:
        """End the workers."""
        self.cancel()
        for worker in self._idle:
            worker.close()

    def _fill(self) -> None:
        while self._queue and self._idle:
            job_file, keys = self._queue.pop(0)
            efforts = [worker.effort(keys) for worker in self._idle]
            worker = self._idle.pop(efforts.index(min(efforts)))
            worker.start(job_file, keys)
            self._busy.append(worker)


class _Worker:
    """A process for one job after the other, as long as these need the same keys."""

    def __init__(self, gpus: str | None) -> None:
        self._gpus = gpus
        self._keys: Collection[str] | None = ()
        self._executor: Any = None
        self.future: Any = None

    def effort(self, keys: Collection[str] | None) -> int:
        """Return what a job with these keys takes: 0 nothing, 1 a process, 2 another process."""
        return 1 if self._executor is None else 0 if keys == self._keys else 2

    def start(self, job_file: Path, keys: Collection[str] | None) -> None:
        from joblib.externals.loky import ProcessPoolExecutor
        from joblib.externals.loky.backend import resource_tracker

        if keys != self._keys:
            self.close()
        self._keys, self._file = keys, job_file
        with keys_set_aside():  # loky's helpers outlive this worker, and serve them all
            resource_tracker.ensure_running()
            multiprocessing.resource_tracker.ensure_running()
        with keys_set_aside(keys):
            if self._executor is None:
                self._executor = ProcessPoolExecutor(
                    max_workers=1, initializer=_begin, initargs=(self._gpus,)
                )
            self.future = self._executor.submit(play_job, str(job_file))

    def result(self) -> Ended:
        error = self.future.exception()
        if error is None:
            return Ended(self._file)
        self.kill()
        first = str(error).strip().splitlines()[:1]
        return Ended(
            self._file,
            "its process died: killed, out of memory, or crashed "
            f"({type(error).__name__}: {first[0] if first else ''})",
        )

    def kill(self) -> None:
        self._executor.shutdown(wait=False, kill_workers=True)
        self._executor = None

    def close(self) -> None:
        if self._executor is not None:
            self._executor.shutdown(wait=True)
            self._executor = None


def _begin(gpus: str | None) -> None:
    """Set up a new worker: ignore Ctrl-C, which the parent handles, and set its GPUs."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_after, args=[os.getppid()], daemon=True).start()
    if gpus is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus


def _end_after(parent: int) -> None:
    """End this worker when its parent is gone, once its job has had the time to stop."""
    while os.getppid() == parent:
        time.sleep(1.0)
    time.sleep(GRACE_S + 5.0)
    os._exit(1)
