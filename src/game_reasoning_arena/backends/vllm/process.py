"""The processes of an engine: start them, read their log, end them."""

from __future__ import annotations

import multiprocessing
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import resource_tracker, spawn
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from game_reasoning_arena.backends.vllm import guard as vllm_guard
from game_reasoning_arena.backends.vllm import internals
from game_reasoning_arena.process.environment import keys_set_aside, without_keys

#: Variables that are set while an engine starts, unless the user has set them.
_ENVIRONMENT = {
    # A forked copy of a process with threads and an event loop may hang.
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
    # vLLM otherwise takes over logging in this process.
    "VLLM_CONFIGURE_LOGGING": "0",
    # An evaluation harness does not report to anyone.
    "VLLM_NO_USAGE_STATS": "1",
}

#: Keys with which an engine may look up a model's files.
MODEL_KEYS = frozenset({"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"})

#: Prefixes of lines in vLLM's own log and in those of its workers.
_PREFIX = re.compile(
    r"^(?:\((?:Engine|Worker|APIServer)[^)]*\)\s*)+(?:(?:ERROR|WARNING|INFO|DEBUG)\s\S+\s\S+\s\[[^\]]*\]\s?)?"
    r"|^(?:ERROR|WARNING|INFO|DEBUG)\s\S+\s\S+\s\[[^\]]*\]\s?"
)
_RAISED = re.compile(
    r"^(?:[A-Za-z_][\w.]*\.)?"
    r"(?:[A-Za-z_]\w*(?:Error|Exception|Failure|Exit)|Unsupported|OutOfResources)(?::.*)?$"
)
_MARKS = ("failed to start", "fatal error", "WorkerProc hit an exception")
#: Exceptions that only refer to another one, elsewhere in the log, as the cause.
_SECOND_HAND = (
    "see root cause",
    "see stack trace",
    "initialization failed",
    "enginecore encountered",
    "enginedeaderror",
    "executor failed",
    "runtimeerror: cancelled",
)
#: An engine's report on a worker that died silently.
_WORKER_DIED = re.compile(r"^.*\bdied unexpectedly(?: \(exit code: (?P<code>-?\d+)\))?")


def engine_processes() -> list[BaseProcess]:
    """Return the engine processes that this process has started and that still run."""
    return [
        p for p in multiprocessing.active_children() if p.name.startswith(internals.PROCESS_NAMES)
    ]


@contextmanager
def engine_surroundings(log: Path) -> Iterator[None]:
    """Set up what an engine's processes need at their start.

    Their output goes to ``log``, as only it holds the cause of a failure. They get a session of
    their own, so that a terminal's Ctrl-C reaches the run, which decides what to finish, and not
    the engine. They do not import the main module again, so that a script needs no guard around
    its calls.
    """
    before = {name: os.environ.get(name) for name in _ENVIRONMENT}
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    executable = spawn.get_executable()
    _start_tracker()
    wrapper = _write_wrapper(log)
    if wrapper is not None:
        spawn.set_executable(str(wrapper))
    prepare = spawn.get_preparation_data

    def without_main(name: str) -> dict[str, Any]:
        data: dict[str, Any] = prepare(name)
        if name.startswith(internals.PROCESS_NAMES):
            data.pop("init_main_from_name", None)
            data.pop("init_main_from_path", None)
        return data

    spawn.get_preparation_data = without_main
    try:
        yield
    finally:
        spawn.get_preparation_data = prepare
        spawn.set_executable(executable)
        for name, old in before.items():
            if old is None:
                os.environ.pop(name, None)


def _start_tracker() -> None:
    """Start the process that removes what killed processes share; silence its warnings.

    It must not be started by our wrapper, as it serves this process, too.
    """
    sys.warnoptions.append("ignore:resource_tracker:UserWarning")  # inherited as an option
    try:
        with keys_set_aside():
            resource_tracker.ensure_running()
    finally:
        sys.warnoptions.pop()


def started_file(log: Path) -> Path:
    """Return the file in which engine processes register themselves as they start."""
    return log.with_suffix(".pids")


def _keys() -> list[str]:
    """Return the variables that an engine does not need: all keys but those of its models."""
    kept = without_keys()
    return [
        name
        for name in os.environ
        if name not in kept and name.isidentifier() and name not in MODEL_KEYS
    ]


def _write_wrapper(log: Path) -> Path | None:
    """Write a wrapper of the interpreter that sends all output to the log; None if impossible."""
    wrapper = log.with_suffix(".sh")
    output = shlex.quote(str(log))
    wrapper.write_text(
        "#!/bin/sh\n"
        f"unset VLLM_CONFIGURE_LOGGING {' '.join(_keys())}\n"
        f"exec >>{output} 2>&1\n"
        f"echo $$ $(cut -d ' ' -f 22 /proc/$$/stat) >>{shlex.quote(str(started_file(log)))}\n"
        "own=$(command -v setsid) || own=\n"
        f'exec $own {shlex.quote(sys.executable)} "$@"\n',
        encoding="utf-8",
    )
    wrapper.chmod(0o700)
    return wrapper if os.access(wrapper, os.X_OK) else None  # not on a file system mounted noexec


class Guard:
    """Keeps engines from outliving this process, even when it is killed. See ``vllm_guard``."""

    def __init__(self) -> None:
        self._bystander: subprocess.Popen[bytes] | None = None
        self._known: set[int] = set()

    def watch(self, pid: int) -> None:
        """Have ``pid`` stopped when this process is gone."""
        if pid in self._known:
            return
        self._known.add(pid)
        self._begin()
        self._send(f"{pid} {vllm_guard.start_time(pid)}\n")

    def _begin(self) -> None:
        if self._bystander is None:
            self._bystander = subprocess.Popen(  # noqa: S603  our own file, our own interpreter
                [sys.executable, "-I", "-S", vllm_guard.__file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                env=without_keys(),
            )

    def watch_those_in(self, file: Path) -> None:
        """Also stop processes that register themselves in a file (see ``started_file``)."""
        self._begin()
        self._send(f"file {file}\n")

    def forget(self, pid: int) -> None:
        """Stop watching ``pid``, which has ended; its number may soon be another process's."""
        if pid in self._known:
            self._known.remove(pid)
            self._send(f"{pid}\n")

    def dismiss(self) -> None:
        """End the guard: all engines have been stopped."""
        if self._bystander is not None:
            self._send("done\n")
            assert self._bystander.stdin is not None
            self._bystander.stdin.close()
            self._bystander.wait()
        self._bystander = None
        self._known.clear()

    def _send(self, line: str) -> None:
        assert self._bystander is not None
        assert self._bystander.stdin is not None
        try:
            self._bystander.stdin.write(line.encode())
            self._bystander.stdin.flush()
        except BrokenPipeError:  # someone killed it; the engines are still stopped at exit
            return


def kill(process: BaseProcess, grace_s: float) -> None:
    """End a process and its workers: ask, wait ``grace_s`` seconds, then kill."""
    if process.is_alive():
        process.terminate()
        process.join(grace_s)
    if process.is_alive():
        process.kill()
        process.join()
    if process.pid is not None:
        vllm_guard.end_group(process.pid)  # a worker that still starts hears of nothing


def kill_at_once(process: BaseProcess) -> None:
    """Kill a process and its workers at once; it may not have made its process group yet."""
    if process.pid is not None:
        vllm_guard.end_group(process.pid)
    process.kill()


def cause_of(log: Path, *, since: int = 0, exit_codes: Mapping[str, int | None]) -> str:
    """Return why an engine died, in its own words if it logged any.

    Args:
        log: its processes' output.
        since: length of the log in bytes when the engine still worked.
        exit_codes: of the processes, by name; negative for a signal, None if still running.
    """
    written = b""
    if log.is_file():
        with log.open("rb") as file:
            file.seek(since)
            written = file.read()
    lines = [
        _PREFIX.sub("", line).rstrip() for line in written.decode("utf-8", "replace").splitlines()
    ]
    ends = [text for text in map(_how_it_ended, exit_codes.values()) if text]
    output = _first_cause(lines)
    if output is None and not ends:
        tail = [line for line in lines if line.strip()][-3:]
        output = " / ".join(tail) or "it wrote nothing"
    return "; ".join(dict.fromkeys([*([output] if output else []), *ends]))


def _first_cause(lines: list[str]) -> str | None:
    """Return the root exception: the first after vLLM reports a failure, else the last of all."""
    marked = next((i for i, line in enumerate(lines) if any(m in line for m in _MARKS)), None)
    # A worker reports before its engine does; second-hand reports come after the first-hand one.
    raised = [
        (i, line)
        for i, line in enumerate(lines)
        if _RAISED.match(line) and not any(s in line.lower() for s in _SECOND_HAND)
    ]
    if not raised:
        died = next(filter(None, map(_WORKER_DIED.match, lines)), None)
        if died is None:
            return None
        how = _how_it_ended(int(died["code"])) if died["code"] else ""
        return f"{died[0]}: {how}" if how else died[0]
    after = [entry for entry in raised if marked is not None and entry[0] > marked]
    at, line = after[0] if after else raised[-1]
    more = lines[at + 1 : at + 4]  # validation errors continue below their first line
    details = [
        text.strip() for text in more if text.startswith(("  ", "- ")) and "File " not in text
    ]
    if ":" not in line:  # an exception without a message: give at least its place
        code = [text.strip() for text in lines[max(0, at - 2) : at] if set(text) - set(" ^~")]
        return f"{line} at {code[-1]!r}" if code else line
    return " ".join([line, *details])[:600]


def _how_it_ended(code: int | None) -> str:
    if code is None or code == 0 or code == 1:
        return ""
    if code > 0:
        return f"exit code {code}"
    name = signal.Signals(-code).name
    hint = ": the system may have run out of memory" if name == "SIGKILL" else ""
    return f"ended by {name}{hint}"
