"""A person at the terminal."""

from __future__ import annotations

import asyncio
import io
import threading

import pytest
from rich.console import Console

from game_reasoning_arena.agents.human_agent import HumanAgent
from game_reasoning_arena.errors import Interrupted
from game_reasoning_arena.records import EpisodeRecord
from game_reasoning_arena.simulation.factory import make_simulation
from tests.simulation.playing import player, seats_for


def play_typing(*typed: str) -> tuple[EpisodeRecord, str, set[str]]:
    """One move of tic-tac-toe by a person who types these lines, what was shown, and where."""
    simulation = make_simulation(
        {"game": "tic_tac_toe", "rules": "Three in a row.", "max_moves": 1}
    )
    left = list(typed)
    shown = io.StringIO()
    threads: set[str] = set()

    def read_line(prompt: str) -> str:
        threads.add(threading.current_thread().name)
        shown.write(prompt)
        if not left:
            raise EOFError
        return left.pop(0)

    async def run() -> EpisodeRecord:
        agents, _ = seats_for(simulation, [player("human", "player_0"), player("random")])
        agents["player_0"] = HumanAgent(
            agents["player_0"].spec,
            rules=simulation.rules,
            read_line=read_line,
            console=Console(file=shown, width=100),
        )
        (plan,) = simulation.plan(episodes=1, seed=0, rotate=False, players=list(agents))
        return await simulation.play(plan, agents, "test")

    return asyncio.run(run()), shown.getvalue(), threads


def test_a_person_sees_rules_board_and_numbered_moves() -> None:
    episode, shown, threads = play_typing("5", "")
    assert episode.moves[0].text == "x(1,1)"
    for part in ("Three in a row.", "  0 1 2", "5  x(1,1)", "you are player 0"):
        assert part in shown
    assert threads
    assert threading.main_thread().name not in threads


@pytest.mark.parametrize(
    "typed", [("x(1,1)", "y"), ("X(1, 1)", ""), ("99", "banana", "", "5", ""), ("1", "u", "5", "")]
)
def test_moves_by_name_typing_errors_and_taking_back(typed: tuple[str, ...]) -> None:
    episode, _, _ = play_typing(*typed)
    assert episode.moves[0].text == "x(1,1)"


def test_errors_are_said() -> None:
    _, shown, _ = play_typing("banana", "1", "")
    assert "'banana' is no legal move." in shown


@pytest.mark.parametrize("typed", [("q",), ("quit",), ()])
def test_quitting_stops_the_run_and_is_no_forfeit(typed: tuple[str, ...]) -> None:
    with pytest.raises(Interrupted):
        play_typing(*typed)
