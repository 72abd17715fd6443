"""When bytes really left and came, whoever reads them: an aiohttp session that keeps time.

Between the arrival of an answer and the moment its reader runs, a busy event loop may do much else;
a clock read by the reader then measures this process instead of the provider. So the times are
taken where the socket is written and read: in aiohttp's tracing for the request, in the protocol's
``data_received`` for the answer. LiteLLM can be given such a session too.

    wire = Wire()
    with wire.watch():
        async with session.post(...) as response:
            await response.read()
    wire.latency_s
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import Iterator
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection

_watching: ContextVar[Wire | None] = ContextVar("wire", default=None)


class Wire:
    """The times of one request (of the last, when it was redirected); monotonic seconds."""

    __slots__ = ("_protocol", "body", "ended_at", "headers", "sent_at", "started_at", "status")

    def __init__(self) -> None:
        self.started_at: float | None = None  # Unix time at which the request was on the wire
        self.sent_at: float | None = None
        self.ended_at: float | None = None  # last byte
        self.status: int | None = None
        self.headers: Any = None
        self.body = b""  # what was sent
        self._protocol: _TimedProtocol | None = None

    @contextlib.contextmanager
    def watch(self) -> Iterator[None]:
        """Take the times of what this task requests inside."""
        token = _watching.set(self)
        try:
            yield
        finally:
            _watching.reset(token)

    @property
    def latency_s(self) -> float | None:
        """Seconds from the request on the wire to the last byte that came; None if unknown."""
        if self.sent_at is None:
            return None
        ended = self.ended_at if self.ended_at is not None else self.received_at
        # An older time belongs to what the connection served before: nothing came for this one.
        return None if ended is None or ended < self.sent_at else ended - self.sent_at

    @property
    def received_at(self) -> float | None:
        """When the newest bytes came."""
        # Not "if self._protocol": the protocol is a queue too, and false when that is empty.
        return None if self._protocol is None else self._protocol.received_at

    def on_sent(self, chunk: bytes) -> None:
        """A part of the request's body is being written."""
        if self.sent_at is None:
            self.started_at = time.time()
            self.body = chunk
        else:
            self.body += chunk
        self.sent_at = time.monotonic()

    def on_connection(self, protocol: _TimedProtocol) -> None:
        """The request went out by this connection."""
        self._protocol = protocol
        self.ended_at = None

    def on_end(self) -> None:
        """The last byte is being read; aiohttp may say so more than once."""
        if self._protocol is None:
            return
        self.ended_at = self.received_at
        self._protocol = None  # the connection serves others from now on


class _TimedProtocol(ResponseHandler):
    received_at: float | None = None

    def data_received(self, data: bytes) -> None:
        if data:  # aiohttp calls this without any to go on after a pause
            self.received_at = time.monotonic()
        super().data_received(data)


class _TimedResponse(aiohttp.ClientResponse):
    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        wire, protocol = _watching.get(), connection.protocol
        if wire is None or not isinstance(protocol, _TimedProtocol):
            return await super().start(connection)
        wire.on_connection(protocol)
        response = await super().start(connection)
        wire.status, wire.headers = response.status, response.headers
        response.content.on_eof(wire.on_end)
        return response


def open_session(*, trust_env: bool = False) -> aiohttp.ClientSession:
    """A session without limits and timeouts of its own, whose requests can be watched.

    Args:
        trust_env: whether proxies are taken from the environment (``HTTPS_PROXY``, ...).
    """
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=30)
    # aiohttp has no public way to name the protocol's class. Where this one is not used, no times
    # are taken and the backends fall back to their own clock; a test says so.
    factory: Any = functools.partial(_TimedProtocol, loop=asyncio.get_running_loop())
    connector._factory = factory
    trace = aiohttp.TraceConfig()
    trace.on_request_chunk_sent.append(_chunk_sent)
    return aiohttp.ClientSession(
        connector=connector,
        response_class=_TimedResponse,
        trace_configs=[trace],
        timeout=aiohttp.ClientTimeout(total=None),
        trust_env=trust_env,
    )


async def _chunk_sent(
    session: aiohttp.ClientSession,
    context: SimpleNamespace,
    params: aiohttp.TraceRequestChunkSentParams,
) -> None:
    wire = _watching.get()
    if wire is not None:
        wire.on_sent(params.chunk)
