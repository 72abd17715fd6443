"""Play an experiment: ``run(experiment, directory)``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from game_reasoning_arena.running.runner import run

__all__ = ["run"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from game_reasoning_arena.running import runner

    return getattr(runner, name)
