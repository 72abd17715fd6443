"""Write and read run directories.

``load_runs`` returns pandas tables; pandas is imported on the first call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from game_reasoning_arena.recording.frames import LoadedRuns, load_runs

__all__ = ["LoadedRuns", "load_runs"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from game_reasoning_arena.recording import frames

        return getattr(frames, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
