"""Which seed is played by whom at which seat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from game_reasoning_arena.records import EpisodePlan


def seeds(run_seed: int, n: int) -> list[int]:
    """The first ``n`` episode seeds of a run; a longer list begins with a shorter one.

    They have 53 bits, so that JSON readers which hold numbers as doubles keep them exactly.
    """
    words = np.random.SeedSequence(run_seed).generate_state(n, np.uint64)
    return [int(word) >> 11 for word in words]


def incomplete_deals(plans: Sequence[EpisodePlan]) -> int:
    """How many seeds are not played in as many seat orders as there are players."""
    orders = Counter(plan.seed for plan in plans)
    return sum(orders[plan.seed] < len(plan.seats) for plan in {p.seed: p for p in plans}.values())


def seat_plan(
    *, episodes: int, seed: int, rotate: bool, players: Sequence[str]
) -> list[EpisodePlan]:
    """All episodes of a run, in order.

    With ``rotate`` each seed is played once for each cyclic order of the players, in consecutive
    episodes, so that everyone has every seat in the same deals. When ``episodes`` is no multiple
    of the number of players, the last seed lacks some orders.
    """
    orders = [tuple(players)]
    if rotate:
        orders = [(*players[i:], *players[:i]) for i in range(len(players))]
    drawn = seeds(seed, -(-episodes // len(orders)))
    return [
        EpisodePlan(
            episode=episode,
            seed=drawn[episode // len(orders)],
            seats=orders[episode % len(orders)],
        )
        for episode in range(episodes)
    ]
