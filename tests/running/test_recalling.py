"""What is on disk is used again as what it was: resumed, replayed, merged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.arena import Arena, episodes, lines, run_json, summary
from tests.lab import Lab


def test_a_prompt_that_did_not_fit_is_replayed_as_that(lab: Lab) -> None:
    lab.server.set(faults=[{"kind": "context", "skip": 3, "rate": 0.3}])
    words = ("episodes=10", "concurrency=1", "hydra.run.dir=mine")
    assert lab(*words, "on_failure.policy=random").code == 0
    overflows = sum(int(row["context_overflow"] or 0) for row in summary(Path("mine")))
    assert overflows > 0
    ran = lab.arena("replay", "mine")
    assert ran.code == 0, ran.out
    assert "10 of 10" in ran.out
    agents = ("agents.player_0.model=replay_mine", "on_failure.policy=random")
    again = lab.arena("episodes=10", *agents, "hydra.run.dir=again")
    assert again.code == 0, again.err
    was, now = episodes(Path("mine")), episodes(Path("again"))
    assert {n: e["moves"] for n, e in was.items()} == {n: e["moves"] for n, e in now.items()}
    [error, *_] = [line["error"] for line in lines(Path("again/responses.jsonl")) if line["error"]]
    assert error["kind"] == "context_overflow"
    assert "maximum context length is 4096" in error["message"]


def test_a_resumed_run_keeps_what_followed_a_prompt_that_did_not_fit(lab: Lab) -> None:
    lab.server.set(faults=[{"kind": "context", "skip": 2, "count": 1}])
    words = ("episodes=1", "concurrency=1", "on_failure.policy=random")
    whole = lab(*words, "hydra.run.dir=whole")
    lab.server.set(faults=[{"kind": "context", "skip": 2, "count": 1}])
    assert lab(*words, "budget.calls=3", "hydra.run.dir=mine").code == 3
    before = run_json(Path("mine"))["totals"]
    assert (before["calls"], before["failed_calls"]) == (2, 1)
    again = lab.arena("resume", "mine", "budget.calls=null")
    assert again.code == 0, again.err
    assert episodes(Path("mine")) == episodes(whole.directory)
    was, now = run_json(whole.directory)["totals"], run_json(Path("mine"))["totals"]
    for counted in ("calls", "failed_calls", "requests", "prompt_tokens"):
        assert now[counted] == was[counted]


def test_an_episode_that_stands_twice_and_differently_is_refused(arena: Arena) -> None:
    assert arena("episodes=4", "hydra.run.dir=mine").code == 0
    file = Path("mine/episodes.jsonl")
    games = file.read_bytes().splitlines(keepends=True)
    other = games[0].replace(b'"duration_s":', b'"duration_s":1')
    file.write_bytes(damaged := other + b"".join(games))
    again = arena("resume", "mine")
    assert again.code == 2
    assert "lines 1 and 2: episode 0 came to its end twice, and differently" in again.err
    assert file.read_bytes() == damaged


def test_a_line_that_stands_twice_is_counted_once_by_all(arena: Arena) -> None:
    part = arena("episodes=4", "hydra.run.dir=mine").directory
    totals, rows = run_json(part)["totals"], summary(part)
    file = part / "responses.jsonl"
    answers = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([*answers, answers[2], answers[3]]))
    merged = arena("merge", "mine", "--output", "merged")
    assert merged.code == 0, merged.err
    assert "2 lines that stand there twice left out" in merged.err
    assert run_json(Path("merged"))["totals"] == totals
    assert [row["calls"] for row in summary(Path("merged"))] == [row["calls"] for row in rows]
    assert len(lines(Path("merged/responses.jsonl"))) == len(answers)
    resumed = arena("resume", "mine")
    assert "what stands there twice counts once (2 lines)" in resumed.err
    assert run_json(part)["totals"] == totals
    assert [row["calls"] for row in summary(part)] == [row["calls"] for row in rows]


def test_a_merged_runs_totals_are_those_of_its_lines(lab: Lab) -> None:
    words = ("probe=true", "episodes=4", "hydra.run.dir=mine")
    assert lab(*words).code == 0
    told = run_json(Path("mine"))
    assert told["probe"]
    assert lab.arena("merge", "mine", "--output", "whole").code == 0
    assert _counts(Path("whole")) == _counts(Path("mine"))
    file = Path("mine/responses.jsonl")
    file.write_bytes(file.read_bytes()[:-40])
    refused = lab.arena("merge", "mine", "--output", "again")
    assert refused.code == 2
    assert "arena resume mine" in refused.err
    assert lab.arena("resume", "mine").code == 0
    assert lab.arena("merge", "mine", "--output", "again").code == 0
    told = run_json(Path("mine"))
    answers = lines(Path("again/responses.jsonl"))
    assert _counts(Path("again"))["calls"] == len(answers) + len(told["probe"])
    assert _counts(Path("again"))["prompt_tokens"] == sum(
        line["prompt_tokens"] for line in (*answers, *told["probe"])
    )


def _counts(directory: Path) -> dict[str, Any]:
    totals = run_json(directory)["totals"]
    return {key: n for key, n in totals.items() if key != "calls_distorted_by_client"}
