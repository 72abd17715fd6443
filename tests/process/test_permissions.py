"""Files and directories that may not be read, searched or written: a sentence, no traceback."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.arena import Arena

#: Root may do everything, unless it gives these powers up.
_WITHOUT = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
pytestmark = pytest.mark.skipif(
    os.geteuid() == 0 and shutil.which("setpriv") is None, reason="root may read everything"
)


def arena_of_anybody(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(_WITHOUT if os.geteuid() == 0 else []),
            *(sys.executable, "-m", "game_reasoning_arena"),
            *words,
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def run(arena: Arena) -> Path:
    assert arena("episodes=2", "hydra.run.dir=mine").code == 0
    return Path("mine")


@pytest.fixture
def locked(run: Path) -> Iterator[Path]:
    """A directory that may not be searched, with a run in it."""
    Path("locked").mkdir()
    run.rename("locked/run")
    Path("locked").chmod(0)
    yield Path("locked/run")
    Path("locked").chmod(0o755)


@pytest.mark.parametrize(
    "words",
    [
        ["resume", "locked/run"],
        ["compare", "locked/run"],
        ["--config", "locked/run/config.yaml"],
        ["hydra.run.dir=locked/other", "episodes=1"],
        ["simulation=prompts", "simulation.file=locked/p.txt", "agents=llm"],
        ["catalog.files=[locked/models.yaml]"],
    ],
)
def test_a_directory_that_may_not_be_searched_is_told(locked: Path, words: list[str]) -> None:
    done = arena_of_anybody(*words)
    assert done.returncode == 2
    (sentence,) = done.stderr.splitlines()
    assert "locked/" in sentence
    assert "Permission denied" in sentence


def test_a_run_that_may_only_be_read_is_compared_and_not_resumed(run: Path) -> None:
    for path in (run, *run.rglob("*")):
        path.chmod(0o500 if path.is_dir() else 0o400)
    compared = arena_of_anybody("compare", "mine")
    resumed = arena_of_anybody("resume", "mine")
    reported = arena_of_anybody("report", "mine")
    for path in (run, *run.rglob("*")):
        path.chmod(0o700)
    assert compared.returncode == 0
    for done, says in ((resumed, "mine/.lock (Permission denied)"), (reported, "may not write")):
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1
        assert says in done.stderr


@pytest.mark.parametrize("name", ["conf", "conf/model", "conf/model/theirs.yaml"])
def test_a_conf_that_may_not_be_read_is_told_and_does_not_block_the_lists(
    arena: Arena, name: str
) -> None:
    Path("conf/model").mkdir(parents=True)
    Path("conf/model/theirs.yaml").write_text("name: scripted_first\n")
    Path(name).chmod(0)
    listed, played = arena_of_anybody("models", "groq"), arena_of_anybody("episodes=1")
    Path(name).chmod(0o755)
    assert listed.returncode == 0
    assert "note: left out:" in listed.stderr
    assert "cannot be read: Permission denied." in listed.stderr
    assert "litellm_groq" in listed.stdout
    assert played.returncode == 2
    assert "cannot be read: Permission denied." in played.stderr
    assert "Traceback" not in played.stderr
