"""Players that need OpenSpiel's engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from game_reasoning_arena.agents.base_agent import Agent, PlayerSpec
from game_reasoning_arena.errors import UserError, choose_from

if TYPE_CHECKING:
    from game_reasoning_arena.simulation.open_spiel.simulation import OpenSpielSimulation


def make_player(simulation: OpenSpielSimulation, spec: PlayerSpec, *, seed: int) -> Agent:
    """A player by ``agents.player_N.type``.

    Raises:
        UserError: there is no such type, or it cannot play this game.
    """
    raise UserError(
        f"agents.{spec.name}.type={spec.type!r} is unknown. "
        + choose_from(spec.type, ["llm", "random"])
    )
