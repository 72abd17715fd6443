"""The check of the whole machine would notice a fault. What it finds is in `tests/test_verify`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from game_reasoning_arena.agents.base_agent import Decision, Turn, played
from game_reasoning_arena.agents.random_agent import RandomActor, RandomAgent
from game_reasoning_arena.simulation.open_spiel import known_answers, known_judgements
from game_reasoning_arena.simulation.open_spiel.answer_checks import Check
from game_reasoning_arena.simulation.open_spiel.evaluators.hidden import HiddenJudge
from game_reasoning_arena.simulation.open_spiel.evaluators.judging import Judged
from game_reasoning_arena.simulation.open_spiel.full_expansion import regret_of_random_play
from game_reasoning_arena.simulation.open_spiel.known_answers import verify


def _regret_of_random() -> list[Check]:
    return [known_judgements._regret_of_random("kuhn_poker")]


def _shown_luck() -> list[Check]:
    return list(known_judgements._without_luck("kuhn_poker", "random", "random", Path()))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(known_answers, "judgement_checks", lambda progress: [])


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


def test_the_expansions_are_those_of_the_textbook() -> None:
    # Uniform strategies of both: a check of Kuhn's poker by hand gives the regret of each card.
    uniform = regret_of_random_play("kuhn_poker", lambda seat, key: {0: 0.5, 1: 0.5})
    assert uniform == pytest.approx(_by_hand(), abs=1e-12)


def _by_hand() -> float:
    """Kuhn poker with uniform strategies: values of (pass, bet) at every information set."""
    # Card 0, 1, 2 against the two others. First seat: a bet is called half the time; a pass is
    # passed (showdown for 1) or bet (then fold for -1 or call for a showdown of 2, half each).
    total = 0.0
    for card in range(3):
        wins = [1 if card > other else -1 for other in range(3) if other != card]
        show = sum(wins) / 2
        bet, called, fold = 0.5 + 0.5 * 2 * show, 2 * show, -1.0
        passed = 0.5 * show + 0.5 * (0.5 * fold + 0.5 * called)
        # Weights: how often a seat with this card comes there when both play at random.
        for weight, values in (
            (1 / 3, (passed, bet)),  # first seat, first move
            (1 / 3 / 4, (fold, called)),  # first seat, after pass and bet
            (1 / 3 / 2, (fold, called)),  # second seat, after a bet
            (1 / 3 / 2, (show, 0.5 + 0.5 * called)),  # second seat, after a pass
        ):
            total += weight * abs(values[0] - values[1]) / 2
    return total


@pytest.mark.parametrize("part", [_regret_of_random, _shown_luck])
def test_a_judgement_that_is_off_is_noticed(
    part: Callable[[], list[Check]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert all(check.ok for check in part())
    right = HiddenJudge.judge

    def generous(self: HiddenJudge, episode: Mapping[str, Any]) -> Judged:
        judged = right(self, episode)
        judged.decisions = [
            replace(one, regret=0.8 * (one.regret or 0.0)) for one in judged.decisions
        ]
        judged.luck = [
            replace(one, adjusted_return=(one.adjusted_return or 0.0) + 0.3) for one in judged.luck
        ]
        return judged

    monkeypatch.setattr(HiddenJudge, "judge", generous)
    assert not any(check.ok for check in part())
