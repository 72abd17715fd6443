"""Presets that are sweeps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from game_reasoning_arena.process.paths import shipped_conf
from game_reasoning_arena.simulation.open_spiel.uci import find_program
from tests.arena import Arena, lines
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


def test_poker_against_the_solver_is_assessed(arena: Arena) -> None:
    ran = arena("-m", "experiment=poker_assessed", "episodes=4")
    assert ran.code == 0, ran.err
    for job in jobs(ran.directory):
        told = json.loads((ran.directory / job["directory"] / "assessment.json").read_text())
        assert (told["status"], told["by"]) == ("completed", "solver")
        assert told["known_policies"] == {"player_1": "solver(cfr, 1000 iterations)"}


@pytest.mark.skipif(find_program("stockfish") is None, reason="Stockfish is not installed")
def test_chess_against_stockfish_is_assessed(arena: Arena) -> None:
    ran = arena("experiment=chess_accuracy", "episodes=2", "simulation.max_moves=6")
    assert ran.code == 0, ran.err
    told = json.loads((ran.directory / "assessment.json").read_text())
    assert (told["status"], told["by"]) == ("completed", "uci")
    assert told["evaluator"]["engine"].startswith("Stockfish")
    assert "accuracy" in ran.out
    for line in lines(ran.directory / "decisions.jsonl"):
        assert 0 <= line["chess"]["accuracy"] <= 100
