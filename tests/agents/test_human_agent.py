"""A person at the terminal."""

from __future__ import annotations

import asyncio
import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from game_reasoning_arena.agents.human_agent import HumanAgent
from game_reasoning_arena.agents.terminal import Terminal
from game_reasoning_arena.errors import Interrupted
from game_reasoning_arena.records import EpisodeRecord
from game_reasoning_arena.simulation.factory import make_simulation
from tests.arena import Arena, episodes, run_json
from tests.simulation.playing import player, seats_for


class Typed(Terminal):
    """A terminal at which these lines are typed."""

    def __init__(self, typed: tuple[str, ...]) -> None:
        self.shown = io.StringIO()
        super().__init__(Console(file=self.shown, width=100))
        self.typed = list(typed)

    async def read_line(self, prompt: str) -> str:
        self.shown.write(prompt)
        await asyncio.sleep(0)
        if not self.typed:
            raise EOFError
        return self.typed.pop(0)


def play_typing(*typed: str, max_moves: int | None = 1) -> tuple[EpisodeRecord, str, list[str]]:
    """Play tic-tac-toe as a person typing these lines; return the output and the unread input."""
    simulation = make_simulation(
        {"game": "tic_tac_toe", "rules": "Three in a row.", "max_moves": max_moves}
    )
    terminal = Typed(typed)

    async def run() -> EpisodeRecord:
        agents, _ = seats_for(simulation, [player("human", "player_0"), player("random")])
        agents["player_0"] = HumanAgent(
            agents["player_0"].spec, rules=simulation.rules, terminal=terminal
        )
        (plan,) = simulation.plan(episodes=1, seed=0, rotate=False, players=list(agents))
        return await simulation.play(plan, agents, "test")

    return asyncio.run(run()), terminal.shown.getvalue(), terminal.typed


def test_a_person_sees_rules_board_and_numbered_moves() -> None:
    episode, shown, _ = play_typing("5", "")
    assert episode.moves[0].text == "x(1,1)"
    for part in ("Three in a row.", "  0 1 2", "5  x(1,1)", "you are player 0"):
        assert part in shown


@pytest.mark.parametrize(
    "typed",
    [
        ("x(1,1)", "y"),
        ("X(1, 1)", ""),
        ("99", "banana", "", "5", ""),
        ("1", "u", "5", ""),
        ("5", "99", "hm", "7", ""),
    ],
)
def test_moves_by_name_typing_errors_and_taking_back(typed: tuple[str, ...]) -> None:
    episode, _, left = play_typing(*typed)
    assert episode.moves[0].text == "x(1,1)"
    assert left == []


def test_an_answer_that_is_not_offered_is_asked_again_and_undoes_nothing() -> None:
    _, shown, _ = play_typing("5", "99", "")
    assert "'99' is no answer here: Enter or y plays x(1,1), u takes it back." in shown
    assert shown.count("x(1,1): Enter plays it, u undoes: ") == 2
    assert shown.count("Your move") == 1


def test_the_last_board_and_the_result_are_shown() -> None:
    simulation = make_simulation({"game": "tic_tac_toe"})
    terminal = Typed(("1", "") * 5)  # the first free square

    async def run() -> EpisodeRecord:
        agents, _ = seats_for(simulation, [player("human", "player_0"), player("random")])
        agents["player_0"] = HumanAgent(agents["player_0"].spec, rules=None, terminal=terminal)
        (plan,) = simulation.plan(episodes=1, seed=3, rotate=False, players=list(agents))
        return await simulation.play(plan, agents, "test")

    episode = asyncio.run(run())
    end = terminal.shown.getvalue().partition("Episode 0 has ended")[2]
    assert end.count("x") + end.count("o") >= len(episode.moves)
    expected = {"player_0": "You won.", None: "Nobody won."}.get(episode.winner, "player_1 won.")
    assert expected in end


def test_errors_are_said() -> None:
    _, shown, _ = play_typing("banana", "1", "")
    assert "'banana' is no legal move." in shown


@pytest.mark.parametrize("typed", [("q",), ("quit",), (), ("5", "q"), ("5",)])
def test_quitting_stops_the_run_and_is_no_forfeit(typed: tuple[str, ...]) -> None:
    with pytest.raises(Interrupted):
        play_typing(*typed)


WORDS = ["agents=human_vs_random", "episodes=3"]

#: Ctrl-C on a terminal reaches those whose controlling terminal it is.
_ON_ITS_OWN_TERMINAL = """
import fcntl, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from game_reasoning_arena.cli import main
main()
"""


class AtTerminal:
    """`arena agents=human_vs_random episodes=3` on a terminal of its own."""

    def __init__(self, directory: Path) -> None:
        self.ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-c", _ON_ITS_OWN_TERMINAL, *WORDS],
            cwd=directory,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self.shown = b""

    def type_at(self, prompt: bytes, keys: bytes) -> None:
        while prompt not in self.shown:
            more = self._read()
            assert more, self.shown
            self.shown += more
        os.write(self.ours, keys)

    def end(self) -> int:
        while more := self._read():
            self.shown += more
        os.close(self.ours)
        return self.process.wait(timeout=60)

    def _read(self) -> bytes:
        try:
            return os.read(self.ours, 4096)
        except OSError:  # the other end is closed
            return b""


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        (b"\x03", "stopped by SIGINT"),
        (b"\x04", "player_0: the terminal is closed"),
        (b"q\r", "player_0 has quit"),
    ],
)
def test_a_person_ends_the_whole_run(tmp_path: Path, keys: bytes, reason: str) -> None:
    person = AtTerminal(tmp_path)
    person.type_at(b"q quits", keys)
    assert person.end() == 130
    shown = person.shown.decode()
    assert f"interrupted: {reason}" in shown
    assert "finish it with: arena resume" in shown
    assert "Traceback" not in shown
    assert shown.count("q quits") == 1
    [run] = tmp_path.glob("outputs/*/*/run.json")
    assert run_json(run.parent)["status"] == "interrupted"


def piped(directory: Path, typed: str, *words: str) -> subprocess.CompletedProcess[str]:
    """The same with these lines in a pipe."""
    return subprocess.run(
        [sys.executable, "-m", "game_reasoning_arena", *WORDS, *words],
        check=False,
        cwd=directory,
        input=typed,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("typed", ["q\n", "", "1\n\nq"])
def test_piped_input_ends_the_whole_run(tmp_path: Path, typed: str) -> None:
    ran = piped(tmp_path, typed)
    assert ran.returncode == 130, ran.stderr
    assert "interrupted: player_0" in ran.stdout


def test_input_from_a_file_ends_the_whole_run(tmp_path: Path) -> None:
    (tmp_path / "typed").write_text("1\n\n")
    with (tmp_path / "typed").open() as file:
        ran = subprocess.run(
            [sys.executable, "-m", "game_reasoning_arena", *WORDS],
            check=False,
            cwd=tmp_path,
            stdin=file,
            capture_output=True,
            text=True,
        )
    assert ran.returncode == 130, ran.stderr
    assert "interrupted: player_0: the terminal is closed" in ran.stdout


def test_whole_games_are_played_from_a_pipe_and_replayed_without_a_person(
    tmp_path: Path, arena: Arena
) -> None:
    ran = piped(tmp_path, "1\n\n" * 30, "hydra.run.dir=mine")
    assert ran.returncode == 0, ran.stderr
    replayed = arena("replay", "mine")
    assert replayed.code == 0, replayed.out
    assert "3 of 3 recorded episodes came out the same" in replayed.out
    assert "Your move" not in replayed.err


def test_a_run_that_a_person_left_is_replayed_as_far_as_it_went(
    tmp_path: Path, arena: Arena
) -> None:
    ran = piped(tmp_path, "1\n\n" * 6, "concurrency=1", "hydra.run.dir=mine")
    assert ran.returncode == 130, ran.stderr
    played = len(episodes(Path("mine")))
    assert played in (1, 2)
    replayed = arena("replay", "mine")
    assert replayed.code == 0, replayed.out
    assert f"{played} of {played} recorded episodes came out the same" in replayed.out


def test_a_person_plays_one_game_after_the_other(tmp_path: Path) -> None:
    """Six moves make at least one whole game, which they would not in three games at once."""
    ran = piped(tmp_path, "1\n\n" * 6, "hydra.run.dir=mine")
    assert ran.returncode == 130, ran.stderr
    assert sorted(episodes(tmp_path / "mine")) in ([0], [0, 1])
