"""Standings made from nothing but who sat where and what it came to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from game_reasoning_arena.analysis.statistics.competitors import Competitor
from game_reasoning_arena.analysis.statistics.standings import (
    POLICIES,
    Limits,
    Standings,
    returns_under,
)


@dataclass
class Table:
    """Games of two, added one by one.

    ``win`` is what a win returns, and a loss costs.
    """

    game: str = "some_game"
    win: float = 1.0
    rows: list[dict[str, Any]] = field(default_factory=list)
    episodes: int = 0

    def play(
        self,
        first: str,
        second: str,
        deal: int,
        score: float,
        *,
        pot: float | None = None,
        failed: int | None = None,
        copy: int = 0,
        limits: tuple[float, float] = (-13.0, 13.0),
    ) -> None:
        """Add one game: the first's score, and who failed, if somebody did."""
        names = {1.0: "win", 0.5: "draw", 0.0: "loss"}
        stake = self.win if pot is None else pot
        for seat, (competitor, rival, mine) in enumerate(
            ((first, second, score), (second, first, 1 - score))
        ):
            returned = stake * (2 * mine - 1)
            result: dict[str, Any] = dict.fromkeys(POLICIES, names[mine])
            returns = dict.fromkeys(map(returns_under, POLICIES), returned)
            if failed is not None:
                blamed = "loss" if seat == failed else "win"
                result |= {"loss": blamed, "drop": None, "as-played": blamed}
                cost = limits[0] if seat == failed else limits[1]
                returns |= {
                    returns_under("loss"): cost,
                    returns_under("drop"): math.nan,
                    returns_under("as-played"): cost,
                }
                returned = math.nan
            self.rows.append(
                {
                    "run": 0, "episode": self.episodes, "seed": deal, "deal": deal, "copy": copy,
                    "game": self.game, "seat": seat, "player": competitor,
                    "competitor": competitor, "against": rival,
                    "rival": rival, "players": 2,
                    "status": "completed" if failed is None else "forfeit",
                    "cause": "illegal" if seat == failed else None, "failed": seat == failed,
                    "touched": failed is not None, "substituted": False, "move_limit": False,
                    "returns": returned, **result, **returns,
                }
            )  # fmt: skip
        self.episodes += 1

    def standings(self, others: Sequence[str] = ("random",)) -> Standings:
        """The standings; all but the others are models."""
        table = pd.DataFrame(self.rows)
        labels = list(dict.fromkeys(table["competitor"]))
        competitor = {
            (0, name): Competitor(name, {}, name not in others, name, name) for name in labels
        }
        return Standings(table, competitor, limits={self.game: Limits(-13.0, 13.0, True)})
