"""From a composed configuration to an experiment; everything is checked before a token is spent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from game_reasoning_arena.preflight.preparation import prepare

__all__ = ["prepare"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from game_reasoning_arena.preflight import preparation

    return getattr(preparation, name)
