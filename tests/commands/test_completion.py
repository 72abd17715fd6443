"""Completions that the shell gets while the user types."""

from __future__ import annotations

import pytest

from tests.arena import Arena


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("arena com", ["compare"]),
        ("arena report ", []),
        ("arena compare ou", []),
        ("arena --con", ["--config", "--config-dir"]),
        ("arena episodes=3 simulation=tic", ["simulation=tic_tac_toe"]),
        ("arena -m sampling.temp", ["sampling.temperature="]),
        ("arena agents.player_0.model=scripted_f", ["agents.player_0.model=scripted_first"]),
        ("arena episodes=abc sea", ["seats=", "seed="]),
        ("arena simulation=absent se", []),
    ],
)
def test_completion_offers_words_and_never_complains(
    arena: Arena, monkeypatch: pytest.MonkeyPatch, line: str, told: list[str]
) -> None:
    monkeypatch.setenv("COMP_LINE", line)
    ran = arena("-sc", "query=bash")
    assert ran.code == 0
    assert ran.err == ""
    offered = ran.out.split()
    assert offered == told if "abc" not in line else set(offered) <= set(told)
