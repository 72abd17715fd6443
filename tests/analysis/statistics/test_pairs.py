"""Whole comparisons of players that do not differ, and of some that do."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from game_reasoning_arena.analysis.statistics.competitors import Competitor
from game_reasoning_arena.analysis.statistics.paired import SignTest
from game_reasoning_arena.analysis.statistics.pairs import Pair, compare_pairs
from game_reasoning_arena.analysis.statistics.standings import POLICIES, Standings
from game_reasoning_arena.analysis.statistics.verdicts import pairs_table
from game_reasoning_arena.analysis.tables.estimates import Estimate


def _standings(
    rng: np.random.Generator, chances: dict[str, float], seeds: int, *, poker: bool = False
) -> Standings:
    """Each player meets the same random opponent on the same deals, once from each seat; a seed has
    its own luck, which all players share."""
    luck = rng.normal(0.0, 0.15, size=seeds)
    rows = []
    for run, (label, chance) in enumerate(chances.items()):
        for episode in range(2 * seeds):
            seed, seat = divmod(episode, 2)
            won = rng.random() < min(0.98, max(0.02, chance + (-1) ** seat * luck[seed]))
            pot = float(rng.choice([1, 3, 5, 9], p=[0.5, 0.25, 0.15, 0.1])) if poker else 1.0
            result = "win" if won else "loss"
            rows.append(
                {
                    "run": run, "episode": episode, "seed": seed, "game": "some_game", "seat": seat,
                    "player": "player_0", "who": label, "against": "random", "rival": "random",
                    "players": 2, "status": "completed", "cause": None, "substituted": False,
                    "move_limit": False, "returns": pot if won else -pot,
                    **dict.fromkeys(POLICIES, result),
                }
            )  # fmt: skip
    who = {
        (run, "player_0"): Competitor(label, {}, True, label) for run, label in enumerate(chances)
    }
    return Standings(pd.DataFrame(rows), who)


@pytest.mark.parametrize("poker", [False, True])
def test_a_against_a_is_resolved_in_5_of_100(poker: bool) -> None:
    rng = np.random.default_rng(20)
    repeats = 150
    resolved = 0
    for _ in range(repeats):
        seen = _standings(rng, {"a": 0.6, "b": 0.6}, 25, poker=poker)
        (pair,) = compare_pairs(seen, "loss")
        assert pair.basis == "same deals"
        assert (pair.test is None) is poker
        resolved += pair.resolved
    # The exact sign test rejects somewhat less often than 5 %, by the jumps of the binomial.
    low = 0.05 if poker else 0.03
    error = 4 * math.sqrt(0.05 * 0.95 / repeats)
    assert low - error <= resolved / repeats <= 0.05 + error


def test_of_many_equal_players_hardly_ever_any_two_are_told_apart() -> None:
    rng = np.random.default_rng(21)
    repeats = 40
    found = uncorrected = 0
    for _ in range(repeats):
        seen = _standings(rng, dict.fromkeys("abcde", 0.5), 20)
        pairs = compare_pairs(seen, "loss")
        assert len(pairs) == 10
        found += any(pair.resolved for pair in pairs)
        uncorrected += any(pair.p < 0.05 for pair in pairs)
    assert found / repeats <= 0.05 + 4 * math.sqrt(0.05 * 0.95 / repeats)
    assert uncorrected > found


def test_the_pairs_said_to_be_needed_resolve_it() -> None:
    rng = np.random.default_rng(22)
    needed = [
        pair.needed for pair in compare_pairs(_standings(rng, {"a": 0.7, "b": 0.5}, 400), "loss")
    ]
    assert needed[0] is not None
    repeats = 60
    seeds = math.ceil(needed[0] / 2)
    resolved = sum(
        compare_pairs(_standings(rng, {"a": 0.7, "b": 0.5}, seeds), "loss")[0].resolved
        for _ in range(repeats)
    )
    # The number comes from a sample too, so the band is wide.
    assert 0.55 < resolved / repeats < 0.97


_FAR, _NEAR = Estimate(0.5, 0.2, 0.8), Estimate(0.3, -0.1, 0.8)
_MORE, _LESS = Estimate(2.0, 1.0, 3.0), Estimate(-2.0, -3.0, -1.0)


@pytest.mark.parametrize(
    ("score", "returns", "p", "adjusted", "said"),
    [
        (_FAR, None, 0.01, 0.01, None),
        (_NEAR, None, 0.20, 0.20, None),
        (_FAR, None, 0.01, 0.08, "corrected for all pairs that were tested"),
        (_FAR, None, 0.08, 0.08, "how often A is ahead"),
        (_NEAR, None, 0.01, 0.01, "not on that side of 0"),
        (_FAR, _MORE, 0.01, 0.01, None),
        (_FAR, _LESS, 0.01, 0.01, "it is of the returns"),
        (_NEAR, _MORE, 0.08, 0.08, "its level holds for few deals"),
    ],
)
def test_where_interval_and_test_disagree_the_reader_is_told_what_decides(
    score: Estimate, returns: Estimate | None, p: float, adjusted: float, said: str | None
) -> None:
    pair = Pair("chess", "a", "b", "met", difference=score, p=p, adjusted=adjusted)
    pair.test = SignTest(12, 2, 6, p) if returns is None else None
    pair.returns = returns or Estimate(None)
    notes = [note for note in pairs_table([pair]).notes if note.startswith("a and b: ")]
    assert len(notes) == (said is not None)
    for note in notes:
        assert "The test decides" in note
        assert said is not None
        assert said in note


def test_where_returns_are_tested_returns_name_the_better() -> None:
    pair = Pair("poker", "often", "much", "met", difference=_FAR, returns=_LESS, p=0.01)
    pair.adjusted = 0.01
    assert pair.verdict() == "much is better"


def test_few_differing_units_are_called_what_they_are() -> None:
    pair = Pair("chess", "a", "b", "met", unit="deal", p=1.0, adjusted=1.0)
    pair.test = SignTest(2, 1, 17, 1.0)
    assert pair.verdict() == "too few deals differ to show anything"
