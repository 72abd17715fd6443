"""Replies as language models write them, each with what a reader would take it for.

A line of ``replies.jsonl`` has a position (game, chess position, moves), who answers, the declared
form, the reply, the outcomes that are right and the move where it is legal. Those marked ``may``
may also be read as nothing, never as another move.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import pytest

from game_reasoning_arena.agents.naming import Names
from game_reasoning_arena.agents.parsing import judge
from game_reasoning_arena.agents.reading.forms import FORMS
from game_reasoning_arena.records import Outcome, Reply
from game_reasoning_arena.simulation.open_spiel.simulation import OpenSpielSimulation
from game_reasoning_arena.simulation.open_spiel.turns import SeatTurn

REPLIES = [
    json.loads(line)
    for line in (Path(__file__).parent / "replies.jsonl").read_text(encoding="utf-8").splitlines()
]


class Position:
    """An episode as far as a turn needs it."""

    def __init__(self, game: str, fen: str | None, history: tuple[str, ...]) -> None:
        simulation = OpenSpielSimulation(game)
        self.texts = simulation.texts
        self.moves: list[Any] = []
        self.turns = 0
        self.state = simulation.game.new_initial_state(*([fen] if fen else []))
        for move in history:
            seat = self.state.current_player()
            legal = self.state.legal_actions()
            named = (a for a in legal if self.state.action_to_string(seat, a) == move)
            self.state.apply_action(int(move) if seat < 0 else next(named))


@lru_cache
def names_at(game: str, fen: str | None, history: tuple[str, ...], seat: int) -> Names:
    position = Position(game, fen, history)
    turn = SeatTurn(cast(Any, position), seat, position.state.legal_actions(seat))
    return Names.of(turn)


@pytest.mark.parametrize("case", REPLIES, ids=lambda case: f"{case['game']}-{case['text'][:40]!r}")
def test_a_reply_is_what_a_reader_takes_it_for(case: dict[str, Any]) -> None:
    names = names_at(case["game"], case.get("fen"), tuple(case["history"]), case["seat"])
    verdict = judge(Reply(text=case["text"], finish_reason="stop"), case["form"], names)
    if verdict.outcome is Outcome.LEGAL:
        assert "legal" in case["outcomes"]
        assert verdict.action_text == case["action"]
    elif not case.get("may"):
        assert verdict.outcome in case["outcomes"]
    assert verdict.form is None or set(verdict.form.split("+")) <= FORMS.keys()


def test_each_thing_that_is_forgiven_is_among_the_replies() -> None:
    seen: set[str] = set()
    for case in REPLIES:
        names = names_at(case["game"], case.get("fen"), tuple(case["history"]), case["seat"])
        verdict = judge(Reply(text=case["text"], finish_reason="stop"), case["form"], names)
        if verdict.outcome is Outcome.LEGAL and verdict.form:
            seen.update(verdict.form.split("+"))
    assert seen == FORMS.keys()
