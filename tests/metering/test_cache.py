"""Answers that are kept across runs."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from game_reasoning_arena.sweeping.states import used
from game_reasoning_arena.sweeping.store import load_sweep
from tests.arena import Arena, episodes, lines, run_json, summary
from tests.lab import Lab


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
    longer = lab("episodes=12", "cache=reuse")
    more = len(lab.server.requests()) - asked
    assert more > 0
    assert f"{asked} of {asked + more} answers came from the cache" in longer.out


def test_what_the_cache_answered_is_paid_and_timed_once(lab: Lab) -> None:
    words = ("budget.calls=20", "concurrency=1", "episodes=8", "probe=false")
    assert lab("cache=record", *words, "hydra.run.dir=paid").code == 3
    asked = len(lab.server.requests())
    ran = lab("cache=reuse", *words, "hydra.run.dir=half")
    more = len(lab.server.requests()) - asked
    for resumed in (False, True):
        rows = [row for row in summary(ran.directory) if row["calls"]]
        totals = run_json(ran.directory)["totals"]
        assert sum(int(row["calls"]) for row in rows) == totals["calls"] == more
        assert sum(int(row["from_cache"]) for row in rows) == asked
        assert sum(int(row["prompt_tokens"]) for row in rows) == totals["prompt_tokens"]
        if not resumed:
            assert lab.arena("resume", "half", "budget.calls=40").code == 0
            more = len(lab.server.requests()) - asked
    free = lab("cache=reuse", "episodes=4", "hydra.run.dir=free")
    (row,) = [r for r in summary(free.directory) if r["calls"] and r["seat"] == "0"]
    assert (row["calls"], row["prompt_tokens"], float(row["cost_usd"])) == ("0", "0", 0.0)
    assert row["latency_p50_s"] == ""
    told = lab.arena("compare", "free", "--all").out
    assert "their times are an earlier run's, and left out" in told
    assert "they used nothing of these runs" in told


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


def _garbage(directory: Path) -> None:
    directory.mkdir(parents=True)
    (directory / "responses.sqlite").write_bytes(b"no database at all" * 100)


def _other_tables(directory: Path) -> None:
    directory.mkdir(parents=True)
    with sqlite3.connect(directory / "responses.sqlite") as db:
        db.execute("CREATE TABLE reply (number INTEGER)")


def _directory(directory: Path) -> None:
    (directory / "responses.sqlite").mkdir(parents=True)


def _file(directory: Path) -> None:
    directory.parent.mkdir()
    directory.touch()


@pytest.mark.parametrize("harm", [_garbage, _other_tables, _directory, _file])
@pytest.mark.parametrize("sweep", [(), ("-m", "seed=1,2")], ids=["run", "sweep"])
def test_a_cache_that_cannot_be_used_is_told_before_a_directory_exists(
    arena: Arena, kept: Path, harm: Callable[[Path], None], sweep: tuple[str, ...]
) -> None:
    harm(kept)
    ran = arena(*sweep, "episodes=2", "cache=record")
    assert ran.code == 2
    assert f"{kept}/responses.sqlite cannot be used: " in ran.err
    assert ran.err.count("cannot be used") == 1
    assert "delete it" in ran.err
    assert "XDG_CACHE_HOME=DIR" in ran.err
    assert not Path("outputs").exists()
    assert arena(*sweep, "episodes=2").code == 0
    shutil.rmtree(kept.parent)
    assert arena(*sweep, "episodes=2", "cache=record").code == 0


def test_a_cache_that_becomes_unreadable_stops_a_run_that_can_go_on(lab: Lab, kept: Path) -> None:
    assert lab("episodes=6", "cache=record", "hydra.run.dir=was").code == 0
    asked = len(lab.server.requests())
    with sqlite3.connect(kept / "responses.sqlite") as db:
        db.execute("UPDATE reply SET reply = 'x' WHERE rowid = (SELECT max(rowid) FROM reply)")
    ran = lab("episodes=6", "cache=reuse", "concurrency=2", "hydra.run.dir=mine")
    assert ran.code == 1
    assert "cannot be read any more" in ran.out
    assert f"arena resume {ran.directory}" in ran.out
    assert "fault" not in ran.out
    assert run_json(Path("mine"))["status"] == "error"
    assert len(lab.server.requests()) == asked
    assert lab.arena("resume", "mine", "cache=off").code == 0
    was, now = episodes(Path("was")), episodes(Path("mine"))
    assert {n: e["moves"] for n, e in was.items()} == {n: e["moves"] for n, e in now.items()}


def test_answers_that_cannot_be_stored_are_kept_in_the_run(lab: Lab, kept: Path) -> None:
    kept.mkdir(parents=True)
    with sqlite3.connect(kept / "responses.sqlite") as db:
        db.execute("CREATE TABLE reply (key TEXT PRIMARY KEY, reply BLOB)")
        db.execute(
            "CREATE TRIGGER full BEFORE INSERT ON reply WHEN (SELECT count(*) FROM reply) >= 5 "
            "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        )
    ran = lab("episodes=6", "cache=record", "hydra.run.dir=mine")
    assert ran.code == 0, ran.err
    assert ran.err.count("database or disk is full") == 1
    assert "database or disk is full" in Path("mine/arena.log").read_text()
    assert len(lines(Path("mine/responses.jsonl"))) == len(lab.server.requests()) > 5
    with sqlite3.connect(kept / "responses.sqlite") as db:
        db.execute("DROP TRIGGER full")
    again = lab("episodes=6", "cache=reuse")
    assert again.code == 0, again.err
    used_again = [line["from_cache"] for line in lines(again.directory / "responses.jsonl")]
    assert sum(used_again) == 5
