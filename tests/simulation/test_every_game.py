"""Every game of OpenSpiel: at least 100 play, and each legal move's name is read as that move."""

from __future__ import annotations

import asyncio
import json
import random
import re
from pathlib import Path

import pytest

from game_reasoning_arena.agents.base_agent import Agent, Decision, PlayerSpec, Turn, played
from game_reasoning_arena.agents.naming import Names
from game_reasoning_arena.agents.parsing import judge
from game_reasoning_arena.agents.random_agent import RandomActor, RandomAgent
from game_reasoning_arena.records import EpisodePlan, Reply, Status
from game_reasoning_arena.simulation.open_spiel.games_table import WITH_PARAMETERS
from game_reasoning_arena.simulation.open_spiel.loading import game_names
from game_reasoning_arena.simulation.open_spiel.simulation import FIXED_NAMES, OpenSpielSimulation
from tests.simulation.playing import play, player

PAGE = Path(__file__).parents[2] / "docs" / "games.md"
NOT_PLAYED = {
    "crossword",
    "efg_game",
    "nfg_game",
    "mfg_crowd_modelling",
    "mfg_crowd_modelling_2d",
    "mfg_dynamic_routing",
    "mfg_garnet",
}
PLAYED = [name for name in game_names() if name not in NOT_PLAYED]
#: Decisions walked per game and moves tried per decision: enough to meet each kind of move.
WALKED, TRIED = 12, 12


class Reader(RandomActor):
    """Plays at random, and at each turn reads names of legal moves back."""

    async def act(self, turn: Turn) -> Decision:
        names = Names.of(turn)
        assert len(set(names.labels)) == len(names.labels)
        assert isinstance(turn.state_text(), str)
        rng = random.Random(turn.turn)
        for action in rng.sample(names.actions, min(TRIED, len(names.actions))):
            label = names.label(action)
            line = judge(Reply(text=f"So be it.\nFinal Answer: {label}"), "line", names)
            assert (line.action, line.form) == (action, "line"), label
            said = json.dumps({"reasoning": "", "action": label})
            assert judge(Reply(text=said), "json", names).action == action, label
        decision = await super().act(turn)
        return played(decision.action) if decision.action is not None else decision


class ReaderAgent(RandomAgent):
    def sit(self, plan: EpisodePlan, seat: int) -> Reader:
        return Reader(super().sit(plan, seat)._stream)


@pytest.mark.parametrize("name", PLAYED)
def test_each_moves_name_is_read_as_exactly_that_move(name: str) -> None:
    simulation = OpenSpielSimulation(WITH_PARAMETERS.get(name, name), max_moves=WALKED)
    players = [f"player_{seat}" for seat in range(simulation.players)]
    agents: dict[str, Agent] = {
        name: ReaderAgent(PlayerSpec(name=name, type="random"), seed=1) for name in players
    }
    (plan,) = simulation.plan(episodes=1, seed=1, rotate=False, players=players)
    record = asyncio.run(simulation.play(plan, agents, "test"))
    assert record.status is Status.COMPLETED
    assert record.turns > 0
    assert record.returns is not None
    assert len(record.returns) == simulation.players


def test_the_page_lists_every_game_as_it_is() -> None:
    rows = re.findall(r"^\| `([a-z0-9_]+)[(`].*\| (yes|no)\b", PAGE.read_text(), re.MULTILINE)
    assert [name for name, _ in rows] == game_names()
    assert {name for name, plays in rows if plays == "no"} == NOT_PLAYED
    assert len(PLAYED) >= 100


@pytest.mark.parametrize("name", sorted(FIXED_NAMES))
def test_names_that_are_kept_are_the_same_in_all_states(name: str) -> None:
    simulation = OpenSpielSimulation(name)
    specs = [player("random", "player_0"), player("random", "player_1")]
    episodes, _ = play(simulation, specs, episodes=10)
    for episode in episodes:
        state = simulation.new_state(episode.seed)
        moves = list(episode.moves)
        while not state.is_terminal():
            seats = [0, 1] if state.is_simultaneous_node() else [state.current_player()]
            now = [moves.pop(0) for _ in seats]
            for seat, move in zip(seats, now, strict=True):
                assert move.text == state.action_to_string(seat, move.action)
            if len(seats) == 2:
                state.apply_actions([move.action for move in now])
            else:
                state.apply_action(now[0].action)
        assert moves == []
