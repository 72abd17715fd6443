"""Prompts without a game, and their right answers where these are known."""

from game_reasoning_arena.simulation.prompts.simulation import (
    JUDGE,
    PromptsSimulation,
    unfit_players,
    words_for_games,
)

__all__ = ["JUDGE", "PromptsSimulation", "unfit_players", "words_for_games"]
