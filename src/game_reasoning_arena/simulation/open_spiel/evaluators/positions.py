"""The value of every position of a small game with perfect information, kept on disk.

Both players play optimally, or one plays optimally against an opponent with known probabilities.
"""

from __future__ import annotations

import hashlib
import logging
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import orjson

from game_reasoning_arena.errors import UserError
from game_reasoning_arena.process.files import make_directory, read_json, replace_file
from game_reasoning_arena.process.paths import cache_directory
from game_reasoning_arena.simulation.open_spiel.evaluators.policies import KnownPolicy
from game_reasoning_arena.simulation.open_spiel.loading import Game, State
from game_reasoning_arena.simulation.open_spiel.solver import MOST_SOLUTION
from game_reasoning_arena.simulation.open_spiel.solving import (
    TooBig,
    backward_induction,
    position,
)

log = logging.getLogger(__name__)

#: Version of cached values; raise it when older ones must not be used.
_CACHE_VERSION = 1


class PositionValues:
    """Values of positions to one seat.

    Args:
        game: a loaded game.
        game_string: the library's own string for it.
        seat: the seat whose returns are valued.
        opponent: the other player's policy; None for optimal play.
        max_states: the most positions that are visited.

    Raises:
        UserError: there are more positions, one can come again, or the opponent's policy has no
            probabilities for a state that it reaches.
    """

    def __init__(
        self,
        game: Game,
        game_string: str,
        seat: int,
        opponent: KnownPolicy | None,
        max_states: int,
    ) -> None:
        self._seat = seat
        label = "optimal" if opponent is None else opponent.label
        wanted = [game_string, seat, label, _CACHE_VERSION, version("open_spiel")]
        name = hashlib.sha256(orjson.dumps(wanted)).hexdigest()[:24]
        path = cache_directory() / "solutions" / f"values-{name}.json"
        values = read_json(path, most=MOST_SOLUTION)
        if values is None:
            log.info("valuing every position of %s for seat %d v %s", game_string, seat, label)
            values = _computed(game, game_string, seat, opponent, max_states)
            _keep(path, values)
        self._values = values

    def __len__(self) -> int:
        return len(self._values)

    def of(self, state: State) -> float:
        """Return the seat's expected return from a state on.

        Raises:
            KeyError: the opponent's policy never lets the game reach this state.
        """
        if state.is_terminal():
            return float(state.returns()[self._seat])
        return self._values[position(state)]


def _computed(
    game: Game, game_string: str, seat: int, opponent: KnownPolicy | None, max_states: int
) -> dict[str, float]:
    def weights(state: State) -> list[tuple[int, float]] | None:
        player = state.current_player()
        if opponent is None or player == seat:
            return None
        return [(a, weight) for a, weight in opponent.weights(state, player) if weight > 0]

    deepest = sys.getrecursionlimit()
    sys.setrecursionlimit(max(deepest, 100_000))
    try:
        return backward_induction(game, max_states, seat=seat, weights=weights)
    except TooBig as error:
        raise UserError(f"{game_string} cannot be solved: {error}.") from error
    finally:
        sys.setrecursionlimit(deepest)


def _keep(path: Path, values: Mapping[str, float]) -> None:
    """Store values for later; where they cannot be stored they are computed again."""
    try:
        make_directory(path.parent)
        replace_file(path, orjson.dumps(values), durable=False)
    except OSError as error:
        log.info("values are not kept in %s: %s", path.parent, error.strerror)
