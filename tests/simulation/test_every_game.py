"""Every game of OpenSpiel: at least 100 play, and each legal move's name is read as that move."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from game_reasoning_arena.agents.base_agent import Turn
from game_reasoning_arena.records import Status
from game_reasoning_arena.simulation.open_spiel.dice_play import FIXED_NAMES
from game_reasoning_arena.simulation.open_spiel.games_table import WITH_PARAMETERS
from game_reasoning_arena.simulation.open_spiel.simulation import OpenSpielSimulation
from tests.simulation.names_read import Look, NameReader, walk
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
#: The engine's own games, asked of a fresh process: OpenSpiel's Python modules, which another test
#: may have imported here, register more.
GAMES = subprocess.run(
    [
        sys.executable,
        "-c",
        "from game_reasoning_arena.simulation.open_spiel.loading import game_names\n"
        "print(*game_names())",
    ],
    capture_output=True,
    text=True,
    check=True,
).stdout.split()
PLAYED = [name for name in GAMES if name not in NOT_PLAYED]
#: Names of legal moves to be read back per game: walks go on until there are so many, and walks
#: of long games are looked at in every so many decisions. At a decision all moves are read.
NAMES = 1500
#: A walk is looked at for this share of them at most, so that there are several walks.
NAMES_PER_WALK = 500
WALKS = 25
#: Dealing takes long there; walks of these games are short and are looked at in each decision.
FEWER_WALKS = {"bridge": 6, "bridge_uncontested_bidding": 2}


@pytest.mark.parametrize("name", PLAYED)
def test_each_moves_name_is_read_as_exactly_that_move(name: str) -> None:
    simulation = OpenSpielSimulation(WITH_PARAMETERS.get(name, name))
    reader = NameReader(seed=0)
    walks = 0
    while reader.seen.names < NAMES and walks < FEWER_WALKS.get(name, WALKS):
        look = reader.read if name in FEWER_WALKS else _spread(simulation, walks, reader)
        record = walk(simulation, walks, look)
        assert record.status is Status.COMPLETED
        assert record.returns is not None
        assert len(record.returns) == simulation.players
        walks += 1
    assert reader.seen.wrong == []
    assert walks >= 2
    assert set(reader.seen.seats) == set(range(simulation.players))


def _spread(simulation: OpenSpielSimulation, seed: int, reader: NameReader) -> Look:
    """Reads names at decisions all over the walk with this seed, its first and last included."""
    sizes: list[int] = []
    walk(simulation, seed, lambda turn: sizes.append(len(turn.legal_actions)))
    every = -(-sum(sizes) // NAMES_PER_WALK)
    decisions = iter(range(len(sizes)))
    last = len(sizes) - 1

    def look(turn: Turn) -> None:
        at = next(decisions)
        if at in (0, last) or at % every == seed % every:
            reader.read(turn)

    return look


@given(name=st.sampled_from(PLAYED), seed=st.integers(0, 2**53), at=st.floats(0, 1))
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_names_are_read_back_wherever_a_walk_leads(name: str, seed: int, at: float) -> None:
    simulation = OpenSpielSimulation(WITH_PARAMETERS.get(name, name))
    turns = walk(simulation, seed, lambda turn: None).turns
    reader = NameReader(seed)

    def look(turn: Turn) -> None:
        if turn.turn == int(at * (turns - 1)):
            reader.read(turn)

    walk(simulation, seed, look)
    assert reader.seen.names > 0 or turns == 0
    assert reader.seen.wrong == []


def test_the_page_lists_every_game_as_it_is() -> None:
    rows = re.findall(r"^\| `([a-z0-9_]+)[(`].*\| (yes|no)\b", PAGE.read_text(), re.MULTILINE)
    assert [name for name, _ in rows] == GAMES
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
