"""A game of OpenSpiel that raises in some of its episodes: `python faulty_games.py WORDS`.

It is OpenSpiel's own tic_tac_toe, but for one of its corners.
"""

from __future__ import annotations

from typing import Any

import pyspiel
from open_spiel.python.games import tic_tac_toe

from game_reasoning_arena.cli import main

_PLAIN = tic_tac_toe._GAME_TYPE
_TYPE = pyspiel.GameType(
    short_name="faulty",
    long_name="Faulty",
    dynamics=_PLAIN.dynamics,
    chance_mode=_PLAIN.chance_mode,
    information=_PLAIN.information,
    utility=_PLAIN.utility,
    reward_model=_PLAIN.reward_model,
    max_num_players=2,
    min_num_players=2,
    provides_information_state_string=True,
    provides_information_state_tensor=False,
    provides_observation_string=True,
    provides_observation_tensor=True,
    parameter_specification={},
)


class Game(tic_tac_toe.TicTacToeGame):  # type: ignore[misc]
    def __init__(self, params: Any = None) -> None:
        pyspiel.Game.__init__(self, _TYPE, tic_tac_toe._GAME_INFO, params or {})

    def new_initial_state(self) -> State:
        return State(self)


class State(tic_tac_toe.TicTacToeState):  # type: ignore[misc]
    def _apply_action(self, action: int) -> None:
        if action == 8 and len(self.history()) > 2:
            raise pyspiel.SpielError("no corner, please")
        super()._apply_action(action)


pyspiel.register_game(_TYPE, Game)

if __name__ == "__main__":
    main()
