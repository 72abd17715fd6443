"""Chance outcomes from an episode's own random numbers."""

from __future__ import annotations

from game_reasoning_arena.agents.randomness import Stream
from game_reasoning_arena.simulation.open_spiel.loading import State


def draw(state: State, stream: Stream) -> int:
    """Draw an outcome of a chance node by its probability."""
    at = (stream.word() >> 11) * 2.0**-53  # stream.random() without a call
    last: int = -1
    for last, probability in state.chance_outcomes():  # noqa: B007  rounding may leave the last one
        at -= probability
        if at < 0:
            break
    return last
