"""Where the jobs of a sweep run: ``hydra/launcher=joblib``, ``slurm``, ``submitit_local``, ``ray``.

Hydra's own launcher plugins are not used: that for submitit waits for ever when a job is cancelled
on a cluster without accounting, all of them compose each job a second time when it starts (perhaps
hours later, from files that have changed), stop at the first failure, and cannot be interrupted.
What is left, handing a job's file to joblib, submitit or Ray and asking whether it has ended, is a
few lines each.
"""

from __future__ import annotations

from game_reasoning_arena.sweeping.launchers.base import Ended, Launcher, make_launcher

__all__ = ["Ended", "Launcher", "make_launcher"]
