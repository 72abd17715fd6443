"""Run directories of earlier versions still load, compare, report, replay and resume."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from game_reasoning_arena.recording import load_runs
from tests.arena import Arena, episodes, lines, run_json, summary

KEPT = Path(__file__).resolve().parents[1] / "kept_runs"
TIMES = sorted(path.name for path in KEPT.iterdir() if path.is_dir())


@pytest.fixture(params=TIMES)
def kept(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what was kept at one time, in the working directory."""
    copy = tmp_path / "kept"
    shutil.copytree(KEPT / request.param, copy)
    monkeypatch.chdir(copy)
    return copy


def test_they_load_without_a_notice(kept: Path) -> None:
    loaded = load_runs("played", "stopped", "sweep")
    assert loaded.notices == []
    assert list(loaded.runs["status"]) == ["completed", "budget", "completed", "budget"]
    assert list(loaded.runs["finished"]) == [6, 2, 3, 0]
    assert len(loaded.responses) == sum(
        len(lines(reader.path / "responses.jsonl")) for reader in loaded.readers
    )
    assert loaded.runs["seed"].notna().all()
    assert loaded.runs["started_at"].notna().all()


def test_they_compare_and_report(arena: Arena, kept: Path) -> None:
    compared = arena("compare", "played", "stopped", "sweep", "--csv", "tables")
    assert compared.code == 0, compared.err
    assert "small" in compared.out
    for name in ("played", "stopped", "sweep"):
        reported = arena("report", name)
        assert reported.code == 0, reported.err
        assert (kept / name / "report.html").stat().st_size > 10_000


@pytest.mark.parametrize("name", ["played", "stopped", "sweep/0_kuhn_poker"])
def test_they_replay(arena: Arena, kept: Path, name: str) -> None:
    replayed = arena("replay", name)
    assert replayed.code == 0, replayed.out + replayed.err


def test_a_stopped_run_is_finished_without_asking_again(arena: Arena, kept: Path) -> None:
    before = lines(kept / "stopped" / "responses.jsonl")
    resumed = arena("resume", "stopped", "budget.calls=200")
    assert resumed.code == 0, resumed.out + resumed.err
    after = lines(kept / "stopped" / "responses.jsonl")
    assert after[: len(before)] == before
    calls = [tuple(line[k] for k in ("episode", "seat", "turn", "attempt")) for line in after]
    assert len(set(calls)) == len(calls)
    assert set(episodes(kept / "stopped")) == {0, 1, 2, 3}
    record = run_json(kept / "stopped")
    assert record["status"] == "completed"
    assert record["resumed"] == 1
    assert record["totals"]["calls"] == len(after)
    assert sum(int(row["calls"] or 0) for row in summary(kept / "stopped")) == len(after)


def test_a_stopped_sweep_is_finished(arena: Arena, kept: Path) -> None:
    finished = (kept / "sweep" / "0_kuhn_poker" / "episodes.jsonl").read_bytes()
    resumed = arena("resume", "sweep", "sweep.budget.calls=100")
    assert resumed.code == 0, resumed.out + resumed.err
    assert (kept / "sweep" / "0_kuhn_poker" / "episodes.jsonl").read_bytes() == finished
    assert set(episodes(kept / "sweep" / "1_matrix_rps")) == {0, 1, 2}
    assert run_json(kept / "sweep" / "1_matrix_rps")["status"] == "completed"
