"""Sweeps on a real SLURM without accounting."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.arena import finish, run_json, start_arena
from tests.cluster.slurm import Slurm
from tests.cluster.sweeps import (
    CANARY,
    WAIT_S,
    completed,
    here,
    model_words,
    nothing_twice,
    played,
    resume_words,
    run_sweep,
    until_asked,
    writer_of,
)
from tests.loopback import LoopbackServer
from tests.sweeping.reading import every_text, jobs, statuses

SLURM = [
    "hydra/launcher=slurm",
    "hydra.launcher.cpus_per_task=1",
    "hydra.launcher.timeout_min=10",
    "hydra.launcher.poll_s=1",
    "hydra.sweep.dir=mine",
]


def test_the_queue_plays_what_one_process_plays(tmp_path: Path, whole: Path, slurm: Slurm) -> None:
    words = ["model=scripted_sloppy,scripted_first", "seed=1,2", "episodes=6"]
    ran = run_sweep(tmp_path, *SLURM, *words, **slurm.environment)
    assert ran.code == 0, ran.err
    completed(tmp_path / "mine")
    assert played(tmp_path / "mine") == played(here(whole, *words))


def test_shards_on_a_cluster_are_one_run(tmp_path: Path, slurm: Slurm) -> None:
    words = ["model=scripted_sloppy", "episodes=20"]
    ran = run_sweep(tmp_path, *SLURM, "shard=all/3", *words, **slurm.environment)
    assert ran.code == 0, ran.err
    merged = finish(start_arena("merge", "mine", "--output", "merged", cwd=tmp_path))
    assert merged.code == 0, merged.err
    single = finish(start_arena(*words, cwd=tmp_path))
    theirs = run_json(single.directory)
    ours = run_json(tmp_path / "merged")
    assert ours["totals"] == theirs["totals"]
    assert ours["episodes"] == theirs["episodes"]


def test_cancelled_jobs_do_not_hang_the_parent(
    tmp_path: Path, whole: Path, slurm: Slurm, loopback: LoopbackServer
) -> None:
    words = [*model_words(loopback, "a", "b", "c"), "episodes=12", "concurrency=1"]
    key = {"MY_LAB_API_KEY": CANARY}
    calm = run_sweep(whole, *words, **key)
    assert calm.code == 0, calm.err
    loopback.reset()
    loopback.set(latency=0.1)
    few = "hydra.launcher.array_parallelism=1"  # one runs, two wait
    process = start_arena("-m", *SLURM, few, *words, cwd=tmp_path, **key, **slurm.environment)
    until_asked(process, loopback, 5)
    queued = slurm.run("squeue", "--noheader", "--array", "--format=%i %T").splitlines()
    by_task = dict(sorted(line.split() for line in queued))
    running, *waiting = by_task
    assert by_task[running] == "RUNNING"
    slurm.run("scancel", waiting[-1])
    first_directory = tmp_path / "mine" / jobs(tmp_path / "mine")[0]["directory"]
    os.kill(writer_of(first_directory), signal.SIGKILL)  # as for want of memory
    loopback.set(latency=0.0)
    ran = finish(process, timeout=WAIT_S)
    assert ran.code == 1, ran.out + ran.err
    sweep = tmp_path / "mine"
    assert statuses(sweep) == ["error", "completed", "error"]
    first, _, last = jobs(sweep)
    assert first["reason"]
    assert "CANCELLED" in last["reason"] or "not in SLURM's queue" in last["reason"]
    assert not (sweep / last["directory"]).exists()

    again = finish(start_arena(*resume_words(loopback), cwd=tmp_path, **key, **slurm.environment))
    assert again.code == 0, again.err
    assert played(sweep) == played(calm.directory)
    nothing_twice(sweep)


def test_scancel_of_a_running_job_lets_it_write_down_how_far_it_came(
    tmp_path: Path, slurm: Slurm, loopback: LoopbackServer
) -> None:
    loopback.set(latency=0.1)
    words = [*SLURM, *model_words(loopback, "a"), "episodes=40", "concurrency=1"]
    key = {"MY_LAB_API_KEY": CANARY}
    process = start_arena("-m", *words, cwd=tmp_path, **key, **slurm.environment)
    until_asked(process, loopback, 5)
    [task] = slurm.run("squeue", "--noheader", "--array", "--format=%i").split()
    slurm.run("scancel", task)
    ran = finish(process, timeout=WAIT_S)
    assert ran.code == 1, ran.out + ran.err
    [job] = jobs(tmp_path / "mine")
    assert job["status"] == "interrupted"
    assert run_json(tmp_path / "mine" / job["directory"])["status"] == "interrupted"


def test_ctrl_c_empties_the_queue(tmp_path: Path, slurm: Slurm, loopback: LoopbackServer) -> None:
    loopback.set(latency=0.1)
    words = [*SLURM, "hydra.launcher.array_parallelism=1", *model_words(loopback, "a", "b")]
    key = {"MY_LAB_API_KEY": CANARY}
    process = start_arena(
        "-m", *words, "episodes=40", "concurrency=1", cwd=tmp_path, **key, **slurm.environment
    )
    until_asked(process, loopback, 5)
    process.send_signal(signal.SIGINT)
    ran = finish(process, timeout=WAIT_S)
    assert ran.code == 130, ran.out + ran.err
    assert statuses(tmp_path / "mine") == ["interrupted", "pending"]
    deadline = time.monotonic() + WAIT_S
    while slurm.run("squeue", "--noheader"):
        assert time.monotonic() < deadline, "jobs stay in the queue"
        time.sleep(0.2)


def test_a_worker_without_a_key_says_so(
    tmp_path: Path, slurm: Slurm, loopback: LoopbackServer
) -> None:
    kept = "'PATH,SLURM_CONF,SUBMITIT_EXECUTOR'"
    additional = f"hydra.launcher.additional_parameters={{export: {kept}}}"
    words = [*SLURM, additional, *model_words(loopback, "a"), "episodes=2"]
    ran = run_sweep(tmp_path, *words, MY_LAB_API_KEY=CANARY, **slurm.environment)
    assert ran.code == 1, ran.out + ran.err
    [job] = jobs(tmp_path / "mine")
    assert job["status"] == "error"
    assert "MY_LAB_API_KEY" in job["reason"]
    assert "which is not set" in job["reason"]
    assert loopback.requests() == []
    assert CANARY not in every_text(tmp_path / "mine")


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("hydra.launcher.partition=nowhere", "could not be submitted"),
        ("+hydra.launcher.partitoin=x", "Did you mean 'partition'?"),
    ],
)
def test_what_slurm_refuses_is_told(tmp_path: Path, slurm: Slurm, word: str, said: str) -> None:
    ran = run_sweep(tmp_path, *SLURM, word, "seed=1,2", **slurm.environment)
    assert ran.code == 2, ran.out + ran.err
    assert said in ran.err
