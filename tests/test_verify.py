"""`arena verify` reproduces known answers, and says so when it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from game_reasoning_arena.simulation.open_spiel import known_answers
from tests.arena import Arena, run_json


def test_known_answers_are_reproduced_and_noted_in_later_runs(
    arena: Arena, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert run_json(arena("episodes=1").directory)["verified"] is None
    ran = arena("verify")
    assert ran.code == 0, ran.out
    assert "OFF" not in ran.out
    for name in ("tic_tac_toe", "kuhn_poker", "leduc_poker", "chess"):
        assert name in ran.out
    noted = run_json(arena("episodes=1").directory)["verified"]
    assert noted["failed"] == 0
    assert noted["checks"] > 10


def test_an_answer_that_is_off_fails(
    arena: Arena, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    right = known_answers._sampled("right", 0.5, 0.51, 0.01)
    off = known_answers._sampled("off by five", 0.5, 0.55, 0.01)
    monkeypatch.setattr(known_answers, "verify", lambda _: [right, off])
    ran = arena("verify")
    assert ran.code == 1
    assert "1 of 2" in ran.out
    assert ran.out.count("OFF") == 1
