"""When requests really arrived at the loopback server, by the system's own clock.

Written apart from the client's way of doing the same, since each is to check the other.
"""

from __future__ import annotations

import socket
import struct
import sys
import time
from typing import Any

SO_TIMESTAMPNS = 35  # Linux; see socket(7)


class StampedConnection(socket.socket):
    """``arrived``: monotonic seconds at which the newest bytes came; None if unknown."""

    arrived: float | None = None

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        data, notes, _, _ = self.recvmsg(size, 64, flags)
        self.arrived = None
        for _, kind, raw in notes:
            if kind == SO_TIMESTAMPNS:
                seconds, nanoseconds = struct.unpack("@ll", raw)
                self.arrived = time.monotonic() - (time.time() - seconds - nanoseconds / 1e9)
        return data


class StampingListener(socket.socket):
    """Accepts connections that know when their bytes came."""

    def accept(self) -> tuple[Any, Any]:
        connection, address = super().accept()
        stamped = StampedConnection(fileno=connection.detach())
        if sys.platform == "linux":
            stamped.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        return stamped, address
