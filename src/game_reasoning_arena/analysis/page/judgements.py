"""The judged decisions of a page's episodes: what is shown beside each move, and what to filter by.

Outside chess, too, a move is marked by the share of the range of returns that it loses: as much as
Lichess asks for in points of win %, which is that share in a game of -1, 0 and 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

from game_reasoning_arena.analysis.statistics.judged import Judged
from game_reasoning_arena.analysis.statistics.standings import Limits

#: Shares of the range of returns, and what a move that loses as much is called.
MARKS: Final = ((0.15, "blunder"), (0.10, "mistake"), (0.05, "inaccuracy"))
#: How good the decisions of a seat were, worst last: the digits of ``worst``.
LEVELS: Final = ("optimal", "not optimal", "inaccuracy", "mistake", "blunder")

_SHOWN: Final = (
    "turn", "seat", "by", "legal", "best", "value_played", "value_best", "regret", "optimal",
    "evaluator", "response_regret", "win_before", "win_after", "accuracy",
)  # fmt: skip


class Judgements:
    """The decisions of each episode of some runs.

    Args:
        judged: of the comparison; ``decisions`` holds all that somebody made.
        limits: of each game's returns.
    """

    def __init__(self, judged: Judged, limits: Mapping[str, Limits]) -> None:
        self._rows: dict[tuple[int, int], list[dict[str, Any]]] = {}
        for row in judged.decisions.to_dict("records"):
            shown = {name: _plain(row[name]) for name in _SHOWN}
            shown["mark"] = _mark(row, limits.get(str(row["game"])))
            shown["range"] = _range(limits.get(str(row["game"])))
            self._rows.setdefault((int(row["run"]), int(row["episode"])), []).append(shown)

    def __bool__(self) -> bool:
        return bool(self._rows)

    def of(self, run: int, episode: int) -> list[dict[str, Any]]:
        """Return the decisions of an episode as the page shows them; none if it is not judged."""
        return self._rows.get((run, episode), [])

    def worst(self, run: int, episode: int, seats: int) -> str:
        """Return the worst level of each seat's decisions as a digit, "-" where none is judged."""
        levels = [-1] * seats
        for row in self.of(run, episode):
            level = LEVELS.index(row["mark"]) if row["mark"] else int(not row["optimal"])
            levels[row["seat"]] = max(levels[row["seat"]], level)
        return "".join("-" if level < 0 else str(level) for level in levels)


def _mark(row: Mapping[Any, Any], limits: Limits | None) -> str | None:
    named = _plain(row["judgement"])
    if named is not None or _plain(row["accuracy"]) is not None:
        return None if named is None else str(named)
    if limits is None or row["optimal"] or not limits.high > limits.low:
        return None
    lost = float(row["regret"]) / (limits.high - limits.low)
    return next((name for share, name in MARKS if lost >= share), None)


def _range(limits: Limits | None) -> tuple[float, float] | None:
    return None if limits is None else (limits.low, limits.high)


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if value is None or (not isinstance(value, str) and pd.isna(value)):
        return None
    return value.item() if hasattr(value, "item") else value
