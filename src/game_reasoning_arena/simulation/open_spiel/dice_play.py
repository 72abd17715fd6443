"""Episodes whose players are all dice, in one loop without asking or awaiting.

A short game costs the engine about 7 µs, so work done once per move would dominate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyspiel

from game_reasoning_arena.agents.randomness import Purpose, Stream
from game_reasoning_arena.errors import UserError
from game_reasoning_arena.records import EpisodePlan, Move, MoveBy
from game_reasoning_arena.simulation.open_spiel.chance import draw
from game_reasoning_arena.simulation.open_spiel.loading import State
from game_reasoning_arena.simulation.open_spiel.playable import no_moves

_TERMINAL = int(pyspiel.PlayerId.TERMINAL)
_CHANCE = int(pyspiel.PlayerId.CHANCE)
_SIMULTANEOUS = int(pyspiel.PlayerId.SIMULTANEOUS)

#: Number of turns whose moves are kept for later episodes.
_TURNS_KEPT = 256

#: Games in which an action of a seat has the same name in every state; a test checks this.
FIXED_NAMES = frozenset(
    {
        "connect_four",
        "hex",
        "kuhn_poker",
        "leduc_poker",
        "liars_dice",
        "matrix_mp",
        "matrix_pd",
        "matrix_rps",
        "tic_tac_toe",
    }
)

#: Source of 64 random bits per call, one for each seat.
Dice = Sequence[Callable[[], int]]


class _Moves:
    """Move records of one seat order.

    Where names do not depend on the state, records are kept and used again: making a record and
    asking the engine for a name cost as much as a random move.
    """

    def __init__(self, seats: Sequence[str], *, keep: bool) -> None:
        self._seats = seats
        self._keep = keep
        turns = _TURNS_KEPT if keep else 0
        #: ``known[turn][seat][action]``
        self.known: list[list[dict[int, Move]]] = [[{} for _ in seats] for _ in range(turns)]
        self.known_chance: dict[int, Move] = {}

    def make(self, state: State, turn: int, seat: int, action: int) -> Move:
        """Make and, where possible, keep a record that is not kept yet."""
        move = Move(
            turn=turn,
            seat=seat,
            player=self._seats[seat],
            action=action,
            text=state.action_to_string(seat, action),
            by=MoveBy.PLAYER,
        )
        if turn < len(self.known):
            self.known[turn][seat][action] = move
        return move

    def chance(self, state: State, action: int) -> Move:
        """Return the record of a chance outcome."""
        move = self.known_chance.get(action)
        if move is None:
            move = chance_move(state, action)
            if self._keep:
                self.known_chance[action] = move
        return move


def chance_move(state: State, action: int) -> Move:
    """Return the record of a chance outcome, named by the engine at this state."""
    text = state.action_to_string(_CHANCE, action)
    return Move(turn=None, seat=_CHANCE, player=None, action=action, text=text, by=MoveBy.CHANCE)


class DicePlay:
    """Plays a game with dice.

    Args:
        name: the game's short name.
        max_moves: decision nodes after which an episode ends; None plays to the end.
        game_string: the library's own string, for errors; defaults to the name.
    """

    def __init__(self, name: str, max_moves: int | None, game_string: str | None = None) -> None:
        self._name = name
        self._game_string = game_string or name
        self._max_moves = max_moves
        self._moves: dict[tuple[str, ...], _Moves] = {}

    def play(self, state: State, plan: EpisodePlan, dice: Dice) -> tuple[list[Move], int, bool]:
        """Play from the start to the end.

        Returns:
            The moves, the number of turns, and whether the move limit was reached.

        Raises:
            UserError: the game asks for a kind of player that is not supported, or has neither a
                legal move nor an end.
        """
        kept = self._moves.get(plan.seats)
        if kept is None:
            keep = self._name in FIXED_NAMES
            kept = self._moves[plan.seats] = _Moves(plan.seats, keep=keep)
        known, most = kept.known, self._max_moves
        current_player, legal_actions = state.current_player, state.legal_actions
        moves: list[Move] = []
        chance: Stream | None = None
        turns = 0
        while (player := current_player()) != _TERMINAL:
            if player == _CHANCE:
                if chance is None:
                    chance = Stream(plan.seed, Purpose.CHANCE)
                action = draw(state, chance)
                moves.append(kept.chance(state, action))
                state.apply_action(action)
                continue
            if turns == most:
                return moves, turns, True
            if player >= 0:
                legal = legal_actions()
                if not legal:
                    raise no_moves(self._game_string, len(moves))
                action = legal[(dice[player]() * len(legal)) >> 64]
                try:
                    move = known[turns][player][action]
                except LookupError:
                    move = kept.make(state, turns, player, action)
                moves.append(move)
                state.apply_action(action)
            elif player == _SIMULTANEOUS:
                moves += self._together(state, kept, turns, dice)
            else:
                raise no_such_player(self._name, player)
            turns += 1
        return moves, turns, False

    @staticmethod
    def _together(state: State, kept: _Moves, turn: int, dice: Dice) -> list[Move]:
        """Move for every seat that has a choice at a simultaneous node."""
        moves, actions = [], [0] * len(dice)
        for seat, word in enumerate(dice):
            legal = state.legal_actions(seat)
            if legal:
                action = actions[seat] = legal[(word() * len(legal)) >> 64]
                moves.append(kept.make(state, turn, seat, action))
        state.apply_actions(actions)
        return moves


def no_such_player(name: str, player: int) -> UserError:
    """Return the error for a game that asks for a kind of player that is not supported."""
    return UserError(f"{name} asks for a player of kind {player}.")
