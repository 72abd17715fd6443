"""All randomness of a run, derived from where it is used.

A stream is addressed by whole numbers such as (run seed, what it is for, episode, seat): the same
address gives the same numbers, whatever else is going on. numpy's SeedSequence does the same but
costs 10 µs per stream, and seeding a Mersenne twister 6 µs more; a short random game takes 25 µs.
So numbers come from BLAKE2b in counter mode, at 2 µs per eight draws of 64 bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from hashlib import blake2b
from struct import Struct

_BLOCK = Struct("<8Q").unpack


class Purpose(IntEnum):
    """What a stream is for, so that two uses never share numbers."""

    CHANCE = 1
    PLAYER = 2
    SUBSTITUTE = 3
    REQUEST = 4
    VOTE = 5
    ENGINE = 6


def derive(*parts: int, bits: int = 63) -> int:
    """A number of ``bits`` bits (at most 64) that depends on all of ``parts``.

    Distinct addresses give independent numbers for all practical purposes.
    """
    digest = blake2b(_text(parts), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> (64 - bits)


def _text(parts: tuple[int, ...]) -> bytes:
    # "%d", since the text of an enumeration's member differs between Python versions.
    return (b"%d," * len(parts)) % parts


class Stream:
    """Random numbers at an address."""

    __slots__ = ("_count", "_key", "_words")

    def __init__(self, *parts: int) -> None:
        self._key = (b"%d," * len(parts)) % parts
        self._count = 0
        self._words: list[int] = []

    def _more(self) -> int:
        count, words = self._count, self._words
        # The first block's salt is zero, which is the same as none and faster.
        block = (
            blake2b(self._key, salt=count.to_bytes(16, "little")) if count else blake2b(self._key)
        )
        self._count = count + 1
        words += _BLOCK(block.digest())
        return words.pop()

    def below(self, n: int) -> int:
        """A whole number from 0 to n - 1; the bias is below n / 2**64."""
        words = self._words
        return ((words.pop() if words else self._more()) * n) >> 64

    def choose(self, items: Sequence[int]) -> int:
        """One of the items, each as likely as the others."""
        words = self._words
        return items[((words.pop() if words else self._more()) * len(items)) >> 64]

    def random(self) -> float:
        """A number in [0, 1) with 53 random bits."""
        words = self._words
        return ((words.pop() if words else self._more()) >> 11) * 2.0**-53
