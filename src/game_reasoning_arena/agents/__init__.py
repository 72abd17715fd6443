"""Players: language models, random players, people, and classes of the user's own.

from game_reasoning_arena.agents import Agent, EpisodePlan, PlayerSpec, Turn
"""

from game_reasoning_arena.agents.base_agent import (
    Actor,
    Agent,
    Decision,
    PlayerSpec,
    Turn,
    played,
)
from game_reasoning_arena.records import EpisodePlan

__all__ = ["Actor", "Agent", "Decision", "EpisodePlan", "PlayerSpec", "Turn", "played"]
