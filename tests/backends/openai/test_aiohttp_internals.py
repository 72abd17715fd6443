"""What a new version of aiohttp or asyncio changed of the private parts that ``wire`` uses."""

from __future__ import annotations

import asyncio
import inspect
import socket
from typing import Any

import aiohttp
import pytest
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection


@pytest.mark.parametrize(
    ("function", "takes"),
    [
        (aiohttp.TCPConnector._create_connection, ["self", "req", "traces", "timeout"]),
        (aiohttp.ClientResponse.start, ["self", "connection"]),
        (ResponseHandler.connection_made, ["self", "transport"]),
        (ResponseHandler.data_received, ["self", "data"]),
    ],
)
def test_what_is_overridden_takes_the_same(function: Any, takes: list[str]) -> None:
    assert callable(function)
    found = list(inspect.signature(function).parameters)
    assert found == takes, f"aiohttp's {function.__qualname__} takes {found} now"


def test_a_connection_gives_its_protocol() -> None:
    assert isinstance(inspect.getattr_static(Connection, "protocol"), property)


async def _factory_and_socket() -> tuple[object, object]:
    async with aiohttp.TCPConnector() as connector:
        listener = socket.create_server(("127.0.0.1", 0))
        with listener:
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            shown = writer.get_extra_info("socket")
            writer.close()
            await writer.wait_closed()
            del reader
            return getattr(connector, "_factory", None), getattr(shown, "_sock", None)


def test_the_protocols_class_and_the_bare_socket_can_be_reached() -> None:
    factory, bare = asyncio.run(_factory_and_socket())
    assert callable(factory), "aiohttp's connector has no _factory any more"
    assert isinstance(bare, socket.socket), "asyncio's TransportSocket has no _sock any more"
