"""Chance from an episode's own numbers."""

from __future__ import annotations

from game_reasoning_arena.agents.randomness import Stream
from game_reasoning_arena.simulation.open_spiel.loading import State


def draw(state: State, stream: Stream) -> int:
    """An outcome of a chance node, by its probability."""
    at = stream.random()
    last = -1
    for outcome, probability in state.chance_outcomes():
        at -= probability
        last = outcome
        if at < 0:
            break
    return int(last)
