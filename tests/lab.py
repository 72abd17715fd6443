"""Runs of a model behind the loopback server."""

from __future__ import annotations

from tests.arena import Arena, Ran
from tests.loopback import LoopbackServer


class Lab:
    """Runs against the loopback server."""

    def __init__(self, arena: Arena, server: LoopbackServer) -> None:
        self.arena = arena
        self.server = server

    def __call__(self, *words: str) -> Ran:
        return self.arena(
            f"+provider.my_lab.api_base={self.server.url}",
            "agents.player_0.model=direct_my_lab/small",
            "backend.direct.backoff_s=0.01",
            *([] if any(word.startswith("probe=") for word in words) else ["probe=false"]),
            *words,
        )
