"""An assessment in one line per player, read from the files beside a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from game_reasoning_arena.recording import layout
from game_reasoning_arena.recording.lines import read_lines


@dataclass(slots=True)
class Totals:
    """Sums over a player's decisions and episodes."""

    decisions: int = 0
    optimal: int = 0
    regret: float = 0.0
    episodes: int = 0
    returns: float = 0.0
    adjusted: float = 0.0
    moves: int = 0
    accuracy: float = 0.0

    def decided(self, line: Mapping[str, Any]) -> None:
        """Add a line of decisions; a substitute's move counts for no player."""
        if line["regret"] is None:
            return
        self.decisions += 1
        self.optimal += bool(line["optimal"])
        self.regret += line["regret"]
        if line.get("chess") is not None:
            self.moves += 1
            self.accuracy += line["chess"]["accuracy"]

    def ended(self, line: Mapping[str, Any]) -> None:
        """Take a line of luck."""
        if line["adjusted_return"] is not None:
            self.episodes += 1
            self.returns += line["returns"]
            self.adjusted += line["adjusted_return"]

    def __str__(self) -> str:
        parts = []
        if self.decisions:
            parts.append(f"regret {self.regret / self.decisions:.4f} a decision")
            parts.append(f"{self.optimal / self.decisions:.1%} optimal")
        if self.moves:
            parts.append(f"accuracy {self.accuracy / self.moves:.1f} %")
        if self.episodes:
            parts.append(f"mean return {self.returns / self.episodes:+.4f}")
            parts.append(f"adjusted {self.adjusted / self.episodes:+.4f}")
        return ", ".join(parts) or "no decision"


def totals_by_player(directory: Path) -> dict[str, Totals]:
    """Return the sums of each player of an assessed run."""
    found: dict[str, Totals] = {}
    for name, take in ((layout.DECISIONS, Totals.decided), (layout.LUCK, Totals.ended)):
        for line in read_lines(directory / name, notice=lambda _: None):
            take(found.setdefault(line["player"], Totals()), line)
    return dict(sorted(found.items()))
