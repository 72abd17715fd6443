"""Files and directories that belong to somebody else, or that may not be read or written."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from game_reasoning_arena.cli import run_command

KEPT = Path(__file__).resolve().parents[1] / "kept_runs" / "2026-11"
MORE = "budget.calls=300"
NOBODY = 65534


@pytest.fixture(scope="module", autouse=True)
def imported(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Import what the commands import: another user may not read where Python is installed."""
    directory = tmp_path_factory.mktemp("mine") / "run"
    shutil.copytree(KEPT / "stopped", directory)
    for words in (["compare"], ["replay"], ["resume", MORE]):
        assert run_command([words[0], str(directory), *words[1:]]) in (0, 1)


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that anybody may write to; tests of root play as another user."""
    place = Path(tempfile.mkdtemp(prefix="arena-"))
    place.chmod(0o777)
    yield place
    for path in place.iterdir():
        path.chmod(0o700)
    shutil.rmtree(place)


def as_somebody(place: Path, words: tuple[str, ...]) -> tuple[int, str]:
    """Do a command as a user without rights over others' files; return its code and its texts."""
    shown = place / "shown"
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            os.chdir(place)
            to = os.open(shown, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
            os.dup2(to, 1)
            os.dup2(to, 2)
            sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
            sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
            os.environ["HOME"] = str(place)
            if os.geteuid() == 0:
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            code = run_command(list(words))
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return code, shown.read_text(errors="replace")


def copied(place: Path, kept: str) -> Path:
    directory = place / "run"
    shutil.copytree(KEPT / kept, directory)
    if os.geteuid() == 0:
        for path in (directory, *directory.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
    return directory


def deny(path: Path, mode: int) -> None:
    if os.geteuid() == 0:
        os.chown(path, 0, 0)
    path.chmod(mode)


@pytest.mark.parametrize(
    ("name", "mode", "resumed"),
    [
        ("run.json", 0, 2),
        ("config.yaml", 0, 2),
        ("episodes.jsonl", 0, 2),
        ("responses.jsonl", 0, 2),
        ("arena.log", 0o444, 2),
        (".lock", 0o444, 2),
        ("run.json", 0o444, 0),  # replaced, not written to
        (".", 0o555, 2),
        (".", 0, 2),
    ],
)
def test_what_may_not_be_read_or_written_is_named(
    place: Path, name: str, mode: int, resumed: int
) -> None:
    directory = copied(place, "stopped")
    path = directory / name
    if not path.exists():
        path.touch()
    deny(path, mode)
    commands = [("compare", "run"), ("replay", "run"), ("resume", "run", MORE)]
    for words in commands if mode == 0 else commands[2:]:
        code, text = as_somebody(place, words)
        assert "Traceback" not in text
        assert code in (0, 1, 2)
        if words[0] == "resume":
            assert code == resumed, text
        if code == 2:
            assert (path.name if name != "." else "run") in text
            assert "denied" in text or "may not" in text


@pytest.mark.parametrize("name", ["sweep.json", ".lock", "0_seed-1"])
def test_a_sweep_that_may_not_be_read_is_named(place: Path, name: str) -> None:
    directory = copied(place, "sweep")
    if name == "0_seed-1":
        name = next(path.name for path in directory.iterdir() if (path / "run.json").exists())
    if not (directory / name).exists():
        (directory / name).touch()
    deny(directory / name, 0)
    code, text = as_somebody(place, ("resume", "run"))
    assert code == 2, text
    assert "Traceback" not in text
    assert name in text
    (directory / name).chmod(0o700)


def test_a_configuration_that_cannot_be_made_anew_says_what_to_do(place: Path) -> None:
    (directory := copied(place, "stopped")).chmod(0o700)
    (directory / "config.yaml").write_bytes(b"")
    (directory / ".lock").touch()
    (directory / ".lock").chmod(0o666)
    deny(directory, 0o555)
    code, text = as_somebody(place, ("resume", "run", MORE))
    assert code == 2, text
    assert "resume a copy of it" in " ".join(text.split())
