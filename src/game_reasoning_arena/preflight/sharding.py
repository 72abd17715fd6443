"""Shards of one large run: ``shard=2/8`` plays every eighth deal of the unsplit run.

Episode numbers and seeds are those of the unsplit run, and the episodes of a deal, which differ by
seating, stay together. So `arena merge` of all parts equals the unsplit run.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from game_reasoning_arena.errors import UserError
from game_reasoning_arena.records import EpisodePlan

_FORM = re.compile(r"(\d+)/(\d+)")


@dataclass(frozen=True)
class Shard:
    """Part ``index`` (from 0) of ``count``."""

    index: int
    count: int

    @classmethod
    def parse(cls, text: str | None) -> Shard | None:
        """Return ``"2/8"`` as a shard; None for None.

        Raises:
            UserError: it has another form, or there is no such part.
        """
        if text is None:
            return None
        form = _FORM.fullmatch(str(text).strip())
        index, count = (int(form.group(1)), int(form.group(2))) if form else (0, 0)
        if index >= count:
            raise UserError(
                f"shard={text}: give K/N, part K of N counted from 0, such as shard=0/8 to "
                "shard=7/8, or shard=all/8 in a sweep (arena -m)."
            )
        return cls(index, count)

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def take(self, plans: Sequence[EpisodePlan]) -> list[EpisodePlan]:
        """Return this part of the plan: the deals whose number modulo ``count`` is ``index``."""
        deals: dict[int, int] = {}
        return [
            plan
            for plan in plans
            if deals.setdefault(plan.seed, len(deals)) % self.count == self.index
        ]
