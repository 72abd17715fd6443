"""Provenance of a run: versions, git state, platform, and the limits of its determinism."""

from __future__ import annotations

import functools
import os
import platform
import secrets
import subprocess
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from game_reasoning_arena.process.environment import keys_set_aside, without_keys
from game_reasoning_arena.process.paths import shipped_conf
from game_reasoning_arena.recording.run_record import GitState, Provenance

if TYPE_CHECKING:
    from game_reasoning_arena.backends.base_backend import BaseLLMBackend
    from game_reasoning_arena.preflight.experiment import Experiment

PACKAGES = ("game-reasoning-arena", "hydra-core", "omegaconf", "open-spiel", "numpy", "aiohttp")


def new_run_id() -> str:
    """Return twelve hexadecimal digits, unique without any coordination."""
    return secrets.token_hex(6)


def provenance(experiment: Experiment) -> Provenance:
    """Return the code, the packages and the machine that play an experiment here."""
    with keys_set_aside():  # it may start a program
        system = platform.platform()
    return Provenance(
        git=git_state(shipped_conf()),
        packages=package_versions(experiment.backends.values()),
        python=platform.python_version(),
        platform={
            "system": system,
            "machine": platform.machine(),
            "cpus": os.cpu_count(),
            "executable": Path(sys.executable).name,
        },
        engines=_engines(experiment),
    )


def _engines(experiment: Experiment) -> dict[str, dict[str, Any]]:
    """Return the choices of the engines in this process, by model."""
    found: dict[str, dict[str, Any]] = {}
    for backend, models in experiment.served:
        found |= {name: dict(chosen) for name, chosen in backend.choices(models).items()}
    return found


def package_versions(backends: Iterable[BaseLLMBackend]) -> dict[str, str]:
    """Return the installed versions of the packages that a run's numbers depend on, by name."""
    names = dict.fromkeys((*PACKAGES, *(name for b in backends for name in b.packages)))
    found = {name: _version(name) for name in names}
    return {name: version for name, version in found.items() if version is not None}


@functools.cache
def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


@functools.cache  # the running code is the one at the process's start
def git_state(where: Path) -> GitState | None:
    """Return commit and uncommitted changes; None outside a checkout or without git."""
    if not (where.parent / ".git").exists():
        return None

    def git(*words: str) -> str:
        return subprocess.run(  # noqa: S603
            ["git", "-C", str(where.parent), *words],  # noqa: S607
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
            env=without_keys(),
        ).stdout.strip()

    try:
        commit = git("rev-parse", "HEAD")
        return GitState(commit=commit, dirty=bool(git("status", "--porcelain", "-uno")))
    except (OSError, subprocess.SubprocessError):
        return None


def determinism(experiment: Experiment) -> list[str]:
    """Return sentences on the conditions for repeating a run."""
    notes = ["Seats, deals and random players derive from the seed and do not depend on timing."]
    for prefix, (backend, models) in zip(experiment.backends, experiment.served, strict=True):
        if backend.repeats is not None:
            notes.append(f"{prefix}: {backend.repeats}")
        notes += backend.notes(models)
    return notes
