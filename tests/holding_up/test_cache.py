"""Answers that are kept across runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.arena import Arena, episodes, lines
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
