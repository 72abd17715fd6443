"""Whole runs as a user starts them, in processes of their own, ended in every way there is."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from game_reasoning_arena.backends.vllm import guard as vllm_guard
from tests.vllm.device import CACHE, ON_CPU, PARTS, PROCESSES, SHARE, WORK

#: Far beyond what anything here takes; a test that reaches it has failed.
LIMIT_S = 400

PLAYERS = ("agents=llm_vs_random", "agents.player_0.model=vllm_tiny")
ARENA = (*PLAYERS, "agents.player_0.constrain_to_legal=true")

#: No main guard, no shutdown, no signal handler: what a first script looks like.
SCRIPT = """
from game_reasoning_arena.backends import generate_response, initialize_llm_registry

initialize_llm_registry()
print(type(generate_response(model_name="vllm_tiny", prompt="Hello", max_tokens=4)))
"""


@pytest.fixture
def place(tiny: Path) -> Iterator[Path]:
    """A working directory whose own conf/ lists the tiny model; also for temporary files.

    Its path is short, for vLLM makes sockets there and the system limits the length of theirs.
    """
    with tempfile.TemporaryDirectory(prefix="arena-", ignore_cleanup_errors=True) as directory:
        list_model(Path(directory), tiny)
        yield Path(directory)


def list_model(place: Path, tiny: Path) -> None:
    """An entry as a new user writes it, a name and a path; a GPU is shared with other tests."""
    lists = place / "conf" / "catalog"
    lists.mkdir(parents=True)
    entry: dict[str, Any] = {"name": "vllm_tiny", "model_path": str(tiny)}
    if SHARE:
        entry["engine"] = {**SHARE, **CACHE}
    (lists / "vllm_models.yaml").write_text(json.dumps({"models": [entry]}))


def start(place: Path, *words: str, **environment: str) -> subprocess.Popen[str]:
    """A process in a session of its own, as a terminal's foreground job is."""
    return subprocess.Popen(
        [sys.executable, *words],
        cwd=place,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env={**os.environ, "TMPDIR": str(place), **environment},
    )


def arena(place: Path, *words: str, **environment: str) -> subprocess.Popen[str]:
    return start(place, "-m", "game_reasoning_arena", *ARENA, *words, **environment)


def children(owner: int) -> dict[int, bytes]:
    """Processes whose parent is ``owner``, with their command lines."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if int(parent) == owner:
            found[int(entry.name)] = command
    return found


def engines_of(owner: int) -> list[int]:
    """Engine processes whose parent is ``owner``."""
    marks = (b"EngineCore", b"spawn_main")
    return [pid for pid, line in children(owner).items() if any(mark in line for mark in marks)]


def family(engine: int) -> dict[int, str]:
    """An engine process and its workers that run, with their start times."""
    times = {pid: vllm_guard.start_time(pid) for pid in (engine, *children(engine))}
    return {pid: began for pid, began in times.items() if began}


def lines(file: Path) -> list[dict[str, Any]]:
    """The records of a file."""
    return [json.loads(line) for line in file.read_text().splitlines()]


def question(record: dict[str, Any]) -> tuple[Any, ...]:
    """Which question of a run a record answers."""
    return tuple(record[key] for key in ("episode", "seat", "turn", "attempt", "sample"))


def soon(what: object) -> Iterator[None]:
    """Wait in small steps; fail when ``what`` does not come."""
    for _ in range(LIMIT_S * 5):
        yield
        time.sleep(0.2)
    pytest.fail(f"waited in vain for {what}")


def wait_for_engine(process: subprocess.Popen[str]) -> int:
    for _ in soon("an engine process"):
        if found := engines_of(process.pid):
            return found[0]
        assert process.poll() is None, process.communicate()[0]
    raise AssertionError


def wait_for_worker(process: subprocess.Popen[str]) -> dict[int, str]:
    """An engine that is loading and its worker if it has one, with their start times."""
    engine = wait_for_engine(process)
    for _ in soon("a worker"):
        if len(found := family(engine)) >= PROCESSES:
            return found
        assert process.poll() is None, process.communicate()[0]
    raise AssertionError


def wait_for_answers(process: subprocess.Popen[str], place: Path, count: int) -> Path:
    for _ in soon("answers"):
        for file in place.glob("outputs/*/*/responses.jsonl"):
            if file.read_bytes().count(b"\n") >= count:
                return file.parent
        assert process.poll() is None, process.communicate()[0]
    raise AssertionError


def assert_gone(processes: dict[int, str]) -> None:
    for _ in soon("the end of the engine and its workers"):
        if all(vllm_guard.start_time(pid) != began for pid, began in processes.items()):
            return


def test_a_sweep_loads_its_engine_once_and_leaves_nothing(place: Path) -> None:
    """The engine is split over two devices where there are two; workers it has in any case."""
    process = arena(
        place,
        "-m",
        "simulation=kuhn_poker",
        "episodes=2",
        "sampling.temperature=0.2,0.6,1.0,1.4",
        f"backend.vllm.tensor_parallel_size={PARTS}",
        "backend.vllm.distributed_executor_backend=mp",
        VLLM_CPU_OMP_THREADS_BIND="nobind",
    )
    wait_for_engine(process)
    seen: dict[int, dict[int, str]] = {}
    for _ in soon("the end of the sweep"):
        for engine in engines_of(process.pid):
            seen.setdefault(engine, {}).update(family(engine))
        if process.poll() is not None:
            break
    said, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, said
    assert "leaked" not in said
    assert len(seen) == 1
    runs = sorted(place.glob("outputs/multirun/*/*/*/responses.jsonl"))
    assert len(runs) == 4
    sent = [[record["sent"] for record in lines(run)] for run in runs]
    assert [{s["temperature"] for s in one} for one in sent] == [{0.2}, {0.6}, {1.0}, {1.4}]
    [processes] = seen.values()
    assert len(processes) >= 1 + PARTS  # the engine and a worker for each part
    assert_gone(processes)
    for run in runs:
        told = json.loads((run.parent / "run.json").read_text())["determinism"]
        expected = "on the CPU, vllm_tiny ran with" if ON_CPU else "a GPU's sums depend on"
        assert any(expected in note for note in told)
    assert list(place.glob("arena-vllm-*")) == []


def test_ctrl_c_keeps_what_is_finished_and_leaves_nothing(place: Path) -> None:
    process = arena(place, "simulation=tic_tac_toe", f"episodes={400 * WORK}", "concurrency=4")
    directory = wait_for_answers(process, place, 20)
    [engine] = engines_of(process.pid)
    processes = family(engine)
    assert len(processes) >= PROCESSES
    os.killpg(process.pid, signal.SIGINT)  # what a terminal does
    said, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130, said
    assert json.loads((directory / "run.json").read_text())["status"] == "interrupted"
    records = lines(directory / "responses.jsonl")
    assert not any(record["error"] for record in records)  # the engine answered what was in flight
    assert_gone(processes)


def test_a_dead_engine_ends_the_run_which_can_be_resumed(place: Path) -> None:
    """What is finished is kept, and the command that is shown finishes the rest."""
    episodes = 80 * WORK
    process = arena(place, "simulation=tic_tac_toe", f"episodes={episodes}", "concurrency=4")
    directory = wait_for_answers(process, place, 40)
    [engine] = engines_of(process.pid)
    processes = family(engine)
    os.kill(engine, signal.SIGKILL)
    said, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 1, said
    assert "died: ended by SIGKILL" in said
    [resume] = re.findall(r"arena (resume \S*" + re.escape(directory.name) + ")", said)
    run = json.loads((directory / "run.json").read_text())
    assert run["status"] == "error"
    assert "died" in run["reason"]
    finished = lines(directory / "episodes.jsonl")
    assert any(episode["status"] == "completed" for episode in finished)
    assert len(finished) < episodes
    assert_gone(processes)

    answers = lines(directory / "responses.jsonl")
    again = start(place, "-m", "game_reasoning_arena", *resume.split())
    said, _ = again.communicate(timeout=LIMIT_S)
    assert again.returncode == 0, said
    assert json.loads((directory / "run.json").read_text())["status"] == "completed"
    ended = {e["episode"]: e for e in lines(directory / "episodes.jsonl")}
    assert set(ended) == set(range(episodes))
    assert {episode["status"] for episode in ended.values()} == {"completed"}
    assert all(ended[e["episode"]] == e for e in finished if e["status"] == "completed")
    had = [answer for answer in answers if answer["error"] is None]
    assert lines(directory / "responses.jsonl")[: len(answers)] == answers
    keys = [question(r) for r in lines(directory / "responses.jsonl") if r["error"] is None]
    assert len(keys) == len(set(keys)) > len(had)  # nothing that was answered was asked again


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_start_can_be_called_off(place: Path, number: signal.Signals) -> None:
    """While the engine's worker is being spawned, or before there is any engine."""
    process = arena(place, "episodes=2")
    if number is signal.SIGINT:
        processes = wait_for_worker(process)
        os.killpg(process.pid, number)  # what a terminal does
    else:
        for _ in soon("the start of the loading"):
            if list(place.glob("arena-vllm-*")):
                break
            assert process.poll() is None, process.communicate()[0]
        processes = {}
        process.send_signal(number)
    said, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130, said
    assert f"stopped by {number.name} before anything was asked" in said
    assert "Traceback" not in said
    assert "leaked" not in said
    assert_gone(processes)
    assert list(place.glob("arena-vllm-*")) == []
    assert list(place.glob("outputs/*/*/run.json")) == []


def test_sigterm_of_a_plain_script_leaves_nothing(place: Path) -> None:
    """The script neither handles the signal nor gets to say good-bye."""
    (place / "script.py").write_text(SCRIPT)
    process = start(place, "script.py")
    engine = wait_for_engine(process)
    processes = family(engine)
    process.send_signal(signal.SIGTERM)
    assert process.wait(LIMIT_S) == -signal.SIGTERM
    process.communicate()
    assert_gone(processes)


def test_a_plain_script_plays_and_leaves_nothing(place: Path) -> None:
    (place / "script.py").write_text(SCRIPT)
    process = start(place, "script.py")
    engine = wait_for_engine(process)
    processes = family(engine)
    said, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, said
    assert said.splitlines() == ["<class 'str'>"]  # nothing else: no warning, no complaint
    assert_gone(processes)
    assert list(place.glob("arena-vllm-*")) == []


def test_problems_are_found_before_anything_starts(place: Path) -> None:
    process = arena(place, "backend.vllm.engine.max_num_seq=4", "backend.vllm.max_model_len=4096")
    said, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 2, said
    assert "Did you mean 'max_num_seqs'" in said
    assert not (place / "outputs").exists()
