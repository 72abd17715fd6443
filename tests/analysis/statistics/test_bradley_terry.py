"""Ratings against published fits and by simulation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pytest
from scipy import optimize, stats

from game_reasoning_arena.analysis.statistics.bradley_terry import ELO, Ratings
from game_reasoning_arena.analysis.statistics.bradley_terry import rate as rate_games
from game_reasoning_arena.analysis.statistics.rated_games import Games


class Game(NamedTuple):
    """Names at the first and second seat, and the first's score."""

    first: str
    second: str
    score: float


def rate(games: Sequence[Game]) -> list[Ratings]:
    """The fit of independent games."""
    first, second, score = zip(*games, strict=True) if games else ((), (), ())
    return rate_games(Games(first, second, score))


# Published fits are held against implementations that share no code with ours, in the versions
# named; docs/statistics.md tells the whole of it.

# A. Agresti (2002), Categorical Data Analysis, 2nd ed., table 10.10, data set ``baseball`` of R's
# BradleyTerry2: American League East, 1987. Wins of the row's team at home and its losses at home,
# against each visitor.
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
    """Agresti's table 10.11, which BradleyTerry2 checks itself by (test-baseball.R): home
    advantage 0.302 and these shares. R 4.2.2, BradleyTerry2 1.1.2, example(baseball): the abilities
    against Baltimore to four places, home advantage 0.3023, s.e. 0.1309."""
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
    total = sum(math.exp(ability) for ability in found.values())
    shares = [math.exp(ability) / total for ability in found.values()]
    assert shares == pytest.approx([0.220, 0.190, 0.164, 0.157, 0.137, 0.088, 0.044], abs=5e-4)
    # Boston's ability is the difference of two ratings, with a standard error of its own.
    gap = fit.difference("Boston", "Baltimore")
    assert (gap.high - gap.low) / (2 * 1.959964 * ELO) == pytest.approx(0.3378, abs=5e-5)


# R. Dittrich, R. Hatzinger, W. Katzenbeisser (1998), Modelling the effect of subject-specific
# covariates in paired comparison studies, Applied Statistics 47, 511-525, as corrected in 2001;
# data set ``CEMS`` of BradleyTerry2: how often 303 students preferred the first school, the second,
# or neither.
_SCHOOLS = {
    ("London", "Barcelona"): (217, 67, 19), ("Milano", "Barcelona"): (104, 132, 67),
    ("Paris", "Barcelona"): (157, 109, 37), ("St.Gallen", "Barcelona"): (144, 134, 25),
    ("London", "Milano"): (221, 56, 26), ("Paris", "Milano"): (121, 59, 32),
    ("London", "Paris"): (186, 91, 26), ("London", "St.Gallen"): (208, 73, 22),
    ("Milano", "St.Gallen"): (135, 140, 28), ("Paris", "St.Gallen"): (165, 119, 19),
    ("Barcelona", "Stockholm"): (172, 90, 41), ("London", "Stockholm"): (250, 34, 19),
    ("Milano", "Stockholm"): (157, 100, 46), ("Paris", "Stockholm"): (203, 70, 30),
    ("St.Gallen", "Stockholm"): (155, 98, 50),
}  # fmt: skip


def test_a_published_choice_with_ties() -> None:
    """Davidson's model for Dittrich's schools as log-linear Poisson regression, R 4.2.2, glm:
    log v -1.3172, and these abilities against Stockholm with their standard errors. Half the votes
    are told from the other side, so that order tells nothing and no seat effect is left."""
    games = []
    for (one, other), (won, lost, tied) in _SCHOOLS.items():
        for score, count in ((1.0, won), (0.0, lost), (0.5, tied)):
            games += [Game(one, other, score), Game(other, one, 1 - score)] * count
    (fit,) = rate(games)
    published = {
        "London": (1.8228, 0.0831), "Paris": (1.0325, 0.0776), "Barcelona": (0.6129, 0.0752),
        "St.Gallen": (0.5983, 0.0751), "Milano": (0.4420, 0.0760), "Stockholm": (0.0, 0.0),
    }  # fmt: skip
    assert list(fit.ratings) == list(published)
    for school, (ability, error) in published.items():
        gap = fit.difference(school, "Stockholm")
        assert gap.value == pytest.approx(ability * ELO, abs=5e-5 * ELO)
        # Each vote is in there twice, so the errors are smaller by the root of two.
        found = (gap.high - gap.low) / (2 * 1.959964 * ELO) * math.sqrt(2)
        assert found == pytest.approx(error, abs=5e-5)
    assert fit.ties is not None
    assert math.log(fit.ties) == pytest.approx(-1.3172, abs=5e-5)
    assert fit.seat.value == pytest.approx(0.0, abs=1e-6)


# Home wins, draws and away wins among six clubs in the English Premier League, 2008-9 to 2012-13:
# data set ``football`` of BradleyTerry2.
_CLUBS = ("Ars", "Che", "Liv", "MnC", "MnU", "Tot")
_HOME_WINS = ("011223", "301322", "030133", "342013", "434304", "325300")
_DRAWS = ("013211", "001123", "210411", "102010", "100000", "220130")
_AWAY_WINS = ("031121", "203110", "310011", "111032", "021201", "010120")


def test_published_seasons_with_ties_and_home_advantage() -> None:
    """R 4.2.2, gnm 1.1-2 with BradleyTerry2's GenDavidson(home.adv = ~1, tie.max = ~1), the model
    of Davidson (1970) with an order effect: home advantage 0.6647 (s.e. 0.2024), a draw between
    equals 0.2611, and these abilities about their mean with their standard errors."""
    games = []
    for i, home in enumerate(_CLUBS):
        for j, away in enumerate(_CLUBS):
            for score, counts in ((1.0, _HOME_WINS), (0.5, _DRAWS), (0.0, _AWAY_WINS)):
                games += [Game(home, away, score)] * int(counts[i][j])
    assert len(games) == 150
    (fit,) = rate(games)
    published = {
        "Ars": (-0.2948, 0.2876), "Che": (-0.0503, 0.2853), "Liv": (-0.1478, 0.2858),
        "MnC": (-0.0990, 0.2855), "MnU": (0.6422, 0.2966), "Tot": (-0.0503, 0.2853),
    }  # fmt: skip
    for club, (ability, error) in published.items():
        rating = fit.ratings[club]
        assert rating.value == pytest.approx(ability * ELO, abs=5e-5 * ELO)
        assert (rating.high - rating.low) / (2 * 1.959964 * ELO) == pytest.approx(error, abs=1e-4)
    assert fit.seat.value == pytest.approx(0.6647 * ELO, abs=5e-5 * ELO)
    assert (fit.seat.high - fit.seat.low) / (2 * 1.959964 * ELO) == pytest.approx(0.2024, abs=5e-5)
    assert fit.ties / (2 + fit.ties) == pytest.approx(0.2611, abs=5e-5)


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
    repeats, hits, seat_hits, rejected = 400, 0, 0, 0
    for _ in range(repeats):
        (fit,) = rate(_simulate(rng, strengths, 40))
        gap = fit.difference("a", "c")
        hits += gap.low <= ELO <= gap.high
        seat_hits += fit.seat.low <= 0.4 * ELO <= fit.seat.high
        (none,) = rate(_simulate(rng, {"a": 0.0, "b": 0.0, "c": 0.7}, 40))
        gap = none.difference("a", "b")
        rejected += not gap.low <= 0 <= gap.high
    four_errors = 4 * math.sqrt(0.95 * 0.05 / repeats)
    assert hits / repeats == pytest.approx(0.95, abs=four_errors)
    assert seat_hits / repeats == pytest.approx(0.95, abs=four_errors)
    assert rejected / repeats == pytest.approx(0.05, abs=four_errors)


def test_who_wins_everything_gets_a_finite_rating_that_says_so() -> None:
    games = [Game("a", "b", 1.0), Game("b", "a", 0.0)] * 5
    (fit,) = rate(games)
    assert fit.regularised
    assert list(fit.ratings) == ["a", "b"]
    high = fit.ratings["a"].high
    assert high is not None
    assert math.isfinite(high)


@pytest.mark.parametrize(
    "games",
    [
        [Game("a", "b", 1.0), Game("b", "a", 1.0)] * 5,  # the first seat always wins
        [Game("a", "b", 0.5), Game("b", "a", 0.5)] * 5,  # nothing but ties
        [Game("a", "b", 1.0), Game("b", "a", 1.0), Game("a", "b", 0.5)] * 5,
        [Game("a", "b", 1.0), Game("b", "c", 1.0), Game("c", "a", 1.0), Game("b", "a", 1.0)] * 3,
    ],
)
def test_one_sided_seats_and_ties_give_finite_intervals_too(games: list[Game]) -> None:
    (fit,) = rate(games)
    assert fit.regularised
    for estimate in (*fit.ratings.values(), fit.seat):
        assert estimate.high - estimate.low < 6000


def test_results_that_are_just_not_one_sided_need_no_prior() -> None:
    games = [Game("a", "b", 1.0), Game("b", "a", 1.0)] * 9
    games += [Game("a", "b", 0.0), Game("b", "a", 0.0)]
    (fit,) = rate(games)
    assert not fit.regularised
    assert fit.seat.low > 0


def test_players_who_never_met_are_not_compared() -> None:
    games = [Game("a", "b", 1.0), Game("b", "a", 1.0), Game("c", "d", 0.5)]
    assert [sorted(fit.ratings) for fit in rate(games)] == [["a", "b"], ["c", "d"]]
    assert rate([]) == []
    assert rate([Game("a", "a", 1.0)]) == []


def test_one_seat_order_alone_tells_nothing_of_the_seat() -> None:
    (fit,) = rate([Game("a", "b", 1.0)] * 3 + [Game("a", "b", 0.0)])
    assert fit.seat.value is None
    assert fit.difference("a", "b").value == pytest.approx(math.log(3) * ELO, rel=1e-6)


def test_seats_that_belong_to_some_players_alone_tell_nothing_of_the_seat() -> None:
    met = [("a", "x", 12), ("a", "y", 9), ("b", "x", 7), ("b", "y", 4)]
    games = [Game(i, j, float(k < won)) for i, j, won in met for k in range(16)]
    (fit,) = rate(games)
    assert fit.seat.value is None
    assert not fit.regularised
    assert all(rating.high - rating.low < 500 for rating in fit.ratings.values())
    # One who plays in both kinds of seats is enough to tell.
    (fit,) = rate([*games, *(Game("x", "y", float(k < 6)) for k in range(16))])
    assert fit.seat.known
    assert all(rating.high - rating.low < 500 for rating in fit.ratings.values())


def test_a_ring_of_games_tells_the_seat_though_nobody_swapped() -> None:
    ring = [Game(i, j, float(k < 6)) for i, j in ("ab", "bc", "ca") for k in range(9)]
    (fit,) = rate(ring)
    assert fit.seat.value == pytest.approx(math.log(2) * ELO, rel=1e-6)


def test_intervals_by_deal_agree_with_a_fit_that_shares_no_code() -> None:
    """Maximum likelihood by scipy's BFGS on loops over games; the covariance of K.-Y. Liang and S.
    L. Zeger (1986) from differences of likelihoods, with k / (k - 1) and Student's quantile."""
    rng = np.random.default_rng(6)
    names, deals = ["a", "b", "c"], 12
    games = [
        (one, other, float(rng.choice([1.0, 0.5, 0.0], p=[0.5, 0.2, 0.3])), deal)
        for deal in range(deals)
        for one in names
        for other in names
        if one != other
    ]
    (fit,) = rate_games(Games(*zip(*games, strict=True)))

    def surprise(at: np.ndarray, some: list[tuple[str, str, float, int]]) -> float:
        strength = dict(zip(names, [0.0, at[0], at[1]], strict=True))
        total = 0.0
        for one, other, score, _ in some:
            s = strength[one] - strength[other] + at[2]
            weights = {1.0: math.exp(s / 2), 0.5: math.exp(at[3]), 0.0: math.exp(-s / 2)}
            total -= math.log(weights[score] / sum(weights.values()))
        return total

    best = optimize.minimize(surprise, np.zeros(4), args=(games,), tol=1e-10).x
    step = 1e-4

    def slope(some: list[tuple[str, str, float, int]], at: np.ndarray) -> np.ndarray:
        moves = np.eye(4) * step
        return np.array([surprise(at + m, some) - surprise(at - m, some) for m in moves]) / step / 2

    moves = np.eye(4) * step
    bend = np.array([slope(games, best + m) - slope(games, best - m) for m in moves]) / step / 2
    per_deal = [slope([g for g in games if g[3] == deal], best) for deal in range(deals)]
    spread = np.array(per_deal).T @ np.array(per_deal) * deals / (deals - 1)
    covariance = np.linalg.inv(bend) @ spread @ np.linalg.inv(bend)
    gap = fit.difference("b", "a")
    half = stats.t.isf(0.025, deals - 1) * math.sqrt(covariance[0, 0])
    assert gap.value == pytest.approx(best[0] * ELO, abs=0.05)
    assert (gap.high - gap.low) / 2 == pytest.approx(half * ELO, rel=1e-3)
    assert fit.seat.value == pytest.approx(best[2] * ELO, abs=0.05)
    half = stats.t.isf(0.025, deals - 1) * math.sqrt(covariance[2, 2])
    assert (fit.seat.high - fit.seat.low) / 2 == pytest.approx(half * ELO, rel=1e-3)
    assert fit.deals.tolist() == [deals] * 3


def test_where_somebody_won_everything_a_deal_counts_once() -> None:
    """Six games of each deal, all won: no surer than by one game of each."""
    wide = Games(["a", "b"] * 30, ["b", "a"] * 30, [1.0, 0.0] * 30, np.arange(60) // 6)
    (fit,) = rate_games(wide)
    (plain,) = rate_games(Games(["a", "b"] * 5, ["b", "a"] * 5, [1.0, 0.0] * 5, np.arange(10)))
    assert fit.regularised
    assert plain.regularised
    many, few = fit.ratings["a"], plain.ratings["a"]
    (naive,) = rate_games(Games(wide.first, wide.second, wide.score))
    assert many.high - many.low > 1.3 * (naive.ratings["a"].high - naive.ratings["a"].low)
    assert many.high - many.low == pytest.approx(few.high - few.low, rel=0.6)


def test_one_deal_alone_gives_no_interval() -> None:
    (fit,) = rate_games(Games(["a", "b", "a"], ["b", "a", "b"], [1.0, 1.0, 0.0], [7, 7, 7]))
    assert all(rating.known and rating.low is None for rating in fit.ratings.values())
    assert fit.difference("a", "b").low is None
