"""Text of others made harmless to look at, in a terminal, a plot, a paper or a page."""

from __future__ import annotations

from game_reasoning_arena.process.text import plain

__all__ = ["plain"]
