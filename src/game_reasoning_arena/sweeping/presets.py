"""Presets that are sweeps: they name their axes in ``hydra.sweeper.params``."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from omegaconf import DictConfig, OmegaConf


def sweep_without_m(cfg: DictConfig, overrides: Sequence[str]) -> list[str]:
    """What is wrong with playing the chosen preset as one run; nothing for other presets.

    A preset whose axes all have a value on the command line makes sense as one run.

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
    told = "; ".join(f"{key}={value}" for key, value in axes.items())
    return [
        f"experiment={preset} is a sweep (over {told}), and without -m only one run would be "
        f"played. Play it: arena -m {shlex.join(overrides)}\n"
        f"For one run give a value to each: {' '.join(f'{key}=...' for key in axes)}"
    ]
