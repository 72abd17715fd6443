"""Chess by a UCI engine: Lichess's formulas, and what is asked of the engine."""

from __future__ import annotations

import stat
import sys
from pathlib import Path
from typing import Any

import pyspiel
import pytest

from game_reasoning_arena.simulation.open_spiel.evaluators.chess_engine import (
    accuracy_percent,
    judgement,
    win_percent,
)
from game_reasoning_arena.simulation.open_spiel.evaluators.choosing import make_judge
from game_reasoning_arena.simulation.open_spiel.evaluators.settings import EvaluatorSettings
from game_reasoning_arena.simulation.open_spiel.simulation import OpenSpielSimulation
from game_reasoning_arena.simulation.open_spiel.uci import find_program
from tests.simulation.evaluators.whole_games import episode_line, move_line

#: Thinks that material is all there is, and always wants the first legal move.
ENGINE = f"""#!{sys.executable}
import sys
import pyspiel
WORTH = dict(p=100, n=300, b=300, r=500, q=900)
for line in sys.stdin:
    words = line.split()
    if words[0] == "uci":
        print("id name Counter 1\\nuciok")
    elif words[0] == "isready":
        print("readyok")
    elif words[0] == "position":
        fen, _, played = line.split("position fen ")[1].partition(" moves ")
        state = pyspiel.load_game("chess").new_initial_state(fen.strip())
        for move in played.split():
            state.apply_action(state.parse_move_to_action(move))
    elif words[0] == "go":
        assert words[1:] == ["nodes", "77"], line
        board, mover = str(state).split()[:2]
        worth = [(c.isupper() or -1) * WORTH.get(c.lower(), 0) for c in board]
        ahead = sum(worth)
        print("info depth 1 score cp 12345 nodes 3")
        print(f"info depth 2 score cp {{ahead if mover == 'w' else -ahead}} nodes 77")
        action = state.legal_actions()[0]
        print("bestmove", pyspiel.chess.action_to_move(action, state.board()).to_lan())
    sys.stdout.flush()
"""


def test_the_formulas_are_those_that_lichess_publishes() -> None:
    assert win_percent(0) == 50
    assert win_percent(100) == pytest.approx(59.10, abs=0.01)
    assert win_percent(-300) == pytest.approx(24.89, abs=0.01)
    assert win_percent(5000) == win_percent(1000) == pytest.approx(97.54, abs=0.01)
    assert accuracy_percent(50, 50) == accuracy_percent(50, 60) == 100
    assert accuracy_percent(50, 40) == pytest.approx(63.58, abs=0.01)
    assert accuracy_percent(100, 0) == 0
    assert [judgement(60, after) for after in (60, 55.1, 55, 50, 45, 0)] == [
        *(None, None, "inaccuracy", "mistake", "blunder", "blunder"),
    ]


def game_of(*moves: str) -> dict[str, Any]:
    """A recorded game of chess; player 1 is White in OpenSpiel."""
    state = pyspiel.load_game("chess").new_initial_state()
    recorded = []
    for turn, move in enumerate(moves):
        seat, action = state.current_player(), state.parse_move_to_action(move)
        recorded.append(move_line(state, seat, action, turn))
        state.apply_action(action)
    return episode_line(0, recorded, len(moves), list(state.returns()))


@pytest.fixture
def engine(tmp_path: Path) -> str:
    path = tmp_path / "engine"
    path.write_text(ENGINE)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_the_engine_is_asked_before_and_after_each_move(engine: str) -> None:
    settings = EvaluatorSettings(engine=engine, nodes=77)
    agents = {"player_0": {"type": "random"}, "player_1": {"type": "llm"}}
    judge = make_judge(
        OpenSpielSimulation("chess"),
        "uci",
        settings,
        agents,
        home=Path(),
        contents={},
        seating={"player_0": [0], "player_1": [1]},
    ).judge
    try:
        assert judge.facts()["engine"] == "Counter 1"
        judged = judge.judge(game_of("e2e4", "d7d5", "e4d5", "d8d5", "b1c3", "d5d2", "c1d2"))
    finally:
        judge.close()
    taken = [(d.chess.cp_before, d.chess.cp_after) for d in judged.decisions if d.chess]
    # White takes a pawn, Black takes it back and one more, and White takes the queen.
    assert taken == [(0, 0), (0, 0), (0, 100), (-100, 0), (0, 0), (0, 100), (-100, 800)]
    assert [d.seat for d in judged.decisions] == [1, 0, 1, 0, 1, 0, 1]
    for decision in judged.decisions:
        assert not decision.exact
        assert decision.regret == 0
        assert decision.chess is not None
        assert decision.chess.accuracy == 100
        assert decision.value_best == pytest.approx(decision.chess.win_before / 50 - 1)
    assert judged.luck[0].method == "none"
    assert judged.luck[0].adjusted_return == judged.luck[0].returns


@pytest.mark.skipif(find_program("stockfish") is None, reason="Stockfish is not installed")
def test_stockfish_sees_the_fools_mate() -> None:
    judge = make_judge(
        OpenSpielSimulation("chess"),
        "uci",
        EvaluatorSettings(nodes=5000),
        {},
        home=Path(),
        contents={},
        seating={},
    ).judge
    try:
        judged = judge.judge(game_of("f2f3", "e7e5", "g2g4", "d8h4"))
    finally:
        judge.close()
    blunder, mate = judged.decisions[2:]
    assert blunder.chess is not None
    assert mate.chess is not None
    assert blunder.chess.judgement == "blunder"
    assert (blunder.optimal, mate.optimal) == (False, True)
    assert blunder.chess.cp_after == -1000
    assert mate.chess.win_after == 100
    assert mate.best_text == ("Qh4#",)
    assert judged.luck[0].returns == 1
