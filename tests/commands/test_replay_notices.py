"""What `arena replay` notices of a record that is not what its run wrote."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.arena import Arena, lines, run_json

Lines = list[dict[str, Any]]

WORDS = (
    *("episodes=8", "agents.player_0.model=scripted_sloppy", "on_failure.policy=random"),
    *("on_failure.rethinks=1", "hydra.run.dir=mine"),
)


def _write(name: str, content: Lines) -> None:
    Path("mine", name).write_text("".join(json.dumps(line) + "\n" for line in content))


def _delete_an_episode(games: Lines, answers: Lines) -> None:
    del games[3]


def _call_it_an_outage(games: Lines, answers: Lines) -> None:
    games[2] |= {"status": "error", "error": "transient: gone", "returns": None, "winner": None}


def _call_it_legal(games: Lines, answers: Lines) -> None:
    line = next(line for line in answers if line["outcome"] == "illegal")
    line["outcome"] = "legal"


def _move_elsewhere(games: Lines, answers: Lines) -> None:
    line = next(line for line in answers if line["outcome"] == "legal")
    line["action"] += 1


def _an_answer_before(games: Lines, answers: Lines) -> None:
    answers.insert(0, answers[4] | {"text": "Final Answer: x(0,0)"})


def _a_game_before(games: Lines, answers: Lines) -> None:
    games.insert(0, games[4] | {"winner": "player_1"})


@pytest.mark.parametrize(
    ("tamper", "told"),
    [
        (_delete_an_episode, ["counts 8 episodes with status completed", "holds 7"]),
        (_call_it_an_outage, ["status completed, episodes.jsonl holds 7", "holds 1"]),
        (_call_it_legal, ["recorded as legal, but is illegal"]),
        (_move_elsewhere, ["the answer is recorded as legal (move "]),
        (_an_answer_before, ["stands twice in responses.jsonl"]),
        (_a_game_before, ["stands twice in episodes.jsonl"]),
    ],
)
def test_what_was_changed_is_told(
    arena: Arena, tamper: Callable[[Lines, Lines], None], told: list[str]
) -> None:
    assert arena(*WORDS).code == 0
    same = arena("replay", "mine")
    assert same.code == 0, same.out
    assert same.out.count("\n") == 1
    games = lines(Path("mine/episodes.jsonl"))
    answers = lines(Path("mine/responses.jsonl"))
    tamper(games, answers)
    _write("episodes.jsonl", games)
    _write("responses.jsonl", answers)
    ran = arena("replay", "mine")
    assert ran.code == 1
    for text in told:
        assert text in ran.out


def test_a_killed_run_is_not_blamed_for_what_it_could_not_tell(arena: Arena) -> None:
    assert arena(*WORDS).code == 0
    told = run_json(Path("mine")) | {"status": "running", "finished_at": None}
    told["episodes"] = {"planned": 8}
    Path("mine/run.json").write_text(json.dumps(told))
    assert arena("replay", "mine").code == 0


def test_a_template_that_is_gone_is_taken_from_the_record(
    arena: Arena, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = tmp_path / "begun"
    (begun / "own").mkdir(parents=True)
    monkeypatch.chdir(begun)
    base = '{% extends "line.j2" %}{% block system %}Win. {{ super() }}{% endblock %}'
    Path("own/base.j2").write_text(base)
    Path("own/mine.j2").write_text('{% extends "base.j2" %}')
    words = ("agents.player_0.template=own/mine.j2", "episodes=2", "hydra.run.dir=../mine")
    assert arena(*words).code == 0
    monkeypatch.chdir(tmp_path)
    begun.rename(tmp_path / "moved")
    ran = arena("replay", "mine", "--output", "again")
    assert ran.code == 0, ran.err
    assert "own/mine.j2 is not here: its text in run.json is used" in ran.err
    assert run_json(Path("again"))["contents"] == run_json(Path("mine"))["contents"]
    assert "template: own/mine.j2" in Path("again/config.yaml").read_text()
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "mine.j2").write_text('{% extends "line.j2" %}')
    other = arena("replay", "mine")
    assert other.code == 2
    assert "another content of agents.player_0.template=own/mine.j2" in other.err


def test_prompts_that_are_gone_are_said_to_be_needed(arena: Arena) -> None:
    Path("few.txt").write_text("One.\nTwo.\n")
    words = ("simulation=prompts", "simulation.file=few.txt", "agents=llm")
    assert arena(*words, "hydra.run.dir=mine").code == 0
    Path("few.txt").unlink()
    ran = arena("replay", "mine")
    assert ran.code == 2
    assert "few.txt" in ran.err
    assert "A replay needs what config.yaml names as it was when the run was begun" in ran.err
