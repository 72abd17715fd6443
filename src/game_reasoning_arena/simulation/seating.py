"""Seeds and seat orders of a run's episodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from game_reasoning_arena.records import EpisodePlan

_MASK = 0xFFFFFFFF
_POOL = 4


def seeds(run_seed: int, n: int) -> list[int]:
    """Return the first ``n`` episode seeds of a run; a longer list begins with a shorter one.

    The seeds are ``SeedSequence(run_seed).generate_state(n, numpy.uint64)`` cut to 53 bits, so that
    JSON readers that hold numbers as doubles keep them exactly. They are computed here because
    importing numpy would take a tenth of a short run; a test compares the two.

    Source: M. E. O'Neill, "Developing a seed_seq Alternative", 2015; numpy's ``SeedSequence``.
    """
    words = _words(run_seed, 2 * n)
    return [(low | high << 32) >> 11 for low, high in zip(words[::2], words[1::2], strict=True)]


def _words(entropy: int, n: int) -> list[int]:
    parts = [entropy >> shift & _MASK for shift in range(0, max(entropy.bit_length(), 1), 32)]
    constant = 0x43B0D7E5

    def hashed(value: int) -> int:
        nonlocal constant
        value ^= constant
        constant = constant * 0x931E8875 & _MASK
        value = value * constant & _MASK
        return value ^ value >> 16

    def mixed(one: int, other: int) -> int:
        value = (0xCA01F9DD * one - 0x4973F715 * other) & _MASK
        return value ^ value >> 16

    pool = [hashed(part) for part in (parts + [0] * _POOL)[:_POOL]]
    for source in range(_POOL):
        for target in range(_POOL):
            if source != target:
                pool[target] = mixed(pool[target], hashed(pool[source]))
    for part in parts[_POOL:]:
        for target in range(_POOL):
            pool[target] = mixed(pool[target], hashed(part))
    words, constant = [], 0x8B51F9DD
    for number in range(n):
        value = pool[number % _POOL] ^ constant
        constant = constant * 0x58F38DED & _MASK
        value = value * constant & _MASK
        words.append(value ^ value >> 16)
    return words


def incomplete_deals(plans: Sequence[EpisodePlan]) -> int:
    """Return the number of seeds that are played in fewer seat orders than there are players."""
    orders = Counter(plan.seed for plan in plans)
    return sum(orders[plan.seed] < len(plan.seats) for plan in {p.seed: p for p in plans}.values())


def seat_plan(
    *, episodes: int, seed: int, rotate: bool, players: Sequence[str]
) -> list[EpisodePlan]:
    """Return all episodes of a run, in order.

    With ``rotate`` each seed is played once in each cyclic order of the players, in consecutive
    episodes, so that every player has every seat in the same deals. If ``episodes`` is no multiple
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
