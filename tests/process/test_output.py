"""Outputs that are closed, full, deaf or unable to say a character; names that are too long."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.arena import Arena

LONG = "a" * 300


def shell(command: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which ``arena`` is ours; its exit code is that of the first program."""
    arena = f"{sys.executable} -m game_reasoning_arena"
    return subprocess.run(
        ["bash", "-c", f"{command.replace('arena', arena)}; exit ${{PIPESTATUS[0]}}"],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_run_is_done_whoever_reads_of_it(tmp_path: Path) -> None:
    done = shell("arena episodes=2 | head -1", tmp_path)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert len(done.stdout.splitlines()) == 1
    failed = shell(
        "arena episodes=30 agents.player_0.model=scripted_sloppy on_failure.policy=raise "
        "on_failure.rethinks=0 | head -1",
        tmp_path,
    )
    assert failed.returncode == 1


def test_a_full_output_is_told_in_a_sentence(tmp_path: Path) -> None:
    done = shell("arena episodes=2 > /dev/full", tmp_path)
    assert done.returncode == 0
    assert "standard output takes nothing more: No space left on device. The results are in" in (
        done.stderr
    )
    assert "Traceback" not in done.stderr
    listed = shell("arena models > /dev/full", tmp_path)
    assert (listed.returncode, "No space left" in listed.stderr) == (1, True)


def test_notes_that_nobody_takes_end_nothing(tmp_path: Path) -> None:
    assert shell("arena episodes=2 hydra.run.dir=mine", tmp_path).returncode == 0
    for nowhere in ("2> /dev/full", "2>&-", "2> >(true)"):
        done = shell(f"arena resume mine {nowhere}", tmp_path)  # it notes what is there already
        assert (done.returncode, "directory: mine" in done.stdout) == (0, True), nowhere


def test_a_closed_output_takes_nothing_from_the_run(tmp_path: Path) -> None:
    done = shell("arena episodes=2 >&-", tmp_path)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert len(list((tmp_path / "outputs").rglob("run.json"))) == 1


def test_ascii_says_what_it_can(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("What is \u265e?\n")
    done = shell(
        "arena simulation=prompts simulation.file=p.txt +agents.player_0.system_prompt=\u00e9 "
        "agents=llm; arena models \u00e9",
        tmp_path,
        PYTHONIOENCODING="ascii",
    )
    assert "Traceback" not in done.stderr
    assert r"\xe9" in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ["hydra.run.dir=" + LONG],
        ["simulation=prompts", "simulation.file=" + LONG],
        ["agents.player_0.template=" + LONG + ".j2"],
        ["agents.player_0.model=replay_" + LONG],
        ["--config", LONG],
        ["--config-dir", LONG],
        ["resume", LONG],
        ["compare", LONG],
        ["report", LONG],
    ],
)
def test_a_name_that_is_too_long_is_told_in_a_sentence(arena: Arena, words: list[str]) -> None:
    ran = arena(*words)
    assert ran.code == 2
    assert len(ran.err.splitlines()) == 1
    assert "too long" in ran.err
    assert len(ran.err) < 900


def test_a_working_directory_that_is_gone_is_told(
    arena: Arena, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    ran = arena("episodes=1")
    assert (ran.code, "does not exist any more" in ran.err) == (2, True)
