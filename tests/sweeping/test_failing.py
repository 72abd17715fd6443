"""Jobs that fail, are killed or interrupted, and sweeps that go on."""

from __future__ import annotations

import json
import shutil
import signal
import time
from pathlib import Path

import pytest

from game_reasoning_arena.agents import prompting
from tests.arena import Arena, Ran, episodes, finish, lines, run_json, start_arena
from tests.loopback import LoopbackServer
from tests.sweeping.reading import jobs, statuses, sweep_json, table

WAIT_S = 60.0


def sweep_words(server: LoopbackServer, *models: str) -> list[str]:
    named = ",".join(f"direct_my_lab/{model}" for model in models)
    return [
        "-m",
        f"+provider.my_lab.api_base={server.url}",
        f"agents.player_0.model={named}",
        "probe=false",
    ]


def test_a_failing_job_leaves_the_others_alone(arena: Arena, loopback: LoopbackServer) -> None:
    loopback.set(faults=[{"status": 401, "model": "bad"}])
    ran = arena(*sweep_words(loopback, "good", "bad", "fine"), "episodes=4")
    assert ran.code == 1
    assert statuses(ran.directory) == ["completed", "error", "completed"]
    [_, bad, _] = jobs(ran.directory)
    assert "401" in bad["reason"]
    assert run_json(ran.directory / bad["directory"])["status"] == "error"
    assert f"job 1 error: {bad['reason']}" in ran.out
    assert {row["status"] for row in table(ran.directory) if row["job"] == "1"} == {"error"}

    loopback.set(faults=[])
    loopback.reset()
    again = arena("resume", str(ran.directory))
    assert again.code == 0, again.err
    assert {request["body"]["model"] for request in loopback.requests()} == {"bad"}


def unfinished(job: Path) -> None:
    """As if the job had been killed while it wrote its second episode."""
    path = job / "episodes.jsonl"
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0] + b'{"epi')
    told = run_json(job) | {"status": "interrupted"}
    (job / "run.json").write_text(json.dumps(told))


def test_a_job_that_goes_on_says_so_and_what_was_repaired(arena: Arena) -> None:
    sweep = arena("-m", "seed=1,2", "episodes=3", "hydra.sweep.dir=kept").directory
    job = sweep / jobs(sweep)[1]["directory"]
    unfinished(job)
    again = arena("resume", "kept")
    assert again.code == 0, again.err
    assert len(lines(job / "episodes.jsonl")) == 3
    repaired = "episodes.jsonl: a torn last line of 5 bytes was cut off"
    assert f"job 1: {repaired}\n" in again.err
    logged = (job / "arena.log").read_text()
    assert "resumed (1): 1 episodes and" in logged
    assert repaired in logged


def test_a_template_that_was_changed_is_not_mixed_into_a_sweep(
    arena: Arena, tmp_path: Path
) -> None:
    template = tmp_path / "mine.j2"
    template.write_text((prompting.SHIPPED / "line.j2").read_text() + "{# of my own #}\n")
    words = ("agents.player_0.template=mine.j2", "seed=1,2", "episodes=3", "hydra.sweep.dir=kept")
    sweep = arena("-m", *words).directory
    job = sweep / jobs(sweep)[1]["directory"]
    unfinished(job)
    before = (job / "responses.jsonl").read_bytes()
    template.write_text(template.read_text() + "{# of today #}\n")
    for resume in (("resume", "kept"), ("-m", *words, "sweep.resume=kept")):
        ran = arena(*resume)
        assert ran.code == 2
        assert "a file that it names was changed" in ran.err
    assert (job / "responses.jsonl").read_bytes() == before


@pytest.mark.parametrize("signals", [1, 2])
def test_ctrl_c_while_backends_close(tmp_path: Path, signals: int) -> None:
    process = start_arena(
        "-m",
        "+backend.leaving._target_=tests.sweeping.broken.LeavingBackend",
        f"+backend.leaving.signals={signals}",
        "trusted_targets=[tests.sweeping.broken]",
        "catalog.models=[{name: leaving_random}]",
        "agents.player_0.model=leaving_random",
        "seed=1,2",
        "episodes=2",
        "hydra.sweep.dir=mine",
        cwd=tmp_path,
        PYTHONPATH=str(Path(__file__).parents[2]),
    )
    ran = finish(process)
    assert ran.code == 130, ran.err
    assert "Traceback" not in ran.err
    assert statuses(tmp_path / "mine") == ["completed", "completed"]
    assert (tmp_path / "closed").exists() == (signals == 1)  # the second one stops at once


def test_a_fault_in_the_program_stays_in_its_job(arena: Arena) -> None:
    ran = arena(
        "-m",
        "+backend.broken._target_=tests.sweeping.broken.BrokenBackend",
        "trusted_targets=[tests.sweeping.broken]",
        "catalog.models=[{name: broken_divides}, {name: broken_plays}]",
        "agents.player_0.model=broken_divides,scripted_first",
        "episodes=2",
    )
    assert ran.code == 1, ran.err
    assert statuses(ran.directory) == ["error", "completed"]
    [broken, _] = jobs(ran.directory)
    assert "ZeroDivisionError: a fault in the program (tests/sweeping/broken.py" in broken["reason"]
    directory = ran.directory / broken["directory"]
    assert run_json(directory)["status"] == "error"
    assert "Traceback" in (directory / "arena.log").read_text()


def test_an_outage_makes_its_job_an_error(arena: Arena, loopback: LoopbackServer) -> None:
    loopback.set(faults=[{"status": 400, "model": "bad", "count": 1}])
    ran = arena(*sweep_words(loopback, "good", "bad"), "episodes=4")
    assert ran.code == 1
    assert statuses(ran.directory) == ["completed", "error"]
    assert "1 episodes ended by an outage" in ran.out


def test_only_what_is_new_is_run(arena: Arena, loopback: LoopbackServer) -> None:
    words = [*sweep_words(loopback, "a", "b"), "episodes=2"]
    first = arena(*words, "seed=1,2")
    loopback.reset()
    again = arena(*words, "seed=1,2,3", "sweep=resume")
    assert again.code == 0, again.err
    assert again.directory == first.directory
    assert [job["values"]["seed"] for job in jobs(first.directory)] == ["1", "2"] * 2 + ["3"] * 2
    asked = len(loopback.requests())
    recorded = sum(len(lines(_responses(first, job))) for job in jobs(first.directory)[4:])
    assert asked == recorded

    loopback.reset()
    more = arena("resume", str(first.directory), "seed=1,2,3,4")
    assert more.code == 0, more.err
    assert len(jobs(first.directory)) == 8
    assert {r["body"]["model"] for r in loopback.requests()} == {"a", "b"}
    loopback.reset()
    assert arena("resume", str(first.directory)).code == 0
    assert loopback.requests() == []


def test_words_that_change_what_a_sweep_asks_are_refused(arena: Arena) -> None:
    words = ["-m", "agents.player_0.model=scripted_first,scripted_random", "episodes=2"]
    ran = arena(*words, "hydra.sweep.dir=mine")
    before = sweep_json(ran.directory)
    for resume in (["resume", "mine", "seed=5"], [*words, "seed=5", "sweep.resume=mine"]):
        refused = arena(*resume)
        assert refused.code == 2
        assert "seed: 0 -> 5" in refused.err
        assert "sweep.resume=" in refused.err
    assert sweep_json(ran.directory) == before
    assert arena("resume", "mine", "concurrency=1").code == 0
    assert len(jobs(ran.directory)) == 2


def test_one_value_in_place_of_an_axis_is_refused(arena: Arena) -> None:
    ran = arena("-m", "seed=1,2", "episodes=2", "hydra.sweep.dir=mine")
    refused = arena("resume", "mine", "seed=5")
    assert refused.code == 2
    assert "seed: swept over 1,2 -> 5" in refused.err
    assert len(jobs(ran.directory)) == 2
    grown = arena("resume", "mine", "seed=1,2,5")
    assert grown.code == 0, grown.err
    assert [job["values"]["seed"] for job in jobs(ran.directory)] == ["1", "2", "5"]


def _responses(ran: Ran, job: dict[str, str]) -> Path:
    return ran.directory / job["directory"] / "responses.jsonl"


def test_resuming_the_last_sweep_wants_one_with_such_a_job(arena: Arena) -> None:
    none = arena("-m", "seed=1,2", "sweep=resume")
    assert none.code == 2
    assert "There is no sweep" in none.err
    arena("-m", "seed=1,2", "episodes=2")
    other = arena("-m", "seed=1,2", "episodes=4", "sweep=resume")
    assert other.code == 2
    assert "with any of these jobs" in other.err


def test_a_directory_that_holds_a_sweep_is_not_written_over(arena: Arena) -> None:
    assert arena("-m", "seed=1,2", "episodes=2", "hydra.sweep.dir=mine").code == 0
    before = sweep_json(Path("mine"))
    again = arena("-m", "seed=3,4", "episodes=2", "hydra.sweep.dir=mine")
    assert again.code == 2
    assert "holds a sweep already" in again.err
    assert sweep_json(Path("mine")) == before


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_sweep_that_was_stopped_is_finished(
    loopback: LoopbackServer, tmp_path: Path, arena: Arena, how: signal.Signals
) -> None:
    words = [*sweep_words(loopback, "a", "b", "c"), "episodes=20", "concurrency=2"]
    words += ["sweep.parallel_jobs=2", "hydra.sweep.dir=mine"]
    calm = arena(*words)
    assert calm.code == 0, calm.err
    whole = [episodes(calm.directory / job["directory"]) for job in jobs(calm.directory)]
    shutil.rmtree(tmp_path / "mine")

    loopback.reset()
    loopback.set(latency=0.03)
    process = start_arena(*words, cwd=tmp_path)
    deadline = time.monotonic() + WAIT_S
    while loopback.stats()["requests"] < 30:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(how)
    stopped = finish(process)
    sweep = tmp_path / "mine"
    if how is signal.SIGINT:
        assert stopped.code == 130, stopped.err
        assert f"arena resume {sweep}" in stopped.out
        assert sweep_json(sweep)["status"] == "interrupted"
        assert statuses(sweep)[2] == "pending"
    assert "completed" not in statuses(sweep)
    assert len(table(sweep)) >= 3

    loopback.set(latency=0.0)
    resumed = finish(start_arena("resume", "mine", cwd=tmp_path))
    assert resumed.code == 0, resumed.err
    assert [episodes(sweep / job["directory"]) for job in jobs(sweep)] == whole
    seeds = [
        (line["model"], line["sent"]["seed"])
        for job in jobs(sweep)
        for line in lines(sweep / job["directory"] / "responses.jsonl")
    ]
    assert len(set(seeds)) == len(seeds)
    if how is signal.SIGINT:  # a kill loses what was in flight
        assert len(loopback.requests()) == len(seeds)
