"""Checks of known answers: play games with the loop of every run and compare with a number."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass

from game_reasoning_arena.agents.base_agent import Agent, OnFailure, PlayerSpec
from game_reasoning_arena.records import EpisodeRecord
from game_reasoning_arena.simulation.open_spiel.simulation import OpenSpielSimulation
from game_reasoning_arena.simulation.players import make_agent

#: A sampled value fails the check when it is more than this many standard errors away.
BAND = 4.0
#: A computed value fails the check when it differs by more.
EXACT = 1e-6
_SEED = 20261122


@dataclass(frozen=True, slots=True)
class Check:
    """One known answer.

    ``se`` is the standard error of the comparison (sampling error and, where the expected value was
    itself estimated, its error) and ``z`` the distance in such errors; both are None for values
    that are computed. ``band`` is how far ``got`` may be from ``expected``.
    """

    name: str
    expected: float
    got: float
    se: float | None
    z: float | None
    band: float
    ok: bool


def sampled(name: str, expected: float, got: float, se: float) -> Check:
    """Return the check of a value estimated by playing; ``se`` is its standard error."""
    z = (got - expected) / se if se > 0 else (0.0 if got == expected else math.inf)
    return Check(name, expected, got, se, z, BAND * se, abs(z) <= BAND)


def computed(name: str, expected: float, got: float, band: float = EXACT) -> Check:
    """Return the check of a computed value that may differ by ``band`` at most."""
    return Check(name, expected, got, None, None, band, abs(got - expected) <= band)


def player(name: str, kind: str = "random", **options: int | str) -> PlayerSpec:
    """Return a player without a model."""
    return PlayerSpec(name=name, type=kind, options=options)


def played(game: str, seats: Sequence[PlayerSpec], episodes: int) -> list[EpisodeRecord]:
    """Play episodes of a game with these players at its seats, with a fixed seed.

    Must not be called from a running event loop.
    """
    return asyncio.run(_played(game, seats, episodes))


async def _played(game: str, seats: Sequence[PlayerSpec], episodes: int) -> list[EpisodeRecord]:
    simulation = OpenSpielSimulation(game)
    agents: dict[str, Agent] = {
        spec.name: make_agent(
            spec,
            asker=None,
            record=lambda record: None,
            run_id="verify",
            seed=_SEED,
            on_failure=OnFailure(),
            simulation=simulation,
        )
        for spec in seats
    }
    plans = simulation.plan(episodes=episodes, seed=_SEED, rotate=False, players=list(agents))
    try:
        return [await simulation.play(plan, agents, "verify") for plan in plans]
    finally:
        for agent in agents.values():
            await agent.aclose()
