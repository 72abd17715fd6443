"""An OpenSpiel state as text for one seat, without what that seat may not know."""

from __future__ import annotations

from collections.abc import Sequence

import pyspiel

from game_reasoning_arena.errors import ConfigProblems, UserError, choose_from
from game_reasoning_arena.records import Move, MoveBy
from game_reasoning_arena.simulation.open_spiel.boards import BOARDS, board_for, view_for
from game_reasoning_arena.simulation.open_spiel.loading import Game, State

#: Values of ``simulation.state``.
STATES = ("auto", "observation", "information_state", "full")

#: Games without hidden information whose observation leaves out what everybody knows: payoffs
#: before the only move (all one-shot games), or all rounds but the last.
_SHOWN_IN_FULL = frozenset({"repeated_game"})


def unknown_texts(state: str, board: str) -> list[str]:
    """Return the problems with ``simulation.state`` and ``simulation.board`` in any game."""
    found = []
    if state not in STATES:
        found.append(f"simulation.state={state!r} is unknown. {choose_from(state, STATES)}")
    if board not in BOARDS:
        found.append(f"simulation.board={board!r} is unknown. {choose_from(board, BOARDS)}")
    return found


class Texts:
    """The texts in which a game is shown.

    Args:
        game: a loaded game.
        state: one of :data:`STATES`. ``auto`` is the seat's observation where information is
            perfect (the full state for one-shot and repeated games), else its information state,
            else its observation. ``full`` is the state as the engine prints it, for games
            without hidden information only.
        board: one of ``boards.BOARDS``.

    Raises:
        UserError: the game has no such text, or ``full`` would show hidden information.
    """

    def __init__(self, game: Game, state: str = "auto", board: str = "auto") -> None:
        kind = game.get_type()
        self.name: str = kind.short_name
        self.hidden = kind.information == pyspiel.GameType.Information.IMPERFECT_INFORMATION
        one_shot = kind.information == pyspiel.GameType.Information.ONE_SHOT
        self._observation = bool(kind.provides_observation_string)
        self._information_state = bool(kind.provides_information_state_string)
        if unknown := unknown_texts(state, board):
            raise ConfigProblems(unknown)
        if state == "auto":
            state = self._automatic(one_shot)
        if state == "full" and self.hidden:
            raise UserError(
                f"simulation.state=full would show {self.name}'s hidden information to every "
                "seat. Use auto, information_state or observation."
            )
        self.kind: str | None = state
        if (state == "observation" and not self._observation) or (
            state == "information_state" and not self._information_state
        ):
            self.kind = None
        self._wanted = state
        self._board = board_for(self.name, board, game) if state != "information_state" else None
        self._view = view_for(self.name, board, game)

    def _automatic(self, one_shot: bool) -> str:
        if one_shot or self.name in _SHOWN_IN_FULL:
            return "full"
        if not self.hidden:
            return "observation" if self._observation else "full"
        return "information_state" if self._information_state else "observation"

    def problem(self) -> str | None:
        """Return why the game cannot be shown; None where it can."""
        if self.kind is None:
            return (
                f"{self.name} has no {self._wanted.replace('_', ' ')} as text, so a language "
                "model or a person has nothing to look at. Choose another simulation.state "
                "or another game."
            )
        return None

    def state(self, state: State, seat: int) -> str:
        """Return the text of a state that a seat may see."""
        if self._board is not None:
            return self._board(state, seat)
        if self.kind == "information_state":
            text = str(state.information_state_string(seat))
            return text if self._view is None else self._view(text)
        if self.kind == "observation":
            return str(state.observation_string(seat))
        if self.kind == "full":
            return str(state)
        raise UserError(self.problem() or "")

    def history(self, moves: Sequence[Move], seat: int) -> list[str]:
        """Return the moves that a seat knows of, oldest first.

        With perfect information these are all moves, otherwise the seat's own. An information state
        already contains what a seat has seen, so nothing is added to it.
        """
        if self.hidden and self.kind == "information_state":
            return []
        known = moves if not self.hidden else [move for move in moves if move.seat == seat]
        return [
            f"chance: {move.text}"
            if move.by is MoveBy.CHANCE
            else f"player {move.seat}: {move.text}"
            for move in known
        ]
