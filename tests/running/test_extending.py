"""A run that is too short is extended, and records it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.arena import Arena, episodes, lines, run_json


def _results(directory: Path) -> list[tuple[Any, ...]]:
    return sorted(
        (line["episode"], line["seed"], line["seats"], line["returns"], line["moves"])
        for line in lines(directory / "episodes.jsonl")
    )


@pytest.mark.parametrize("begun_with", [7, 8])
def test_a_longer_run_is_the_one_that_was_begun_so(
    arena: Arena, tmp_path: Path, begun_with: int
) -> None:
    words = ("simulation=kuhn_poker", "sampling.temperature=0.5")
    assert arena("hydra.run.dir=grown", f"episodes={begun_with}", *words).code == 0
    answers = len(lines(tmp_path / "grown" / "responses.jsonl"))
    longer = arena("resume", "grown", "episodes=20")
    assert longer.code == 0, longer.err
    assert f"{begun_with} episodes were planned, now 20" in longer.err
    assert f"{begun_with} episodes and {answers} answers are there already" in longer.err
    assert arena("hydra.run.dir=whole", "episodes=20", *words).code == 0
    assert _results(tmp_path / "grown") == _results(tmp_path / "whole")
    grown, whole = run_json(tmp_path / "grown"), run_json(tmp_path / "whole")
    assert grown["identity"] == whole["identity"]
    assert grown["episodes"] == {"planned": 20, "completed": 20}
    assert [(step["from"], step["to"]) for step in grown["extended"]] == [(begun_with, 20)]
    assert whole["extended"] == []
    told = arena("compare", "grown", "whole", "--all").out
    assert f"grown: was extended ({begun_with} -> 20 episodes). If its results decided" in told
    assert "whole: was" not in told
    assert arena("resume", "grown").code == 0  # 20 is its length now
    assert len(episodes(tmp_path / "grown")) == 20


def test_a_kill_between_its_files_leaves_an_extension_to_resume(
    arena: Arena, tmp_path: Path
) -> None:
    assert arena("hydra.run.dir=mine", "episodes=4").code == 0
    before = (tmp_path / "mine" / "run.json").read_text()
    assert arena("resume", "mine", "episodes=6").code == 0
    (tmp_path / "mine" / "run.json").write_text(before)  # config.yaml is written first
    ran = arena("resume", "mine")
    assert ran.code == 0, ran.err
    run = run_json(tmp_path / "mine")
    assert [(step["from"], step["to"]) for step in run["extended"]] == [(4, 6)]


@pytest.mark.parametrize(
    ("begun", "words", "told"),
    [
        (("episodes=4",), ("episodes=2",), "has come to episode 4 already"),
        (("episodes=4",), ("episodes=9", "seed=1"), "seed: 0 -> 1"),
        (("episodes=4", "shard=0/2"), ("episodes=9",), "where the run is no shard"),
        (("simulation=prompts", "agents=llm"), ("simulation.repeats=3",), "of a game can change"),
    ],
    ids=["shorter", "another seed", "a shard", "prompts"],
)
def test_nothing_else_can_change(
    arena: Arena, tmp_path: Path, begun: tuple[str, ...], words: tuple[str, ...], told: str
) -> None:
    assert arena("hydra.run.dir=mine", *begun).code == 0
    before = (tmp_path / "mine" / "run.json").read_bytes()
    ran = arena("resume", "mine", *words)
    assert ran.code == 2
    assert told in ran.err
    assert (tmp_path / "mine" / "run.json").read_bytes() == before


def test_what_was_said_for_one_sitting_is_not_kept(arena: Arena, tmp_path: Path) -> None:
    assert arena("hydra.run.dir=mine", "episodes=4").code == 0
    before = (tmp_path / "mine" / "config.yaml").read_text()
    stopped = arena("resume", "mine", "episodes=400", "budget.calls=20", "concurrency=1")
    assert stopped.code == 3
    after = (tmp_path / "mine" / "config.yaml").read_text()
    assert after == before.replace("episodes: 4\n", "episodes: 400\n")
    # Too long after all: what has not been come to can be left out again.
    reached = max(line["episode"] for line in lines(tmp_path / "mine" / "responses.jsonl")) + 1
    assert arena("resume", "mine", f"episodes={reached}").code == 0
    assert run_json(tmp_path / "mine")["episodes"] == {"planned": reached, "completed": reached}


def test_versions_that_differ_between_parts_are_told(arena: Arena, tmp_path: Path) -> None:
    assert arena("hydra.run.dir=mine", "episodes=4").code == 0
    file = tmp_path / "mine" / "run.json"
    run = json.loads(file.read_text())
    now = run["packages"]["open-spiel"]
    run["packages"]["open-spiel"] = "1.0"
    file.write_text(json.dumps(run))
    longer = arena("resume", "mine", "episodes=6")
    assert f"was played with other versions: open-spiel 1.0 -> {now}" in longer.err
    assert run_json(tmp_path / "mine")["earlier_provenance"][0]["packages"]["open-spiel"] == "1.0"
    told = "mine: was played in parts with different versions (open-spiel 1.0 -> "
    assert told in arena("compare", "mine", "--all").out
    assert arena("merge", "mine", "--output", "merged").code == 0
    merged = arena("compare", "merged", "--all").out
    assert "merged: was played in parts with different versions" in merged
    assert "merged: was extended (4 -> 6 episodes)" in merged


def test_a_job_of_a_sweep_keeps_its_length(arena: Arena, tmp_path: Path) -> None:
    assert arena("-m", "seed=1,2", "episodes=2", "hydra.sweep.dir=swept").code == 0
    job = next(path.parent for path in (tmp_path / "swept").glob("*/run.json"))
    ran = arena("resume", str(job), "episodes=4")
    assert ran.code == 2
    assert "is a job of a sweep, whose jobs keep their number of episodes" in ran.err
    assert json.loads((job / "run.json").read_text())["episodes"]["planned"] == 2


def test_a_merge_names_a_part_without_its_configuration(arena: Arena) -> None:
    assert arena("hydra.run.dir=part", "episodes=4", "shard=0/2").code == 0
    Path("part/config.yaml").unlink()
    merged = arena("merge", "part", "--output", "whole")
    assert merged.code == 2
    assert "part: its config.yaml is missing or cannot be read" in merged.err
