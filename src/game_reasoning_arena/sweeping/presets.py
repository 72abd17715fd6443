"""Presets that are sweeps: they name their axes in ``hydra.sweeper.params``."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from omegaconf import DictConfig, OmegaConf


def sweep_without_m(cfg: DictConfig, overrides: Sequence[str]) -> list[str]:
    """Return why the chosen preset cannot be played as one run; empty for other presets.

    A preset whose axes all have a value on the command line can be one run.

    Args:
        cfg: composed, with Hydra's part.
        overrides: the words as Hydra got them.
    """
    preset = OmegaConf.select(cfg, "hydra.runtime.choices.experiment")
    params = OmegaConf.select(cfg, "hydra.sweeper.params") or {}
    given = {word.partition("=")[0].lstrip("+~") for word in overrides}
    axes = {str(key).lstrip("+"): value for key, value in params.items()}
    if preset is None or not axes.keys() - given:
        return []
    listed = "; ".join(f"{key}={value}" for key, value in axes.items())
    return [
        f"experiment={preset} is a sweep (over {listed}), and without -m only one run would be "
        f"played. Play it: arena -m {shlex.join(overrides)}\n"
        f"For one run give a value to each: {' '.join(f'{key}=...' for key in axes)}"
    ]


def words_of_the_other_kind(overrides: Sequence[str], *, sweeping: bool) -> list[str]:
    """Return words that have an effect only in a sweep, or only in a single run."""
    found = []
    for word in overrides:
        key = word.partition("=")[0].lstrip("+~")
        if sweeping and key == "hydra.run.dir":
            found.append(f"{word}: a sweep (-m) lies in hydra.sweep.dir=...")
        elif sweeping and key in _UNHEEDED:
            found.append(f"{word} would change nothing in a sweep: {_UNHEEDED[key]}.")
        elif not sweeping and key.startswith(("hydra/launcher", "hydra.launcher.", "hydra.sweep.")):
            found.append(f"{word} is of sweeps, and would change nothing without -m.")
    return found


#: Words that Hydra's own sweeper uses, and why ours does not.
_UNHEEDED = {
    "hydra.sweep.subdir": "the directories of its jobs are numbered",
    "hydra.sweeper.max_batch_size": "sweep.parallel_jobs=... sets how many jobs play at once",
    "hydra/sweeper": "every value with commas is an axis, and all combinations are played",
    "hydra.job.chdir": "its jobs share a process, and so a working directory",
}
