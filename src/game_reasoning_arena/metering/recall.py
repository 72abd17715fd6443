"""Answers that are already on disk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from game_reasoning_arena.recording.decoding import reply_of
from game_reasoning_arena.records import Asker, CallKey, Reply, Request


class Recall:
    """Gives answers that are already on disk; asks only for the rest.

    Args:
        asker: asked for the rest.
        known: recorded lines of ``responses.jsonl`` that hold an answer, by call.
        recalled: receives the calls that were answered from disk.
    """

    def __init__(
        self,
        asker: Asker,
        known: Mapping[CallKey, Mapping[str, Any]],
        recalled: set[CallKey],
    ) -> None:
        self._asker = asker
        self._known = known
        self._recalled = recalled

    async def complete(self, request: Request) -> Reply:
        """Return the recorded answer to this very question, or ask for a new one.

        Raises:
            ContextOverflowError: this error was recorded.
        """
        line = self._known.get(request.key)
        if line is not None and line["messages"] == [dict(m) for m in request.messages]:
            self._recalled.add(request.key)
            return reply_of(line)
        return await self._asker.complete(request)
