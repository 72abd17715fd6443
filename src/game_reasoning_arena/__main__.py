"""``python -m game_reasoning_arena``, the same as ``arena``."""

from game_reasoning_arena.cli import main

if __name__ == "__main__":
    main()
