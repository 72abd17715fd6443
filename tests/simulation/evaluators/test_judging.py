"""Results without luck have the mean of the results, shown by expanding whole games."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyspiel
import pytest

from game_reasoning_arena.simulation.open_spiel.evaluators.choosing import (
    Prepared,
    choose,
    make_judge,
)
from game_reasoning_arena.simulation.open_spiel.evaluators.settings import EvaluatorSettings
from game_reasoning_arena.simulation.open_spiel.simulation import OpenSpielSimulation
from tests.simulation.evaluators.whole_games import (
    Behaviour,
    episode_line,
    every_episode,
    move_line,
    uniform,
)

RANDOM = {"type": "random"}
LLM = {"type": "llm"}


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def judge_of(
    game: str, *agents: dict[str, Any], by: str = "auto", place: Path | None = None, **told: Any
) -> Prepared:
    simulation = OpenSpielSimulation(game)
    settings = EvaluatorSettings(by=by, **told)
    return make_judge(
        simulation,
        choose(simulation, settings),
        settings,
        {f"player_{seat}": agent for seat, agent in enumerate(agents)},
        home=place or Path(),
        contents={},
        seating={f"player_{seat}": [seat] for seat in range(len(agents))},
    )


def expectations(
    prepared: Prepared, game: str, behaviours: list[Behaviour], seat: int
) -> dict[str, float]:
    """Expected values of a seat's columns, and variances, over every possible episode."""
    sums: dict[str, float] = dict.fromkeys(
        ("chance", "raw", "adjusted", "raw2", "adjusted2", "dealt", "opposed", "hidden"), 0.0
    )
    for chance, line in every_episode(game, behaviours):
        luck = prepared.judge.judge(line).luck[seat]
        assert luck.returns is not None
        assert luck.adjusted_return is not None
        parts = [luck.chance_luck or 0.0, luck.opponent_luck or 0.0, luck.hidden_luck or 0.0]
        assert luck.returns == pytest.approx(luck.adjusted_return + sum(parts), abs=1e-9)
        found = [1.0, luck.returns, luck.adjusted_return]
        found += [luck.returns**2, luck.adjusted_return**2, *parts]
        for name, value in zip(sums, found, strict=True):
            sums[name] += chance * value
    return sums


@pytest.mark.parametrize(
    ("game", "agents"),
    [
        ("kuhn_poker", (LLM, RANDOM)),
        ("kuhn_poker", (LLM, {"type": "solver"})),
        ("kuhn_poker", (LLM, LLM)),
        ("leduc_poker", (LLM, RANDOM)),
        ("leduc_poker", (LLM, LLM)),
        ("nim(pile_sizes=1;2;2)", (LLM, RANDOM)),
        ("nim(pile_sizes=1;2;2)", (LLM, {"type": "solver"})),
        ("nim(pile_sizes=1;2;2)", (LLM, LLM)),
    ],
)
def test_luck_has_mean_zero_exactly(game: str, agents: tuple[dict[str, Any], ...]) -> None:
    prepared = judge_of(game, *agents)
    kind = agents[1]["type"]
    other = _solver(game) if kind == "solver" else uniform
    found = expectations(prepared, game, [_careless, other], seat=0)
    assert found["chance"] == pytest.approx(1)
    assert found["adjusted"] == pytest.approx(found["raw"], abs=1e-9)
    for part in ("dealt", "opposed", "hidden"):
        assert found[part] == pytest.approx(0, abs=1e-9)
    raw = found["raw2"] - found["raw"] ** 2
    adjusted = found["adjusted2"] - found["adjusted"] ** 2
    assert adjusted <= raw + 1e-9
    if game != "nim(pile_sizes=1;2;2)" or kind == "random":  # else nobody's moves are luck
        assert adjusted < 0.9 * raw


def test_what_a_known_opponent_and_cards_explain_is_most_of_a_result() -> None:
    prepared = judge_of("kuhn_poker", LLM, {"type": "solver"})
    solved = _solver("kuhn_poker")

    def fifth(state: Any, seat: int) -> dict[int, float]:
        """Optimal, with a fifth of random moves."""
        legal = state.legal_actions()
        optimal = solved(state, seat)
        return {a: 0.8 * optimal.get(a, 0.0) + 0.2 / len(legal) for a in legal}

    found = expectations(prepared, "kuhn_poker", [fifth, solved], seat=0)
    raw = found["raw2"] - found["raw"] ** 2
    adjusted = found["adjusted2"] - found["adjusted"] ** 2
    assert raw / adjusted > 30  # 43 in a simulation of 20,000 games by other code


def test_a_result_without_luck_is_the_best_response_less_what_decisions_gave_away() -> None:
    prepared = judge_of("leduc_poker", LLM, RANDOM)
    for number, (_, line) in enumerate(every_episode("leduc_poker", [uniform, uniform])):
        if number % 97 == 0:
            judged = prepared.judge.judge(line)
            lost = [d.response_regret or 0.0 for d in judged.decisions if d.seat == 0]
            luck = judged.luck[0]
            assert luck.reference_value is not None
            assert luck.adjusted_return == pytest.approx(luck.reference_value - sum(lost))


def test_a_table_is_a_known_policy_and_a_broken_one_is_not(tmp_path: Path) -> None:
    rows: dict[str, dict[str, float]] = {}
    for _, line in every_episode("kuhn_poker", [uniform, uniform]):
        state = pyspiel.load_game("kuhn_poker").new_initial_state()
        for move in line["moves"]:
            if move["seat"] == 1:
                rows[state.information_state_string(1)] = {"Pass": 0.3, "Bet": 0.7}
            state.apply_action(move["action"])
    (tmp_path / "table.json").write_text(json.dumps(rows))
    table = {"type": "policy", "table": "table.json"}
    prepared = judge_of("kuhn_poker", LLM, table, place=tmp_path)
    assert set(prepared.known) == {"player_1"}
    found = expectations(
        prepared, "kuhn_poker", [uniform, lambda state, seat: {0: 0.3, 1: 0.7}], seat=0
    )
    assert found["adjusted"] == pytest.approx(found["raw"], abs=1e-9)

    rows.pop(next(iter(rows)))
    (tmp_path / "table.json").write_text(json.dumps(rows))
    prepared = judge_of("kuhn_poker", LLM, table, place=tmp_path)
    assert prepared.known == {}
    assert "player_1 counts as unknown" in prepared.notes[0]
    line = next(every_episode("kuhn_poker", [uniform, uniform]))[1]
    luck = prepared.judge.judge(line).luck[0]
    assert (luck.method, luck.opponent_luck) == ("chance", None)

    (tmp_path / "table.json").unlink()
    prepared = judge_of("kuhn_poker", LLM, table, place=tmp_path)
    assert "cannot be read" in prepared.notes[0]


def test_perfect_information_is_judged_by_minimax() -> None:
    judged = _tic_tac_toe(4, 1, 8, 0, 2, 6, 5)
    regrets = [decision.regret for decision in judged.judge.decisions]
    # A corner holds the draw after the centre; the edge lost, and so on by the textbook.
    assert regrets == [0, 1, 0, 0, 0, 0, 0]
    assert [d.optimal for d in judged.judge.decisions] == [r == 0 for r in regrets]
    second = judged.judge.decisions[1]
    assert second.legal == 8
    assert second.best_text == ("o(0,0)", "o(0,2)", "o(2,0)", "o(2,2)")
    assert (second.value_best, second.value_played) == (0, -1)


class _Game:
    def __init__(self, judge: Any) -> None:
        self.judge = judge


def _tic_tac_toe(*actions: int) -> _Game:
    state = pyspiel.load_game("tic_tac_toe").new_initial_state()
    moves = []
    for turn, action in enumerate(actions):
        moves.append(move_line(state, turn % 2, action, turn))
        state.apply_action(action)
    assert state.is_terminal()
    line = episode_line(0, moves, len(actions), list(state.returns()))
    return _Game(judge_of("tic_tac_toe", LLM, LLM).judge.judge(line))


@pytest.mark.parametrize("game", ["kuhn_poker", "tic_tac_toe"])
def test_a_forfeit_is_a_decision_with_the_least_return(game: str) -> None:
    state = pyspiel.load_game(game).new_initial_state()
    moves = []
    while state.is_chance_node():
        action = state.legal_actions()[0]
        moves.append(move_line(state, -1, action, 0))
        state.apply_action(action)
    line = episode_line(0, moves, 0, None)
    line |= {
        "status": "forfeit",
        "forfeit": {"seat": 0, "player": "player_0", "cause": "illegal", "also": []},
    }
    judged = judge_of(game, LLM, RANDOM).judge.judge(line)
    (decision,) = judged.decisions
    least = pyspiel.load_game(game).min_utility()
    assert (decision.by, decision.action, decision.optimal) == ("forfeit", None, False)
    assert decision.value_played == least
    assert decision.regret == pytest.approx(decision.value_best - least)
    mine, theirs = judged.luck
    assert (mine.returns, theirs.returns) == (least, -least)
    assert mine.forfeit
    assert mine.adjusted_return == pytest.approx(
        (mine.reference_value or 0.0) - (decision.response_regret or 0.0)
    )


@pytest.mark.parametrize("opponent", [RANDOM, LLM])
@pytest.mark.parametrize("game", ["kuhn_poker", "nim(pile_sizes=1;2;2)"])
def test_a_substitute_is_no_decision_and_its_draw_is_luck(
    game: str, opponent: dict[str, Any]
) -> None:
    prepared = judge_of(game, LLM, opponent)
    raw = adjusted = 0.0
    for chance, line in every_episode(game, [uniform, uniform]):
        for move in line["moves"]:
            if move["seat"] == 0:
                move["by"] = "substitute"
        judged = prepared.judge.judge(line)
        for decision in judged.decisions:
            if decision.seat == 0:
                assert (decision.regret, decision.optimal) == (None, None)
                assert decision.value_best >= decision.value_played
        luck = judged.luck[0]
        assert luck.returns is not None
        assert luck.adjusted_return is not None
        raw += chance * luck.returns
        adjusted += chance * luck.adjusted_return
    assert adjusted == pytest.approx(raw, abs=1e-9)


def test_a_search_of_few_simulations_removes_luck_without_bias() -> None:
    game = "nim(pile_sizes=1;2;2)"
    prepared = judge_of(game, LLM, RANDOM, by="mcts", simulations=3)
    found = expectations(prepared, game, [_careless, uniform], seat=0)
    assert found["adjusted"] == pytest.approx(found["raw"], abs=1e-9)
    assert abs(found["opposed"]) == pytest.approx(0, abs=1e-9)


def test_a_search_finds_what_minimax_knows() -> None:
    game = "tic_tac_toe"
    exact, searched = judge_of(game, LLM, LLM), judge_of(game, LLM, LLM, by="mcts")
    again = judge_of(game, LLM, LLM, by="mcts")
    state = pyspiel.load_game(game).new_initial_state()
    moves = []
    for turn, action in enumerate((4, 1, 8, 0, 2, 6, 5)):
        moves.append(move_line(state, turn % 2, action, turn))
        state.apply_action(action)
    line = episode_line(0, moves, 7, list(state.returns()))
    found = searched.judge.judge(line)
    assert found == again.judge.judge(line)
    for truth, one in zip(exact.judge.judge(line).decisions[1:], found.decisions[1:], strict=True):
        assert one.value_best == pytest.approx(truth.value_best, abs=0.35)
        assert one.optimal == truth.optimal
        assert one.evaluator == "mcts"


def _careless(state: Any, seat: int) -> dict[int, float]:
    """A player with an unknown policy."""
    legal = state.legal_actions()
    weights = {action: 1.0 + (action * 7 + len(str(state))) % 5 for action in legal}
    return {action: weight / sum(weights.values()) for action, weight in weights.items()}


def _solver(game: str) -> Callable[[Any, int], dict[int, float]]:
    from game_reasoning_arena.simulation.open_spiel.evaluators.policies import solved_policy

    policy = solved_policy(OpenSpielSimulation(game), 1000, 100_000)
    return lambda state, seat: dict(policy.weights(state, seat))


def test_what_a_solution_resolves_holds_against_a_better_one() -> None:
    """Nine in ten differences of moves agree with a solution of ten times the iterations."""
    coarse, fine = (judge_of("kuhn_poker", LLM, LLM, iterations=n).judge for n in (1000, 10_000))
    resolves = coarse.facts()["resolves"]
    assert fine.facts()["exploitability"] < coarse.facts()["exploitability"] / 5
    gaps = []
    for _, line in every_episode("kuhn_poker", [uniform, uniform]):
        for one, other in zip(
            coarse.judge(line).decisions, fine.judge(line).decisions, strict=True
        ):
            assert one.regret is not None
            assert other.regret is not None
            gaps.append(abs(one.regret - other.regret))
    gaps.sort()
    assert gaps[math.floor(0.9 * len(gaps))] < resolves
