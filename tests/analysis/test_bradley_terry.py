"""Ratings against published fits and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from game_reasoning_arena.analysis.bradley_terry import ELO, Game, rate

# A. Agresti (2002), Categorical Data Analysis, 2nd ed., tables 10.10 and 10.11: American League
# East, 1987. Wins of the row's team at home and its losses at home, against each visitor.
_TEAMS = ("Milwaukee", "Detroit", "Toronto", "New York", "Boston", "Cleveland", "Baltimore")
_HOME = {
    "Milwaukee": ((4, 3), (4, 2), (4, 3), (6, 1), (4, 2), (6, 0)),
    "Detroit": ((3, 3), (4, 2), (4, 3), (6, 0), (6, 1), (4, 3)),
    "Toronto": ((2, 5), (4, 3), (2, 4), (4, 3), (4, 2), (6, 0)),
    "New York": ((3, 3), (5, 1), (2, 5), (4, 3), (4, 2), (6, 1)),
    "Boston": ((5, 1), (2, 5), (3, 3), (4, 2), (5, 2), (6, 0)),
    "Cleveland": ((2, 5), (3, 3), (3, 4), (4, 3), (4, 2), (2, 4)),
    "Baltimore": ((2, 5), (1, 5), (1, 6), (2, 4), (1, 6), (3, 4)),
}


def _season() -> list[Game]:
    games = []
    for home, records in _HOME.items():
        visitors = [team for team in _TEAMS if team != home]
        for visitor, (won, lost) in zip(visitors, records, strict=True):
            games += [Game(home, visitor, 1.0)] * won + [Game(home, visitor, 0.0)] * lost
    return games


def test_a_published_season_with_home_advantage() -> None:
    """H. Turner and D. Firth (2012), Bradley-Terry Models in R, J. Stat. Softw. 48(9): the model
    with home advantage has these abilities against Baltimore and 0.3023 (s.e. 0.1309) at home."""
    (fit,) = rate(_season())
    base = fit.ratings["Baltimore"].value
    assert base is not None
    published = {
        "Milwaukee": 1.6196, "Detroit": 1.4754, "Toronto": 1.3271, "New York": 1.2813,
        "Boston": 1.1438, "Cleveland": 0.7047, "Baltimore": 0.0,
    }  # fmt: skip
    found = {team: (rating.value - base) / ELO for team, rating in fit.ratings.items()}
    assert found == pytest.approx(published, abs=5e-5)
    assert fit.seat.value == pytest.approx(0.3023 * ELO, abs=5e-5 * ELO)
    assert (fit.seat.high - fit.seat.low) / (2 * 1.959964 * ELO) == pytest.approx(0.1309, abs=1e-4)
    assert next(iter(fit.ratings)) == "Milwaukee"
    assert fit.ties is None


def test_two_players_with_ties_have_a_closed_form() -> None:
    """Davidson (1970): with equal seats, v is ties over the geometric mean of the wins."""
    half = [("a", "b", 1.0)] * 16 + [("a", "b", 0.5)] * 12 + [("a", "b", 0.0)] * 4
    games = [Game(a, b, s) for a, b, s in half] + [Game(b, a, 1 - s) for a, b, s in half]
    (fit,) = rate(games)
    assert fit.difference("a", "b").value == pytest.approx(math.log(16 / 4) * ELO)
    assert fit.ties == pytest.approx(12 / math.sqrt(16 * 4))
    assert fit.seat.value == pytest.approx(0.0, abs=1e-6)


def _simulate(rng: np.random.Generator, strengths: dict[str, float], per_order: int) -> list[Game]:
    seat, ties = 0.4, 0.6
    games = []
    for a in strengths:
        for b in strengths:
            if a == b:
                continue
            s = strengths[a] - strengths[b] + seat
            weights = np.array([math.exp(s / 2), ties, math.exp(-s / 2)])
            drawn = rng.choice([1.0, 0.5, 0.0], size=per_order, p=weights / weights.sum())
            games += [Game(a, b, float(score)) for score in drawn]
    return games


def test_intervals_cover_the_truth_about_95_times_in_100() -> None:
    rng = np.random.default_rng(7)
    strengths = {"a": 0.5, "b": 0.0, "c": -0.5}
    repeats, hits, seat_hits = 400, 0, 0
    for _ in range(repeats):
        (fit,) = rate(_simulate(rng, strengths, 40))
        gap = fit.difference("a", "c")
        hits += gap.low <= ELO <= gap.high
        seat_hits += fit.seat.low <= 0.4 * ELO <= fit.seat.high
    four_errors = 4 * math.sqrt(0.95 * 0.05 / repeats)
    assert hits / repeats == pytest.approx(0.95, abs=four_errors)
    assert seat_hits / repeats == pytest.approx(0.95, abs=four_errors)


def test_who_wins_everything_gets_a_finite_rating_that_says_so() -> None:
    games = [Game("a", "b", 1.0), Game("b", "a", 0.0)] * 5
    (fit,) = rate(games)
    assert fit.regularised
    assert list(fit.ratings) == ["a", "b"]
    assert math.isfinite(fit.ratings["a"].high)


def test_players_who_never_met_are_not_compared() -> None:
    games = [Game("a", "b", 1.0), Game("b", "a", 1.0), Game("c", "d", 0.5)]
    assert [sorted(fit.ratings) for fit in rate(games)] == [["a", "b"], ["c", "d"]]
    assert rate([]) == []
    assert rate([Game("a", "a", 1.0)]) == []


def test_one_seat_order_alone_tells_nothing_of_the_seat() -> None:
    (fit,) = rate([Game("a", "b", 1.0)] * 3 + [Game("a", "b", 0.0)])
    assert fit.seat.value is None
    assert fit.difference("a", "b").value == pytest.approx(math.log(3) * ELO, rel=1e-6)
