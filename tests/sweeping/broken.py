"""Backends with a fault in the program, and in what surrounds them."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

from game_reasoning_arena.backends.base_backend import BaseLLMBackend
from game_reasoning_arena.backends.scripted_backend import ScriptedBackend
from game_reasoning_arena.records import Reply, Request


def _note(name: str) -> None:
    Path(name).touch()


class LeavingBackend(BaseLLMBackend):
    """Sends ``signals`` interrupts while it closes."""

    def __init__(self, *, signals: int = 1, **policy: Any) -> None:
        super().__init__(**policy)
        self._signals = signals
        self._scripted = ScriptedBackend()

    async def generate(self, request: Request) -> Reply:
        return await self._scripted.generate(request)

    async def aclose(self) -> None:
        for _ in range(self._signals):
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(0.1)
        _note("closed")


class BrokenBackend(BaseLLMBackend):
    """Plays, until a model called ``broken_divides`` is asked."""

    async def generate(self, request: Request) -> Reply:
        if request.model.name == "broken_divides":
            raise ZeroDivisionError("a fault in the program")
        return await ScriptedBackend().generate(request)
