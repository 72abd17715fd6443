"""The interface of a loaded game, for its players and their checks."""

from __future__ import annotations

from typing import Protocol

from game_reasoning_arena.simulation.open_spiel.loading import Game
from game_reasoning_arena.simulation.open_spiel.texts import Texts


class Task(Protocol):
    """One loaded game of OpenSpiel, with the texts that its seats are shown."""

    @property
    def game(self) -> Game:
        """The engine's game."""
        ...

    @property
    def game_string(self) -> str:
        """The library's own string, such as ``leduc_poker(players=3)``."""
        ...

    @property
    def name(self) -> str:
        """The game's short name."""
        ...

    @property
    def players(self) -> int:
        """Number of seats."""
        ...

    @property
    def texts(self) -> Texts:
        """States as text, per seat."""
        ...
