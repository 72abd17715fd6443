"""The check of the whole machine would notice a fault. What it finds is in `tests/test_verify`."""

from __future__ import annotations

from pathlib import Path

import pytest

from game_reasoning_arena.agents.base_agent import Decision, Turn, played
from game_reasoning_arena.agents.random_agent import RandomActor, RandomAgent
from game_reasoning_arena.simulation.open_spiel import known_answers
from game_reasoning_arena.simulation.open_spiel.known_answers import verify


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_players_that_are_not_uniform_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def lazy(self: RandomActor, turn: Turn) -> Decision:
        legal = turn.legal_actions
        takes_first = self._stream.below(3) == 0
        return played(legal[0] if takes_first else legal[self._stream.below(len(legal))])

    some = [play for play in known_answers._plays() if play.game == "tic_tac_toe"][:1]
    monkeypatch.setattr(RandomActor, "act", lazy)
    monkeypatch.setattr(RandomAgent, "dice", lambda *_: None)
    monkeypatch.setattr(known_answers, "_plays", lambda: some)
    assert not all(check.ok for check in verify())


def test_a_value_that_is_not_the_games_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_answers, "_plays", list)
    monkeypatch.setattr(known_answers, "_VALUES", (("kuhn_poker", -1 / 18 + 1e-5),))
    off = [check.name for check in verify() if not check.ok]
    assert off == ["kuhn_poker, value of the game"]
