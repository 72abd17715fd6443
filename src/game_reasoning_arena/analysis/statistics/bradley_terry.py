"""Ratings over all pairings: Bradley-Terry with ties and a seat effect.

For players i (at the first seat) and j with strengths t, first-seat advantage g and tie parameter
v, the weights of "i wins", "tie", "j wins" are exp(s/2), v, exp(-s/2) with s = t_i - t_j + g.

Games of one deal share its luck, so the deal is the unit of every interval: the covariance is the
cluster-robust one, with Student's quantile of the deals a player took part in.

Sources: R. A. Bradley and M. E. Terry (1952), Rank analysis of incomplete block designs,
Biometrika 39, 324-345; ties: R. R. Davidson (1970), On extending the Bradley-Terry model to
accommodate ties in paired comparison experiments, JASA 65, 317-328; order effect: R. R. Davidson
and R. J. Beaver (1977), Biometrics 33, 693-702; when estimates exist: L. R. Ford (1957), American
Mathematical Monthly 64, 28-33, and A. Albert and J. A. Anderson (1984), Biometrika 71, 1-10; the
covariance: K.-Y. Liang and S. L. Zeger (1986), Longitudinal data analysis using generalized linear
models, Biometrika 73, 13-22, with the factor of k / (k - 1) for k deals, which is the jackknife's
where all deals are played alike: R. M. Bell and D. F. McCaffrey (2002), Bias reduction in standard
errors for linear regression with multi-stage samples, Survey Methodology 28, 169-181.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.linalg import matrix_rank
from numpy.typing import NDArray
from scipy import optimize, stats
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from game_reasoning_arena.analysis.statistics.intervals import CONFIDENCE
from game_reasoning_arena.analysis.statistics.rated_games import Games, Played
from game_reasoning_arena.analysis.tables.estimates import Estimate

ELO = 400 / math.log(10)

#: Standard deviation of the weak prior used where results alone give no finite rating.
PRIOR_SD = 3.0


@dataclass(frozen=True, slots=True)
class Ratings:
    """A fit over players who met, directly or through others.

    Attributes:
        ratings: Elo-like points by player, mean 0, best first; 400 points are odds of 10 to 1.
        covariance: of the ratings, in the same order, points squared, deals being the unit.
        deals: how many deals each player took part in, in the same order; None where games are
            independent.
        seat: advantage of the first seat in points.
        ties: the tie parameter v; None when no game was drawn.
        games: how many games were used.
        played: how many of them each player played.
        regularised: True when a weak prior was needed, since results are too one-sided, as where
            someone, or the first seat, won everything.
    """

    ratings: dict[str, Estimate]
    covariance: NDArray[np.float64]
    deals: NDArray[np.int64] | None
    seat: Estimate
    ties: float | None
    games: int
    played: Mapping[str, int]
    regularised: bool

    def difference(self, a: str, b: str, confidence: float = CONFIDENCE) -> Estimate:
        """Return the rating of ``a`` minus that of ``b``, with its interval."""
        names = list(self.ratings)
        i, j = names.index(a), names.index(b)
        first, second = self.ratings[a].value, self.ratings[b].value
        assert first is not None
        assert second is not None
        c = self.covariance
        error = math.sqrt(max(0.0, c[i, i] + c[j, j] - 2 * c[i, j]))
        fewest = None if self.deals is None else int(min(self.deals[i], self.deals[j]))
        quantile = _quantile(confidence, fewest)
        if quantile is None:
            return Estimate(first - second, None, None, self.games)
        half = quantile * error
        return Estimate(first - second, first - second - half, first - second + half, self.games)


def _quantile(confidence: float, deals: int | None) -> float | None:
    """Student's quantile of an interval from so many deals; the normal one of independent games."""
    tail = (1 - confidence) / 2
    if deals is None:
        return float(stats.norm.isf(tail))
    return float(stats.t.isf(tail, deals - 1)) if deals > 1 else None


def rate(games: Games, confidence: float = CONFIDENCE) -> list[Ratings]:
    """Fit each group of players who met; players of different groups cannot be compared.

    Returns:
        one fit per group, the largest first; empty without games between different players.
    """
    both = np.concatenate([np.asarray(games.first, object), np.asarray(games.second, object)])
    if not len(both):
        return []
    codes, names = pd.factorize(both, sort=True)
    first, second = codes[: len(codes) // 2], codes[len(codes) // 2 :]
    kept = first != second
    if not kept.any():
        return []
    score = np.asarray(games.score, dtype=np.float64)[kept]
    deal = None if games.deal is None else np.asarray(games.deal)[kept]
    first, second = first[kept], second[kept]
    edges = csr_matrix((np.ones(len(first)), (first, second)), shape=(len(names), len(names)))
    count, group = connected_components(edges, directed=False)
    fits = []
    for k in range(count):
        members = np.flatnonzero(group == k)
        mine = group[first] == k
        if mine.any():
            place = np.zeros(len(names), dtype=np.int64)
            place[members] = np.arange(len(members))
            fits.append(
                _fit(
                    [str(names[i]) for i in members],
                    Played(
                        place[first[mine]],
                        place[second[mine]],
                        score[mine],
                        None if deal is None else deal[mine],
                    ),
                    confidence,
                )
            )
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


def _fit(names: Sequence[str], played: Played, confidence: float) -> Ratings:
    size, counts = len(names), played.counts
    tied = bool(counts[:, 1].any())
    design = np.zeros((len(counts), size + 1))
    for row, (i, j) in enumerate(played.pairs):
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
    deals = played.deals
    if finite and deals is not None:
        covariance = _clustered(design, played, theta, information, tied)
    else:  # where nothing was lost, nothing shows how alike games of a deal are: each counts once
        share = 1.0 if deals is None else deals / counts.sum()
        thinned = (information - np.diag(penalty)) * share + np.diag(penalty)
        covariance = np.linalg.pinv(thinned, hermitian=True)
    # Strengths are known up to a constant: project on mean 0.
    centre = np.eye(size + 2)
    centre[:size, :size] -= 1 / size
    covariance, theta = centre @ covariance @ centre.T, centre @ theta
    total = int(counts.sum())

    def estimate(k: int, seen: int | None) -> Estimate:
        value, quantile = float(theta[k] * ELO), _quantile(confidence, seen)
        if quantile is None:
            return Estimate(value, None, None, total)
        half = quantile * math.sqrt(max(0.0, covariance[k, k])) * ELO
        return Estimate(value, value - half, value + half, total)

    order = sorted(range(size), key=lambda k: -theta[k])
    taking_part = None if deals is None else played.taking_part
    return Ratings(
        ratings={
            names[k]: estimate(k, None if taking_part is None else int(taking_part[k]))
            for k in order
        },
        covariance=covariance[np.ix_(order, order)] * ELO**2,
        deals=None if taking_part is None else taking_part[order],
        seat=estimate(size, deals) if seated else Estimate(None, n=total),
        ties=float(np.exp(theta[size + 1])) if tied else None,
        games=total,
        played={name: int(played.games[k]) for k, name in enumerate(names)},
        regularised=not finite,
    )


def _clustered(
    design: NDArray[np.float64],
    played: Played,
    theta: NDArray[np.float64],
    information: NDArray[np.float64],
    tied: bool,
) -> NDArray[np.float64]:
    """Covariance of the parameters, whatever is dependent within deals."""
    assert played.deals is not None
    if played.deals < 2:
        return np.full((len(theta), len(theta)), np.nan)
    slopes = _slopes(design)
    chances = _chances(slopes @ theta, tied)
    residual = slopes - np.einsum("rk,rkp->rp", chances, slopes)[:, None, :]
    gradients = played.cells @ residual.reshape(-1, slopes.shape[2])  # of each kind of deal
    moves = gradients @ np.linalg.pinv(information, hermitian=True)
    few = played.deals / (played.deals - 1)
    return np.asarray(few * (moves * played.often[:, None]).T @ moves)


def _slopes(design: NDArray[np.float64]) -> NDArray[np.float64]:
    """d(log weight)/d(parameter) of the three outcomes: pairs x 3 x (players + 2)."""
    rows, width = design.shape
    slopes = np.zeros((rows, 3, width + 1))
    slopes[:, 0, :width] = design / 2
    slopes[:, 2, :width] = -design / 2
    slopes[:, 1, width] = 1.0
    return slopes


def _chances(weights: NDArray[np.float64], tied: bool) -> NDArray[np.float64]:
    """Chances of the three outcomes from the logarithms of their weights."""
    if not tied:
        weights[:, 1] = -np.inf
    relative = np.exp(weights - weights.max(axis=1, keepdims=True))
    return np.asarray(relative / relative.sum(axis=1, keepdims=True))


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
