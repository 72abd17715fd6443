"""SLURM's road without SLURM."""

from __future__ import annotations

from pathlib import Path

from tests.cluster.sweeps import completed, here, played, run_sweep


def test_local_jobs_play_what_one_process_plays(tmp_path: Path, whole: Path) -> None:
    words = ["model=scripted_sloppy,scripted_first", "episodes=6"]
    ran = run_sweep(tmp_path, "hydra/launcher=submitit_local", "hydra.sweep.dir=mine", *words)
    assert ran.code == 0, ran.err
    completed(tmp_path / "mine")
    assert played(tmp_path / "mine") == played(here(whole, *words))
