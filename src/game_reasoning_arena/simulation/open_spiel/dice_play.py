"""Episodes in which dice decide for everybody: one loop in which every step counts.

A short game costs the engine some 7 µs, so that whatever is done once per move shows; nobody is
asked and nothing is awaited here.
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

#: Turns whose moves are kept for other episodes.
_TURNS_KEPT = 256

#: Games in which an action of a seat has the same name in every state; shown by a test.
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

#: 64 random bits a call, one for each seat.
Dice = Sequence[Callable[[], int]]


class _Moves:
    """The moves of those who sit so.

    Where names do not depend on the state, moves made before are kept: making a record and asking
    the engine for a name cost as much as a random move does.
    """

    def __init__(self, seats: Sequence[str], *, keep: bool) -> None:
        self._seats = seats
        self._keep = keep
        turns = _TURNS_KEPT if keep else 0
        #: ``known[turn][seat][action]``
        self.known: list[list[dict[int, Move]]] = [[{} for _ in seats] for _ in range(turns)]
        self.known_chance: dict[int, Move] = {}

    def make(self, state: State, turn: int, seat: int, action: int) -> Move:
        """A move that is not known."""
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
        """A chance outcome's move."""
        move = self.known_chance.get(action)
        if move is None:
            move = chance_move(state, action)
            if self._keep:
                self.known_chance[action] = move
        return move


def chance_move(state: State, action: int) -> Move:
    """What chance does at this state, by its name there."""
    text = state.action_to_string(_CHANCE, action)
    return Move(turn=None, seat=_CHANCE, player=None, action=action, text=text, by=MoveBy.CHANCE)


class DicePlay:
    """Plays a game with dice.

    Args:
        name: the game's short name.
        max_moves: decision nodes after which an episode ends; None plays to the end.
        game_string: the library's own string, for errors; the name where it is left out.
    """

    def __init__(self, name: str, max_moves: int | None, game_string: str | None = None) -> None:
        self._name = name
        self._game_string = game_string or name
        self._max_moves = max_moves
        self._moves: dict[tuple[str, ...], _Moves] = {}

    def play(self, state: State, plan: EpisodePlan, dice: Dice) -> tuple[list[Move], int, bool]:
        """Play from a beginning to the end: the moves, the turns, whether the limit was reached.

        Raises:
            UserError: the game asks for a player of a kind that does not exist here, or has no
                moves and no end.
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
        """Everyone who has something to choose chooses."""
        moves, actions = [], [0] * len(dice)
        for seat, word in enumerate(dice):
            legal = state.legal_actions(seat)
            if legal:
                action = actions[seat] = legal[(word() * len(legal)) >> 64]
                moves.append(kept.make(state, turn, seat, action))
        state.apply_actions(actions)
        return moves


def no_such_player(name: str, player: int) -> UserError:
    """What is said of games that ask for nobody who can sit here."""
    return UserError(f"{name} asks for a player of kind {player}.")
