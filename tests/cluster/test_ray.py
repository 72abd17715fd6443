"""Sweeps on a real Ray with two workers."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.sweeps import CANARY, completed, here, model_words, played, run_sweep
from tests.loopback import LoopbackServer
from tests.sweeping.reading import every_text, jobs, statuses

RAY = ["hydra/launcher=ray", "hydra.sweep.dir=mine"]


@pytest.fixture(scope="module")
def cluster() -> Iterator[dict[str, str]]:
    """A head node with two CPUs, that runs until it is stopped, as `ray start` makes it."""
    ray = str(Path(sys.executable).with_name("ray"))
    environment = {**os.environ, "MY_LAB_API_KEY": CANARY}
    start = [ray, "start", "--head", "--num-cpus=2", "--port=0", "--include-dashboard=false"]
    started = subprocess.run(
        start, env=environment, capture_output=True, text=True, timeout=180, check=True
    )
    assert "Ray runtime started" in started.stdout
    yield {}
    subprocess.run([ray, "stop"], capture_output=True, timeout=60, check=True)


def test_a_cluster_plays_what_one_process_plays(
    tmp_path: Path, whole: Path, cluster: dict[str, str]
) -> None:
    words = ["model=scripted_sloppy,scripted_first", "seed=1,2", "episodes=6"]
    ran = run_sweep(tmp_path, *RAY, "hydra.launcher.address=auto", *words)
    assert ran.code == 0, ran.err
    completed(tmp_path / "mine")
    assert played(tmp_path / "mine") == played(here(whole, *words))


def test_workers_use_their_own_keys_and_failures_stay_apart(
    tmp_path: Path, cluster: dict[str, str], loopback: LoopbackServer
) -> None:
    loopback.set(key=CANARY, faults=[{"status": 400, "model": "bad"}])
    words = [*RAY, "hydra.launcher.address=auto", *model_words(loopback, "good", "bad")]
    ran = run_sweep(tmp_path, *words, "episodes=2")  # no key here, in the parent
    assert ran.code == 1, ran.err
    assert statuses(tmp_path / "mine") == ["completed", "error"]
    assert CANARY not in every_text(tmp_path / "mine") + ran.out + ran.err


def test_jobs_that_fit_nowhere_are_refused(tmp_path: Path, cluster: dict[str, str]) -> None:
    words = [*RAY, "hydra.launcher.address=auto", "hydra.launcher.num_gpus=64", "seed=1,2"]
    ran = run_sweep(tmp_path, *words)
    assert ran.code == 2
    assert "64 GPU" in ran.err


def test_ray_is_started_for_the_sweep_where_none_runs(tmp_path: Path) -> None:
    init = ["+hydra.launcher.init.num_cpus=2", "+hydra.launcher.init.include_dashboard=false"]
    words = [*RAY, "hydra.launcher.address=local", *init, "seed=1,2", "episodes=4"]
    ran = run_sweep(tmp_path, *words)
    assert ran.code == 0, ran.err
    assert len(jobs(tmp_path / "mine")) == 2
    completed(tmp_path / "mine")
