"""Solve a small game and write the optimal policy to a file. Runs as a process of its own:

python -m game_reasoning_arena.simulation.open_spiel.solving GAME METHOD ITERATIONS MAX OUT

``minimax`` values every position by backward induction over chance and both players and keeps all
optimal actions. ``cfr`` keeps the average policy of CFR+, see ``cfr``. The vertex solution of
linear programming would be optimal to the last digit but plays badly after the other player's
mistakes, where it only has to keep the value of the game: against random play in liar's dice it
wins 0.61 a game as first, the average of CFR+ 0.68.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import orjson
import pyspiel

from game_reasoning_arena.process.files import replace_file
from game_reasoning_arena.simulation.open_spiel.loading import Game, State

#: Map from position or information state to (action, probability) pairs.
Policy = dict[str, list[tuple[int, float]]]
#: Values closer than this are equal.
TOLERANCE = 1e-9


class TooBig(Exception):
    """More positions than allowed, or positions that repeat."""


def position(state: State) -> str:
    """Return the key of a position in a game with perfect information."""
    return f"{state.current_player()}|{state}"


def knowledge(seat: int, information_state: str) -> str:
    """Return the key of an information state; it differs where two seats read the same text."""
    return f"{seat}|{information_state}"


def backward_induction(
    game: Game,
    max_states: int,
    *,
    seat: int = 0,
    weights: Callable[[State], Sequence[tuple[int, float]] | None] = lambda state: None,
    chosen: Callable[[str, Sequence[tuple[int, float]], float], None] | None = None,
) -> dict[str, float]:
    """Return the expected return of one seat from every position that can be reached.

    For two players with returns that sum to a constant, or for one player.

    Args:
        game: a loaded game.
        max_states: the most positions that are visited.
        seat: the seat whose return is computed.
        weights: gives the moves of a player whose probabilities are known; None at positions where
            the mover plays optimally.
        chosen: called with each position at which the mover plays optimally, its moves' values, and
            the best value.

    Raises:
        TooBig: more than ``max_states`` positions, or a position can come again in one game.
    """
    values: dict[str, float] = {}
    open_positions: set[str] = set()

    def value(state: State) -> float:
        if state.is_terminal():
            return float(state.returns()[seat])
        key = position(state)
        known = values.get(key)
        if known is not None:
            return known
        if key in open_positions:
            raise TooBig("a position can come again in one game")
        if len(values) + len(open_positions) >= max_states:
            raise TooBig(f"more than {max_states:,} positions")
        open_positions.add(key)
        moves = state.chance_outcomes() if state.is_chance_node() else weights(state)
        if moves is not None:
            best = float(sum(p * value(state.child(action)) for action, p in moves))
        else:
            children = [(action, value(state.child(action))) for action in state.legal_actions()]
            choose = max if state.current_player() == seat else min
            best = choose(v for _, v in children)
            if chosen is not None:
                chosen(key, children, best)
        open_positions.remove(key)
        values[key] = best
        return best

    value(game.new_initial_state())
    return values


def minimax(game: Game, max_states: int) -> tuple[Policy, float]:
    """Return uniform play over the optimal actions of every reachable position, and player 0's
    value.

    For two players with returns that sum to a constant, or for one player.

    Raises:
        TooBig: more than ``max_states`` positions, or a position can come again in one game.
    """
    policy: Policy = {}

    def keep(key: str, children: Sequence[tuple[int, float]], best: float) -> None:
        optimal = [action for action, v in children if abs(v - best) <= TOLERANCE]
        policy[key] = [(action, 1 / len(optimal)) for action in optimal]

    values = backward_induction(game, max_states, chosen=keep)
    return policy, values[position(game.new_initial_state())]


def cfr(game: Game, iterations: int, max_states: int) -> tuple[Policy, float, float]:
    """Return the average policy of CFR+, player 0's value under it, and its exploitability.

    The exploitability is what a best response to it gains beyond the value of the game, as the mean
    over both seats, in units of the game's returns.

    Raises:
        NotSolvable: more than ``max_states`` histories, or a player without perfect recall.
    """
    from game_reasoning_arena.simulation.open_spiel.cfr import cfr_plus
    from game_reasoning_arena.simulation.open_spiel.sequence_form import SequenceForm

    form = SequenceForm.of(game, max_states)
    plans = cfr_plus(form, iterations)
    low, high = form.bounds(plans)
    policy: Policy = {}
    for seat, (side, plan) in enumerate(zip(form.sides, plans, strict=True)):
        chances = side.normalised(plan).tolist()
        for key, actions, first in zip(side.keys, side.actions, side.first.tolist(), strict=True):
            policy[knowledge(seat, key)] = [
                (action, chances[sequence])
                for sequence, action in enumerate(actions, start=first)
                if chances[sequence] > 0
            ]
    return policy, form.value(plans), (high - low) / 2


def solve(game_string: str, method: str, iterations: int, max_states: int) -> dict[str, object]:
    """Return the solution as it is cached, or the reason why there is none."""
    from game_reasoning_arena.simulation.open_spiel.sequence_form import NotSolvable

    game = pyspiel.load_game(game_string)
    exploitability = 0.0
    try:
        if method == "minimax":
            policy, value = minimax(game, max_states)
        else:
            policy, value, exploitability = cfr(game, iterations, max_states)
    except (TooBig, NotSolvable) as error:
        return {"problem": str(error)}
    return {
        "game": game_string,
        "method": method,
        "iterations": iterations if method == "cfr" else None,
        "value": value,
        "exploitability": exploitability,
        "policy": policy,
    }


def main(arguments: list[str]) -> None:
    """Write the solution to the path in the last argument, atomically."""
    game_string, method, iterations, max_states, out = arguments
    sys.setrecursionlimit(100_000)
    solution = solve(game_string, method, int(iterations), int(max_states))
    path = Path(out)
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, orjson.dumps(solution), durable=False)


if __name__ == "__main__":
    main(sys.argv[1:])
