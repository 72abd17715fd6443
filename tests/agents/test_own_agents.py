"""A class of the user's own at a seat, by ``_target_``: from the command line to the records."""

from __future__ import annotations

import ast
import json
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.arena import Arena, Ran, episodes, lines, run_json

MODULE = '''
import asyncio
from pathlib import Path
from typing import Literal

from game_reasoning_arena.agents import Actor, Agent, Decision, played
from game_reasoning_arena.agents.llm_agent import LLMAgent


def note(text):
    with Path("notes.txt").open("a") as file:
        file.write(text + "\\n")


note("imported")


class Fond(Agent):
    """Takes a move that it likes, else any, by the run's own numbers."""

    def __init__(self, spec, *, likes: str = "", tries: int = 1) -> None:
        super().__init__(spec)
        if tries < 1:
            raise ValueError(f"tries is {tries}, and a player has to try")
        self.likes = likes

    def decide(self, turn, plan):
        liked = [a for a in turn.legal_actions if turn.action_text(a) == self.likes]
        return liked[0] if liked else self.numbers(turn, plan).choose(turn.legal_actions)


class Slow(Agent):
    async def start(self):
        note(f"start {self.name}")

    async def decide(self, turn, plan):
        await asyncio.sleep(0)
        return turn.legal_actions[-1]

    async def aclose(self):
        note(f"close {self.name}")


class Seen(Agent):
    """Notes what a turn offers."""

    def decide(self, turn, plan):
        note(repr((turn.game, turn.seat, turn.turn, turn.state_text(), list(turn.history()),
                   [turn.action_text(a) for a in turn.legal_actions], plan.seats)))
        return turn.legal_actions[0]


class Remembering(Agent):
    """Plays its last action again where it can."""

    def sit(self, plan, seat):
        return RememberingActor()


class RememberingActor(Actor):
    def __init__(self):
        self.last = None

    async def act(self, turn):
        self.last = self.last if self.last in turn.legal_actions else turn.legal_actions[-1]
        return played(self.last)


class Cheat(Agent):
    def sit(self, plan, seat):
        return CheatingActor()


class CheatingActor(Actor):
    async def act(self, turn):
        return Decision(99)


class Wrong(Agent):
    def decide(self, turn, plan):
        return "x(1,1)"


class Broken(Agent):
    def decide(self, turn, plan):
        return 1 // 0


class Idle(Agent):
    pass


class Nameless(Agent):
    def __init__(self, spec):
        pass

    def decide(self, turn, plan):
        return turn.legal_actions[0]


class Listing(Agent):
    def __init__(self, spec, *, words: list[str], how: Literal["a", "b"] | None = None) -> None:
        super().__init__(spec)


class Polite(LLMAgent):
    """A language model with a word of its own in front."""

    def __init__(self, spec, *, word: str = "please", **given) -> None:
        super().__init__(spec, **given)
        self.system_prompt = f"Play well, {word}."
'''

TRUSTED = "trusted_targets=[my_agents]"


def own(name: str, *settings: str) -> list[str]:
    return [
        f"agents.player_1._target_=my_agents.{name}",
        *(f"agents.player_1.{setting}" for setting in settings),
    ]


@pytest.fixture(autouse=True)
def module(arena: Arena, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """``my_agents.py`` where the user works."""
    (tmp_path / "my_agents.py").write_text(MODULE)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    sys.modules.pop("my_agents", None)


def notes() -> list[str]:
    path = Path("notes.txt")
    return path.read_text().splitlines() if path.exists() else []


def moves(ran: Ran, player: str) -> list[str]:
    found = episodes(ran.directory).values()
    return [move["text"] for e in found for move in e["moves"] if move["player"] == player]


def test_it_plays_with_settings_of_its_own_which_are_written_down(arena: Arena) -> None:
    ran = arena(*own("Fond", "likes=Bet"), TRUSTED, "simulation=kuhn_poker", "episodes=20")
    assert ran.code == 0, ran.err
    assert set(moves(ran, "player_1")) == {"Bet"}
    config = yaml.safe_load((ran.directory / "config.yaml").read_text())
    assert config["agents"]["player_1"] == {"_target_": "my_agents.Fond", "likes": "Bet"}
    assert run_json(ran.directory)["players"]["player_1"]["type"] == "my_agents.Fond"
    assert "my_agents.Fond" in arena("compare", str(ran.directory)).out


def test_its_own_random_numbers_do_not_depend_on_what_runs_beside(arena: Arena) -> None:
    words = [*own("Fond"), TRUSTED, "episodes=20"]
    one = arena(*words, "concurrency=1")
    many = arena(*words, "concurrency=20")
    other = arena(*words, "seed=1")
    assert episodes(one.directory) == episodes(many.directory)
    assert moves(one, "player_1") != moves(other, "player_1")


def test_a_run_with_it_is_resumed_repeated_and_replayed(arena: Arena) -> None:
    words = [*own("Fond"), TRUSTED]
    whole = arena(*words, "episodes=12")
    begun = arena(*words, "episodes=5")
    resumed = arena("resume", str(begun.directory), "episodes=12", TRUSTED)
    assert resumed.code == 0, resumed.err
    assert episodes(begun.directory) == episodes(whole.directory)
    again = arena("--config", str(whole.directory / "config.yaml"), TRUSTED)
    assert episodes(again.directory) == episodes(whole.directory)
    refused = arena("replay", str(whole.directory))
    assert refused.code == 2
    assert "--trust 'my_agents'" in refused.err
    assert arena("replay", str(whole.directory), "--trust", "my_agents").code == 0


def test_a_changed_class_is_another_player(arena: Arena, tmp_path: Path) -> None:
    begun = arena(*own("Fond"), TRUSTED, "episodes=2")
    (tmp_path / "my_agents.py").write_text(MODULE + "\n# better\n")
    sys.modules.pop("my_agents", None)
    resumed = arena("resume", str(begun.directory), "episodes=4", TRUSTED)
    assert resumed.code == 2
    assert "agents.player_1._target_=my_agents.Fond has another content" in resumed.err


def test_a_class_that_failed_in_every_episode_is_mended_and_the_run_finished(
    arena: Arena, tmp_path: Path
) -> None:
    begun = arena(*own("Broken"), TRUSTED, "episodes=3")
    assert begun.code == 1
    (command,) = re.findall("finish it with: (.*)", begun.out)
    (tmp_path / "my_agents.py").write_text(MODULE.replace("1 // 0", "turn.legal_actions[0]"))
    sys.modules.pop("my_agents", None)
    finished = arena(*shlex.split(command)[1:])
    assert finished.code == 0, finished.err
    ended = run_json(begun.directory)
    assert ended["episodes"] == {"planned": 3, "completed": 3}
    assert [note for note in ended["notes"] if "_target_=my_agents.Broken was changed" in note]
    (tmp_path / "my_agents.py").write_text(MODULE)
    sys.modules.pop("my_agents", None)
    refused = arena("resume", str(begun.directory), TRUSTED)
    assert refused.code == 2
    new = f"arena --config {begun.directory}/config.yaml 'trusted_targets=[my_agents]'"
    assert f"start a new run: {new}\n" in refused.err


def test_without_trust_nothing_of_it_is_imported(arena: Arena, tmp_path: Path) -> None:
    ran = arena(*own("Fond"))
    assert ran.code == 2
    assert f"'{TRUSTED}'" in ran.err
    arena("agents.player_1.type=policy", "agents.player_1.callable=my_agents:note")
    assert notes() == []
    assert not (tmp_path / "outputs").exists()


MISTAKES = {
    "no module": (
        ["agents.player_1._target_=my_agent.Fond"],
        ["no module 'my_agent'", "my_agents"],
    ),
    "no class": (own("Fund"), ["'my_agents' has no 'Fund'. Did you mean 'Fond'?"]),
    "no class named": (["agents.player_1._target_=my_agents"], ["the class: my_agents.Fond or "]),
    "no list": (own("Listing", "words=x"), ["words is 'x'; it must be list[str], written [a,b]"]),
    "no list of texts": (own("Listing", "words=[1]"), ["player_1.words is [1]; it must be list"]),
    "none of them": (own("Listing", "words=[a]", "how=c"), ["it must be 'a' or 'b' or null"]),
    "no agent": (own("Path"), ["must be a subclass of game_reasoning_arena.agents.Agent"]),
    "no name": (["agents.player_1._target_=Fond"], ["agents.player_1._target_ is 'Fond'"]),
    "no setting": (
        own("Fond", "like=a"),
        ["player_1.like is no setting of Fond", "'likes'"],
    ),
    "wrong type": (own("Fond", "tries=a"), ["agents.player_1.tries is 'a'", "a whole number"]),
    "refused": (own("Fond", "tries=0"), ["agents.player_1: Fond refused: tries is 0"]),
    "no decision": (own("Idle"), ["Idle implements neither decide nor sit"]),
    "no base": (own("Nameless"), ["Nameless.__init__ must call super().__init__(spec"]),
    "a type too": (own("Fond", "type=random"), ["either agents.player_1.type or"]),
    "as a type": (["agents.player_1.type=my_agents.Fond"], ["agents.player_1._target_=my_agents"]),
    "prompts": ([*own("Fond"), "simulation=prompts"], ["cannot answer prompts"]),
    "what is given": (own("Polite", "game=chess"), ["agents.player_1.game is no setting", "votes"]),
    "its model": (own("Polite", "model=scripted_randm"), ["no scripted model 'scripted_randm'"]),
    "its votes": (own("Polite", "votes=0"), ["agents.player_1.votes=0"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_explained_before_the_run(arena: Arena, tmp_path: Path, mistake: str) -> None:
    words, told = MISTAKES[mistake]
    ran = arena(*words, "trusted_targets=[my_agents,my_agent]")
    assert ran.code == 2, ran.out
    for text in told:
        assert text in ran.err
    assert "Traceback" not in ran.err
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Wrong", "Wrong.decide returned 'x(1,1)' in turn"),
        ("Cheat", "CheatingActor.act chose 99 in turn"),
        ("Broken", "ZeroDivisionError: integer division or modulo by zero (my_agents.py, line"),
    ],
)
@pytest.mark.parametrize("game", ["tic_tac_toe", "matrix_rps"])
def test_its_faults_end_the_run_and_name_it(arena: Arena, name: str, told: str, game: str) -> None:
    ran = arena(*own(name), TRUSTED, f"simulation={game}", "episodes=2")
    assert ran.code == 1
    assert told in ran.out + ran.err
    assert run_json(ran.directory)["status"] == "error"


def test_its_faults_end_an_estimate_too(arena: Arena) -> None:
    ran = arena(*own("Broken"), TRUSTED, "estimate=true")
    assert ran.code == 1
    assert "a dry episode failed: ZeroDivisionError" in ran.err
    assert "Traceback" not in ran.err


def test_what_is_shown_is_what_is_run(arena: Arena) -> None:
    shown = yaml.safe_load(arena(*own("Fond", "likes=a"), "--cfg", "job").out)
    assert shown["agents"]["player_1"] == {"_target_": "my_agents.Fond", "likes": "a"}
    shown = yaml.safe_load(arena("agents.player_0.type=random", "--cfg", "job").out)
    assert shown["agents"]["player_0"] == {"type": "random"}


def test_it_starts_once_decides_and_is_closed(arena: Arena) -> None:
    ran = arena(*own("Slow"), TRUSTED, "episodes=3")
    assert ran.code == 0, ran.err
    assert [line for line in notes() if line != "imported"] == ["start player_1", "close player_1"]


@pytest.mark.parametrize("game", ["matrix_rps", "leduc_poker"])
def test_a_turn_offers_what_its_seat_may_know(arena: Arena, game: str) -> None:
    ran = arena(*own("Seen"), TRUSTED, f"simulation={game}", "episodes=2", "agents=llm_vs_random")
    assert ran.code == 0, ran.err
    seen = [ast.literal_eval(line) for line in notes() if line != "imported"]  # what repr wrote
    assert {line[1] for line in seen} == {0, 1}
    assert all(line[6][line[1]] == "player_1" for line in seen)
    assert all(line[3] and line[5] for line in seen)
    assert len(moves(ran, "player_1")) == len(seen)


def test_it_may_remember_within_an_episode(arena: Arena) -> None:
    ran = arena(*own("Remembering"), TRUSTED, "simulation=matrix_rps", "episodes=4")
    assert ran.code == 0, ran.err
    assert set(moves(ran, "player_1")) == {"Scissors"}


def test_a_language_model_can_be_built_on(arena: Arena) -> None:
    words = own("Polite", "word=thanks", "memory=true", "model=scripted_first")
    ran = arena(*words, TRUSTED, "episodes=2")
    assert ran.code == 0, ran.err
    mine = [r for r in lines(ran.directory / "responses.jsonl") if r["player"] == "player_1"]
    assert all("Play well, thanks." in r["messages"][0]["content"] for r in mine)
    assert max(len(r["messages"]) for r in mine) > 2  # memory
    assert {r["model"] for r in mine} == {"scripted_first"}
    node = yaml.safe_load((ran.directory / "config.yaml").read_text())["agents"]["player_1"]
    assert (node["model"], node["word"], node["sampling"]["max_tokens"]) == (
        *("scripted_first", "thanks"),
        250,
    )
    again = arena("--config", str(ran.directory / "config.yaml"), TRUSTED)
    assert episodes(again.directory) == episodes(ran.directory)
    assert "scripted_first" in arena("compare", str(ran.directory)).out


def test_presets_and_sweeps_take_it_too(arena: Arena, tmp_path: Path) -> None:
    preset = tmp_path / "conf" / "agents" / "mine.yaml"
    preset.parent.mkdir(parents=True)
    preset.write_text(
        "player_0: {_target_: my_agents.Fond, likes: Bet}\nplayer_1: {type: random}\n"
    )
    ran = arena("agents=mine", "simulation=kuhn_poker", TRUSTED, "episodes=4")
    assert set(moves(ran, "player_0")) == {"Bet"}
    assert arena("agents=mine", "agents.player_0.type=random", "episodes=2").code == 0
    swept = arena("-m", "agents.player_1._target_=my_agents.Fond,my_agents.Slow", TRUSTED)
    assert swept.code == 0, swept.err
    plain = tmp_path / "plain.json"
    plain.write_text(
        json.dumps({"agents": {f"player_{n}": {"_target_": "my_agents.Fond"} for n in (0, 1)}})
    )
    assert arena("--config", "plain.json", TRUSTED, "episodes=2").code == 0
