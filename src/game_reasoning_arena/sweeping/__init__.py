"""The parts of a sweep; ``game_reasoning_arena.sweeping.sweep`` tells its story."""
