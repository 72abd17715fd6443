"""Make simulations from their configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from game_reasoning_arena.errors import UserError, choose_from
from game_reasoning_arena.simulation.base import Simulation


def _openspiel(conf: Mapping[str, Any]) -> Simulation:
    from game_reasoning_arena.simulation.open_spiel.simulation import OpenSpielSimulation

    return OpenSpielSimulation.from_conf(conf)


def _prompts(conf: Mapping[str, Any]) -> Simulation:
    from game_reasoning_arena.simulation.prompts.configured import simulation_of

    return simulation_of(conf)


#: Simulations by the word that ``simulation.type`` takes.
SIMULATIONS: dict[str, Callable[[Mapping[str, Any]], Simulation]] = {
    "openspiel": _openspiel,
    "prompts": _prompts,
}


def make_simulation(conf: Mapping[str, Any]) -> Simulation:
    """Make a simulation.

    Args:
        conf: a plain dict in the form of ``schema.OpenSpielConf`` or ``schema.PromptsConf``.

    Raises:
        UserError: unknown type or game, a parameter that the game refuses, an unreadable file.
    """
    kind = str(conf.get("type", "openspiel"))
    if kind not in SIMULATIONS:
        raise UserError(f"simulation.type={kind!r} is unknown. " + choose_from(kind, SIMULATIONS))
    return SIMULATIONS[kind](conf)
