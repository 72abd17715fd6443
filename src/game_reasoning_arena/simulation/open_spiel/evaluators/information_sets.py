"""Values of moves for a seat that does not see everything: counterfactual values.

The value of an action at an information set is its expected return over the histories that the
seat cannot tell apart. Each history is weighted by the probability with which chance and the
opponent lead there; the seat's own choices do not change these weights, since it remembers them.

Sources: Zinkevich, Johanson, Bowling and Piccione 2007, "Regret Minimization in Games with
Incomplete Information"; Kakade and Langford 2002, "Approximately Optimal Approximate Reinforcement
Learning", lemma 6.1, for the sum of differences over a game.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from game_reasoning_arena.simulation.open_spiel.evaluators.game_tree import GameTree, Node

#: Probabilities of the actions of each information set, by its number in the tree.
Behaviour = Sequence[Sequence[float]]


@dataclass(frozen=True, slots=True)
class SeatValues:
    """The values of a game to one seat.

    Attributes:
        seat: the seat whose returns these are.
        histories: by the node's index, the expected return after that history.
        actions: by the information set's number, the expected return of each action there; empty
            at the opponent's.
        states: by the information set's number, its value; 0 at the opponent's.
        reach: by the information set's number, the probability that chance and the opponent let the
            seat get there; 0 at the opponent's.
    """

    seat: int
    histories: Sequence[float]
    actions: Sequence[tuple[float, ...]]
    states: Sequence[float]
    reach: Sequence[float]

    @property
    def value(self) -> float:
        """The value of the start of the game."""
        return self.histories[0]


def values_under(tree: GameTree, seat: int, behaviour: Behaviour) -> SeatValues:
    """Return a seat's values when every seat follows ``behaviour``, also after each action."""
    return _Valuation(tree, seat, behaviour, respond=False).result()


def best_response(tree: GameTree, seat: int, behaviour: Behaviour) -> SeatValues:
    """Return the values of a seat that plays a best response to the opponent's behaviour.

    Requires perfect recall: the seat remembers what it has seen and done.
    """
    return _Valuation(tree, seat, behaviour, respond=True).result()


class _Valuation:
    """One valuation of a tree; every value is computed once, when it is first needed."""

    def __init__(self, tree: GameTree, seat: int, behaviour: Behaviour, *, respond: bool) -> None:
        self._tree = tree
        self._seat = seat
        self._behaviour = behaviour
        self._respond = respond
        self._histories: list[float | None] = [None] * len(tree.nodes)
        self._actions: list[tuple[float, ...] | None] = [None] * len(tree.information_sets)
        self._reach, self._chance = self._reaches()

    def result(self) -> SeatValues:
        """Return all values."""
        deepest = sys.getrecursionlimit()
        sys.setrecursionlimit(max(deepest, 100_000))
        try:
            histories = [self._value(node) for node in self._tree.nodes]
            sets = self._tree.information_sets
            mine = [one.seat == self._seat for one in sets]
            actions = [self._worth(i) if own else () for i, own in enumerate(mine)]
        finally:
            sys.setrecursionlimit(deepest)
        return SeatValues(
            seat=self._seat,
            histories=histories,
            actions=actions,
            states=[self._state(i) if own else 0.0 for i, own in enumerate(mine)],
            reach=[
                sum(self._reach[node.index] for node in one.nodes) if own else 0.0
                for one, own in zip(sets, mine, strict=True)
            ],
        )

    def _reaches(self) -> tuple[list[float], list[float]]:
        """Return, per history, the probability of all but the seat's own choices, and of chance
        alone.
        """
        reach = [0.0] * len(self._tree.nodes)
        chance = [0.0] * len(self._tree.nodes)
        reach[0] = chance[0] = 1.0
        for node in self._tree.nodes:  # parents come before children
            others, dealt = reach[node.index], chance[node.index]
            if node.player == self._seat or not node.children:
                for child in node.children:
                    reach[child.index], chance[child.index] = others, dealt
                continue
            weights = self._tree.behaviour(self._behaviour, node)
            for child, weight in zip(node.children, weights, strict=True):
                reach[child.index] = others * weight
                chance[child.index] = dealt * weight if node.player < 0 else dealt
        return reach, chance

    def _value(self, node: Node) -> float:
        known = self._histories[node.index]
        if known is not None:
            return known
        if not node.children:
            value = node.returns[self._seat]
        elif node.player == self._seat and self._respond:
            worth = self._worth(node.information_set)
            value = self._value(node.children[worth.index(max(worth))])
        else:
            weights = self._tree.behaviour(self._behaviour, node)
            pairs = zip(node.children, weights, strict=True)
            value = sum(weight * self._value(child) for child, weight in pairs)
        self._histories[node.index] = value
        return value

    def _worth(self, number: int) -> tuple[float, ...]:
        known = self._actions[number]
        if known is not None:
            return known
        here = self._tree.information_sets[number]
        weights = [self._reach[node.index] for node in here.nodes]
        if not any(weights):  # the opponent never lets the seat get here: weight by chance alone
            weights = [self._chance[node.index] for node in here.nodes]
        total = sum(weights)
        worth = tuple(
            sum(
                weight * self._value(node.children[at])
                for node, weight in zip(here.nodes, weights, strict=True)
            )
            / total
            for at in range(len(here.actions))
        )
        self._actions[number] = worth
        return worth

    def _state(self, number: int) -> float:
        worth = self._worth(number)
        if self._respond:
            return max(worth)
        pairs = zip(worth, self._behaviour[number], strict=True)
        return sum(value * weight for value, weight in pairs)
