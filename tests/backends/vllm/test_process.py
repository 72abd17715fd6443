"""Engine processes: where their output goes, what they died of, that none is left behind.

The processes here are ordinary ones; the same code runs on the real engine in tests/vllm.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from game_reasoning_arena.backends.vllm import guard as vllm_guard
from game_reasoning_arena.backends.vllm.process import Guard, cause_of, engine_surroundings

OWNER = """
import subprocess, sys
from game_reasoning_arena.backends.vllm.process import Guard

guard = Guard()
child = subprocess.Popen(["sleep", "600"], start_new_session=True)
guard.watch(child.pid)
{then}
print(child.pid, flush=True)
sys.stdin.read()
"""


def owner(then: str = "") -> tuple[subprocess.Popen[str], int]:
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER.format(then=then)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def is_gone(pid: int) -> bool:
    """Whether a process ends within a minute."""
    began = vllm_guard.start_time(pid)
    for _ in range(600):
        if not began or vllm_guard.start_time(pid) != began:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_no_process_survives_its_owner(number: signal.Signals) -> None:
    process, child = owner()
    with process:
        process.send_signal(number)
        process.wait()
    assert is_gone(child)


@pytest.mark.parametrize("forgotten", [False, True])
def test_a_process_that_only_wrote_itself_down_does_not_survive(
    tmp_path: Path, forgotten: bool
) -> None:
    """Its owner may die between starting it and learning its number."""
    log = tmp_path / "engine.log"
    script = f"""
import multiprocessing, sys, time
from pathlib import Path
from game_reasoning_arena.backends.vllm.process import Guard, engine_surroundings, started_file

log = Path({str(log)!r})
guard = Guard()
guard.watch_those_in(started_file(log))
with engine_surroundings(log):
    child = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(600,))
    child.start()
while not started_file(log).is_file() or not started_file(log).read_text().endswith("\\n"):
    time.sleep(0.01)
if {forgotten}:
    guard._send(f"{{child.pid}}\\n")
print(child.pid, flush=True)
sys.stdin.read()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process:
        child = int(process.stdout.readline())
        assert vllm_guard.registered_in([str(log.with_suffix(".pids"))]) == {
            child: vllm_guard.start_time(child)
        }
        process.kill()
        process.wait()
    if forgotten:
        time.sleep(vllm_guard.APPEAR_S + 0.5)
        assert vllm_guard.start_time(child) != ""
        os.kill(child, signal.SIGKILL)
    else:
        assert is_gone(child)


def test_a_torn_line_of_a_process_is_no_process(tmp_path: Path) -> None:
    file = tmp_path / "engine.pids"
    file.write_text("12 345\n\n67\n8 9x\n")
    assert vllm_guard.registered_in([str(file), str(tmp_path / "gone")]) == {12: "345"}


def test_a_dismissed_guard_leaves_everything_alone() -> None:
    process, child = owner("guard.dismiss()")
    with process:
        process.kill()
        process.wait()
    assert vllm_guard.start_time(child) != ""
    os.kill(child, signal.SIGKILL)


def test_a_number_that_was_given_to_another_process_is_left_alone() -> None:
    with subprocess.Popen(["sleep", "600"]) as other:
        vllm_guard.stop({other.pid: "1"}, grace_s=0)
        assert other.poll() is None
        vllm_guard.stop({other.pid: vllm_guard.start_time(other.pid)})
        assert other.wait() == -signal.SIGTERM


def test_a_process_that_does_not_listen_is_killed() -> None:
    code = "import signal; signal.signal(15, signal.SIG_IGN); print(1, flush=True); signal.pause()"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as deaf:
        assert deaf.stdout is not None
        deaf.stdout.readline()
        vllm_guard.stop({deaf.pid: vllm_guard.start_time(deaf.pid)}, grace_s=0.1)
        assert deaf.wait() == -signal.SIGKILL


#: An engine that has started a worker in its own group; told to end, it forgets the worker.
ENGINE = """
import subprocess
worker = subprocess.Popen(["sleep", "600"])
print(worker.pid, flush=True)
worker.wait()
"""


def engine_with_worker() -> tuple[subprocess.Popen[str], int]:
    engine = subprocess.Popen(
        [sys.executable, "-c", ENGINE], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert engine.stdout is not None
    return engine, int(engine.stdout.readline())


def test_a_worker_does_not_outlive_its_engine() -> None:
    engine, worker = engine_with_worker()
    with engine:
        vllm_guard.stop({engine.pid: vllm_guard.start_time(engine.pid)})
        engine.wait()
    assert is_gone(worker)


def test_a_worker_of_an_engine_that_died_before_its_owner_is_ended() -> None:
    engine, worker = engine_with_worker()
    began = vllm_guard.start_time(engine.pid)
    with engine:
        engine.kill()
        engine.wait()
    assert vllm_guard.start_time(worker) != ""
    vllm_guard.stop({engine.pid: began})
    assert is_gone(worker)


def test_what_was_stopped_in_good_order_is_watched_no_more() -> None:
    process, child = owner("guard.forget(child.pid)")
    with process:
        process.kill()
        process.wait()
        assert process.returncode == -signal.SIGKILL
    time.sleep(0.5)  # the bystander, if it had anything to do, does it at once
    assert vllm_guard.start_time(child) != ""
    os.kill(child, signal.SIGKILL)


def test_a_guard_that_was_never_needed_can_be_dismissed() -> None:
    Guard().dismiss()


def _speak() -> None:
    print("said on stdout")
    os.write(2, b"said below Python\n")
    print("session", os.getsid(0) == os.getpid())
    print("main", sys.modules["__main__"].__dict__.get("__file__"))
    print("logging", os.environ.get("VLLM_CONFIGURE_LOGGING"))


def test_a_started_process_writes_to_the_log(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "with space" / "engine.log"
    log.parent.mkdir()
    environment = dict(os.environ)
    with engine_surroundings(log):
        assert os.environ["VLLM_WORKER_MULTIPROC_METHOD"] == "spawn"
        process = multiprocessing.get_context("spawn").Process(target=_speak, name="EngineCore")
        process.start()
    process.join()
    lines = log.read_text().splitlines()
    assert "said on stdout" in lines
    assert "said below Python" in lines
    assert "session True" in lines  # a terminal's Ctrl-C does not reach it
    assert "main None" in lines  # nor is the main module imported once more
    assert "logging None" in lines  # in the engine's process vLLM logs as it always does
    assert "said" not in "".join(capfd.readouterr())
    assert dict(os.environ) == environment


def test_a_script_without_a_guard_around_its_calls_starts_processes(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import multiprocessing, os, sys\n"
        "from pathlib import Path\n"
        "from game_reasoning_arena.backends.vllm.process import engine_surroundings\n"
        "print('main runs')\n"
        f"with engine_surroundings(Path({str(tmp_path)!r}) / 'engine.log'):\n"
        "    context = multiprocessing.get_context('spawn')\n"
        "    process = context.Process(target=os.getpid, name='EngineCore')\n"
        "    process.start()\n"
        "process.join()\n"
        "print(process.exitcode, Path(__file__).name)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.stdout.split("\n") == ["main runs", "0 script.py", ""], done.stderr


def test_settings_of_the_users_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_WORKER_MULTIPROC_METHOD", "fork")
    with engine_surroundings(tmp_path / "engine.log"):
        assert os.environ["VLLM_WORKER_MULTIPROC_METHOD"] == "fork"
    assert os.environ["VLLM_WORKER_MULTIPROC_METHOD"] == "fork"


DEAD_WORKER = """\
WorkerProc hit an exception.
Traceback (most recent call last):
  File "gpu_model_runner.py", line 3174, in sync_and_gather_intermediate_tensors
    assert self.intermediate_tensors is not None
           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
AssertionError
Traceback (most recent call last):
  File "multiproc_executor.py", line 1055, in _execute_worker_rpc
    output = func(*args, **kwargs)
AssertionError
EngineCore encountered a fatal error.
Traceback (most recent call last):
  File "scheduler.py", line 2105, in update_from_output
KeyError: 'arena-27765-7f3cc1d73a90-0'
"""

FAILED_START = """\
(EngineCore pid=11) INFO 11-22 20:05:11 [core.py:105] Initializing a V1 LLM engine
(EngineCore pid=11) ERROR 11-22 20:05:30 [core.py:900] EngineCore failed to start.
(EngineCore pid=11) ERROR 11-22 20:05:30 [core.py:900] Traceback (most recent call last):
(EngineCore pid=11) ERROR 11-22 20:05:30 [core.py:900]   File "core.py", line 3, in run
(EngineCore pid=11) ERROR 11-22 20:05:30 [core.py:900] ValueError: No memory for the cache blocks.
(EngineCore pid=11) Process EngineCore:
(EngineCore pid=11) Traceback (most recent call last):
(EngineCore pid=11) ValueError: No memory for the cache blocks.
"""
FAILED_WORKER = """\
(Worker pid=12) ERROR 11-22 20:05:29 [multiproc.py:90] WorkerProc failed to start.
(Worker pid=12) ERROR 11-22 20:05:29 [multiproc.py:90] Traceback (most recent call last):
(Worker pid=12) ERROR 11-22 20:05:29 [multiproc.py:90] torch.OutOfMemoryError: CUDA out of memory.
(EngineCore pid=11) ERROR 11-22 20:05:30 [core.py:900] EngineCore failed to start.
(EngineCore pid=11) ERROR 11-22 20:05:30 [core.py:900] Exception: WorkerProc initialization failed \
due to an exception in a background process. See stack trace for root cause.
"""


KILLED_WORKER = """\
(EngineCore pid=11) ERROR 11-22 20:05:29 [multiproc_executor.py:316] Worker proc VllmWorker-1 died \
unexpectedly (exit code: -9), shutting down executor.
(EngineCore pid=11) ERROR 11-22 20:05:30 [core.py:1200] EngineCore encountered a fatal error.
(EngineCore pid=11) ERROR 11-22 20:05:30 [core.py:1200] Traceback (most recent call last):
(EngineCore pid=11) ERROR 11-22 20:05:30 [core.py:1200] RuntimeError: cancelled
(EngineCore pid=11) ERROR 11-22 20:05:30 [core.py:1702] RuntimeError: Executor failed.
"""


@pytest.mark.parametrize(
    ("written", "code", "cause"),
    [
        (
            DEAD_WORKER,
            None,
            "AssertionError at 'assert self.intermediate_tensors is not None'",
        ),
        (FAILED_START, 1, "ValueError: No memory for the cache blocks."),
        (FAILED_WORKER, 1, "torch.OutOfMemoryError: CUDA out of memory."),
        (
            KILLED_WORKER,
            1,
            "Worker proc VllmWorker-1 died unexpectedly (exit code: -9): ended by SIGKILL: the "
            "system may have run out of memory",
        ),
        (
            "Traceback (most recent call last):\ntorch._dynamo.exc.Unsupported: generator\n",
            1,
            "torch._dynamo.exc.Unsupported: generator",
        ),
        ("", -9, "ended by SIGKILL: the system may have run out of memory"),
        ("", -11, "ended by SIGSEGV"),
        ("one\n\nlast words\n", 1, "one / last words"),
        ("", None, "it wrote nothing"),
        ("RuntimeError: a\nRuntimeError: b\n", 3, "RuntimeError: b; exit code 3"),
    ],
)
def test_the_cause_is_quoted(tmp_path: Path, written: str, code: int | None, cause: str) -> None:
    log = tmp_path / "engine.log"
    log.write_text(written)
    assert cause_of(log, exit_codes={"EngineCore": code}) == cause


def test_what_was_said_in_good_times_is_no_cause(tmp_path: Path) -> None:
    log = tmp_path / "engine.log"
    before = "RuntimeError: harmless\n"
    log.write_text(before + "MemoryError: fatal\n")
    assert cause_of(log, since=len(before), exit_codes={}) == "MemoryError: fatal"
    assert cause_of(tmp_path / "none.log", exit_codes={"EngineCore": -15}) == "ended by SIGTERM"
