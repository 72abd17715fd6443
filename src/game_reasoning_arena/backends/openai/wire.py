"""An aiohttp session that records when bytes left and arrived.

Between the arrival of an answer and the moment its reader runs, a busy event loop may do much else;
a clock read by the reader would measure this process instead of the provider. So the times are
taken at the socket (see ``stamped_socket``), by the system's own clock if it has one for that.
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
from typing import Any, Protocol

import aiohttp
from aiohttp.client_middlewares import ClientHandlerType
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from yarl import URL

from game_reasoning_arena.backends.limits import MOST_BYTES
from game_reasoning_arena.backends.openai.addresses import PATH
from game_reasoning_arena.backends.openai.counted_body import BodyTooLong, CountedBody, compression
from game_reasoning_arena.backends.openai.stamped_socket import StampedSocket, stamped_socket
from game_reasoning_arena.process.open_files import connections_possible

#: Seconds to wait for the last bytes behind a finished answer.
LAST_BYTES_S = 0.05


class Reader(Protocol):
    """Reads an answer along with its caller."""

    @property
    def ended(self) -> bool:
        """Whether nothing more is worth waiting for."""
        ...

    def feed(self, piece: bytes, now: float) -> None:
        """Take bytes that came at ``now`` (monotonic seconds)."""
        ...


_watching: ContextVar[Wire | None] = ContextVar("wire", default=None)


class Wire:
    """The times of one request (of the last, when it was redirected); monotonic seconds."""

    __slots__ = (
        *("_connected_at", "_ended", "_held", "_protocol"),
        *(
            "body",
            "headers",
            "host",
            "most_bytes",
            "query",
            "reader",
            "received",
            "status",
            "taken",
        ),
    )

    def __init__(
        self, reader: Reader | None = None, *, query: str = "", most_bytes: int = MOST_BYTES
    ) -> None:
        self.status: int | None = None
        self.headers: Any = None
        self.host: str | None = None  # where the request went to, with its port, if traced
        self.body = b""  # the body that was sent, if the session keeps bodies
        self.reader = reader  # reads along with the caller
        self.taken = False  # whether it did, as the answer is of its protocol
        self.most_bytes = most_bytes  # the limit for a body, decompressed
        self.received = 0
        self.query = query  # added to the address, for callers that cannot do so
        self._held: _TimedResponse | None = None
        self._protocol: _TimedProtocol | None = None
        self._connected_at = 0.0
        self._ended: tuple[float | None, float | None] | None = None

    @contextlib.contextmanager
    def watch(self) -> Iterator[None]:
        """Record the times of this task's requests inside the context."""
        token = _watching.set(self)
        try:
            yield
        finally:
            _watching.reset(token)

    async def rest(self) -> None:
        """Let the reader read what the caller left of the answer.

        Raises:
            aiohttp.ClientError: the connection broke.
        """
        if self._held is not None and self.reader is not None:
            while not self.reader.ended and await self._held.content.readany():
                pass
            await last_bytes(self._held.content)

    @property
    def overflowed(self) -> bool:
        """Whether a body was longer than allowed and was abandoned."""
        return self.received > self.most_bytes

    def take(self, piece: bytes, size: int, *, along: bool) -> None:
        """Count a piece of a body, and give it to the reader if that reads along.

        Args:
            piece: the bytes as they came.
            size: how many they are decompressed.
            along: whether the reader reads this body.

        Raises:
            BodyTooLong: there are more than allowed.
        """
        self.received += size
        if self.overflowed:
            raise BodyTooLong("the body does not end")
        if piece and along and self.reader is not None:
            self.reader.feed(piece, self.received_at or time.monotonic())

    def hold(self, response: _TimedResponse) -> None:
        """Let the reader read along, and keep a response open when its caller closes it."""
        self.taken = True
        self._held = response

    def holds(self, response: _TimedResponse) -> bool:
        """Return whether a response stays open although its caller closes it."""
        return self._held is response

    def let_go(self) -> None:
        """Close the held response; the connection stays open if all was read."""
        held, self._held = self._held, None
        if held is not None:
            held.close()

    @property
    def sent_at(self) -> float | None:
        """When the request was on the wire; None if it never was."""
        if self._ended is not None:
            return self._ended[0]
        if self._protocol is None:
            return None
        # The connection serves one request at a time, so its last bytes out belong to this one.
        return self._protocol.sent_at or self._connected_at

    @property
    def received_at(self) -> float | None:
        """When the newest bytes arrived; None if none arrived for this request."""
        if self._ended is not None:
            return self._ended[1]
        # Not "if self._protocol": the protocol is a queue, too, and false when that is empty.
        return None if self._protocol is None else self._protocol.received_at

    @property
    def started_at(self) -> float | None:
        """Unix time at which the request was on the wire."""
        sent_at = self.sent_at
        return None if sent_at is None else time.time() - (time.monotonic() - sent_at)

    @property
    def latency_s(self) -> float | None:
        """Seconds from the request on the wire to the last byte; None if unknown."""
        sent_at, received_at = self.sent_at, self.received_at
        # An earlier time belongs to the connection's previous request: nothing arrived for this
        # one.
        if sent_at is None or received_at is None or received_at < sent_at:
            return None
        return received_at - sent_at

    def on_connection(self, protocol: _TimedProtocol) -> None:
        """Note the connection of the request."""
        self._protocol = protocol
        self._connected_at = time.monotonic()
        self._ended = None

    def on_end(self) -> None:
        """Note that the last byte is being read; aiohttp may call this more than once."""
        if self._protocol is not None:
            self._ended = self.sent_at, self.received_at
            self._protocol = None  # from now on the connection serves other requests


class _TimedProtocol(ResponseHandler):
    received_at: float | None = None
    _socket: StampedSocket | None = None

    @property
    def sent_at(self) -> float | None:
        return None if self._socket is None else self._socket.sent_at

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # asyncio wraps its sockets in a class without our two times.
        bare = getattr(transport.get_extra_info("socket"), "_sock", None)
        self._socket = bare if isinstance(bare, StampedSocket) else None
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if data:  # aiohttp also calls this without bytes, after a pause
            stamped = self._socket
            self.received_at = time.monotonic() if stamped is None else stamped.received_at
        super().data_received(data)


async def last_bytes(content: aiohttp.StreamReader) -> None:
    """Read what follows a finished answer, so that its connection serves the next request.

    The end of the body usually arrives with the end of the answer, so the wait is short.
    """
    if content.at_eof():
        return
    with contextlib.suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(LAST_BYTES_S):
            await content.read()


class Redirected(aiohttp.ClientError):
    """The server redirects to another address, which must get nothing of ours."""


class _TimedResponse(aiohttp.ClientResponse):
    _wire: Wire | None = None

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        wire, protocol = _watching.get(), connection.protocol
        if wire is None or not isinstance(protocol, _TimedProtocol):
            return await super().start(connection)
        wire.on_connection(protocol)
        response = await super().start(connection)
        wire.status, wire.headers = response.status, response.headers
        response.content.on_eof(wire.on_end)
        if wire.reader is not None:
            if 300 <= self.status < 400:
                raise Redirected(f"{self.status} {self.headers.get('Location', '')}")
            if self.url.path.endswith(PATH) and not self.headers.get("Content-Encoding"):
                self._wire = wire
                wire.hold(self)
        given = self.headers.getall("Content-Encoding", []) if wire.reader is not None else []
        take = functools.partial(wire.take, along=self._wire is not None)
        self.content = CountedBody(  # type: ignore[assignment]
            self.content, take, packed=compression(given), most_bytes=wire.most_bytes
        )
        return response

    def close(self) -> None:
        if not self._is_held():
            super().close()

    def release(self) -> Any:
        return None if self._is_held() else super().release()

    def _is_held(self) -> bool:
        """Return whether the reader wants to continue after the caller has seen enough."""
        return self._wire is not None and self._wire.holds(self)


class _Connector(aiohttp.TCPConnector):
    """Connects to numeric addresses without a resolver and without racing several addresses.

    A local server (vLLM, SGLang, Ollama, ...) is often addressed by number and called by hundreds
    of episodes at once; the usual way costs a tenth of each first call.
    """

    async def _create_connection(
        self, req: aiohttp.ClientRequest, traces: list[Any], timeout: aiohttp.ClientTimeout
    ) -> ResponseHandler:
        # Documented as a method that subclasses override, in spite of its name.
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


def open_session(*, trust_env: bool = False, for_library: bool = False) -> aiohttp.ClientSession:
    """Return a session without timeouts and cookies of its own, whose requests are timed.

    Args:
        trust_env: whether proxies are taken from the environment (``HTTPS_PROXY``, ...).
        for_library: whether a library makes the requests: then a watching wire gets the body that
            was sent, adds its query to the address, and its reader reads along.
    """
    connector = _Connector(
        limit=connections_possible(), keepalive_timeout=30, socket_factory=stamped_socket
    )
    # aiohttp has no public way to name the protocol's class. If this one is not used, no times are
    # taken and the backends use their own clock; a test detects this.
    factory: Any = functools.partial(_TimedProtocol, loop=asyncio.get_running_loop())
    connector._factory = factory
    traces = []
    if for_library:
        trace = aiohttp.TraceConfig()
        trace.on_request_start.append(_begun)
        trace.on_request_redirect.append(_begun)
        trace.on_request_chunk_sent.append(_chunk_sent)
        traces.append(trace)
    return aiohttp.ClientSession(
        connector=connector,
        response_class=_TimedResponse,
        trace_configs=traces,
        middlewares=(_readable,) if for_library else (),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),
        trust_env=trust_env,
    )


async def _readable(
    request: aiohttp.ClientRequest, handler: ClientHandlerType
) -> aiohttp.ClientResponse:
    """Request an answer that a reader can read along, at the address with its query."""
    wire = _watching.get()
    if wire is not None and wire.reader is not None:
        request.headers["Accept-Encoding"] = "identity"
        if wire.query:
            joined = f"{request.url}{'&' if request.url.query_string else '?'}{wire.query}"
            request.url = URL(joined, encoded=True)
    return await handler(request)


async def _begun(
    session: aiohttp.ClientSession,
    context: SimpleNamespace,
    params: aiohttp.TraceRequestStartParams | aiohttp.TraceRequestRedirectParams,
) -> None:
    wire = _watching.get()
    if wire is not None:
        wire.body = b""
        wire.host = f"{params.url.host}:{params.url.port}"


async def _chunk_sent(
    session: aiohttp.ClientSession,
    context: SimpleNamespace,
    params: aiohttp.TraceRequestChunkSentParams,
) -> None:
    wire = _watching.get()
    if wire is not None:
        wire.body += params.chunk
