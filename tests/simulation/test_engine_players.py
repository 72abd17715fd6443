"""Opponents backed by the engine: strength against known values, determinism, honest refusals."""

from __future__ import annotations

import asyncio
import json
import stat
import sys
from pathlib import Path

import pytest

from game_reasoning_arena.errors import UserError
from game_reasoning_arena.records import EpisodeRecord, Status
from game_reasoning_arena.simulation.factory import make_simulation
from tests.arena import Arena, run_json
from tests.simulation.playing import play, player, seats_for

RANDOM = player("random")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def moves(episodes: list[EpisodeRecord]) -> list[list[int]]:
    return [[move.action for move in episode.moves] for episode in episodes]


@pytest.mark.parametrize("game", ["tic_tac_toe", "kuhn_poker", "leduc_poker", "pig(winscore=15)"])
def test_search_plays_the_same_whatever_the_concurrency(game: str) -> None:
    specs = [player("mcts", "player_0", simulations=20), RANDOM]
    together, _ = play({"game": game}, specs, episodes=6, rotate=True)
    alone, _ = play({"game": game}, specs, episodes=6, rotate=True, together=False)
    other, _ = play({"game": game}, specs, episodes=6, rotate=True, seed=1)
    assert moves(together) == moves(alone)
    assert moves(together) != moves(other)


def test_search_beats_random_play() -> None:
    specs = [player("mcts", "player_0", simulations=200), RANDOM]
    episodes, _ = play({"game": "tic_tac_toe"}, specs, episodes=30, rotate=True)
    assert sum(e.winner == "player_1" for e in episodes) == 0
    assert sum(e.winner == "player_0" for e in episodes) >= 22


def test_a_long_search_leaves_the_loop_free() -> None:
    simulation = make_simulation({"game": "connect_four", "max_moves": 1})

    async def run() -> int:
        agents, _ = seats_for(simulation, [player("mcts", "player_0", simulations=30_000), RANDOM])
        (plan,) = simulation.plan(episodes=1, seed=0, rotate=False, players=list(agents))
        task = asyncio.create_task(simulation.play(plan, agents, "test"))
        turns = 0
        while not task.done():
            await asyncio.sleep(0)
            turns += 1
        assert (await task).status is Status.COMPLETED
        return turns

    # A search on the loop would let the loop turn a handful of times at most.
    assert asyncio.run(run()) > 100


@pytest.mark.parametrize(
    ("game", "says"),
    [
        ("liars_dice", "cannot deal the hidden information"),
        ("matrix_rps", "at the same time"),
        ("negotiation", "chance is hidden"),
    ],
)
def test_games_that_cannot_be_searched_honestly_are_refused(game: str, says: str) -> None:
    problems = make_simulation({"game": game}).check([player("mcts", "player_0"), RANDOM])
    assert says in " ".join(problems)


def test_bots_of_the_registry_play() -> None:
    specs = [player("bot", "player_0", bot="fixed_action_preference"), RANDOM]
    episodes, _ = play({"game": "tic_tac_toe", "max_moves": 1}, specs, episodes=5)
    assert {e.moves[0].action for e in episodes} == {0}
    with pytest.raises(UserError, match=r"player_0\.bot=fixed_action_preference failed"):
        play({"game": "tic_tac_toe"}, specs, episodes=20)
    specs = [player("bot", "player_0", bot="uniform_random"), RANDOM]
    first, _ = play({"game": "tic_tac_toe"}, specs, episodes=5)
    again, _ = play({"game": "tic_tac_toe"}, specs, episodes=5, together=False)
    assert moves(first) == moves(again)
    problems = make_simulation({"game": "tic_tac_toe"}).check(
        [player("bot", "player_0", bot="uniform_randm"), RANDOM]
    )
    assert "Did you mean 'uniform_random'" in problems[0]


def last_move(state: str, moves: list[str]) -> str:
    """A policy for the tests."""
    return moves[-1]


def test_a_callable_decides() -> None:
    spec = player("policy", "player_0", callable=f"{__name__}:last_move")
    (episode,), _ = play({"game": "tic_tac_toe", "max_moves": 1}, [spec, RANDOM])
    assert episode.moves[0].text == "x(2,2)"


def test_a_table_decides_and_gaps_in_it_are_said(tmp_path: Path) -> None:
    table = tmp_path / "kuhn.json"
    rows = {f"{card}": {"Pass": 0.0, "Bet": 1.0} for card in range(3)}
    table.write_text(json.dumps(rows))
    spec = player("policy", "player_0", table=str(table))
    episodes, _ = play({"game": "kuhn_poker"}, [spec, RANDOM], episodes=5)
    assert all(e.moves[2].text == "Bet" for e in episodes)
    with pytest.raises(UserError, match=r"no entry for the state '[012][pb]'"):
        play({"game": "kuhn_poker"}, [spec, RANDOM], episodes=2, rotate=True)
    table.write_text(json.dumps({key: {"Raise": 1} for key in rows}))
    with pytest.raises(UserError, match=r"'Raise' .*Possible: Pass, Bet"):
        play({"game": "kuhn_poker"}, [spec, RANDOM])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "needs either"),
        ({"table": "none.json"}, "cannot be read"),
        ({"table": "deep.json"}, "is no JSON"),
        ({"callable": "os:getcwdd"}, "'os' has no 'getcwdd'. Did you mean 'getcwd'"),
        ({"callable": "no_such:name"}, "there is no module 'no_such'"),
        ({"callable": "os"}, "MODULE:NAME"),
    ],
)
def test_wrong_policies_are_explained(
    options: dict[str, str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("deep.json").write_text("[" * 100_000)
    spec = player("policy", "player_0", **options)
    assert says in " ".join(make_simulation({"game": "tic_tac_toe"}).check([spec, RANDOM]))


UCI = f"""#!{sys.executable}
import sys
import pyspiel
position = ""
for line in sys.stdin:
    words = line.split()
    if words[0] == "uci":
        print("id name Test\\nuciok")
    elif words[0] == "isready":
        print("readyok")
    elif words[0] == "position":
        position = line
    elif words[0] == "go":
        assert words[1:] == ["nodes", "50"], line
        fen, _, played = position.split("position fen ")[1].partition(" moves ")
        state = pyspiel.load_game("chess").new_initial_state(fen.strip())
        for move in played.split():
            state.apply_action(state.parse_move_to_action(move))
        action = state.legal_actions()[-1]
        move = pyspiel.chess.action_to_move(action, state.board()).to_lan()
        print(f"info depth 1\\nbestmove {{move}} ponder e7e5")
    elif words[0] == "die":
        break
    sys.stdout.flush()
"""


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    path = tmp_path / "engine"
    path.write_text(UCI)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_a_uci_engine_plays_the_position_it_is_told(engine: Path) -> None:
    specs = [player("uci", "player_0", path=str(engine), nodes=50), RANDOM]
    conf = {"game": "chess", "max_moves": 6}
    episodes, _ = play(conf, specs, episodes=3, rotate=True)
    simulation = make_simulation(conf)
    for episode in episodes:
        state = simulation.game.new_initial_state()  # type: ignore[attr-defined]
        for move in episode.moves:
            if move.player == "player_0":
                assert move.action == state.legal_actions()[-1]
            state.apply_action(move.action)


def test_the_engine_that_played_is_named(engine: Path, arena: Arena) -> None:
    words = ("simulation=chess", "simulation.max_moves=2", "episodes=1", "agents=llm_vs_stockfish")
    ran = arena(*words, f"agents.player_1.path={engine}", "agents.player_1.nodes=50")
    assert ran.code == 0, ran.err
    assert run_json(ran.directory)["players"]["player_1"]["engine"] == "Test"


def test_an_engine_that_is_missing_or_dies_is_said(engine: Path) -> None:
    simulation = make_simulation({"game": "chess"})
    (problem,) = simulation.check([player("uci", "player_0", path="no-such-engine"), RANDOM])
    assert "agents.player_0.path=no-such-engine" in problem
    assert "not installed" in problem
    problems = make_simulation({"game": "hex"}).check(
        [player("uci", "player_0", path=str(engine)), RANDOM]
    )
    assert "plays chess only" in problems[0]
    engine.write_text(f"#!{sys.executable}\nprint('bye')\n")
    with pytest.raises(UserError, match="ended before it sent uciok"):
        play(
            {"game": "chess"},
            [player("uci", "player_1", path=str(engine)), player("random", "player_0")],
        )


def test_unknown_kinds_are_explained() -> None:
    with pytest.raises(UserError, match=r"'mtcs' is unknown. Did you mean 'mcts'"):
        play({"game": "tic_tac_toe"}, [player("mtcs", "player_0"), RANDOM])
