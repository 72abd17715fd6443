"""All randomness of a run, derived from where it is used.

A stream has an address of whole numbers such as (run seed, purpose, episode, seat). Equal addresses
give equal numbers, whatever else is running. numpy's SeedSequence does the same but costs 10 µs per
stream, and seeding a Mersenne twister 6 µs more; a short random game takes 25 µs. Therefore numbers
come from BLAKE2b in counter mode, at 2 µs per eight draws of 64 bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import IntEnum
from hashlib import blake2b
from itertools import chain, count
from struct import Struct

_BLOCK = Struct("<8Q").unpack


class Purpose(IntEnum):
    """The purpose of a stream, so that two uses never share numbers."""

    CHANCE = 1
    PLAYER = 2
    SUBSTITUTE = 3
    REQUEST = 4
    VOTE = 5
    ENGINE = 6
    SAMPLE = 7
    SHOTS = 8


def derive(*parts: int, bits: int = 63) -> int:
    """Return a number of ``bits`` bits (at most 64) that depends on all of ``parts``.

    Distinct addresses give independent numbers for all practical purposes.
    """
    digest = blake2b(_text(parts), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> (64 - bits)


# "%d", since the text of an enumeration's member differs between Python versions.
_FORMATS = [b"%d," * length for length in range(16)]


def _text(parts: tuple[int, ...]) -> bytes:
    return _FORMATS[len(parts)] % parts


def words(*parts: int) -> Callable[[], int]:
    """Return a function whose calls give the 64-bit random words at an address, in order."""
    key = _text(parts)
    # The last word of each block comes first. The first block's salt is zero, which equals no salt
    # and is faster; a short game needs no other.
    return chain(_BLOCK(blake2b(key).digest())[::-1], _later_words(key)).__next__


def _later_words(key: bytes) -> Iterator[int]:
    for number in count(1):
        yield from _BLOCK(blake2b(key, salt=number.to_bytes(16, "little")).digest())[::-1]


class Stream:
    """Random numbers at an address; ``word()`` gives those of :func:`words`."""

    __slots__ = ("word",)

    def __init__(self, *parts: int) -> None:
        self.word = words(*parts)

    def below(self, n: int) -> int:
        """Return a whole number from 0 to n - 1; the bias is below n / 2**64."""
        return (self.word() * n) >> 64

    def choose(self, items: Sequence[int]) -> int:
        """Return one of the items, all equally likely."""
        return items[(self.word() * len(items)) >> 64]

    def random(self) -> float:
        """Return a number in [0, 1) with 53 random bits."""
        return (self.word() >> 11) * 2.0**-53
