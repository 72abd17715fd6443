"""Answers that are on disk already."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from game_reasoning_arena.recording.decoding import reply_of
from game_reasoning_arena.records import Asker, CallKey, Reply, Request


class Recall:
    """Answers from what is on disk already; asks only for the rest.

    Args:
        asker: who is asked for the rest.
        known: recorded lines of ``responses.jsonl`` that hold an answer, by call.
        recalled: gets the calls that were answered so.
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
        """The recorded answer if this very question was asked before, else a new one.

        Raises:
            ContextOverflowError: that is what was recorded.
        """
        line = self._known.get(request.key)
        if line is not None and line["messages"] == [dict(m) for m in request.messages]:
            self._recalled.add(request.key)
            return reply_of(line)
        return await self._asker.complete(request)
