"""Counterfactual values against OpenSpiel's own, which share no code with ours."""

from __future__ import annotations

import random
from typing import Any

import pyspiel
import pytest
from open_spiel.python import policy as spiel_policy
from open_spiel.python.algorithms import action_value, exploitability

from game_reasoning_arena.simulation.open_spiel.evaluators.game_tree import GameTree
from game_reasoning_arena.simulation.open_spiel.evaluators.information_sets import (
    best_response,
    values_under,
)


@pytest.mark.parametrize("name", ["kuhn_poker", "leduc_poker"])
def test_values_of_any_strategies_are_those_of_the_library(name: str) -> None:
    game = pyspiel.load_game(name)
    tree = GameTree(game, 20_000)
    table, behaviour = _random_strategies(game, tree)
    calculator = action_value.TreeWalkCalculator(game)
    calculator.compute_all_states_action_values([table, table])
    for seat in (0, 1):
        values = values_under(tree, seat, behaviour)
        assert values.value == pytest.approx(calculator.root_values[seat], abs=1e-12)
        for number, here in enumerate(tree.information_sets):
            if here.seat != seat:
                assert values.actions[number] == ()
                continue
            key = (seat, here.key)
            reach = calculator.info_state_cf_prob[key]
            assert values.reach[number] == pytest.approx(reach, abs=1e-12)
            summed = calculator.info_state_cf_prob_by_q_sum[key]
            for at, action in enumerate(here.actions):
                expected = summed[action] / reach
                assert values.actions[number][at] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", ["kuhn_poker", "leduc_poker"])
def test_best_responses_gain_what_the_library_says(name: str) -> None:
    game = pyspiel.load_game(name)
    tree = GameTree(game, 20_000)
    table, behaviour = _random_strategies(game, tree)
    gains = sum(best_response(tree, seat, behaviour).value for seat in (0, 1))
    assert gains == pytest.approx(exploitability.nash_conv(game, table), abs=1e-9)


def test_a_best_response_never_does_worse_by_any_action_it_takes() -> None:
    tree = GameTree(pyspiel.load_game("leduc_poker"), 20_000)
    _, behaviour = _random_strategies(pyspiel.load_game("leduc_poker"), tree)
    values = best_response(tree, 0, behaviour)
    for number, here in enumerate(tree.information_sets):
        if here.seat == 0:
            assert values.states[number] == max(values.actions[number])


def _random_strategies(game: Any, tree: GameTree) -> tuple[Any, list[list[float]]]:
    """The same strategies of both players in the library's form and in ours."""
    numbers = random.Random(7)
    table = spiel_policy.TabularPolicy(game)
    behaviour = []
    for here in tree.information_sets:
        weights = [numbers.random() + 0.01 for _ in here.actions]
        chances = [weight / sum(weights) for weight in weights]
        row = table.action_probability_array[table.state_lookup[here.key]]
        row[:] = 0
        for action, chance in zip(here.actions, chances, strict=True):
            row[action] = chance
        behaviour.append(chances)
    return table, behaviour
