"""A socket with the times at which bytes left and arrived, by the system's own clock.

A busy process reads a socket late. Linux records when each segment arrived and reports it on
request
(``SO_TIMESTAMPNS``, socket(7)); elsewhere the time is that of the read.
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
#: The largest difference between readings of the two clocks.
_CLOCKS_AGREE_S = 0.0002
_ROOM = socket.CMSG_SPACE(_TIMESPEC.size) if _STAMPED is not None else 0


@functools.cache
def arrivals_are_stamped() -> bool:
    """Return whether the system records arrival times, so that a busy reader changes no latency.

    Linux starts to record a moment after the first socket asks for it and stops when no such socket
    is left. The socket that asks here stays open as long as the process, so that this moment passes
    only once.
    """
    if _STAMPED is None:
        return False
    asks = socket.socket()
    try:
        asks.setsockopt(socket.SOL_SOCKET, _STAMPED, 1)
    except OSError:
        asks.close()
        return False
    asks.detach()  # keep it open
    return True


def _both_clocks() -> tuple[float, float]:
    """Return seconds of ``time.monotonic`` and of ``time.time`` at one moment."""
    for _ in range(5):
        before, wall, after = time.monotonic(), time.time(), time.monotonic()
        if after - before < _CLOCKS_AGREE_S:
            break  # else the process was interrupted in between
    return before, wall


class StampedSocket(socket.socket):
    """A stream socket; times are in the seconds of ``time.monotonic``, None before the first."""

    __slots__ = ("received_at", "sent_at")

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.sent_at: float | None = None  # when the newest bytes were given to the system
        self.received_at: float | None = None  # when the newest bytes read had arrived
        if arrivals_are_stamped():  # else the time of reading is used
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
        # Neither in the future nor before its request: otherwise the wall clock was changed in
        # between.
        believed = came <= now and (self.sent_at is None or came >= self.sent_at)
        self.received_at = came if believed else now


def stamped_socket(address: tuple[Any, ...]) -> StampedSocket:
    """Return an unconnected socket for a line of ``getaddrinfo``; aiohttp's ``socket_factory``."""
    family, kind, protocol, *_ = address
    return StampedSocket(family=family, type=kind, proto=protocol)
