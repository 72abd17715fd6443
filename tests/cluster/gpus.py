"""A backend that answers with the GPUs that its process may use."""

from __future__ import annotations

import asyncio
import os

from game_reasoning_arena.backends.base_backend import BaseLLMBackend
from game_reasoning_arena.records import Reply, Request


class SeeingBackend(BaseLLMBackend):
    """Slow enough that both workers get jobs."""

    async def generate(self, request: Request) -> Reply:
        await asyncio.sleep(0.3)
        return Reply(text=os.environ.get("CUDA_VISIBLE_DEVICES", "all"))
