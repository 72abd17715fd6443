"""Connect four by the optional solver, against what is known of the game."""

from __future__ import annotations

from pathlib import Path

import pyspiel
import pytest

from game_reasoning_arena.simulation.open_spiel.evaluators.choosing import choose, make_judge
from game_reasoning_arena.simulation.open_spiel.evaluators.connect_four import installed
from game_reasoning_arena.simulation.open_spiel.evaluators.settings import EvaluatorSettings
from game_reasoning_arena.simulation.open_spiel.simulation import OpenSpielSimulation
from tests.simulation.evaluators.whole_games import episode_line, move_line


@pytest.mark.skipif(not installed(), reason="the extra connect_four is not installed")
def test_the_first_player_wins_in_the_middle_only() -> None:
    simulation = OpenSpielSimulation("connect_four")
    assert choose(simulation, EvaluatorSettings()) == "connect_four"
    judge = make_judge(
        simulation, "connect_four", EvaluatorSettings(), {}, home=Path(), contents={}, seating={}
    ).judge
    state = pyspiel.load_game("connect_four").new_initial_state()
    moves = []
    for turn, column in enumerate((0, 3, 0, 3, 0, 3, 1, 3)):  # a corner loses; then four in a row
        moves.append(move_line(state, turn % 2, column, turn))
        state.apply_action(column)
    judged = judge.judge(episode_line(0, moves, 8, list(state.returns())))
    first = judged.decisions[0]
    assert first.best == (3,)  # Allis 1988: the middle wins, its neighbours draw, the rest lose
    assert (first.value_best, first.value_played, first.regret) == (1, -1, 2)
    assert first.exact
    assert judged.decisions[-1].optimal
    assert judged.luck[0].reference_value == 1


def test_without_it_connect_four_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    from game_reasoning_arena.simulation.open_spiel.evaluators import connect_four

    monkeypatch.setattr(connect_four, "installed", lambda: False)
    assert choose(OpenSpielSimulation("connect_four"), EvaluatorSettings()) == "mcts"
    small = OpenSpielSimulation("connect_four(rows=4,columns=4)")
    assert choose(small, EvaluatorSettings()) in ("solver", "mcts")
