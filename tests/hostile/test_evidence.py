"""Results stand on answers: where one is lost, it is asked again or the run is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from game_reasoning_arena.cli import run_command
from tests.arena import Arena, episodes, lines
from tests.hostile.test_kills import same
from tests.lab import Lab

GAME = ("simulation=kuhn_poker", "agents.player_0.model=scripted_sloppy", "episodes=4", "seed=5")

Line = dict[str, Any]


def write(path: Path, content: list[Line]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in content))


def test_an_answer_to_or_of_a_judge_that_was_lost_is_asked_again(lab: Lab, tmp_path: Path) -> None:
    """The first grade cannot be read, so that the judge is asked twice about each answer."""
    write(tmp_path / "mine.jsonl", [{"question": f"Q{n}?", "answer": "x"} for n in range(2)])
    lab.server.set(answer={"text": "Hard to say."})
    judge = "simulation.scorer={type: judge, model: direct_my_lab/judge, rethinks: 1}"
    words = ("simulation=prompts", "simulation.file=mine.jsonl", "agents=llm", judge)
    first = lab(*words, "agents.player_0.model=scripted_first", "hydra.run.dir=run")
    assert first.code == 0, first.err
    found = lines(Path("run/responses.jsonl"))
    assert [line["player"] for line in found].count("judge") == 4
    for number, line in enumerate(found):
        shutil.copytree("run", str(number))
        write(Path(str(number), "responses.jsonl"), [one for one in found if one is not line])
        before = len(lab.server.requests())
        assert lab.arena("resume", str(number)).code == 0
        assert same(Path(str(number)), Path("run")), line
        assert len(lab.server.requests()) - before == (line["player"] == "judge")


@pytest.mark.parametrize("score", [0.0, None])
def test_a_grade_is_what_the_judge_said(lab: Lab, tmp_path: Path, score: float | None) -> None:
    write(tmp_path / "mine.jsonl", [{"question": "Q?", "answer": "x"}])
    lab.server.set(answer={"text": "Final Answer: correct"})
    judge = "simulation.scorer={type: judge, model: direct_my_lab/judge}"
    words = ("simulation=prompts", "simulation.file=mine.jsonl", "agents=llm", judge)
    first = lab(*words, "agents.player_0.model=scripted_first", "hydra.run.dir=run")
    assert first.code == 0, first.err
    shutil.copytree("run", "calm")
    (episode,) = lines(Path("run/episodes.jsonl"))
    write(Path("run/episodes.jsonl"), [episode | {"scores": [score]}])
    assert lab.arena("resume", "run").code == 0
    assert episodes(Path("run")) == episodes(Path("calm"))


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The two shards of a run."""
    place = tmp_path_factory.mktemp("shards")
    for part in "01":
        assert run_command([*GAME, f"shard={part}/2", f"hydra.run.dir={place / part}"]) == 0
    return place


def first(**fields: Any) -> Callable[[list[Line]], list[Line]]:
    return lambda content: [content[0] | fields, *content[1:]]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("episodes.jsonl", first(episode=99999)),
        ("episodes.jsonl", first(episode=1)),  # twice, and differently
        ("episodes.jsonl", first(moves=[])),
        ("episodes.jsonl", first(seed=9)),
        ("episodes.jsonl", first(game="tic_tac_toe")),
        ("episodes.jsonl", first(status="nonsense")),
        ("responses.jsonl", first(episode=99999)),
        ("responses.jsonl", first(episode=3)),
        ("responses.jsonl", first(player="player_9")),
        ("responses.jsonl", first(turn="x")),
        ("responses.jsonl", first(turn=5)),
        ("responses.jsonl", first(attempt=4)),
        ("responses.jsonl", first(seat=7)),
        ("responses.jsonl", first(outcome="illegal")),
        ("responses.jsonl", lambda content: [*content, content[0] | {"text": "other"}]),
        ("responses.jsonl", lambda content: content[1:]),
        ("responses.jsonl", lambda content: content[:-1]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_shards_are_merged_as_they_would_be_resumed(
    arena: Arena, shards: Path, name: str, change: Callable[[list[Line]], list[Line]]
) -> None:
    shutil.copytree(shards, "parts")
    path = Path("parts/0", name)
    write(path, change(lines(path)))
    merged = arena("merge", "parts/0", "parts/1", "--output", "whole")
    assert merged.code == 2, merged.out
    assert name in merged.err
    assert not Path("whole").exists()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("config.yaml", {"sampling": 5}),
        ("config.yaml", {"budget": None}),
        ("config.yaml", {"seats": "x"}),
        ("config.yaml", {"seats": "fixed"}),
        ("config.yaml", {"episodes": 6}),
        ("config.yaml", {"agents": [1]}),
        ("run.json", {"identity": None}),
        ("run.json", {"identity": "x"}),
    ],
)
def test_shards_are_merged_by_the_configuration_that_was_played(
    arena: Arena, shards: Path, name: str, change: Line
) -> None:
    shutil.copytree(shards, "parts")
    path = Path("parts/0", name)
    path.write_text(json.dumps(yaml.safe_load(path.read_text()) | change))
    merged = arena("merge", "parts/0", "parts/1", "--output", "whole")
    assert merged.code == 2, merged.out
    assert name in merged.err or "(identities)" in merged.err
    assert not Path("whole").exists()


@pytest.mark.parametrize("change", [{"sampling": 5}, {"budget": [1]}, {"agents": None}])
def test_a_job_with_a_damaged_configuration_is_named(arena: Arena, change: Line) -> None:
    words = ("-m", *GAME, "episodes=1", "seed=5,6", "hydra.sweep.dir=sweep")
    assert arena(*words, "sweep.budget.calls=1").code == 3
    path = Path("sweep/.jobs/1.json")
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"config": content["config"] | change}))
    resumed = arena("resume", "sweep")
    assert resumed.code == 2, resumed.out
    assert next(iter(change)) in resumed.err


def test_a_table_of_a_sweep_is_counted_where_a_jobs_summary_was_cut(arena: Arena) -> None:
    words = ("-m", *GAME, "seed=5,6", "hydra.sweep.dir=sweep")
    assert arena(*words).code == 0
    table = Path("sweep/sweep.csv").read_text()
    (path,) = Path("sweep").glob("0_*/summary.csv")
    content = path.read_text()
    last_row = content.rstrip("\n").rindex("\n") + 1
    for cut in (content[:last_row], content[:-2], content[: content.index("\n") + 1], "\0" * 99):
        path.write_text(cut)
        assert arena("resume", "sweep").code == 0
        now = Path("sweep/sweep.csv").read_text()
        assert [*map(counts_of, now.splitlines())] == [*map(counts_of, table.splitlines())]


@pytest.mark.parametrize("name", ["episodes.jsonl", "responses.jsonl", "run.json"])
def test_a_finished_job_that_lost_lines_is_finished_anew(arena: Arena, name: str) -> None:
    assert arena("-m", *GAME, "seed=5,6", "hydra.sweep.dir=sweep").code == 0
    shutil.copytree("sweep", "calm")
    (path,) = Path("sweep").glob(f"0_*/{name}")
    content = path.read_bytes()
    for cut in (content[: content.rstrip().rindex(b"\n") + 9], b"", None):
        path.unlink()
        if cut is not None:
            path.write_bytes(cut)
        resumed = arena("resume", "sweep")
        assert resumed.code == 0, resumed.err
        assert same(path.parent, Path("calm", path.parent.name))


def counts_of(row: str) -> list[str]:
    """The cells of a row of ``sweep.csv`` that stand before the latencies."""
    return row.split(",")[:24]


def compared(arena: Arena) -> str:
    ran = arena("compare", "run")
    return " ".join((ran.out + ran.err).split())


def test_compare_reports_episodes_that_a_finished_run_has_lost(arena: Arena) -> None:
    words = ("simulation=kuhn_poker", "agents=random_vs_random", "episodes=6")
    run = arena(*words, "hydra.run.dir=run").directory
    whole = (run / "episodes.jsonl").read_bytes()
    assert "are lost" not in compared(arena)
    (run / "episodes.jsonl").write_bytes(b"".join(whole.splitlines(keepends=True)[:4]))
    assert "holds 4 of the 6 episodes that run.json counts" in compared(arena)
    assert arena("resume", "run").code == 0
    assert "are lost" not in compared(arena)
