"""A backend with a fault in its program, for one of its models."""

from __future__ import annotations

from game_reasoning_arena.backends.base_backend import BaseLLMBackend
from game_reasoning_arena.backends.scripted_backend import ScriptedBackend
from game_reasoning_arena.records import Reply, Request


class BrokenBackend(BaseLLMBackend):
    """Plays, until a model called ``broken_divides`` is asked."""

    async def generate(self, request: Request) -> Reply:
        if request.model.name == "broken_divides":
            raise ZeroDivisionError("a fault in the program")
        return await ScriptedBackend().generate(request)
