"""A socket that knows when bytes left and came by the system's own clock, not by its reader's.

A busy process reads a socket late. Linux notes when each segment arrived and tells on request
(``SO_TIMESTAMPNS``, socket(7)); elsewhere a socket's time is that of the read.
"""

from __future__ import annotations

import functools
import socket
import struct
import sys
import time
from typing import Any

# Python's socket module has no name for it; the number is that of all Linux but parisc and sparc.
_STAMPED = 35 if sys.platform == "linux" else None
_TIMESPEC = struct.Struct("@ll")
#: How far apart the two clocks may be read.
_CLOCKS_AGREE_S = 0.0002
_ROOM = socket.CMSG_SPACE(_TIMESPEC.size) if _STAMPED is not None else 0


@functools.cache
def arrivals_are_stamped() -> bool:
    """Whether the system notes when bytes came, so that a busy reader changes no latency.

    Linux begins to stamp a moment after the first socket asks for it and ceases when none is left
    that did. The socket that asks here stays open as long as the process, so that one moment
    serves every session.
    """
    if _STAMPED is None:
        return False
    asks = socket.socket()
    try:
        asks.setsockopt(socket.SOL_SOCKET, _STAMPED, 1)
    except OSError:
        asks.close()
        return False
    asks.detach()  # open, and nobody's to close
    return True


def _both_clocks() -> tuple[float, float]:
    """Seconds of ``time.monotonic`` and of ``time.time`` at one moment."""
    for _ in range(5):
        before, wall, after = time.monotonic(), time.time(), time.monotonic()
        if after - before < _CLOCKS_AGREE_S:
            break  # else another process had the processor in between
    return before, wall


class StampedSocket(socket.socket):
    """A stream socket; times are in the seconds of ``time.monotonic``, None before the first."""

    __slots__ = ("received_at", "sent_at")

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.sent_at: float | None = None  # the newest bytes were given to the system
        self.received_at: float | None = None  # the newest bytes that were read came
        if arrivals_are_stamped():  # else the time of reading has to do
            self.setsockopt(socket.SOL_SOCKET, _STAMPED or 0, 1)

    def connect(self, address: Any, /) -> None:
        """See ``socket.socket``."""
        try:
            super().connect(address)
        except BlockingIOError:
            # A peer on this machine has accepted by now, which saves a turn of the event loop; any
            # other raises the same once more. Other systems call the first of these an error.
            if sys.platform != "linux":
                raise
            super().connect(address)

    def send(self, data: Any, flags: int = 0, /) -> int:
        """See ``socket.socket``."""
        now = time.monotonic()
        sent = super().send(data, flags)
        self.sent_at = now
        return sent

    def sendmsg(self, buffers: Any, *more: Any) -> int:
        """See ``socket.socket``."""
        now = time.monotonic()
        sent = super().sendmsg(buffers, *more)
        self.sent_at = now
        return sent

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """See ``socket.socket``."""
        if _STAMPED is None:
            data = super().recv(size, flags)
            self.received_at = time.monotonic()
            return data
        data, notes, _, _ = self.recvmsg(size, _ROOM, flags)
        self._came(notes)
        return data

    def recv_into(self, buffer: Any, size: int = 0, flags: int = 0) -> int:
        """See ``socket.socket``."""
        if _STAMPED is None:
            read = super().recv_into(buffer, size, flags)
            self.received_at = time.monotonic()
            return read
        where = memoryview(buffer)[:size] if size else buffer
        read, notes, _, _ = self.recvmsg_into([where], _ROOM, flags)
        self._came(notes)
        return read

    def _came(self, notes: list[tuple[int, int, bytes]]) -> None:
        now, wall = _both_clocks()
        came = now
        for level, kind, raw in notes:
            if level == socket.SOL_SOCKET and kind == _STAMPED and len(raw) == _TIMESPEC.size:
                seconds, nanoseconds = _TIMESPEC.unpack(raw)
                came = now - (wall - seconds - nanoseconds * 1e-9)
        if self.sent_at is not None and self.sent_at - _CLOCKS_AGREE_S < came < self.sent_at:
            came = self.sent_at
        # Neither from the future nor before its question: then the wall clock was set in between.
        believed = came <= now and (self.sent_at is None or came >= self.sent_at)
        self.received_at = came if believed else now


def stamped_socket(address: tuple[Any, ...]) -> StampedSocket:
    """For aiohttp's ``socket_factory``: an unconnected socket for a line of ``getaddrinfo``."""
    family, kind, protocol, *_ = address
    return StampedSocket(family=family, type=kind, proto=protocol)
