"""Running `arena` in tests: in this process for speed, or as a real one where that matters."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from game_reasoning_arena.cli import run_command


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def directory(self) -> Path:
        """The run directory that the command named."""
        lines = [line for line in self.out.splitlines() if line.startswith("directory: ")]
        assert lines, f"no directory named in:\n{self.out}\n{self.err}"
        return Path(lines[-1].removeprefix("directory: "))


class Arena:
    """`arena` in a temporary working directory, in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: str) -> Ran:
        self._capsys.readouterr()
        code = run_command(list(words))
        said = self._capsys.readouterr()
        return Ran(code, said.out, said.err)


def start_arena(*words: str, cwd: Path, **environment: str) -> subprocess.Popen[str]:
    """`arena` as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "game_reasoning_arena", *words],
        cwd=cwd,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )


def finish(process: subprocess.Popen[str], timeout: float = 120) -> Ran:
    """Wait for a process that `start_arena` started."""
    out, err = process.communicate(timeout=timeout)
    return Ran(process.returncode, out, err)


def lines(path: Path) -> list[dict[str, Any]]:
    """A JSONL file."""
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def episodes(directory: Path) -> dict[int, dict[str, Any]]:
    """Episodes by number, without what belongs to the running and not to the game."""
    found = {}
    for line in lines(directory / "episodes.jsonl"):
        assert line["episode"] not in found, "an episode was recorded twice"
        kept = {key: v for key, v in line.items() if key not in ("run_id", "duration_s")}
        found[line["episode"]] = kept
    return found


def run_json(directory: Path) -> dict[str, Any]:
    """``run.json``."""
    content: dict[str, Any] = json.loads((directory / "run.json").read_text())
    return content


def summary(directory: Path) -> list[dict[str, str]]:
    """``summary.csv``."""
    with (directory / "summary.csv").open() as file:
        return list(csv.DictReader(file))
