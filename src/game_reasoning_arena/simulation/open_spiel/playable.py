"""Check that a game can be played, by playing a little of it."""

from __future__ import annotations

import pyspiel

from game_reasoning_arena.agents.randomness import Stream
from game_reasoning_arena.errors import UserError
from game_reasoning_arena.simulation.open_spiel.chance import draw
from game_reasoning_arena.simulation.open_spiel.loading import (
    Game,
    State,
    engine_message,
    quiet_engine,
)

#: Number of moves to try; takes some milliseconds and fills every board that a preset names.
_LONGEST_WALK = 200


def require_moves(game: Game, game_string: str) -> None:
    """Play some moves, since OpenSpiel accepts sizes with which no game can be played.

    Raises:
        UserError: the game's moves have no numbers, or it has neither moves nor an end.
    """
    with quiet_engine():
        try:
            state = game.new_initial_state()
            stream = Stream(0)
            while state.is_chance_node():
                state.apply_action(draw(state, stream))
        except (pyspiel.SpielError, ValueError, IndexError, RuntimeError) as error:
            raise UserError(_cannot_begin(game_string, error)) from error
        _require_numbers(state, game_string)
        if "(" not in game_string:
            return  # every game plays with its default parameters, and a few need seconds
        try:
            _walk(state, game_string, stream)
        except (pyspiel.SpielError, ValueError, IndexError, RuntimeError) as error:
            raise UserError(_cannot_begin(game_string, error)) from error


def no_moves(game_string: str, moves: int) -> UserError:
    """Return the error for a game that is not over but has no legal move."""
    when = f"after {moves} moves" if moves else "at its beginning"
    return UserError(
        f"simulation.game={game_string!r} cannot be played: {when} nobody has a move, though it is "
        "not over. Check its parameters."
    )


def _require_numbers(state: State, game_string: str) -> None:
    try:
        if not state.is_terminal():
            seat = max(state.current_player(), 0)
            for action in state.legal_actions(seat)[:1]:
                state.action_to_string(seat, action)
    except pyspiel.SpielError as error:
        raise UserError(
            f"simulation.game={game_string!r} cannot be played here, since its moves have no "
            f"numbers: {engine_message(error)}"
        ) from error


def _walk(state: State, game_string: str, stream: Stream) -> None:
    """Play random moves for a while."""
    decisions = 0
    for moves in range(_LONGEST_WALK):
        if state.is_terminal():
            if decisions == 0:
                raise UserError(
                    f"simulation.game={game_string!r} cannot be played: it is over before anybody "
                    "has a move. Check its parameters."
                )
            return
        decisions += not state.is_chance_node()
        if state.is_chance_node():
            state.apply_action(draw(state, stream))
        elif state.is_simultaneous_node():
            legal = [state.legal_actions(seat) for seat in range(state.num_players())]
            if not any(legal):
                raise no_moves(game_string, moves)
            state.apply_actions([stream.choose(one) if one else 0 for one in legal])
        else:
            actions = state.legal_actions()
            if not actions:
                raise no_moves(game_string, moves)
            state.apply_action(stream.choose(actions))


def _cannot_begin(game_string: str, error: Exception) -> str:
    return (
        f"simulation.game={game_string!r} cannot be played: the engine says "
        f"{engine_message(error)!r}. Check its parameters."
    )
