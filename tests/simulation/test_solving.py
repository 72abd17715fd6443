"""The solver: what it computes is right by other means, what it plays is that, and it is kept."""

from __future__ import annotations

import json
from pathlib import Path

import pyspiel
import pytest

from game_reasoning_arena.errors import UserError
from game_reasoning_arena.records import EpisodeRecord
from game_reasoning_arena.simulation.factory import make_simulation
from game_reasoning_arena.simulation.open_spiel import solver
from game_reasoning_arena.simulation.open_spiel.cfr import cfr_plus
from game_reasoning_arena.simulation.open_spiel.sequence_form import (
    NotSolvable,
    Pair,
    SequenceForm,
    Side,
)
from game_reasoning_arena.simulation.open_spiel.solving import solve
from tests.arena import Arena, run_json
from tests.simulation.playing import play, player

RANDOM = player("random")
ROCK_PAPER_SCISSORS = "turn_based_simultaneous_game(game=matrix_rps())"
SMALL = [
    "kuhn_poker",
    "leduc_poker",
    "liars_dice(dice_sides=3)",
    "turn_based_simultaneous_game(game=goofspiel(num_cards=3,imp_info=True))",
]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def moves(episodes: list[EpisodeRecord]) -> list[list[int]]:
    return [[move.action for move in episode.moves] for episode in episodes]


def uniform(form: SequenceForm) -> Pair:
    first, second = (side.plan(side.uniform()) for side in form.sides)
    return first, second


def as_policy(game: pyspiel.Game, form: SequenceForm, plans: Pair) -> pyspiel.TabularPolicy:
    """Plans in the engine's own form."""
    table = {}
    for side, plan in zip(form.sides, plans, strict=True):
        chances = side.normalised(plan)
        for key, actions, first in zip(side.keys, side.actions, side.first, strict=True):
            table[key] = [(a, chances[first + i]) for i, a in enumerate(actions)]
    return pyspiel.TabularPolicy(table)


@pytest.mark.parametrize("name", SMALL)
def test_best_responses_and_values_are_those_of_the_engine(name: str) -> None:
    game = pyspiel.load_game(name)
    form = SequenceForm.of(game)
    for plans in (uniform(form), cfr_plus(form, 5)):
        policy = as_policy(game, form, plans)
        low, high = form.bounds(plans)
        assert high - low == pytest.approx(pyspiel.nash_conv(game, policy, True), abs=1e-9)
        expected = pyspiel.expected_returns(game.new_initial_state(), policy, -1, True)[0]
        assert form.value(plans) == pytest.approx(expected, abs=1e-12)
        assert low <= form.value(plans) <= high


@pytest.mark.parametrize("name", SMALL)
def test_optimal_play_by_linear_programming_cannot_be_exploited(name: str) -> None:
    game = pyspiel.load_game(name)
    form = SequenceForm.of(game)
    optimum = form.optimum()
    assert optimum.high - optimum.low == pytest.approx(0, abs=1e-9)
    assert pyspiel.nash_conv(game, as_policy(game, form, optimum.plans), True) < 1e-9
    assert form.value(optimum.plans) == pytest.approx(optimum.value, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "value"),
    [("kuhn_poker", -1 / 18), ("leduc_poker", -0.085606), (ROCK_PAPER_SCISSORS, 0.0)],
)
def test_two_methods_find_the_known_value(name: str, value: float) -> None:
    form = SequenceForm.of(pyspiel.load_game(name))
    assert form.optimum().value == pytest.approx(value, abs=1e-6)
    exploitability = []
    for iterations in (10, 100, 1000):
        plans = cfr_plus(form, iterations)
        low, high = form.bounds(plans)
        assert low - 1e-12 <= form.optimum().value <= high + 1e-12
        exploitability.append((high - low) / 2)
    assert exploitability == sorted(exploitability, reverse=True)
    assert exploitability[-1] < 1e-3
    assert form.value(plans) == pytest.approx(value, abs=1e-3)


def test_a_player_without_choices_has_an_empty_plan() -> None:
    side = Side([], [], [], [])
    assert side.size == 1
    assert side.plan(side.uniform()).tolist() == [1.0]
    assert side.normalised(side.uniform()).tolist() == [1.0]
    assert side.constraints().toarray().tolist() == [[1.0]]


def test_players_who_forget_and_trees_that_are_too_big_are_refused() -> None:
    assert SequenceForm.of(pyspiel.load_game("dark_hex(board_size=2)")).optimum().value == 1
    with pytest.raises(NotSolvable, match="forgets"):
        SequenceForm.of(pyspiel.load_game("dark_hex_ir(board_size=2)"))
    with pytest.raises(NotSolvable, match="more than 57 positions"):
        SequenceForm.of(pyspiel.load_game("kuhn_poker"), 57)
    assert SequenceForm.of(pyspiel.load_game("kuhn_poker"), 58)
    assert "more than 57 positions" in str(solve("kuhn_poker", "cfr", 10, 57)["problem"])
    specs = [player("solver", "player_0"), RANDOM]
    with pytest.raises(UserError, match=r"forgets .*Use type=mcts or random\.$"):
        play({"game": "dark_hex_ir(board_size=2)"}, specs)


def test_minimax_knows_the_value_of_small_games() -> None:
    assert solve("tic_tac_toe", "minimax", 0, 10_000)["value"] == 0
    assert solve("hex(board_size=3)", "minimax", 0, 100_000)["value"] == 1
    assert "more than 100 positions" in str(solve("tic_tac_toe", "minimax", 0, 100)["problem"])


def test_all_optimal_moves_are_kept_with_equal_chances() -> None:
    solution = solve("tic_tac_toe", "minimax", 0, 10_000)
    policy = solution["policy"]
    assert isinstance(policy, dict)
    first = next(row for key, row in policy.items() if key.count(".") == 9)
    assert first == [(action, pytest.approx(1 / 9)) for action in range(9)]


def test_cfr_knows_how_good_it_is() -> None:
    solution = solve("kuhn_poker", "cfr", 1000, 1000)
    assert solution["value"] == pytest.approx(-1 / 18, abs=1e-3)
    assert solution["exploitability"] == pytest.approx(0, abs=1e-3)
    policy = solution["policy"]
    assert isinstance(policy, dict)
    assert dict(policy["1|2b"])[1] == pytest.approx(1, abs=1e-3)  # the best card always calls
    assert dict(policy["1|0b"])[0] == pytest.approx(1, abs=1e-3)  # the worst one never


def test_what_was_played_is_in_the_record_of_the_run(arena: Arena) -> None:
    words = ("agents=llm_vs_solver", "simulation=kuhn_poker", "episodes=2")
    told = run_json(arena(*words).directory)["players"]
    assert "solution" not in told["player_0"]
    solution = told["player_1"]["solution"]
    assert (solution["method"], solution["iterations"]) == ("cfr", 1000)
    assert 0 < solution["exploitability"] < 1e-3
    kept = run_json(arena(*words).directory)["players"]  # from the cache
    assert kept == told
    more = run_json(arena(*words, "agents.player_1.iterations=10").directory)["players"]
    assert more["player_1"]["solution"]["exploitability"] > solution["exploitability"]
    exact = run_json(arena("agents=llm_vs_solver", "episodes=2").directory)["players"]
    assert exact["player_1"]["solution"] == {
        "method": "minimax",
        "iterations": None,
        "value": 0.0,
        "exploitability": 0.0,
    }


def test_optimal_play_never_loses_and_is_kept_on_disk(cache: Path) -> None:
    specs = [player("solver", "player_0"), RANDOM]
    episodes, _ = play({"game": "tic_tac_toe"}, specs, episodes=60, rotate=True)
    assert all(e.winner != "player_1" for e in episodes)
    (kept,) = cache.rglob("*.json")
    # A second run reads what is kept: with this changed, optimal play is gone.
    solution = json.loads(kept.read_text())
    solution["policy"] = {key: [[row[0][0], 1.0]] for key, row in solution["policy"].items()}
    kept.write_text(json.dumps(solution))
    again, _ = play({"game": "tic_tac_toe"}, specs, episodes=3)
    assert [e.moves[0].action for e in again] == [0, 0, 0]


def test_a_damaged_or_unwritable_cache_only_costs_time(cache: Path) -> None:
    specs = [player("solver", "player_0"), RANDOM]
    first, _ = play({"game": "kuhn_poker"}, specs, episodes=5)
    (kept,) = cache.rglob("*.json")
    kept.write_text("{")
    second, _ = play({"game": "kuhn_poker"}, specs, episodes=5)
    assert moves(first) == moves(second)
    kept.unlink()
    kept.parent.rmdir()
    kept.parent.write_text("a file where the folder should be")
    third, _ = play({"game": "kuhn_poker"}, specs, episodes=5)
    assert moves(first) == moves(third)


@pytest.mark.parametrize(
    ("game", "says"),
    [
        ("connect_four", "too big to be solved"),
        ("matrix_rps", "at the same time"),
        ("tiny_hanabi", "opposite interests"),
    ],
)
def test_games_that_cannot_be_solved_are_refused(game: str, says: str) -> None:
    problems = make_simulation({"game": game}).check([player("solver", "player_0"), RANDOM])
    assert says in " ".join(problems)


def test_games_with_more_positions_than_guessed_stop_with_a_message() -> None:
    specs = [player("solver", "player_0", max_states=100), RANDOM]
    with pytest.raises(UserError, match="more than 100 positions"):
        play({"game": "tic_tac_toe"}, specs)


def test_sizes_are_estimated_from_both_sides() -> None:
    size = solver.estimated_size
    load = make_simulation
    assert size(load({"game": "tic_tac_toe"}).game, hidden=False) == 5477  # type: ignore[attr-defined]
    assert size(load({"game": "kuhn_poker"}).game, hidden=True) == pytest.approx(58, abs=8)  # type: ignore[attr-defined]
    assert size(load({"game": "connect_four"}).game, hidden=False) > 1e7  # type: ignore[attr-defined]
