"""Regret of random play by expanding whole games: the reference for ``arena assess``.

Nothing here is shared with the evaluators: tic-tac-toe is played on strings without an engine, and
values at information sets are summed over histories as defined.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from functools import cache
from typing import Any

import pyspiel

#: Map from (seat, information state) to the probability of each action.
Chances = Callable[[int, str], dict[int, float]]

_LINES = ("012", "345", "678", "036", "147", "258", "048", "246")


def regret_of_random_tic_tac_toe() -> float:
    """Return the expected sum of all regrets in a game of two random players."""
    return _regret_from("." * 9, "x")


def _won(board: str, mark: str) -> bool:
    return any(all(board[int(at)] == mark for at in line) for line in _LINES)


def _after(board: str, mark: str) -> list[str]:
    return [board[:at] + mark + board[at + 1 :] for at in range(9) if board[at] == "."]


def _other(mark: str) -> str:
    return "o" if mark == "x" else "x"


@cache
def _value(board: str, mark: str) -> int:
    """Return the value of the board to ``mark``, the side to move, under optimal play."""
    if _won(board, _other(mark)):
        return -1
    return max((-_value(one, _other(mark)) for one in _after(board, mark)), default=0)


@cache
def _regret_from(board: str, mark: str) -> float:
    if _won(board, _other(mark)) or "." not in board:
        return 0.0
    following = _after(board, mark)
    best = max(-_value(one, _other(mark)) for one in following)
    return sum(
        best + _value(one, _other(mark)) + _regret_from(one, _other(mark)) for one in following
    ) / len(following)


def regret_of_random_play(game_string: str, chances: Chances) -> float:
    """Return the expected sum of all regrets when two random players play a hidden-information
    game.

    Args:
        game_string: a small game for two players.
        chances: the solved strategies under which moves are valued.
    """
    root = pyspiel.load_game(game_string).new_initial_state()
    histories: dict[tuple[int, str], list[tuple[Any, float]]] = defaultdict(list)
    random: dict[tuple[int, str], float] = defaultdict(float)

    def visit(state: Any, reach: tuple[float, float], uniform: float) -> None:
        """Add up regrets; ``reach[i]`` is the probability of chance and of all choices but seat
        i's.
        """
        if state.is_terminal():
            return
        mover = state.current_player()
        if state.is_chance_node():
            weights = dict(state.chance_outcomes())
        else:
            key = (mover, state.information_state_string(mover))
            histories[key].append((state, reach[mover]))
            random[key] += uniform
            weights = chances(*key)
        legal = state.legal_actions()
        for action in legal:
            weight = weights.get(action, 0.0)
            passed = tuple(reach[seat] * (1.0 if mover == seat else weight) for seat in (0, 1))
            share = weight if mover < 0 else 1 / len(legal)
            visit(state.child(action), (passed[0], passed[1]), uniform * share)

    @cache
    def worth(seat: int, history: tuple[int, ...]) -> float:
        """Return a seat's expected return after a history when both follow the strategies."""
        state = root.clone()
        for action in history:
            state.apply_action(action)
        if state.is_terminal():
            return float(state.returns()[seat])
        mover = state.current_player()
        if state.is_chance_node():
            weights = dict(state.chance_outcomes())
        else:
            weights = chances(mover, state.information_state_string(mover))
        return float(
            sum(weight * worth(seat, (*history, a)) for a, weight in weights.items() if weight)
        )

    visit(root, (1.0, 1.0), 1.0)
    total = 0.0
    for (seat, _), members in histories.items():
        reached = sum(reach for _, reach in members)
        legal = members[0][0].legal_actions()
        values = [
            sum(reach * worth(seat, (*state.history(), action)) for state, reach in members)
            / reached
            for action in legal
        ]
        total += random[seat, _] * sum(max(values) - value for value in values) / len(legal)
    return total
