"""Every possible episode of a small game with its probability, as it would be recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pyspiel

State = Any
#: Probabilities of the legal actions where a seat moves.
Behaviour = Callable[[State, int], dict[int, float]]


def uniform(state: State, seat: int) -> dict[int, float]:
    """Every legal action alike."""
    legal = state.legal_actions()
    return {action: 1 / len(legal) for action in legal}


def every_episode(
    game_string: str, behaviours: list[Behaviour]
) -> Iterator[tuple[float, dict[str, Any]]]:
    """Probability and line of each way in which a game can go."""
    game = pyspiel.load_game(game_string)
    waiting: list[tuple[State, float, list[dict[str, Any]], int]] = [
        (game.new_initial_state(), 1.0, [], 0)
    ]
    number = 0
    while waiting:
        state, chance, moves, turn = waiting.pop()
        if state.is_terminal():
            yield chance, episode_line(number, moves, turn, list(state.returns()))
            number += 1
            continue
        seat = state.current_player()
        drawn = dict(state.chance_outcomes()) if seat < 0 else behaviours[seat](state, seat)
        for action, weight in drawn.items():
            if weight > 0:
                move = move_line(state, seat, action, turn)
                waiting.append(
                    (state.child(action), chance * weight, [*moves, move], turn + (seat >= 0))
                )


def move_line(
    state: State, seat: int, action: int, turn: int, by: str | None = None
) -> dict[str, Any]:
    """A move as it is recorded."""
    return {
        "turn": None if seat < 0 else turn,
        "seat": seat,
        "player": None if seat < 0 else f"player_{seat}",
        "action": action,
        "text": state.action_to_string(seat, action),
        "by": by or ("chance" if seat < 0 else "player"),
    }


def episode_line(
    number: int, moves: list[dict[str, Any]], turns: int, returns: list[float] | None
) -> dict[str, Any]:
    """An episode as it is recorded."""
    return {
        "run_id": "run",
        "episode": number,
        "seed": number,
        "seats": ["player_0", "player_1"],
        "status": "completed",
        "returns": returns,
        "forfeit": None,
        "move_limit": False,
        "turns": turns,
        "moves": moves,
    }
