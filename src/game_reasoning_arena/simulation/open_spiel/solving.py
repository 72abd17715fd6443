"""Solve a small game and write the optimal policy to a file. Runs as a process of its own:

    python -m game_reasoning_arena.simulation.open_spiel.solving GAME METHOD ITERATIONS MAX OUT

``minimax`` values every position by backward induction over chance and both players and keeps all
optimal actions. ``cfr`` runs CFR+ and keeps the average policy (Tammelin 2014, "Solving Large
Imperfect Information Games Using CFR+").
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import orjson
import pyspiel

from game_reasoning_arena.simulation.open_spiel.loading import Game, State

#: Position or information state -> (action, probability) pairs.
Policy = dict[str, list[tuple[int, float]]]
#: Values closer than this are equal.
TOLERANCE = 1e-9


class TooBig(Exception):
    """More positions than allowed, or positions that repeat."""


def position(state: State) -> str:
    """What tells positions of a perfect-information game apart."""
    return f"{state.current_player()}|{state}"


def minimax(game: Game, max_states: int) -> tuple[Policy, float]:
    """Uniform over optimal actions in every reachable position, and player 0's value.

    For two players with returns that sum to a constant, or for one player.

    Raises:
        TooBig: more than ``max_states`` positions, or a position can come again in one game.
    """
    values: dict[str, float | None] = {}
    policy: Policy = {}

    def value(state: State) -> float:
        if state.is_terminal():
            return float(state.returns()[0])
        key = position(state)
        if key in values:
            known = values[key]
            if known is None:
                raise TooBig("a position can come again in one game")
            return known
        if len(values) >= max_states:
            raise TooBig(f"more than {max_states:,} positions")
        values[key] = None
        if state.is_chance_node():
            best = float(sum(p * value(state.child(a)) for a, p in state.chance_outcomes()))
        else:
            children = [(action, value(state.child(action))) for action in state.legal_actions()]
            choose = max if state.current_player() == 0 else min
            best = float(choose(v for _, v in children))
            optimal = [action for action, v in children if abs(v - best) <= TOLERANCE]
            policy[key] = [(action, 1 / len(optimal)) for action in optimal]
        values[key] = best
        return best

    return policy, value(game.new_initial_state())


def cfr(game: Game, iterations: int) -> tuple[Policy, float]:
    """The average policy of CFR+, and player 0's value when both follow it."""
    solver = pyspiel.CFRPlusSolver(game)
    for _ in range(iterations):
        solver.evaluate_and_update_policy()
    average = solver.tabular_average_policy()
    policy: Policy = {
        key: [(int(action), float(p)) for action, p in row if p > 0]
        for key, row in average.policy_table().items()
    }
    returns = pyspiel.expected_returns(game.new_initial_state(), average, -1, True)
    return policy, float(returns[0])


def solve(game_string: str, method: str, iterations: int, max_states: int) -> dict[str, object]:
    """The solution as it is cached, or the reason why there is none."""
    game = pyspiel.load_game(game_string)
    try:
        if method == "minimax":
            policy, value = minimax(game, max_states)
        else:
            policy, value = cfr(game, iterations)
    except TooBig as error:
        return {"problem": str(error)}
    return {"game": game_string, "method": method, "value": value, "policy": policy}


def main(arguments: list[str]) -> None:
    """Write the solution to the last argument's path, whole or not at all."""
    game_string, method, iterations, max_states, out = arguments
    sys.setrecursionlimit(100_000)
    solution = solve(game_string, method, int(iterations), int(max_states))
    path = Path(out)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}")
    partial.write_bytes(orjson.dumps(solution))
    partial.replace(path)


if __name__ == "__main__":
    main(sys.argv[1:])
