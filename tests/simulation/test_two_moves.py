"""Two legal moves in one answer, or one that is taken back, are no move, in any game."""

from __future__ import annotations

import json
import random

import pytest

from game_reasoning_arena.agents.base_agent import Turn
from game_reasoning_arena.agents.naming import Names
from game_reasoning_arena.agents.parsing import judge
from game_reasoning_arena.records import Outcome, Reply
from game_reasoning_arena.simulation.open_spiel.simulation import OpenSpielSimulation
from tests.simulation.names_read import walk

GAMES = (
    *("tic_tac_toe", "connect_four", "chess", "hex", "othello", "breakthrough", "kuhn_poker"),
    *("leduc_poker", "liars_dice", "goofspiel", "backgammon", "matrix_rps", "go", "2048", "nim"),
    *("universal_poker", "hearts", "mancala", "sheriff", "negotiation"),
)
BETWEEN = (
    *(" or ", ", ", " / ", " and ", "; ", " then ", " -> ", "? No, ", " instead of ", "  ", "/"),
    *(" rather than ", ", not ", " | ", " vs ", " (or ", " because ", " - but ", " & ", " > "),
    *(" or maybe ", " otherwise ", ". Then ", " followed by ", " if not possible "),
)
TAKEN_BACK = (
    *("not {}", "never {}", "don't play {}", "anything but {}", "avoid {}", "{} is illegal"),
    *("{} or something else", "{} is not possible", "{}? No.", "{}, wait", "{} if legal"),
    *("if {} then I lose", "opponent plays {}", "{} would lose", "instead of {}", "after {}"),
)
#: Decisions that are looked at per game.
DECISIONS = 12


@pytest.mark.parametrize("game", GAMES)
def test_two_moves_and_moves_taken_back_are_never_one(game: str) -> None:
    rng = random.Random(game)
    looked = 0

    def look(turn: Turn) -> None:
        nonlocal looked
        names = Names.of(turn)
        if looked >= DECISIONS or len(names.actions) < 2:
            return
        looked += 1
        first, second = rng.sample(names.labels, 2)
        for between in BETWEEN:
            text = first + between + second
            if not any(looked_up(text) for _, looked_up in names.lookups()):
                refused(text, names)
        for taken_back in TAKEN_BACK:
            refused(taken_back.format(first), names)

    walk(OpenSpielSimulation(game), 1, look)
    assert looked > 0


def refused(answer: str, names: Names) -> None:
    line = judge(Reply(text=f"Final Answer: {answer}", finish_reason="stop"), "line", names)
    in_json = judge(Reply(text=json.dumps({"action": answer})), "json", names)
    for verdict in (line, in_json):
        assert verdict.outcome in (Outcome.UNPARSABLE, Outcome.ILLEGAL), (answer, verdict)
