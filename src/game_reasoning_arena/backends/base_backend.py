"""The one interface that agents know: a request goes in, a reply or a BackendError comes out.

Authors of a backend implement :meth:`BaseLLMBackend.generate`, one try without any policy. Users
call :meth:`BaseLLMBackend.complete`, which adds what is the same for all: limits per endpoint, one
retry layer, the deadline, timing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from game_reasoning_arena.records import Model, Reply, Request


class BaseLLMBackend(ABC):
    """A way to reach models. Used as an async context manager; one event loop only."""

    @abstractmethod
    async def generate(self, request: Request) -> Reply:
        """Answer one request, once; raise a BackendError where there is no answer."""

    async def complete(self, request: Request) -> Reply:
        """Answer under limits, deadline and retries."""
        return await self.generate(request)

    def check(self, models: Sequence[Model]) -> list[str]:
        """What can be known wrong about these models before anything starts, in plain words."""
        return []

    async def start(self, models: Sequence[Model]) -> None:
        """Make ready to serve ``models`` (load engines, open sessions). Called once before use."""

    async def aclose(self) -> None:
        """Free everything. Called once, also after failures."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()
