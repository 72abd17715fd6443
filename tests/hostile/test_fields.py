"""Fields of another type, anywhere in the files of a run: a sentence, never a traceback.

Every field of every file gets every wrong value in turn; a sample of these faults is tried unless
FAULTS_EVERY=1 says all.
"""

from __future__ import annotations

import copy
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.arena import Arena, episodes

EVERY = int(os.environ.get("FAULTS_EVERY", "397"))
WRONG: tuple[Any, ...] = (
    *(None, -1, 2**70, 1.5, "x", "", [], {}, [1], [None], {"a": 1}, True, 10**9, "a\x1b[31mb"),
)
RUN = ("simulation=kuhn_poker", "agents.player_0.model=scripted_sloppy", "episodes=4", "seed=5")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was judged, one that a budget stopped and what it ends as, and a sweep."""
    from game_reasoning_arena.cli import run_command

    place = tmp_path_factory.mktemp("runs")
    whole, stopped, calm = (f"hydra.run.dir={place / n}" for n in ("whole", "stopped", "calm"))
    assert run_command([*RUN, whole]) == 0
    assert run_command(["assess", str(place / "whole")]) == 0
    assert run_command([*RUN, stopped, "budget.calls=3"]) == 3
    assert run_command([*RUN, calm]) == 0
    sweep = f"hydra.sweep.dir={place / 'sweep'}"
    assert run_command(["-m", *RUN, "episodes=1", "seed=5,6", sweep]) == 0
    return place


def fields(content: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where the values of a structure stand; of lists, in the first two items."""
    items = content.items() if isinstance(content, dict) else enumerate(content[:2])
    for key, value in items:
        yield (*at, key)
        if isinstance(value, dict | list):
            yield from fields(value, (*at, key))


def changed(content: Any, at: tuple[Any, ...], value: Any) -> Any:
    found = copy.deepcopy(content)
    inner = found
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = value
    return found


def read(path: Path) -> Any:
    text = path.read_text()
    if path.suffix == ".yaml":
        return yaml.safe_load(text)
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in text.splitlines()]
    return json.loads(text)


def written(name: str, content: Any) -> str:
    if name.endswith(".yaml"):
        return str(yaml.safe_dump(content))
    if name.endswith(".jsonl"):
        return "".join(f"{json.dumps(line)}\n" for line in content)
    return json.dumps(content)


def faults(path: Path) -> Iterator[tuple[str, str]]:
    """Yield what is wrong and the text of the file, for a sample of all faults."""
    content = read(path)
    every = [(at, value) for at in fields(content) for value in WRONG]
    for at, value in every[len(path.name) % EVERY :: EVERY]:
        yield f"{path.name}{at}={value!r}", written(path.name, changed(content, at, value))


@pytest.mark.filterwarnings("ignore::game_reasoning_arena.recording.lines.RunDataWarning")
@pytest.mark.parametrize(
    ("kept", "name", "commands"),
    [
        ("stopped", "episodes.jsonl", ("resume", "compare", "replay")),
        ("stopped", "responses.jsonl", ("resume", "compare", "replay")),
        ("stopped", "run.json", ("resume", "compare", "replay")),
        ("stopped", "config.yaml", ("resume", "compare")),
        ("whole", "assessment.json", ("report", "assess")),
        ("whole", "decisions.jsonl", ("report", "assess")),
        ("whole", "luck.jsonl", ("report", "assess")),
        ("whole", "episodes.jsonl", ("merge",)),
        ("sweep", "sweep.json", ("resume", "compare")),
        ("sweep", ".jobs/0.json", ("resume",)),
    ],
)
def test_a_field_of_another_type_is_a_sentence(
    arena: Arena, tmp_path: Path, runs: Path, kept: str, name: str, commands: tuple[str, ...]
) -> None:
    more = {"resume": ["budget.calls=300"] if kept == "stopped" else [], "merge": ["--output=out"]}
    for what, text in faults(runs / kept / name):
        for command in commands:
            shutil.copytree(runs / kept, tmp_path / "run")
            (tmp_path / "run" / name).write_text(text)
            ran = arena(command, "run", *more.get(command, []))  # an exception fails the test
            assert ran.code in (0, 1, 2, 3), what
            assert "fault in the program" not in ran.out + ran.err, what
            assert "Traceback" not in ran.out + ran.err, what
            assert "\x1b[31mb" not in ran.out + ran.err, what
            if (
                command == "resume"
                and ran.code == 0
                and kept == "stopped"
                and name != "config.yaml"
            ):
                games = {n: outcome(e) for n, e in episodes(tmp_path / "run").items()}
                calm = {n: outcome(e) for n, e in episodes(runs / "calm").items()}
                assert games == calm, what
            for left in ("run", "out"):
                shutil.rmtree(tmp_path / left, ignore_errors=True)


def outcome(episode: dict[str, Any]) -> tuple[Any, ...]:
    """What an episode came to; texts of moves are not compared."""
    return episode["seed"], episode["seats"], episode["status"], episode.get("returns")
