"""Ratings over all pairings: Bradley-Terry with ties and a seat effect.

For players i (at the first seat) and j with strengths t, first-seat advantage g and tie parameter
v, the weights of "i wins", "tie", "j wins" are exp(s/2), v, exp(-s/2) with s = t_i - t_j + g.

Sources: R. A. Bradley and M. E. Terry (1952), Rank analysis of incomplete block designs,
Biometrika 39, 324-345; ties: R. R. Davidson (1970), On extending the Bradley-Terry model to
accommodate ties in paired comparison experiments, JASA 65, 317-328; order effect: R. R. Davidson
and R. J. Beaver (1977), Biometrics 33, 693-702; when estimates exist: L. R. Ford (1957), American
Mathematical Monthly 64, 28-33, and A. Albert and J. A. Anderson (1984), Biometrika 71, 1-10.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.linalg import matrix_rank
from numpy.typing import NDArray
from scipy import optimize, stats
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from game_reasoning_arena.analysis.statistics.intervals import CONFIDENCE
from game_reasoning_arena.analysis.tables.estimates import Estimate

ELO = 400 / math.log(10)

#: Standard deviation of the weak prior used where results alone give no finite rating.
PRIOR_SD = 3.0


@dataclass(frozen=True, slots=True)
class Game:
    """One decided game: names at the first and second seat, the first's score (1, 0.5 or 0)."""

    first: str
    second: str
    score: float


@dataclass(frozen=True, slots=True)
class Ratings:
    """A fit over players who met, directly or through others.

    Attributes:
        ratings: Elo-like points by player, mean 0, best first; 400 points are odds of 10 to 1.
        covariance: of the ratings, in the same order, points squared.
        seat: advantage of the first seat in points.
        ties: the tie parameter v; None when no game was drawn.
        games: how many games were used.
        played: how many of them each player played.
        regularised: True when a weak prior was needed, since results are too one-sided, as where
            someone, or the first seat, won everything.
    """

    ratings: dict[str, Estimate]
    covariance: NDArray[np.float64]
    seat: Estimate
    ties: float | None
    games: int
    played: Mapping[str, int]
    regularised: bool

    def difference(self, a: str, b: str, confidence: float = CONFIDENCE) -> Estimate:
        """Rating of ``a`` minus rating of ``b``, with its interval."""
        names = list(self.ratings)
        i, j = names.index(a), names.index(b)
        first, second = self.ratings[a].value, self.ratings[b].value
        assert first is not None
        assert second is not None
        c = self.covariance
        error = math.sqrt(max(0.0, c[i, i] + c[j, j] - 2 * c[i, j]))
        half = float(stats.norm.isf((1 - confidence) / 2)) * error
        return Estimate(first - second, first - second - half, first - second + half, self.games)


def rate(games: Sequence[Game], confidence: float = CONFIDENCE) -> list[Ratings]:
    """Fit each group of players who met; players of different groups cannot be compared.

    Intervals are Wald intervals from the observed information.

    Returns:
        one fit per group, the largest first; empty without games between different players.
    """
    games = [game for game in games if game.first != game.second]
    names = sorted({name for game in games for name in (game.first, game.second)})
    if not names:
        return []
    index = {name: i for i, name in enumerate(names)}
    edges = csr_matrix(
        (np.ones(len(games)), ([index[g.first] for g in games], [index[g.second] for g in games])),
        shape=(len(names), len(names)),
    )
    count, group = connected_components(edges, directed=False)
    fits = [
        _fit(
            [name for name in names if group[index[name]] == k],
            [game for game in games if group[index[game.first]] == k],
            confidence,
        )
        for k in range(count)
    ]
    return sorted(fits, key=lambda fit: -len(fit.ratings))


def _finite(design: NDArray[np.float64], counts: NDArray[np.float64], *, tied: bool) -> bool:
    """Whether the results alone give finite estimates of strengths, seat effect and ties.

    They do not when some direction in the parameters makes every result seen at least as likely as
    all others, and one more so: then going on in it never stops helping. Without a seat effect that
    is Ford's condition, that no group of players has won all its games with the rest. Source: A.
    Albert and J. A. Anderson (1984), On the existence of maximum likelihood estimates in logistic
    regression models, Biometrika 71, 1-10; found by linear programming.
    """
    slopes = _slopes(design)
    kinds = (0, 1, 2) if tied else (0, 2)
    gains = np.array(
        [
            slopes[row, kind] - slopes[row, other]
            for row, seen in enumerate(counts)
            for kind in kinds
            if seen[kind] > 0
            for other in kinds
            if other != kind
        ]
    )
    found = optimize.linprog(
        -gains.sum(axis=0), A_ub=-gains, b_ub=np.zeros(len(gains)), bounds=(-1, 1)
    )
    return bool(-found.fun < 1e-7)


def _fit(names: Sequence[str], games: Sequence[Game], confidence: float) -> Ratings:
    size = len(names)
    index = {name: i for i, name in enumerate(names)}
    tied = any(game.score == 0.5 for game in games)
    pairs, counts = _tally(games, index)
    design = np.zeros((len(pairs), size + 1))
    for row, (i, j) in enumerate(pairs):
        design[row, [i, j]] = 1, -1
        design[row, size] = 1
    # No strengths do what a seat effect does: somebody changed seats, or a chain of games did.
    seated = bool(matrix_rank(design) > matrix_rank(design[:, :size]))
    design[:, size] *= seated
    finite = _finite(design, counts, tied=tied)
    penalty = np.zeros(size + 2)
    penalty[:size] = 1e-9 if finite else 1 / PRIOR_SD**2
    penalty[size] = 1 / PRIOR_SD**2 if seated and not finite else 0.0 if seated else 1.0
    penalty[size + 1] = 1.0 if not tied else 0.0 if finite else 1 / PRIOR_SD**2
    theta, information = _newton(design, counts, penalty, tied)
    # Strengths are known up to a constant: project on mean 0.
    centre = np.eye(size + 2)
    centre[:size, :size] -= 1 / size
    covariance = centre @ np.linalg.pinv(information, hermitian=True) @ centre.T
    theta = centre @ theta
    z = float(stats.norm.isf((1 - confidence) / 2))

    def estimate(k: int) -> Estimate:
        value, half = theta[k] * ELO, z * math.sqrt(max(0.0, covariance[k, k])) * ELO
        return Estimate(float(value), float(value - half), float(value + half), len(games))

    order = sorted(range(size), key=lambda k: -theta[k])
    return Ratings(
        ratings={names[k]: estimate(k) for k in order},
        covariance=covariance[np.ix_(order, order)] * ELO**2,
        seat=estimate(size) if seated else Estimate(None, n=len(games)),
        ties=float(np.exp(theta[size + 1])) if tied else None,
        games=len(games),
        played=Counter(name for game in games for name in (game.first, game.second)),
        regularised=not finite,
    )


def _tally(
    games: Sequence[Game], index: dict[str, int]
) -> tuple[list[tuple[int, int]], NDArray[np.float64]]:
    """Ordered pairs, and for each the counts of (first wins, tie, second wins)."""
    rows: dict[tuple[int, int], list[float]] = {}
    for game in games:
        row = rows.setdefault((index[game.first], index[game.second]), [0.0, 0.0, 0.0])
        row[{1.0: 0, 0.5: 1, 0.0: 2}[game.score]] += 1
    return list(rows), np.array(list(rows.values()))


def _slopes(design: NDArray[np.float64]) -> NDArray[np.float64]:
    """d(log weight)/d(parameter) of the three outcomes: pairs x 3 x (players + 2)."""
    rows, width = design.shape
    slopes = np.zeros((rows, 3, width + 1))
    slopes[:, 0, :width] = design / 2
    slopes[:, 2, :width] = -design / 2
    slopes[:, 1, width] = 1.0
    return slopes


def _newton(
    design: NDArray[np.float64],
    counts: NDArray[np.float64],
    penalty: NDArray[np.float64],
    tied: bool,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Maximise the (concave) penalised log likelihood; parameters, then the information there.

    ``design`` is pairs x (players + 1); the last parameter is log v.
    """
    width = design.shape[1]
    slopes = _slopes(design)
    totals = counts.sum(axis=1)

    def evaluate(at: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights = slopes @ at
        if not tied:
            weights[:, 1] = -np.inf
        peak = weights.max(axis=1, keepdims=True)
        log_sum = peak[:, 0] + np.log(np.exp(weights - peak).sum(axis=1))
        chances = np.exp(weights - log_sum[:, None])
        seen = np.where(counts > 0, counts * np.where(counts > 0, weights, 0.0), 0.0)
        value = float(seen.sum() - totals @ log_sum - (penalty * at**2).sum() / 2)
        return value, chances

    theta = np.zeros(width + 1)
    value, chances = evaluate(theta)
    for _ in range(100):
        expected = totals[:, None] * chances
        gradient = np.einsum("rk,rkp->p", counts - expected, slopes) - penalty * theta
        mean = np.einsum("rk,rkp->rp", chances, slopes)
        information = (
            np.einsum("rk,rkp,rkq->pq", expected, slopes, slopes)
            - np.einsum("r,rp,rq->pq", totals, mean, mean)
            + np.diag(penalty)
        )
        step = np.linalg.lstsq(information, gradient, rcond=None)[0]
        scale = 1.0
        while True:
            candidate, chances_there = evaluate(theta + scale * step)
            if candidate >= value - 1e-12 or scale < 1e-6:
                break
            scale /= 2
        theta, value, chances = theta + scale * step, candidate, chances_there
        if np.abs(scale * step).max() < 1e-10:
            break
    return theta, information
