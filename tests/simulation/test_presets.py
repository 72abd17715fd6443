"""Every shipped preset: composed, checked and played with scripted players."""

from __future__ import annotations

import json
import re

import orjson
import pytest

from game_reasoning_arena.process.paths import shipped_conf
from tests.arena import Arena

SIMULATIONS = sorted(path.stem for path in (shipped_conf() / "simulation").glob("*.yaml"))
EXPERIMENTS = sorted(path.stem for path in (shipped_conf() / "experiment").glob("*.yaml"))
NO_GAME = ("openspiel", *(name for name in SIMULATIONS if name.startswith("prompts")))
SWEPT = {
    "legal_moves": 2,
    "prompt_null": 2,
    "round_robin": 4,
    "seven_games": 7,
    "temperature": 4,
}
FEW = ("episodes=2", "backend.scripted.latency_s=0")


@pytest.mark.parametrize("name", [n for n in SIMULATIONS if n not in NO_GAME])
def test_each_game_is_played_and_its_rules_name_moves_as_the_engine_does(
    arena: Arena, name: str
) -> None:
    ran = arena(f"simulation={name}", "simulation.max_moves=12", *FEW)
    assert ran.code == 0, ran.err
    lines = (ran.directory / "responses.jsonl").read_text().splitlines()
    first = json.loads(lines[0])
    system = first["messages"][0]["content"]
    assert "Rules:\n" in system
    answers = {json.loads(line)["outcome"] for line in lines}
    assert answers == {"legal"}


@pytest.mark.parametrize(
    ("name", "moves"),
    [
        ("tic_tac_toe", ["x(1,2)"]),
        ("connect_four", ["x3"]),
        ("kuhn_poker", ["Pass", "Bet"]),
        ("leduc_poker", ["Call", "Raise", "Fold"]),
        ("liars_dice", ["2-4", "Liar"]),
        ("goofspiel", ["[P0]Bid: 7"]),
        ("hex", ["c3"]),
        ("breakthrough", ["d7d6", "d6e5*"]),
        ("othello", ["d3", "pass"]),
        ("chess", ["Nf3", "exd5", "O-O", "e8=Q"]),
        ("matrix_pd", ["Cooperate", "Defect"]),
        ("matrix_rps", ["Rock", "Paper", "Scissors"]),
        ("matching_pennies", ["Heads", "Tails"]),
        ("iterated_prisoners_dilemma", ["Cooperate", "Defect"]),
    ],
)
def test_the_rules_use_names_that_the_engine_has(name: str, moves: list[str]) -> None:
    import pyspiel
    from omegaconf import OmegaConf

    conf = OmegaConf.load(shipped_conf() / "simulation" / f"{name}.yaml")
    rules = conf.rules
    game = pyspiel.load_game(conf.game)
    state = game.new_initial_state()
    known = set()
    if name != "chess":  # its names hang on the position
        for seat in range(game.num_players()):
            for action in range(game.num_distinct_actions()):
                try:
                    known.add(state.action_to_string(seat, action))
                except pyspiel.SpielError:
                    continue
        assert {move for move in moves if move != "d6e5*"} <= known
    for move in moves:
        assert re.search(re.escape(move), rules)


def test_prompts_are_answered_side_by_side(arena: Arena) -> None:
    ran = arena("simulation=prompts", "agents=llm_vs_llm", "simulation.repeats=2")
    assert ran.code == 0, ran.err
    episodes = [
        orjson.loads(x) for x in (ran.directory / "episodes.jsonl").read_bytes().split(b"\n") if x
    ]
    responses = [
        orjson.loads(x) for x in (ran.directory / "responses.jsonl").read_bytes().split(b"\n") if x
    ]
    assert len(episodes) == 10
    assert len(responses) == 20
    assert {r["outcome"] for r in responses} == {"answered"}


def test_any_game_by_its_own_string(arena: Arena) -> None:
    ran = arena(
        "simulation=openspiel",
        "simulation.game=leduc_poker(players=3)",
        "+agents.player_2.type=random",
        *FEW,
    )
    assert ran.code == 0, ran.err
    unset = arena("simulation=openspiel")
    assert unset.code == 2
    assert "simulation.game" in unset.err


def test_all_experiments_are_tested() -> None:
    assert set(SWEPT) < set(EXPERIMENTS)
    judged = {"chess_accuracy", "poker_assessed"}  # in tests/sweeping/test_presets.py
    assert set(EXPERIMENTS) - set(SWEPT) == {"kuhn_optimal"} | judged


@pytest.mark.parametrize(("name", "jobs"), SWEPT.items())
def test_each_sweep_runs(arena: Arena, name: str, jobs: int) -> None:
    ran = arena("-m", f"experiment={name}", *FEW)
    assert ran.code == 0, ran.err
    assert f"jobs: {jobs} completed" in ran.out


def test_optimal_play_in_kuhn_poker(
    arena: Arena, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    ran = arena("experiment=kuhn_optimal", "episodes=10")
    assert ran.code == 0, ran.err
    assert "solver" in ran.out


def test_a_preset_sets_values_too(arena: Arena) -> None:
    shown = arena("experiment=kuhn_optimal", "--cfg", "job")
    assert "episodes: 200" in shown.out
    assert "game: kuhn_poker" in shown.out
