"""When bytes really left and came, whoever reads them: an aiohttp session that keeps time.

Between the arrival of an answer and the moment its reader runs, a busy event loop may do much else;
a clock read by the reader then measures this process instead of the provider. So the times are
taken at the socket (see ``stamped_socket``), by the system's own clock where it has one for that.
LiteLLM can be given such a session too.

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
import socket
import time
from collections.abc import Iterator
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection

from game_reasoning_arena.backends.openai.stamped_socket import StampedSocket, stamped_socket

_watching: ContextVar[Wire | None] = ContextVar("wire", default=None)


class Wire:
    """The times of one request (of the last, when it was redirected); monotonic seconds."""

    __slots__ = ("_connected_at", "_ended", "_protocol", "body", "headers", "status")

    def __init__(self) -> None:
        self.status: int | None = None
        self.headers: Any = None
        self.body = b""  # what was sent, if the session keeps bodies
        self._protocol: _TimedProtocol | None = None
        self._connected_at = 0.0
        self._ended: tuple[float | None, float | None] | None = None

    @contextlib.contextmanager
    def watch(self) -> Iterator[None]:
        """Take the times of what this task requests inside."""
        token = _watching.set(self)
        try:
            yield
        finally:
            _watching.reset(token)

    @property
    def sent_at(self) -> float | None:
        """When the request was on the wire; None if it never was."""
        if self._ended is not None:
            return self._ended[0]
        if self._protocol is None:
            return None
        # The connection serves one request at a time: the last bytes out are this one's.
        return self._protocol.sent_at or self._connected_at

    @property
    def received_at(self) -> float | None:
        """When the newest bytes came; None if none came for this request."""
        if self._ended is not None:
            return self._ended[1]
        # Not "if self._protocol": the protocol is a queue too, and false when that is empty.
        return None if self._protocol is None else self._protocol.received_at

    @property
    def started_at(self) -> float | None:
        """Unix time at which the request was on the wire."""
        sent_at = self.sent_at
        return None if sent_at is None else time.time() - (time.monotonic() - sent_at)

    @property
    def latency_s(self) -> float | None:
        """Seconds from the request on the wire to the last byte that came; None if unknown."""
        sent_at, received_at = self.sent_at, self.received_at
        # An older time belongs to what the connection served before: nothing came for this one.
        if sent_at is None or received_at is None or received_at < sent_at:
            return None
        return received_at - sent_at

    def on_connection(self, protocol: _TimedProtocol) -> None:
        """The request went out by this connection."""
        self._protocol = protocol
        self._connected_at = time.monotonic()
        self._ended = None

    def on_end(self) -> None:
        """The last byte is being read; aiohttp may say so more than once."""
        if self._protocol is not None:
            self._ended = self.sent_at, self.received_at
            self._protocol = None  # the connection serves others from now on


class _TimedProtocol(ResponseHandler):
    received_at: float | None = None
    _socket: StampedSocket | None = None

    @property
    def sent_at(self) -> float | None:
        return None if self._socket is None else self._socket.sent_at

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # asyncio shows its sockets from behind a face without our two times.
        bare = getattr(transport.get_extra_info("socket"), "_sock", None)
        self._socket = bare if isinstance(bare, StampedSocket) else None
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if data:  # aiohttp calls this without any to go on after a pause
            stamped = self._socket
            self.received_at = time.monotonic() if stamped is None else stamped.received_at
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


class _Connector(aiohttp.TCPConnector):
    """Connects to numeric addresses without a resolver and a race between several answers of it.

    A server next door (vLLM, SGLang, Ollama, ...) is often named by its number and asked by
    hundreds of episodes at once; the way around costs a tenth of each first call.
    """

    async def _create_connection(
        self, req: aiohttp.ClientRequest, traces: list[Any], timeout: aiohttp.ClientTimeout
    ) -> ResponseHandler:
        # Documented as what subclasses override, in spite of its name.
        host, port = req.url.raw_host, req.url.port
        if req.proxy or req.is_ssl() or host is None or port is None or not _is_ipv4(host):
            return await super()._create_connection(req, traces, timeout)
        loop = asyncio.get_running_loop()
        stamped = StampedSocket(socket.AF_INET, socket.SOCK_STREAM)
        stamped.setblocking(False)
        try:
            try:
                stamped.connect((host, port))
            except BlockingIOError:
                async with asyncio.timeout(timeout.sock_connect):
                    await loop.sock_connect(stamped, (host, port))
            _, protocol = await loop.create_connection(self._factory, sock=stamped)
        except OSError as error:
            stamped.close()
            if isinstance(error, TimeoutError) and error.errno is None:
                raise  # the limit's, not the system's
            raise aiohttp.ClientConnectorError(req.connection_key, error) from error
        except BaseException:
            stamped.close()
            raise
        return protocol


@functools.lru_cache(maxsize=64)
def _is_ipv4(host: str) -> bool:
    try:
        socket.inet_pton(socket.AF_INET, host)
    except OSError:
        return False
    return True


def open_session(*, trust_env: bool = False, keep_bodies: bool = False) -> aiohttp.ClientSession:
    """A session without limits, timeouts and cookies of its own, whose requests can be watched.

    Args:
        trust_env: whether proxies are taken from the environment (``HTTPS_PROXY``, ...).
        keep_bodies: whether a watching wire gets the request's body, for callers that do not make
            it themselves.
    """
    connector = _Connector(limit=0, keepalive_timeout=30, socket_factory=stamped_socket)
    # aiohttp has no public way to name the protocol's class. Where this one is not used, no times
    # are taken and the backends fall back to their own clock; a test says so.
    factory: Any = functools.partial(_TimedProtocol, loop=asyncio.get_running_loop())
    connector._factory = factory
    traces = []
    if keep_bodies:
        trace = aiohttp.TraceConfig()
        trace.on_request_start.append(_begun)
        trace.on_request_redirect.append(_begun)
        trace.on_request_chunk_sent.append(_chunk_sent)
        traces.append(trace)
    return aiohttp.ClientSession(
        connector=connector,
        response_class=_TimedResponse,
        trace_configs=traces,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),
        trust_env=trust_env,
    )


async def _begun(session: aiohttp.ClientSession, context: SimpleNamespace, params: Any) -> None:
    wire = _watching.get()
    if wire is not None:
        wire.body = b""


async def _chunk_sent(
    session: aiohttp.ClientSession,
    context: SimpleNamespace,
    params: aiohttp.TraceRequestChunkSentParams,
) -> None:
    wire = _watching.get()
    if wire is not None:
        wire.body += params.chunk
