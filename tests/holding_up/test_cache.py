"""Answers that are kept across runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from game_reasoning_arena.sweeping.states import used
from game_reasoning_arena.sweeping.store import load_sweep
from tests.arena import Arena, episodes, lines, run_json
from tests.holding_up.conftest import Lab


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the cache's directory is made."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "kept"))
    return tmp_path / "kept" / "game_reasoning_arena"


def test_the_cache_answers_the_same_run_again_and_collapses_no_repeats(
    lab: Lab,
) -> None:
    first = lab("episodes=10", "cache=record")
    asked = len(lab.server.requests())
    again = lab("episodes=10", "cache=reuse")
    assert len(lab.server.requests()) == asked
    assert episodes(first.directory) == episodes(again.directory)
    assert all(line["from_cache"] for line in lines(again.directory / "responses.jsonl"))
    assert not any(line["from_cache"] for line in lines(first.directory / "responses.jsonl"))
    lab("episodes=12", "cache=reuse")
    assert len(lab.server.requests()) > asked


def test_answers_under_other_settings_of_the_backend_are_not_reused(arena: Arena) -> None:
    words = ("episodes=6", "agents.player_0.model=scripted_sloppy")
    assert arena(*words, "cache=record", "hydra.run.dir=was").code == 0
    other = ("cache=reuse", "backend.scripted.illegal=0", "backend.scripted.unparsable=0")
    assert arena(*words, *other, "hydra.run.dir=other").code == 0
    assert not any(line["from_cache"] for line in lines(Path("other/responses.jsonl")))
    carried_out = ("cache=reuse", "backend.scripted.latency_s=0.001")
    assert arena(*words, *carried_out, "hydra.run.dir=same").code == 0
    assert all(line["from_cache"] for line in lines(Path("same/responses.jsonl")))


def test_what_the_cache_answered_is_not_spent_when_a_run_goes_on(lab: Lab) -> None:
    assert lab("episodes=6", "cache=record").code == 0
    paid = len(lab.server.requests())
    words = ("episodes=12", "cache=reuse", "concurrency=1", "hydra.run.dir=mine")
    assert lab(*words, "budget.calls=6").code == 3
    assert run_json(Path("mine"))["totals"]["calls"] == 6
    again = lab.arena("resume", "mine", "budget.calls=10")
    assert again.code == 3
    assert len(lab.server.requests()) == paid + 10
    assert run_json(Path("mine"))["totals"]["calls"] == 10
    assert lab.arena("resume", "mine", "budget.calls=null").code == 0
    own = [line for line in lines(Path("mine/responses.jsonl")) if not line["from_cache"]]
    assert run_json(Path("mine"))["totals"]["calls"] == len(own)
    assert run_json(Path("mine"))["totals"]["requests"] == len(own)


def test_what_the_cache_answered_is_not_spent_of_a_sweeps_budget(arena: Arena) -> None:
    sweep = ("-m", "seed=1,2", "episodes=4", "concurrency=1")
    assert arena(*sweep, "cache=record").code == 0
    reused = (*sweep, "cache=reuse", "hydra.sweep.dir=reused")
    assert arena(*reused, "sweep.budget.calls=1").code == 0
    for run in Path("reused").glob("*/run.json"):
        told = run_json(run.parent) | {"status": "running"}  # as if it had been killed
        run.write_text(json.dumps(told))
    assert used(load_sweep(Path("reused"))).calls == 0
