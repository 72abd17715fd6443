"""Sweeps; ``game_reasoning_arena.sweeping.sweep`` is the main module."""
