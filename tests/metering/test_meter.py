"""What the meter lets through of an answer."""

from __future__ import annotations

import asyncio

import pytest

from game_reasoning_arena.metering.meter import Meter
from game_reasoning_arena.recording.encoding import encode
from game_reasoning_arena.records import Model, Reply, Request, Sampling

REQUEST = Request(
    model=Model(name="direct_lab/m", backend="direct", model_id="m"),
    messages=({"role": "user", "content": "?"},),
    sampling=Sampling(),
)


class Says:
    def __init__(self, text: str) -> None:
        self.text = text

    async def complete(self, request: Request) -> Reply:
        return Reply(text=self.text, reasoning=self.text)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("half \ud83d of it", "half \ufffd of it"),  # Python's own JSON reader makes such texts
        ("\ud83d\ude00", "\U0001f600"),
        ("whole \U0001f600", "whole \U0001f600"),
    ],
)
def test_half_characters_do_not_end_a_run(said: str, kept: str) -> None:
    reply = asyncio.run(Meter().ask(Says(said), REQUEST))
    assert reply.text == reply.reasoning == kept
    assert encode(reply)


class Slowly:
    """Takes a moment, of which the client had more than the provider."""

    async def complete(self, request: Request) -> Reply:
        await asyncio.sleep(0.01)
        return Reply(text="", latency_s=0.1, client_s=0.2)


def test_calls_that_begin_together_are_not_called_distorted() -> None:
    """They open connections; only later calls show that a process is too busy."""
    meter = Meter()

    async def waves() -> None:
        await asyncio.gather(*(meter.ask(Slowly(), REQUEST) for _ in range(5)))
        assert meter.totals.distorted == 0
        await asyncio.gather(*(meter.ask(Slowly(), REQUEST) for _ in range(2)))

    asyncio.run(waves())
    assert (meter.totals.calls, meter.totals.distorted) == (7, 2)
