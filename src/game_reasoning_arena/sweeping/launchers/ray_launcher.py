"""A Ray cluster, or Ray on this machine."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, ClassVar

from game_reasoning_arena.errors import UserError
from game_reasoning_arena.process.environment import keys_set_aside, union_of_keys
from game_reasoning_arena.sweeping.launchers.base import Ended, Launcher
from game_reasoning_arena.sweeping.worker import play_job


class RayLauncher(Launcher):
    """Jobs as tasks of Ray. Workers need this package and the sweep's file system.

    Args:
        address: ``auto`` or ``HOST:PORT`` of a running cluster, or ``local`` for one that is
            started here for this sweep only; None takes a running one, else starts one.
        num_cpus: CPU cores for each job.
        num_gpus: GPUs for each job; Ray sets CUDA_VISIBLE_DEVICES.
        resources: custom resources for each job.
        max_retries: how often a job is started again after its worker died; it goes on where it
            was.
        init: further arguments of ``ray.init``.
    """

    same_machine: ClassVar[bool] = False
    package: ClassVar[str] = "ray"

    def __init__(
        self,
        *,
        address: str | None = None,
        num_cpus: float = 1,
        num_gpus: float = 0,
        resources: Mapping[str, float] | None = None,
        max_retries: int = 1,
        init: Mapping[str, Any] | None = None,
    ) -> None:
        quiet = {"log_to_driver": False, "logging_level": "error"}
        self._init = {"address": address, **quiet, **(init or {})}
        self._wanted = {"CPU": num_cpus, "GPU": num_gpus, **(resources or {})}
        self._options = {
            "num_cpus": num_cpus,
            "num_gpus": num_gpus,
            "resources": dict(resources or {}),
            "max_retries": max_retries,
        }
        self._tasks: dict[Any, Path] = {}

    def sharing(self, jobs: int) -> tuple[int, str] | None:
        """Return all jobs if they request no GPUs, as each then sees all; Ray assigns requested
        ones.
        """
        share = self._wanted["GPU"]
        if share >= 1:
            return None
        return min(jobs, int(1 / share)) if share else jobs, "hydra.launcher.num_gpus=1"

    def submit(self, job_files: Mapping[Path, Collection[str] | None]) -> None:
        """Submit the jobs to Ray, which starts each when there is room for it.

        A Ray that is started here gets the keys that any of them needs.

        Raises:
            UserError: the cluster cannot be reached, or has no node that fits.
        """
        import ray

        if not ray.is_initialized():
            try:
                with keys_set_aside(union_of_keys(job_files.values())):
                    ray.init(**self._init)
            except (ConnectionError, ValueError, TypeError, RuntimeError) as error:
                raise UserError(f"hydra/launcher=ray: Ray cannot be reached: {error}") from error
        self._refuse_impossible(ray.cluster_resources())
        play = ray.remote(**self._options)(play_job)
        for file in job_files:
            self._tasks[play.remote(str(file))] = file

    def ended(self) -> list[Ended]:
        """Return the jobs that ended since the last call."""
        import ray

        if not self._tasks:
            return []
        done, _ = ray.wait(list(self._tasks), num_returns=len(self._tasks), timeout=0)
        found = []
        for task in done:
            file = self._tasks.pop(task)
            try:
                ray.get(task)
                found.append(Ended(file))
            except ray.exceptions.RayError as error:
                first = str(error).strip().splitlines()[:1] or [""]
                found.append(Ended(file, f"{type(error).__name__}: {first[0]}"))
        return found

    def cancel(self) -> None:
        """Cancel the tasks, running or not."""
        import ray

        for task in self._tasks:
            ray.cancel(task, force=True)

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        import ray

        ray.shutdown()

    def _refuse_impossible(self, there: Mapping[str, float]) -> None:
        for name, amount in self._wanted.items():
            if amount > there.get(name, 0):
                raise UserError(
                    f"hydra/launcher=ray: each job asks for {amount:g} {name}, the whole cluster "
                    f"has {there.get(name, 0):g}; it would wait for ever."
                )
