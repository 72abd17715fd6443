"""A two-player game with hidden information as arrays: its sequence form.

A sequence is a player's last choice, (information state, action), with all its own choices that led
there; sequence 0 is the empty one. A *plan* gives every sequence the probability of making all its
choices, a *behaviour* the probability of the last choice alone. Expected returns are linear in each
player's plan, so that best responses, exploitability and optimal play come from operations on whole
arrays and from a linear program of the size of the game tree.

Source: Koller, Megiddo and von Stengel 1996, "Efficient Computation of Equilibria for Extensive
Two-Person Games", Games and Economic Behavior 14.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from game_reasoning_arena.simulation.open_spiel.loading import Game, State

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]
Pair = tuple[Floats, Floats]


class NotSolvable(Exception):
    """The reason why a game cannot be solved, for people."""


@dataclass(frozen=True, slots=True)
class Level:
    """Information states after equally many choices of their player, and their sequences."""

    states: slice
    sequences: slice
    #: Index in ``sequences`` at which each information state begins.
    starts: Ints


class Side:
    """One player's information states, shallow ones first, and sequences.

    ``keys[i]`` names information state i, ``actions[i]`` holds its legal actions, and ``parent[i]``
    is the sequence that leads to it. Its own sequences are ``first[i]`` to ``first[i] + width[i] -
    1``. ``size`` is the number of sequences, the empty one included.
    """

    def __init__(
        self, keys: list[str], actions: list[tuple[int, ...]], parent: list[int], depth: list[int]
    ) -> None:
        order = sorted(range(len(keys)), key=depth.__getitem__)
        width = np.fromiter((len(row) for row in actions), np.intp, len(actions))
        found_first = 1 + np.cumsum(width) - width
        #: Map from the sequences' old numbers to those by depth.
        self.renumbered: Ints = np.zeros(1 + int(width.sum()), np.intp)
        self.keys = [keys[i] for i in order]
        self.actions = [actions[i] for i in order]
        self.width: Ints = width[order]
        self.first: Ints = 1 + np.cumsum(self.width) - self.width
        for i, first in zip(order, self.first, strict=True):
            old = found_first[i]
            self.renumbered[old : old + width[i]] = np.arange(first, first + width[i])
        self.parent: Ints = self.renumbered[np.asarray(parent, np.intp)[order]]
        self.size = len(self.renumbered)
        #: The information state of each sequence but the empty one.
        self.owner: Ints = np.repeat(np.arange(len(keys)), self.width)
        self.levels = _levels([depth[i] for i in order], self.first, self.width)

    def uniform(self) -> Floats:
        """Return the behaviour in which all choices are equally likely."""
        return np.concatenate([[1.0], (1 / self.width)[self.owner]])

    def normalised(self, weights: Floats) -> Floats:
        """Return the behaviour in proportion to weights of at least 0; uniform where all are 0."""
        total = np.add.reduceat(weights[1:], self.first - 1)
        empty = total <= 0
        total[empty] = 1.0
        behaviour = np.ones(self.size)
        behaviour[1:] = weights[1:] / total[self.owner]
        if empty.any():
            behaviour = np.where(np.r_[False, empty[self.owner]], self.uniform(), behaviour)
        return behaviour

    def plan(self, behaviour: Floats) -> Floats:
        """Return the plan of a behaviour."""
        plan = behaviour.copy()
        for level in self.levels:
            reached = plan[self.parent[level.states]]
            plan[level.sequences] *= np.repeat(reached, self.width[level.states])
        return plan

    def values(self, gains: Floats, behaviour: Floats | None) -> Floats:
        """Return the value of each information state under a behaviour, or at best for None.

        Args:
            gains: per sequence, the gain where the game ends right after it, weighted with the
                probability that chance and the other player allow it. Later gains are added in
                place, so that ``gains[0]`` becomes the value of the whole game.
            behaviour: one probability for each sequence.
        """
        worth = np.empty(len(self.keys))
        for level in reversed(self.levels):
            at = level.sequences
            if behaviour is None:
                now = np.maximum.reduceat(gains[at], level.starts)
            else:
                now = np.add.reduceat(gains[at] * behaviour[at], level.starts)
            worth[level.states] = now
            parents = self.parent[level.states]
            upto = int(parents.max()) + 1
            gains[:upto] += np.bincount(parents, now, minlength=upto)
        return worth

    def constraints(self) -> sparse.csr_matrix:
        """Return E of E @ plan == (1, 0, 0, ...): each choice is made as often as it comes up."""
        rows = np.concatenate([[0], 1 + self.owner, 1 + np.arange(len(self.keys))])
        columns = np.concatenate([[0], np.arange(1, self.size), self.parent])
        signs = np.concatenate([np.ones(self.size), -np.ones(len(self.keys))])
        return sparse.csr_matrix((signs, (rows, columns)), shape=(1 + len(self.keys), self.size))


def _levels(depth: list[int], first: Ints, width: Ints) -> list[Level]:
    bounds = np.flatnonzero(np.diff(depth, prepend=-1, append=depth[-1] + 1 if depth else 0))
    levels = []
    for low, high in itertools.pairwise(bounds.tolist()):
        begin = int(first[low])
        end = int(first[high - 1] + width[high - 1])
        levels.append(Level(slice(int(low), int(high)), slice(begin, end), first[low:high] - begin))
    return levels


@dataclass(frozen=True, slots=True)
class Optimum:
    """Optimal plans of both players, and the bounds that they prove.

    The value of the game, player 0's return under optimal play, lies between ``low`` (what player
    0's plan earns at worst) and ``high`` (what player 1's plan concedes at most).
    """

    plans: Pair
    low: float
    high: float

    @property
    def value(self) -> float:
        """The value of the game, up to half of ``high - low``."""
        return (self.low + self.high) / 2


class SequenceForm:
    """A game of two players whose returns sum to a constant.

    ``payoffs[a, b]`` is player 0's return where the game ends after player 0's sequence a and
    player 1's sequence b, times the probability that chance leads there.
    """

    def __init__(self, sides: tuple[Side, Side], payoffs: sparse.csr_matrix) -> None:
        self.sides = sides
        self.payoffs = payoffs
        self._transposed = payoffs.T.tocsr()

    @classmethod
    def of(cls, game: Game, max_nodes: int | None = None) -> SequenceForm:
        """Visit the whole game tree; takes about 3 microseconds a node.

        Raises:
            NotSolvable: more than ``max_nodes`` nodes, or a player without perfect recall.
        """
        return _Walk(max_nodes).over(game.new_initial_state())

    def value(self, plans: Pair) -> float:
        """Return player 0's expected return."""
        return float(plans[0] @ (self.payoffs @ plans[1]))

    def gains(self, seat: int, other: Floats) -> Floats:
        """Return the direct gain of each of a seat's sequences against the other's plan."""
        if seat == 0:
            gains: Floats = self.payoffs @ other
            return gains
        conceded: Floats = self._transposed @ other
        return -conceded

    def bounds(self, plans: Pair) -> tuple[float, float]:
        """Return player 0's return against a best response of player 1, and with its own best
        response.

        The value of the game lies between them; half of their difference is the exploitability.
        """
        best = []
        for seat, side in enumerate(self.sides):
            gains = self.gains(seat, plans[1 - seat])
            side.values(gains, None)
            best.append(float(gains[0]))
        return -best[1], best[0]

    def optimum(self) -> Optimum:
        """Return optimal play by linear programming, with bounds from best responses.

        Player 0's plan x and values v of player 1's information states maximise v's first entry,
        subject to no sequence of player 1 conceding less than v; the dual solution is player 1's
        plan.

        Raises:
            NotSolvable: the linear program was not solved.
        """
        from scipy.optimize import linprog

        mine, theirs = (side.constraints() for side in self.sides)
        n, k = self.sides[0].size, theirs.shape[0]
        objective = np.zeros(n + k)
        objective[n] = -1.0
        solved: Any = linprog(
            objective,
            A_ub=sparse.hstack([-self._transposed, theirs.T]).tocsr(),
            b_ub=np.zeros(self.sides[1].size),
            A_eq=sparse.hstack([mine, sparse.csr_matrix((mine.shape[0], k))]).tocsr(),
            b_eq=np.eye(1, mine.shape[0]).ravel(),
            bounds=[(0, None)] * n + [(None, None)] * k,
            method="highs-ds",
        )
        if solved.status != 0:
            raise NotSolvable(f"the linear program was not solved: {solved.message}")
        plans = (
            self._cleaned(0, solved.x[:n]),
            self._cleaned(1, -solved.ineqlin.marginals),
        )
        return Optimum(plans, *self.bounds(plans))

    def _cleaned(self, seat: int, plan: Floats) -> Floats:
        """Return a plan without the rounding errors of a linear program: exactly consistent."""
        side = self.sides[seat]
        return side.plan(side.normalised(np.maximum(plan, 0.0)))


class _Found:
    """A player's information states in the order in which they are found."""

    def __init__(self) -> None:
        self.number: dict[str, int] = {}
        self.actions: list[tuple[int, ...]] = []
        self.parent: list[int] = []
        self.depth: list[int] = []
        self.first: list[int] = []
        self.depth_of_sequence = [0]

    def sequence(self, key: str, actions: list[int], parent: int) -> int:
        """Return the first sequence of an information state that is reached after ``parent``."""
        known = self.number.get(key)
        if known is not None:
            if self.parent[known] != parent:
                raise NotSolvable("a player forgets there what it has seen or done")
            return self.first[known]
        depth = self.depth_of_sequence[parent]
        first = len(self.depth_of_sequence)
        self.number[key] = len(self.actions)
        self.actions.append(tuple(actions))
        self.parent.append(parent)
        self.depth.append(depth)
        self.first.append(first)
        self.depth_of_sequence.extend([depth + 1] * len(actions))
        return first

    def side(self) -> Side:
        return Side(list(self.number), self.actions, self.parent, self.depth)


class _Walk:
    """One walk over a game tree that collects the players' sequences and the ends of the game."""

    def __init__(self, max_nodes: int | None) -> None:
        self._most = math.inf if max_nodes is None else max_nodes
        self._found = (_Found(), _Found())
        self._rows: list[int] = []
        self._columns: list[int] = []
        self._weights: list[float] = []

    def over(self, root: State) -> SequenceForm:
        waiting = [(root, 0, 0, 1.0)]
        nodes = 0
        while waiting:
            state, row, column, chance = waiting.pop()
            nodes += 1
            if nodes > self._most:
                raise NotSolvable(f"more than {self._most:,} positions")
            if state.is_terminal():
                self._rows.append(row)
                self._columns.append(column)
                self._weights.append(chance * state.returns()[0])
            elif state.is_chance_node():
                for outcome, p in state.chance_outcomes():
                    waiting.append((state.child(outcome), row, column, chance * p))
            else:
                seat = state.current_player()
                actions = state.legal_actions()
                key = state.information_state_string(seat)
                first = self._found[seat].sequence(key, actions, column if seat else row)
                for sequence, action in enumerate(actions, start=first):
                    following = (row, sequence) if seat else (sequence, column)
                    waiting.append((state.child(action), *following, chance))
        sides = (self._found[0].side(), self._found[1].side())
        at = (sides[0].renumbered[self._rows], sides[1].renumbered[self._columns])
        shape = (sides[0].size, sides[1].size)
        return SequenceForm(sides, sparse.csr_matrix((self._weights, at), shape=shape))
