"""Presets that are sweeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from game_reasoning_arena.process.paths import shipped_conf
from tests.arena import Arena
from tests.sweeping.reading import jobs

SWEEPS = sorted(
    file.stem
    for file in (shipped_conf() / "experiment").glob("*.yaml")
    if "sweeper:" in file.read_text()
)


@pytest.mark.parametrize("preset", SWEEPS)
def test_a_preset_that_is_a_sweep_is_not_played_as_one_run(
    arena: Arena, tmp_path: Path, preset: str
) -> None:
    refused = arena(f"experiment={preset}", "episodes=2")
    assert refused.code == 2
    assert f"arena -m experiment={preset} episodes=2" in refused.err
    assert list(tmp_path.iterdir()) == []


def test_with_m_it_is_the_sweep(arena: Arena) -> None:
    ran = arena("-m", "experiment=legal_moves", "episodes=2")
    values = [job["values"]["agents.player_0.show_legal_moves"] for job in jobs(ran.directory)]
    assert values == ["True", "False"]


def test_with_a_value_for_each_axis_it_is_one_run(arena: Arena) -> None:
    ran = arena("experiment=seven_games", "simulation=kuhn_poker", "episodes=2")
    assert ran.code == 0, ran.err


def test_a_preset_that_is_no_sweep_is_one_run(arena: Arena) -> None:
    assert arena("experiment=kuhn_optimal", "episodes=2").code == 0
