"""What the tests of all launchers do."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Any

from tests.arena import Ran, episodes, finish, lines, start_arena
from tests.loopback import LoopbackServer
from tests.sweeping.reading import jobs, sweep_json

WAIT_S = 120.0
CANARY = "sk-canary-0123456789abcdef"


def played(sweep: Path) -> dict[str, dict[int, dict[str, Any]]]:
    """The episodes of every job by its directory's name."""
    return {job["directory"]: episodes(sweep / job["directory"]) for job in jobs(sweep)}


def here(cwd: Path, *words: str) -> Path:
    """The same sweep in one process; its directory."""
    ran = finish(start_arena("-m", *words, cwd=cwd))
    assert ran.code == 0, ran.err
    return ran.directory


def model_words(server: LoopbackServer, *models: str) -> list[str]:
    """Words for a sweep over models of a server that wants a key."""
    return [
        f"+provider.my_lab.api_base={server.url}",
        "+provider.my_lab.api_key_env=MY_LAB_API_KEY",
        "agents.player_0.model=" + ",".join(f"direct_my_lab/{model}" for model in models),
        "probe=false",
    ]


def resume_words(server: LoopbackServer) -> list[str]:
    """Words that resume a sweep whose file names a key and an address of a provider's own."""
    origin = server.url.removesuffix("/v1")
    return ["resume", "mine", "--trust", f"MY_LAB_API_KEY@{origin}"]


def run_sweep(cwd: Path, *words: str, **environment: str) -> Ran:
    return finish(start_arena("-m", *words, cwd=cwd, **environment), timeout=300)


def until_asked(process: subprocess.Popen[str], server: LoopbackServer, calls: int) -> None:
    """Until the server has seen so many calls."""
    deadline = time.monotonic() + WAIT_S
    while server.stats()["requests"] < calls:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "the jobs do not get going"
        time.sleep(0.02)


def nothing_twice(sweep: Path) -> None:
    """No answer is recorded twice in a job."""
    for job in jobs(sweep):
        keys = [
            tuple(line[k] for k in ("episode", "seat", "turn", "attempt", "sample"))
            for line in lines(sweep / job["directory"] / "responses.jsonl")
            if line["outcome"] is not None
        ]
        assert len(set(keys)) == len(keys)


def completed(sweep: Path) -> None:
    assert sweep_json(sweep)["status"] == "completed"
    assert {job["status"] for job in jobs(sweep)} == {"completed"}


def writer_of(directory: Path) -> int:
    """The process that has the run's files open."""
    deadline = time.monotonic() + WAIT_S
    target = os.fspath(directory / "responses.jsonl")
    while time.monotonic() < deadline:
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if any(os.readlink(fd) == target for fd in (process / "fd").iterdir()):
                    return int(process.name)
            except OSError:
                continue
    raise AssertionError("nobody writes the run")
