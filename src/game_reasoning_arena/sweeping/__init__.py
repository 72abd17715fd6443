"""The parts of a sweep; ``game_reasoning_arena.sweep`` tells its story."""
