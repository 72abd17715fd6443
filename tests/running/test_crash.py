"""A run that is killed, interrupted or cut short is finished without asking twice."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest

from game_reasoning_arena.agents import prompting
from game_reasoning_arena.running.past import load_past
from tests.arena import Arena, episodes, finish, lines, run_json, start_arena
from tests.loopback import LoopbackServer

WAIT_S = 60.0


def words_for(server: LoopbackServer, number: int, concurrency: int = 8) -> list[str]:
    return [
        f"+provider.my_lab.api_base={server.url}",
        "agents.player_0.model=direct_my_lab/small",
        f"episodes={number}",
        f"concurrency={concurrency}",
        "seed=3",
        "hydra.run.dir=mine",
        "probe=false",
    ]


def recorded_seeds(directory: Path) -> list[int]:
    """The seeds of all answers on disk; each call of a run has one of its own."""
    path = directory / "responses.jsonl"
    if not path.exists():
        return []
    complete = path.read_bytes().rpartition(b"\n")[0]
    return [orjson.loads(line)["sent"]["seed"] for line in complete.splitlines()]


def asked_seeds(server: LoopbackServer) -> list[int]:
    return [request["body"]["seed"] for request in server.requests()]


def wait_for_answers(process: subprocess.Popen[str], directory: Path, number: int) -> None:
    """Until so many answers are on disk, or the process has ended."""
    deadline = time.monotonic() + WAIT_S
    while process.poll() is None and len(recorded_seeds(directory)) < number:
        assert time.monotonic() < deadline, "the run makes no progress"
        time.sleep(0.01)


def test_twenty_kills_lose_nothing_and_ask_nothing_twice(
    loopback: LoopbackServer, tmp_path: Path
) -> None:
    (tmp_path / "whole").mkdir()
    calm = finish(start_arena(*words_for(loopback, 120), cwd=tmp_path / "whole"))
    assert calm.code == 0, calm.err
    whole = episodes(tmp_path / "whole" / "mine")
    calls = len(loopback.requests())
    loopback.reset()
    directory = tmp_path / "mine"
    words, kills = words_for(loopback, 120), 20
    each = calls // (kills + 1)
    for _ in range(kills):
        known = set(recorded_seeds(directory))
        before = len(loopback.requests())
        # After so many answers the server keeps silent, so that the run cannot end before its kill.
        loopback.set(faults=[{"kind": "stall", "skip": each}])
        process = start_arena(*words, cwd=tmp_path)
        wait_for_answers(process, directory, len(known) + each)
        process.kill()
        assert process.wait() == -signal.SIGKILL, process.communicate()
        process.communicate()
        again = set(asked_seeds(loopback)[before:]) & known
        assert not again, "an answer that was on disk was asked for again"
        words = ["resume", "mine"]
    loopback.set(faults=[])
    last = finish(start_arena(*words, cwd=tmp_path))
    assert last.code == 0, last.err
    assert episodes(directory) == whole
    answers = recorded_seeds(directory)
    assert len(answers) == len(set(answers)) == calls
    asked = asked_seeds(loopback)
    assert len(asked) - len(set(asked)) <= kills * 8  # at most what was in flight at each kill
    assert run_json(directory)["totals"]["calls"] == calls


def test_a_torn_last_line_is_repaired_and_said(arena: Arena) -> None:
    first = arena("episodes=6", "hydra.run.dir=mine")
    whole = episodes(first.directory)
    answers = (first.directory / "responses.jsonl").read_bytes()
    games = (first.directory / "episodes.jsonl").read_bytes()
    (first.directory / "responses.jsonl").write_bytes(answers[:-40])
    (first.directory / "episodes.jsonl").write_bytes(games[: len(games) // 2])
    ran = arena("resume", "mine")
    assert ran.code == 0, ran.err
    assert "responses.jsonl: a torn last line" in ran.err
    assert "episodes.jsonl: a torn last line" in ran.err
    assert episodes(first.directory) == whole
    assert len(lines(first.directory / "responses.jsonl")) == len(answers.splitlines())


def test_damage_in_the_middle_is_not_passed_over(arena: Arena) -> None:
    directory = arena("episodes=2", "hydra.run.dir=mine").directory
    path = directory / "responses.jsonl"
    path.write_bytes(b"{not json\n" + path.read_bytes())
    ran = arena("resume", "mine")
    assert ran.code == 2
    assert "line 1" in ran.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_finishes_what_is_in_flight(
    loopback: LoopbackServer, tmp_path: Path, number: signal.Signals
) -> None:
    loopback.set(latency=0.05)
    process = start_arena(*words_for(loopback, 200), cwd=tmp_path)
    wait_for_answers(process, tmp_path / "mine", 20)
    process.send_signal(number)
    ran = finish(process)
    assert ran.code == 130
    assert "arena resume" in ran.out
    assert run_json(tmp_path / "mine")["status"] == "interrupted"
    assert sorted(recorded_seeds(tmp_path / "mine")) == sorted(asked_seeds(loopback))
    loopback.set(latency=0.0)
    again = finish(start_arena("resume", "mine", cwd=tmp_path))
    assert again.code == 0, again.err
    asked = asked_seeds(loopback)
    assert len(asked) == len(set(asked))
    assert len(episodes(tmp_path / "mine")) == 200


def test_a_second_signal_stops_at_once(loopback: LoopbackServer, tmp_path: Path) -> None:
    process = start_arena(*words_for(loopback, 50), cwd=tmp_path)
    wait_for_answers(process, tmp_path / "mine", 10)
    loopback.set(faults=[{"kind": "stall"}])
    seen = len(loopback.requests())
    while len(loopback.requests()) == seen and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    while "Once more stops at once" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    ran = finish(process)
    assert ran.code == 130
    assert run_json(tmp_path / "mine")["status"] == "interrupted"
    assert "Traceback" not in ran.err


def test_a_resumed_run_keeps_the_words_it_was_begun_with(arena: Arena) -> None:
    directory = arena("episodes=2", "hydra.run.dir=mine").directory
    begun = run_json(directory)["overrides"]
    assert "episodes=2" in begun
    assert arena("resume", "mine").code == 0
    assert run_json(directory)["overrides"] == begun


def test_time_in_which_a_run_lay_idle_is_not_its_duration(arena: Arena) -> None:
    ran = arena("episodes=2", "hydra.run.dir=mine")
    directory = ran.directory
    hour = 3600.0
    killed = run_json(directory)
    # As if it had been killed ten seconds after its start, an hour ago.
    killed |= {"status": "running", "finished_at": None, "duration_s": None}
    killed["started_at"] -= hour
    killed["sittings"] = [[killed["started_at"], None]]
    (directory / "run.json").write_text(json.dumps(killed))
    (directory / "episodes.jsonl").write_bytes(
        (directory / "episodes.jsonl").read_bytes().splitlines(keepends=True)[0]
    )
    for path in directory.iterdir():
        os.utime(path, (killed["started_at"] + 10, killed["started_at"] + 10))
    again = arena("resume", str(directory))
    assert again.code == 0, again.err
    now = run_json(directory)
    assert now["started_at"] == killed["started_at"]
    first, second = now["sittings"]
    assert first == [killed["started_at"], killed["started_at"] + 10]
    assert now["duration_s"] == pytest.approx(10 + second[1] - second[0])
    assert now["duration_s"] < hour
    assert "resumed (1): 1 episodes and" in (directory / "arena.log").read_text()


def test_a_copied_run_is_not_older_than_its_answers(arena: Arena) -> None:
    directory = arena("episodes=4", "hydra.run.dir=mine").directory
    killed = run_json(directory)
    killed |= {"status": "running", "finished_at": None, "sittings": [[killed["started_at"], None]]}
    (directory / "run.json").write_text(json.dumps(killed))
    last = max(
        line["started_at"] + line["latency_s"] for line in lines(directory / "responses.jsonl")
    )
    copied_at = killed["started_at"] + 3600
    for path in directory.iterdir():
        os.utime(path, (copied_at, copied_at))
    assert arena("resume", "mine").code == 0
    assert run_json(directory)["sittings"][0] == [killed["started_at"], last]


def test_where_a_run_was_begun_is_told_when_it_is_gone(
    arena: Arena, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = tmp_path / "begun"
    begun.mkdir()
    monkeypatch.chdir(begun)
    (begun / "mine.j2").write_text('{% extends "line.j2" %}')
    ran = arena("agents.player_0.template=mine.j2", "episodes=1", "hydra.run.dir=../kept")
    assert ran.code == 0, ran.err
    monkeypatch.chdir(tmp_path)
    begun.rename(tmp_path / "moved")
    lost = arena("resume", "kept")
    assert lost.code == 2
    assert f"kept was begun in {begun}, which is not there any more" in lost.err
    monkeypatch.chdir(tmp_path / "moved")
    found = arena("resume", "../kept")
    assert found.code == 0, found.err


def test_a_run_is_resumed_and_replayed_from_anywhere(
    arena: Arena, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = prompting.SHIPPED / "line.j2"
    (tmp_path / "mine.j2").write_text(shipped.read_text() + "{# of my own #}\n")
    words = ("agents.player_0.template=./mine.j2", "episodes=2")
    directory = arena(*words, "hydra.run.dir=kept").directory
    lines_there = (directory / "episodes.jsonl").read_bytes().splitlines(keepends=True)
    (directory / "episodes.jsonl").write_bytes(lines_there[0])
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    again = arena("resume", "../kept")
    assert again.code == 0, again.err
    assert len(lines(directory / "episodes.jsonl")) == 2
    replayed = arena("replay", "../kept", "--output", "again")
    assert replayed.code == 0, replayed.err
    again = arena("replay", "../kept", "--output", "again")
    assert again.code == 2
    assert "--output again holds a run already" in again.err
    assert (tmp_path / "elsewhere" / "again" / "run.json").is_file()
    assert Path.cwd() == tmp_path / "elsewhere"


def test_resuming_with_another_question_is_refused(arena: Arena) -> None:
    directory = arena("episodes=2", "hydra.run.dir=mine").directory
    before = (directory / "responses.jsonl").read_bytes()
    ran = arena("resume", "mine", "sampling.temperature=0.9")
    assert ran.code == 2
    assert "sampling.temperature" in ran.err
    assert (directory / "responses.jsonl").read_bytes() == before
    allowed = arena("resume", "mine", "concurrency=2")
    assert allowed.code == 0, allowed.err


def test_only_what_a_person_changed_is_named(arena: Arena, tmp_path: Path) -> None:
    """Another model brings another entry and another backend; how fast it goes is no matter."""
    (tmp_path / "conf" / "catalog").mkdir(parents=True)
    models = "models:\n  - {name: scripted_first, sampling: {temperature: 0.5}}\n"
    (tmp_path / "conf" / "catalog" / "mine.yaml").write_text(models)
    assert (
        arena("episodes=2", "agents.player_0.model=scripted_first", "hydra.run.dir=mine").code == 0
    )
    for other in ("scripted_random", "replay_mine"):
        ran = arena("resume", "mine", f"agents.player_0.model={other}", "concurrency=2")
        assert ran.code == 2
        assert f"\n  agents.player_0.model: scripted_first -> {other}\n" in ran.err
        for untouched in ("catalog", "backend", "concurrency"):
            assert untouched not in ran.err


def test_resuming_what_is_no_run(arena: Arena, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    ran = arena("resume", "empty")
    assert ran.code == 2
    assert "holds no run" in ran.err


def test_one_process_writes_at_a_time(loopback: LoopbackServer, tmp_path: Path) -> None:
    loopback.set(latency=0.05)
    process = start_arena(*words_for(loopback, 200), cwd=tmp_path)
    wait_for_answers(process, tmp_path / "mine", 5)
    second = finish(start_arena("resume", "mine", cwd=tmp_path))
    assert second.code == 2
    assert "another process" in second.err
    process.kill()
    process.communicate()


def test_a_full_disk_is_said_at_once_and_what_was_flushed_stays(
    loopback: LoopbackServer, tmp_path: Path
) -> None:
    limit = 60_000

    def small_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = subprocess.run(
        [sys.executable, "-m", "game_reasoning_arena", *words_for(loopback, 200)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        preexec_fn=small_files,
        check=False,
    )
    assert done.returncode == 1
    assert "cannot be written any more" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(recorded_seeds(tmp_path / "mine")) > 10
    again = finish(start_arena("resume", "mine", cwd=tmp_path))
    assert again.code == 0, again.err
    assert len(episodes(tmp_path / "mine")) == 200


def test_a_removed_directory_is_said_at_once(loopback: LoopbackServer, tmp_path: Path) -> None:
    loopback.set(latency=0.05)
    process = start_arena(*words_for(loopback, 300), cwd=tmp_path)
    wait_for_answers(process, tmp_path / "mine", 20)
    shutil.rmtree(tmp_path / "mine")
    ran = finish(process)
    assert ran.code == 1
    assert "removed" in ran.err
    assert "Traceback" not in ran.err


def test_every_line_on_disk_is_whole_json_at_any_moment(arena: Arena) -> None:
    directory = arena("episodes=3", "agents.player_0.model=scripted_sloppy").directory
    for name in ("responses.jsonl", "episodes.jsonl"):
        text = (directory / name).read_text()
        assert text.endswith("\n")
        assert all(json.loads(line) for line in text.splitlines())


def test_a_resumed_run_counts_distorted_calls_as_it_would_have_alone(
    arena: Arena, tmp_path: Path
) -> None:
    """Calls that began before anything was answered are not called distorted."""
    assert arena("episodes=2", "hydra.run.dir=mine").code == 0
    file = tmp_path / "mine" / "responses.jsonl"
    told = lines(file)
    for number, line in enumerate(told):
        times = {"started_at": 100.0 + 0.3 * number, "latency_s": 0.5, "client_s": 0.4}
        line.update(times)  # the first two began within the first
    file.write_text("".join(json.dumps(line) + "\n" for line in told))
    assert load_past(tmp_path / "mine").totals.distorted == len(told) - 2
