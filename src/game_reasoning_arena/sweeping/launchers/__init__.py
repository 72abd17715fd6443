"""Launchers: ``hydra/launcher=joblib``, ``slurm``, ``submitit_local``, ``ray``.

Hydra's own launcher plugins are not used. The one for submitit waits forever when a job is
cancelled on a cluster without accounting. All of them compose each job a second time when it starts
(perhaps hours later, from changed files), stop at the first failure, and cannot be interrupted. The
rest, handing a job's file to joblib, submitit or Ray and asking whether it has ended, takes a few
lines each.
"""

from __future__ import annotations

from game_reasoning_arena.sweeping.launchers.base import Ended, Launcher, make_launcher

__all__ = ["Ended", "Launcher", "make_launcher"]
