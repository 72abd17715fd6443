"""Approximate values by Monte-Carlo tree search from every legal move of a position.

Each move gets the same number of simulations, so that bad moves are valued as well as good ones.
Moves whose difference is within the search's error count as equally good: the difference of two
means is significant only beyond twice its standard error. The variance of returns with mean m
between a and b is at most (b - m)(m - a) (Bhatia and Davis 2000, "A Better Bound on the Variance").
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import pyspiel

from game_reasoning_arena.agents.randomness import Purpose, derive
from game_reasoning_arena.simulation.open_spiel.evaluators.judging import SAME, Verdict
from game_reasoning_arena.simulation.open_spiel.evaluators.perfect import Moves
from game_reasoning_arena.simulation.open_spiel.loading import Game, State
from game_reasoning_arena.simulation.open_spiel.solving import position

_MEMORY_MB = 1000
_UCT_C = 2.0
#: Standard errors of a difference within which two moves count as equally good.
RESOLVED = 2.0
#: Number of positions kept between episodes.
_REMEMBERED = 100_000


class TreeSearch:
    """Values moves by search.

    Args:
        game: one player, or two whose returns sum to a constant.
        simulations: number for each legal move.
        seed: together with the position it sets all randomness, so that a position has one
        judgement.
    """

    name = "mcts"

    def __init__(self, game: Game, simulations: int, seed: int) -> None:
        self._game = game
        self._simulations = simulations
        self._seed = seed
        self._low, self._high = float(game.min_utility()), float(game.max_utility())
        self._total = float(game.utility_sum() or 0.0) if game.num_players() > 1 else 0.0
        self._known: dict[str, list[tuple[float, float]]] = {}

    def verdict(self, state: State, moves: Moves, at: int, forfeited: float) -> Verdict:
        """Return approximate values of all legal moves."""
        found = self._found(state, moves)
        values = [value for value, _ in found]
        errors = [error for _, error in found]
        top = max(range(len(values)), key=values.__getitem__)

        def as_good(one: int) -> bool:
            apart = RESOLVED * math.hypot(errors[one], errors[top])
            return values[top] - values[one] <= max(SAME, apart)

        return Verdict(
            actions=moves.actions,
            texts=moves.texts,
            best=tuple(action for one, action in enumerate(moves.actions) if as_good(one)),
            value_best=values[top],
            value_played=forfeited if at < 0 else values[at],
            optimal=at >= 0 and as_good(at),
            exact=not any(errors),
            values=values,
        )

    def outcomes(self, state: State, moves: Moves) -> Sequence[float] | None:
        """Return None: chance is not searched."""
        return None

    def value(self, state: State) -> float | None:
        """Return None: not computed."""
        return None

    def facts(self) -> dict[str, Any]:
        """Return the method and the size of the search."""
        return {
            "method": "Monte-Carlo tree search from every legal move",
            "simulations": self._simulations,
            "uct_c": _UCT_C,
            "rollouts": 1,
        }

    def close(self) -> None:
        """Do nothing; only memory is held."""

    def _found(self, state: State, moves: Moves) -> list[tuple[float, float]]:
        """Return each move's value to the mover and its standard error."""
        key = position(state)
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            number = int.from_bytes(blake2b(key.encode(), digest_size=7).digest(), "little")
            known = [
                self._searched(
                    state.child(action), moves.player, (number, action), self._simulations
                )
                for action in moves.actions
            ]
            self._known[key] = known
        return known

    def _searched(
        self, child: State, mover: int, place: tuple[int, ...], simulations: int
    ) -> tuple[float, float]:
        """Search from a state; at a chance node its outcomes share the simulations."""
        if child.is_terminal():
            return float(child.returns()[mover]), 0.0
        if child.is_chance_node():
            value = variance = 0.0
            for outcome, chance in child.chance_outcomes():
                share = max(1, round(simulations * chance))
                after = self._searched(child.child(outcome), mover, (*place, outcome), share)
                value += chance * after[0]
                variance += (chance * after[1]) ** 2
            return value, math.sqrt(variance)
        seed = derive(self._seed, Purpose.ENGINE, *place, bits=31)
        evaluator = pyspiel.RandomRolloutEvaluator(1, seed)
        bot = pyspiel.MCTSBot(
            self._game, evaluator, _UCT_C, simulations, _MEMORY_MB, True, seed, False
        )
        root = bot.mcts_search(child)
        if root.outcome:  # the search proved how the game ends from here
            return float(root.outcome[mover]), 0.0
        n = max(1, root.explore_count)
        mean = root.total_reward / n
        if child.current_player() != mover:
            mean = self._total - mean
        spread = max(0.0, (self._high - mean) * (mean - self._low))
        return mean, math.sqrt(spread / n)
