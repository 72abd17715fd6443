"""SLURM through submitit, and the same without SLURM to try it out.

submitit asks ``sacct`` for a job's state, which never answers on a cluster without accounting, so
that it would wait forever for a cancelled job. Here ``squeue`` is asked.
"""

from __future__ import annotations

import logging
import secrets
import shutil
import subprocess
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from game_reasoning_arena.errors import UserError
from game_reasoning_arena.process.environment import (
    keys_set_aside,
    union_of_keys,
    without_keys,
)
from game_reasoning_arena.process.secrets import Redactor
from game_reasoning_arena.sweeping.files import end_file
from game_reasoning_arena.sweeping.launchers.base import Ended, Launcher
from game_reasoning_arena.sweeping.worker import play_job

log = logging.getLogger(__name__)

#: States of SLURM in which a job is over.
OVER = frozenset(
    {
        "BOOT_FAIL",
        "CANCELLED",
        "COMPLETED",
        "DEADLINE",
        "FAILED",
        "NODE_FAIL",
        "OUT_OF_MEMORY",
        "PREEMPTED",
        "TIMEOUT",
    }
)
GONE = "not in SLURM's queue any more: cancelled, out of time or memory, or its node failed"


#: Seconds before a job's time limit at which it is asked to stop.
NOTICE_S = 120


class _SubmititLauncher(Launcher):
    """The part that both launchers share.

    Args:
        timeout_min: minutes that a job may take; it is asked to stop two minutes before.
        cpus_per_task: CPU cores.
        gpus_per_node: GPUs.
        mem_gb: memory.
        name: name of the jobs in the queue.
    """

    package: ClassVar[str] = "submitit"
    _cluster: ClassVar[str]

    def __init__(
        self,
        *,
        timeout_min: int = 60,
        cpus_per_task: int | None = None,
        gpus_per_node: int | None = None,
        mem_gb: float | None = None,
        name: str = "arena",
    ) -> None:
        self._parameters: dict[str, Any] = {
            "timeout_min": timeout_min,
            "cpus_per_task": cpus_per_task,
            "gpus_per_node": gpus_per_node,
            "mem_gb": mem_gb,
            "name": name,
        }
        self._jobs: dict[Path, Any] = {}

    def submit(self, job_files: Mapping[Path, Collection[str] | None]) -> None:
        """Queue the jobs as one array, with the keys that any of them needs.

        Raises:
            UserError: the cluster refuses; the message quotes its answer.
        """
        import submitit

        # A new folder: what stood in an old one could be somebody else's, and submitit unpickles.
        folder = next(iter(job_files)).parent.parent / ".submitit" / secrets.token_hex(8) / "%j"
        try:
            executor = submitit.AutoExecutor(folder=str(folder), cluster=self._cluster)
            executor.update_parameters(
                **{key: value for key, value in self._parameters.items() if value is not None}
            )
            with keys_set_aside(union_of_keys(job_files.values())):
                jobs = executor.map_array(play_job, [str(file) for file in job_files])
        except (RuntimeError, ValueError, NameError, TypeError, OSError) as error:
            # submitit's own errors derive from RuntimeError and quote sbatch's message.
            raise UserError(f"The jobs could not be submitted: {error}") from error
        except submitit.core.utils.FailedJobError as error:
            raise UserError(f"The jobs could not be submitted: {error}") from error
        self._jobs = dict(zip(job_files, jobs, strict=True))

    def ended(self) -> list[Ended]:
        """Return the jobs that ended since the last call."""
        found = []
        for file, job in list(self._jobs.items()):
            ended = self._look_at(file, job)
            if ended is not None:
                del self._jobs[file]
                found.append(ended)
        return found

    def cancel(self) -> None:
        """Remove the jobs from the queue, running or not."""
        for job in self._jobs.values():
            job.cancel(check=False)

    def _look_at(self, file: Path, job: Any) -> Ended | None:
        if end_file(file).exists():
            return Ended(file)
        if job.paths.result_pickle.exists():
            error = job.exception()
            return Ended(file, None if error is None else _last_line(str(error)))
        state = self._state(job)
        if state is None:
            return None
        return Ended(file, f"job {job.job_id} is {state}{_last_words(Path(job.paths.stderr))}")

    def _state(self, job: Any) -> str | None:
        """Return why a job has ended; None while it may still run."""
        raise NotImplementedError


class SubmititLocalLauncher(_SubmititLauncher):
    """Processes of submitit on this machine, all at once: like SLURM, without SLURM."""

    _cluster = "local"

    def _state(self, job: Any) -> str | None:
        return f"over ({job.state})" if job.done() else None


class SlurmLauncher(_SubmititLauncher):
    """A job array of SLURM.

    Args:
        partition: where to run.
        account: the account to charge.
        qos: quality of service.
        constraint: features that nodes must have.
        gres: generic resources, such as ``gpu:a100:1``.
        array_parallelism: jobs at once.
        setup: shell lines before a job, such as ``module load cuda``.
        additional_parameters: further options of sbatch by their long names.
        poll_s: seconds between checks of the queue.
        common: see the base class.

    Raises:
        UserError: this machine has no SLURM.
    """

    same_machine: ClassVar[bool] = False
    _cluster = "slurm"

    def __init__(
        self,
        *,
        timeout_min: int = 60,
        cpus_per_task: int | None = None,
        gpus_per_node: int | None = None,
        mem_gb: float | None = None,
        name: str = "arena",
        partition: str | None = None,
        account: str | None = None,
        qos: str | None = None,
        constraint: str | None = None,
        gres: str | None = None,
        array_parallelism: int = 256,
        setup: Sequence[str] | None = None,
        additional_parameters: Mapping[str, Any] | None = None,
        poll_s: float = 10.0,
    ) -> None:
        if shutil.which("sbatch") is None:
            raise UserError(
                "hydra/launcher=slurm: there is no sbatch on this machine. Start the sweep on a "
                "login node of the cluster, or try hydra/launcher=submitit_local."
            )
        super().__init__(
            timeout_min=timeout_min,
            cpus_per_task=cpus_per_task,
            gpus_per_node=gpus_per_node,
            mem_gb=mem_gb,
            name=name,
        )
        self._parameters |= {
            "slurm_signal_delay_s": NOTICE_S,
            "slurm_partition": partition,
            "slurm_account": account,
            "slurm_qos": qos,
            "slurm_constraint": constraint,
            "slurm_gres": gres,
            "slurm_array_parallelism": array_parallelism,
            "slurm_setup": list(setup) if setup else None,
            "slurm_additional_parameters": dict(additional_parameters or {}) or None,
        }
        self._poll_s = poll_s
        self._next = 0.0
        self._states: dict[str, str] = {}
        self._missed: dict[str, int] = {}

    def ended(self) -> list[Ended]:
        """Return the jobs that ended since the last call."""
        if time.monotonic() >= self._next and self._jobs:
            self._next = time.monotonic() + self._poll_s
            self._ask_queue()
        return super().ended()

    def _state(self, job: Any) -> str | None:
        """Return why a job has ended: two checks of the queue report it, or it is not there any
        more.
        """
        return self._states.get(job.job_id) if self._missed.get(job.job_id, 0) >= 2 else None

    def _ask_queue(self) -> None:
        arrays = {job.job_id.split("_")[0] for job in self._jobs.values()}
        states: dict[str, str] = {}
        try:
            for array in arrays:
                states |= _queue(array)
        except (OSError, subprocess.SubprocessError) as error:
            log.warning("squeue did not answer, which says nothing about the jobs: %s", error)
            return
        for job in self._jobs.values():
            state = states.get(job.job_id, GONE)
            over = state == GONE or state in OVER
            self._missed[job.job_id] = self._missed.get(job.job_id, 0) + 1 if over else 0
            self._states[job.job_id] = state


def _queue(array: str) -> dict[str, str]:
    """Return the states of an array's jobs; none for an array that SLURM has forgotten."""
    asked = subprocess.run(  # noqa: S603
        ["squeue", "--noheader", "--array", "--states=all", "--format=%i %T", f"--jobs={array}"],  # noqa: S607
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=without_keys(),
    )
    if asked.returncode != 0:
        if "Invalid job id" in asked.stderr:
            return {}
        raise subprocess.SubprocessError(asked.stderr.strip())
    lines = (line.split() for line in asked.stdout.splitlines())
    return {words[0]: words[1] for words in lines if len(words) == 2}


def _last_words(log_file: Path) -> str:
    """Return the last line of the job's log, without secrets."""
    try:
        with log_file.open("rb") as file:
            file.seek(max(0, log_file.stat().st_size - 4096))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return f". {log_file} ends: {Redactor().redact(_last_line(text))[:300]}"


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith(("srun:", "slurmstepd:"))]
    return (telling or lines or ["nothing"])[-1]
