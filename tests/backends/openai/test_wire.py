"""The session that keeps time: how it comes to a connection, whatever the address looks like."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest

from game_reasoning_arena.backends.openai import wire as watched
from game_reasoning_arena.backends.openai.stamped_socket import StampedSocket
from game_reasoning_arena.backends.openai.wire import Wire, open_session
from tests.loopback import LoopbackServer


@pytest.fixture
def full() -> Iterator[int]:
    """The port of a server that is too busy to take one more connection."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(8)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(address)
        yield address[1]
        for one in waiting:
            one.close()


async def _get(url: str, limit: aiohttp.ClientTimeout | None = None) -> Any:
    async with (
        open_session() as session,
        session.get(url, timeout=limit or session.timeout) as response,
    ):
        return await response.json()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_request_is_timed_however_its_server_is_named(host: str) -> None:
    wire = Wire()
    with LoopbackServer() as server, wire.watch():
        body = asyncio.run(_get(f"http://{host}:{server.port}/v1/models"))
    assert body["object"] == "list"
    assert wire.latency_s is not None
    assert wire.latency_s > 0


def test_a_refused_numeric_address_is_an_error_of_connecting() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(aiohttp.ClientConnectorError) as caught:
            asyncio.run(_get(f"http://127.0.0.1:{port}/v1/models"))
    assert isinstance(caught.value.os_error, ConnectionRefusedError)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse where Linux lets wait")
def test_the_limit_on_connecting_holds_for_a_server_that_takes_no_more(full: int) -> None:
    limit = aiohttp.ClientTimeout(sock_connect=0.1)
    with pytest.raises(aiohttp.ConnectionTimeoutError):
        asyncio.run(_get(f"http://127.0.0.1:{full}/v1/models", limit))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse where Linux lets wait")
def test_a_connection_that_is_given_up_leaves_no_socket(
    full: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[socket.socket] = []

    class Counted(StampedSocket):
        def __init__(self, *arguments: int) -> None:
            super().__init__(*arguments)
            made.append(self)

    monkeypatch.setattr(watched, "StampedSocket", Counted)
    limit = aiohttp.ClientTimeout(total=0.1)
    with pytest.raises(TimeoutError):
        asyncio.run(_get(f"http://127.0.0.1:{full}/v1/models", limit))
    assert [one.fileno() for one in made] == [-1]
