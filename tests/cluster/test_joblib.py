"""Sweeps in joblib's processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import pytest

from game_reasoning_arena.sweeping.worker import play_job
from tests.arena import finish, run_json, start_arena
from tests.cluster.sweeps import (
    CANARY,
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
from tests.hostile.test_children import Children, needs_proc
from tests.loopback import LoopbackServer
from tests.sweeping.reading import every_text, jobs, statuses, table

JOBLIB = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "hydra.sweep.dir=mine"]


def test_processes_play_what_one_process_plays(tmp_path: Path, whole: Path) -> None:
    words = ["model=scripted_sloppy,scripted_first", "seed=1,2", "episodes=6"]
    ran = run_sweep(tmp_path, *JOBLIB, *words)
    assert ran.code == 0, ran.err
    completed(tmp_path / "mine")
    alone = here(whole, *words)
    assert played(tmp_path / "mine") == played(alone)
    timing = ("latency_p50_s", "latency_p95_s")
    assert [
        {k: v for k, v in row.items() if k not in timing} for row in table(tmp_path / "mine")
    ] == [{k: v for k, v in row.items() if k not in timing} for row in table(alone)]


def test_a_worker_plays_nothing_else_than_was_checked(tmp_path: Path) -> None:
    sweep = tmp_path / "mine"
    ran = run_sweep(tmp_path, *JOBLIB, "seed=1,2", "episodes=2")
    assert ran.code == 0, ran.err
    file = sweep / ".jobs" / "1.json"
    shutil.rmtree(sweep / jobs(sweep)[1]["directory"])
    (sweep / ".jobs" / "1.end.json").unlink()
    file.write_text(json.dumps(json.loads(file.read_text()) | {"identity": "another"}))
    play_job(str(file))
    end = json.loads((sweep / ".jobs" / "1.end.json").read_text())
    assert end["status"] == "error"
    assert "would ask something else now" in end["reason"]


def test_keys_are_the_workers_own(tmp_path: Path, loopback: LoopbackServer) -> None:
    loopback.set(key=CANARY)
    words = [*JOBLIB, *model_words(loopback, "a", "b"), "episodes=2"]
    ran = run_sweep(tmp_path, *words, MY_LAB_API_KEY=CANARY)
    assert ran.code == 0, ran.err
    assert CANARY not in every_text(tmp_path / "mine") + ran.out + ran.err


def test_an_added_configuration_directory_goes_to_the_workers(tmp_path: Path) -> None:
    (tmp_path / "extra" / "backend").mkdir(parents=True)
    (tmp_path / "extra" / "backend" / "mine.yaml").write_text(
        "# @package backend.mine\n"
        "_target_: game_reasoning_arena.backends.scripted_backend.ScriptedBackend\n"
    )
    words = ["--config-dir", "extra", "agents.player_0.model=mine_first,mine_random", "episodes=2"]
    ran = run_sweep(tmp_path, *JOBLIB, *words)
    assert ran.code == 0, ran.err
    completed(tmp_path / "mine")
    job = json.loads((tmp_path / "mine" / ".jobs" / "0.json").read_text())
    assert job["config_dir"] == str(tmp_path / "extra")


def test_a_failing_job_leaves_the_others_alone(tmp_path: Path, loopback: LoopbackServer) -> None:
    loopback.set(faults=[{"status": 401, "model": "bad"}])
    words = [*JOBLIB, *model_words(loopback, "good", "bad", "fine"), "episodes=2"]
    ran = run_sweep(tmp_path, *words, MY_LAB_API_KEY=CANARY)
    assert ran.code == 1, ran.err
    assert statuses(tmp_path / "mine") == ["completed", "error", "completed"]
    assert "401" in jobs(tmp_path / "mine")[1]["reason"]


def test_a_worker_that_is_killed_takes_only_its_own_job(
    tmp_path: Path, whole: Path, loopback: LoopbackServer
) -> None:
    words = [*model_words(loopback, "a", "b", "c"), "episodes=12", "concurrency=1"]
    key = {"MY_LAB_API_KEY": CANARY}
    calm = run_sweep(whole, *words, **key)
    assert calm.code == 0, calm.err
    loopback.reset()
    loopback.set(latency=0.05)
    process = start_arena("-m", *JOBLIB, *words, cwd=tmp_path, **key)
    until_asked(process, loopback, 20)
    first = tmp_path / "mine" / jobs(tmp_path / "mine")[0]["directory"]
    os.kill(writer_of(first), signal.SIGKILL)
    ran = finish(process)
    assert ran.code == 1
    sweep = tmp_path / "mine"
    assert statuses(sweep) == ["error", "completed", "completed"]
    assert "its process died" in jobs(sweep)[0]["reason"]
    assert run_json(first)["status"] == "error"
    assert {row["status"] for row in table(sweep) if row["job"] == "0"} == {"error"}

    loopback.set(latency=0.0)
    again = finish(start_arena(*resume_words(loopback), cwd=tmp_path, **key))
    assert again.code == 0, again.err
    assert played(sweep) == played(calm.directory)
    nothing_twice(sweep)


@pytest.mark.parametrize("whole_group", [True, False], ids=["Ctrl-C", "kill -INT"])
def test_ctrl_c_stops_all_workers_and_the_rest_can_be_resumed(
    tmp_path: Path, whole: Path, loopback: LoopbackServer, whole_group: bool
) -> None:
    words = [*model_words(loopback, "a", "b", "c"), "episodes=12", "concurrency=1"]
    key = {"MY_LAB_API_KEY": CANARY}
    calm = run_sweep(whole, *words, **key)
    loopback.reset()
    loopback.set(latency=0.05)
    process = start_arena("-m", *JOBLIB, *words, cwd=tmp_path, **key)
    until_asked(process, loopback, 20)
    if whole_group:
        for child in _family(process.pid):
            os.kill(child, signal.SIGINT)
    else:
        process.send_signal(signal.SIGINT)
    ran = finish(process)
    assert ran.code == 130, ran.err
    assert f"arena resume {tmp_path / 'mine'}" in ran.out
    assert statuses(tmp_path / "mine") == ["interrupted", "interrupted", "pending"]
    assert not (tmp_path / "mine" / ".jobs" / "stop.json").exists()
    loopback.set(latency=0.0)
    again = finish(start_arena(*resume_words(loopback), cwd=tmp_path, **key))
    assert again.code == 0, again.err
    assert played(tmp_path / "mine") == played(calm.directory)
    nothing_twice(tmp_path / "mine")
    shutil.rmtree(tmp_path / "mine")


def test_no_worker_outlives_a_sweep_that_is_killed(
    tmp_path: Path, loopback: LoopbackServer
) -> None:
    loopback.set(latency=0.05)
    words = [*model_words(loopback, "a", "b"), "episodes=500", "concurrency=1"]
    process = start_arena("-m", *JOBLIB, *words, cwd=tmp_path, MY_LAB_API_KEY=CANARY)
    until_asked(process, loopback, 20)
    process.kill()
    process.communicate(timeout=100)  # its outputs are open as long as a worker lives
    reasons = [run_json(run.parent)["reason"] for run in (tmp_path / "mine").glob("*/run.json")]
    assert reasons == ["the sweep's own process is gone"] * 2


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in _family(int(child)))]


def test_a_sweeps_budget_holds_across_processes(tmp_path: Path, loopback: LoopbackServer) -> None:
    loopback.set(latency=0.05)
    words = [*model_words(loopback, "a", "b"), "episodes=60", "concurrency=1"]
    ran = run_sweep(tmp_path, *JOBLIB, *words, "sweep.budget.calls=40", MY_LAB_API_KEY=CANARY)
    assert ran.code == 3, ran.err
    assert "sweep.budget.calls=40 is used up" in ran.out
    assert "sweep.budget is counted twice a second over all jobs" in ran.err
    # Two workers, of which each asks no more than was left when it began.
    assert 40 <= loopback.stats()["requests"] <= 80


def test_each_process_has_gpus_of_its_own(tmp_path: Path) -> None:
    words = ["hydra.launcher.n_jobs=-1", "hydra.launcher.gpus=[4,5,6,7]"]
    words += ["hydra.launcher.gpus_per_job=2", "seed=1,2,3,4", "episodes=2"]
    words += ["+backend.see._target_=tests.cluster.gpus.SeeingBackend"]
    words += ["trusted_targets=[tests.cluster.gpus]", "catalog.models=[{name: see_gpus}]"]
    words += ["agents.player_0.model=see_gpus", "on_failure.rethinks=0"]
    ran = run_sweep(tmp_path, *JOBLIB, *words, PYTHONPATH=str(Path(__file__).parents[2]))
    assert ran.code == 0, ran.err
    seen = set()
    for job in jobs(tmp_path / "mine"):
        text = (tmp_path / "mine" / job["directory"] / "responses.jsonl").read_text()
        seen |= {json.loads(line)["text"] for line in text.splitlines()}
    assert seen == {"4,5", "6,7"}


@needs_proc
def test_only_a_worker_whose_job_needs_a_key_gets_it(
    tmp_path: Path, loopback: LoopbackServer
) -> None:
    children = Children(tmp_path)
    lab = ("provider.lab.api_base=" + loopback.url, "provider.lab.api_key_env=THEIRS")
    models = "agents.player_0.model=scripted_first,direct_lab/small"
    told = children.of("-m", *JOBLIB, "hydra.launcher.n_jobs=1", *lab, models, "episodes=1")
    keyed = [text for text in told.values() if b"canary" in text]
    assert len(keyed) == 1
    assert keyed[0].count(b"canary") == 1
    assert b"THEIRS=" in keyed[0]
    assert sum("popen_loky_posix" in command for command in told) == 2
