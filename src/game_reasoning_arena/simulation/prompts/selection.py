"""Select the rows to ask and their order by the seed."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

from game_reasoning_arena.agents.randomness import Purpose, Stream
from game_reasoning_arena.records import EpisodePlan
from game_reasoning_arena.simulation.seating import seeds

ORDERS = ("file", "shuffled")


@dataclass(frozen=True, slots=True)
class Selection:
    """``sample`` rows drawn without replacement (None: all), then the first ``limit`` of these.

    A larger sample begins with the smaller one of the same seed. ``order`` is the order of rows
    that are not drawn: as in the file, or shuffled.
    """

    order: str = "file"
    sample: int | None = None
    limit: int | None = None

    @property
    def first_only(self) -> bool:
        """Whether only the first ``limit`` rows of the file can be asked."""
        return self.order == "file" and self.sample is None and self.limit is not None

    def of(self, rows: int, seed: int) -> Sequence[int]:
        """Return the numbers of the rows to ask; ``rows`` is their number in the file."""
        wanted = rows
        for most in (self.sample, self.limit):
            wanted = wanted if most is None else min(wanted, most)
        if self.order == "file" and self.sample is None:
            return range(wanted)
        return drawn(rows, wanted, Stream(seed, Purpose.SAMPLE))


def drawn(rows: int, wanted: int, stream: Stream) -> array[int]:
    """Return ``wanted`` of the numbers below ``rows``, without replacement, in random order.

    Source: R. Durstenfeld (1964), Algorithm 235: Random permutation, CACM 7, 420; only exchanged
    numbers are kept in memory.
    """
    moved: dict[int, int] = {}
    chosen = array("q")
    for here in range(wanted):
        there = here + stream.below(rows - here)
        chosen.append(moved.get(there, there))
        moved[there] = moved.pop(here, here)
    return chosen


class PromptPlans(Sequence[EpisodePlan]):
    """The episodes of a run of prompts, made on demand: row by row, ``repeats`` times each.

    All repeats of a row share the seed of that row in this file, whichever other rows are asked.
    """

    def __init__(
        self, rows: Sequence[int], *, repeats: int, seed: int, players: Sequence[str]
    ) -> None:
        self.rows = rows
        self.repeats = repeats
        self._players = tuple(players)
        every = array("q", seeds(seed, max(rows, default=-1) + 1))
        self._seeds = every if isinstance(rows, range) else array("q", [every[row] for row in rows])

    def __len__(self) -> int:
        return len(self.rows) * self.repeats

    @overload
    def __getitem__(self, index: int) -> EpisodePlan: ...
    @overload
    def __getitem__(self, index: slice) -> list[EpisodePlan]: ...
    def __getitem__(self, index: int | slice) -> EpisodePlan | list[EpisodePlan]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        episode = range(len(self))[index]
        seed = self._seeds[episode // self.repeats]
        return EpisodePlan(episode=episode, seed=seed, seats=self._players)

    def __iter__(self) -> Iterator[EpisodePlan]:
        return (self[number] for number in range(len(self)))

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]
