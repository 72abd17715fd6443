"""The interface between a sweep and its launcher."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from game_reasoning_arena.configuration.demands import launcher_demands
from game_reasoning_arena.configuration.hydra_internals import BASIC_LAUNCHER
from game_reasoning_arena.configuration.trust import current_trust
from game_reasoning_arena.errors import ConfigProblems, choose_from

#: Launchers by the ``kind`` of their preset: module, class, extra.
KINDS = {
    "joblib": ("joblib_launcher", "JoblibLauncher", "joblib"),
    "submitit_local": ("submitit_launcher", "SubmititLocalLauncher", "slurm"),
    "slurm": ("submitit_launcher", "SlurmLauncher", "slurm"),
    "ray": ("ray_launcher", "RayLauncher", "ray"),
}


@dataclass(frozen=True)
class Ended:
    """The end of a job's process; ``problem`` gives the reason if it could not end by itself."""

    job_file: Path
    problem: str | None = None


class Launcher(ABC):
    """Starts jobs in other processes. Used as a context manager; no method blocks for long."""

    #: Whether the jobs run on this machine, so that keys and engines can be checked here.
    same_machine: ClassVar[bool] = True
    #: The package that does the work.
    package: ClassVar[str]

    @abstractmethod
    def submit(self, job_files: Mapping[Path, Collection[str] | None]) -> None:
        """Start jobs, or queue them.

        Args:
            job_files: absolute paths, for :func:`game_reasoning_arena.sweeping.worker.play_job`,
                each with the variables of the keys that its process needs; None if any may be.

        Raises:
            UserError: the cluster refuses.
        """

    @abstractmethod
    def ended(self) -> list[Ended]:
        """Return the jobs that ended since the last call."""

    @abstractmethod
    def cancel(self) -> None:
        """End all running and waiting jobs at once."""

    def sharing(self, jobs: int) -> tuple[int, str] | None:
        """Return how many jobs may use the same GPUs at once, and the setting that prevents it.

        None if each job has GPUs of its own, as a scheduler assigns them.
        """
        return None

    def close(self) -> None:
        """Release the cluster; running jobs continue."""

    def __enter__(self) -> Launcher:
        return self

    def __exit__(self, *what: object) -> None:
        self.close()


def make_launcher(conf: Mapping[str, Any]) -> Launcher | None:
    """Return the launcher that ``hydra.launcher`` describes; None for jobs in this process.

    Raises:
        ConfigProblems: it is not known, not installed, has other settings, or would run what
            somebody else's sweep names.
    """
    if refused := current_trust().refused(launcher_demands(conf)):
        raise ConfigProblems(refused)
    if not conf or conf.get("_target_") == BASIC_LAUNCHER:
        return None
    kind = conf.get("kind")
    if kind not in KINDS:
        raise ConfigProblems(
            [
                f"hydra.launcher is {kind or conf.get('_target_')}, which is not known here. "
                "Choose with hydra/launcher=NAME. "
                + choose_from(str(kind or ""), ["basic", *KINDS])
            ]
        )
    module_name, class_name, extra = KINDS[str(kind)]
    launcher = getattr(import_module(f"{__package__}.{module_name}"), class_name)
    if find_spec(launcher.package) is None:
        raise ConfigProblems(
            [
                f"hydra/launcher={kind} needs the package {launcher.package}: "
                f"pip install 'game-reasoning-arena[{extra}]'"
            ]
        )
    settings = {key: value for key, value in conf.items() if key != "kind"}
    known = [name for name in inspect.signature(launcher).parameters if name != "self"]
    unknown = [key for key in settings if key not in known]
    if unknown:
        raise ConfigProblems(
            [
                f"hydra.launcher.{key} is no setting of {kind}. {choose_from(key, known, limit=30)}"
                for key in unknown
            ]
        )
    made: Launcher = launcher(**settings)
    return made
