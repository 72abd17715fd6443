"""Killed at every change of the file system, a run, a sweep and a merge end like any other.

The work is done in a forked process in which the functions that change files count their calls and
end the process, without any clean-up, before or after the one that was chosen.
"""

from __future__ import annotations

import builtins
import io
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from game_reasoning_arena.cli import run_command
from tests.arena import episodes, lines

CHANGES = ("open", "write", "replace", "rename", "fsync", "ftruncate", "unlink", "mkdir")
KILLED = 137
#: Steps from one kill to the next; `KILL_EVERY=1 pytest tests/hostile/test_kills.py` tries all.
EVERY = int(os.environ.get("KILL_EVERY", "29"))

RUN = ("simulation=matrix_pd", "agents.player_0.model=scripted_sloppy", "episodes=2", "seed=5")


def _ends_at(step: int) -> None:
    """Let this process end at a step: even ones before a change, odd ones after it."""
    count = 0

    def counting(change: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:
            nonlocal count
            if count == step:
                os._exit(KILLED)
            count += 1
            done = change(*args, **kwargs)
            if count == step:
                os._exit(KILLED)
            count += 1
            return done

        return counted

    def counting_writes(opened: Callable[..., Any]) -> Callable[..., Any]:
        counted = counting(opened)

        def checked(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
            return (opened if set(mode) <= set("rbt") else counted)(file, mode, *args, **kwargs)

        return checked

    for name in CHANGES:
        setattr(os, name, counting(getattr(os, name)))
    io.open = builtins.open = counting_writes(io.open)  # as Hydra and logging write


def in_a_process(directory: Path, words: Sequence[str], step: int | None = None) -> int:
    """Do a command in a forked process, killed at a step; return its exit code."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.chdir(directory)
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1)
            os.dup2(null, 2)
            if step is not None:
                _ends_at(step)
            code = run_command(list(words))
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def calls(directory: Path) -> list[tuple[Any, ...]]:
    """What was asked in a run, and what was answered, in order."""
    names = ("episode", "seat", "turn", "attempt", "sample", "text", "outcome")
    return sorted(
        tuple(line[name] for name in names) for line in lines(directory / "responses.jsonl")
    )


def same(one: Path, other: Path) -> bool:
    return episodes(one) == episodes(other) and calls(one) == calls(other)


def leftovers(directory: Path) -> list[str]:
    return [path.name for path in directory.rglob(".*.new")]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing disturbed."""
    directory = tmp_path_factory.mktemp("calm")
    assert in_a_process(directory, (*RUN, "hydra.run.dir=run")) == 0
    return directory / "run"


def test_a_run_that_is_killed_anywhere_is_finished(tmp_path: Path, whole: Path) -> None:
    calm = (*RUN, "hydra.run.dir=run")
    step = tried = 0
    while True:
        here = tmp_path / str(step)
        here.mkdir()
        code = in_a_process(here, calm, step)
        if code != KILLED:
            assert code == 0
            break
        tried += 1
        before = calls(here / "run") if (here / "run" / "responses.jsonl").exists() else []
        if (here / "run" / "run.json").exists():
            assert in_a_process(here, ("resume", "run")) == 0, step
        else:  # nothing was begun, so that the same words begin it
            assert before == []
            assert in_a_process(here, calm) == 0, step
        assert same(here / "run", whole), step
        assert set(before) <= set(calls(here / "run")), step
        assert leftovers(here / "run") == [], step
        shutil.rmtree(here)
        step += EVERY
    assert tried > 30 // EVERY


def test_a_resumed_run_that_is_killed_anywhere_is_finished(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    begun.mkdir()
    words = (*RUN, "hydra.run.dir=run")
    assert in_a_process(begun, (*words, "budget.calls=1")) == 3
    more = ("resume", "run", "budget.calls=100")
    shutil.copytree(begun, tmp_path / "calm")
    assert in_a_process(tmp_path / "calm", more) == 0
    step = tried = 0
    while True:
        here = tmp_path / str(step)
        shutil.copytree(begun, here)
        code = in_a_process(here, more, step)
        if code != KILLED:
            assert code == 0
            break
        tried += 1
        assert in_a_process(here, more) == 0, step
        assert same(here / "run", tmp_path / "calm" / "run"), step
        shutil.rmtree(here)
        step += EVERY
    assert tried > 20 // EVERY


def test_a_sweep_that_is_killed_anywhere_is_finished(tmp_path: Path) -> None:
    words = ("-m", *RUN, "episodes=1", "seed=5,6", "hydra.sweep.dir=sweep")
    (tmp_path / "calm").mkdir()
    assert in_a_process(tmp_path / "calm", words) == 0
    jobs = sorted(path.parent.name for path in (tmp_path / "calm").rglob("run.json"))
    assert len(jobs) == 2
    step = tried = 0
    while True:
        here = tmp_path / str(step)
        here.mkdir()
        code = in_a_process(here, words, step)
        sweep = here / "sweep"
        if code == KILLED:
            tried += 1
            again = ("resume", "sweep") if (sweep / "sweep.json").exists() else words
            assert in_a_process(here, again) == 0, step
        for job in jobs:
            assert same(sweep / job, tmp_path / "calm" / "sweep" / job), step
        assert leftovers(sweep) == [], step
        if code != KILLED:
            assert code == 0
            break
        shutil.rmtree(here)
        step += 3 * EVERY
    assert tried > 40 // EVERY


def test_a_merge_that_is_killed_anywhere_is_there_or_not(tmp_path: Path) -> None:
    parts = tmp_path / "parts"
    parts.mkdir()
    for part in ("0/2", "1/2"):
        words = (*RUN, f"shard={part}", "episodes=4", f"hydra.run.dir={part[0]}")
        assert in_a_process(parts, words) == 0
    assert in_a_process(parts, ("merge", "0", "1", "--output", "calm")) == 0
    step = tried = 0
    merge = ("merge", "0", "1", "--output", "whole")
    while True:
        code = in_a_process(parts, merge, step)
        whole = parts / "whole"
        if code == KILLED:
            tried += 1
            if not whole.exists():
                assert in_a_process(parts, merge) == 0, step
        assert same(whole, parts / "calm"), step
        assert not list(parts.glob(".whole*")), step
        shutil.rmtree(whole)
        if code != KILLED:
            break
        step += EVERY
    assert tried > 20 // EVERY


@pytest.mark.parametrize("name", ["episodes.jsonl", "responses.jsonl"])
@pytest.mark.parametrize("tail", [b"", b"\0" * 64])
def test_a_file_that_a_power_failure_cut_anywhere_is_finished(
    tmp_path: Path, whole: Path, name: str, tail: bytes
) -> None:
    content = (whole / name).read_bytes()
    ends = [at for at in range(len(content)) if content[at : at + 1] == b"\n"]
    ends = ends[:: max(EVERY // 4, 1)]
    cuts = sorted({0, *ends, *(end + 1 for end in ends), *range(7, len(content), 61 * EVERY)})
    for cut in cuts:
        here = tmp_path / str(cut)
        shutil.copytree(whole, here)
        (here / name).write_bytes(content[:cut] + tail)
        assert in_a_process(tmp_path, ("resume", str(cut))) == 0, cut
        assert same(here, whole), cut
        shutil.rmtree(here)


@pytest.mark.parametrize(
    "left",
    [
        (".hydra",),
        (".hydra", "arena.log"),
        (".hydra", "arena.log", ".lock", "responses.jsonl"),
        (".hydra", "arena.log", ".lock", "responses.jsonl", "episodes.jsonl", "config.yaml"),
        (".lock",),
    ],
)
def test_what_a_start_left_is_gone_on_from(
    tmp_path: Path, whole: Path, left: tuple[str, ...]
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    for name in left:
        if name == ".hydra":
            shutil.copytree(whole / name, run / name)
            (run / name / "overrides.yaml").unlink()
        elif name.endswith(".jsonl"):
            (run / name).touch()
        else:
            shutil.copy(whole / name, run / name)
    assert in_a_process(tmp_path, (*RUN, "hydra.run.dir=run")) == 0
    assert same(run, whole)


@pytest.mark.parametrize(("votes", "kinds"), [(1, {(0, 0), (1, 0)}), (2, {(0, 0), (0, 1)})])
def test_an_answer_that_was_deleted_is_asked_again(
    tmp_path: Path, votes: int, kinds: set[tuple[int, int]]
) -> None:
    words = (*RUN, "episodes=4", f"agents.player_0.votes={votes}", "hydra.run.dir=run")
    assert in_a_process(tmp_path, words) == 0
    content = (tmp_path / "run" / "responses.jsonl").read_bytes().splitlines(keepends=True)
    found = lines(tmp_path / "run" / "responses.jsonl")
    assert {(line["attempt"], line["sample"]) for line in found} == kinds
    for left_out in range(0, len(content), max(EVERY // 8, 1)):
        here = tmp_path / str(left_out)
        shutil.copytree(tmp_path / "run", here)
        kept = content[:left_out] + content[left_out + 1 :]
        (here / "responses.jsonl").write_bytes(b"".join(kept))
        assert in_a_process(tmp_path, ("resume", str(left_out))) == 0
        assert same(here, tmp_path / "run"), left_out
