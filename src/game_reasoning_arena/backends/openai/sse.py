"""Parse server-sent events (WHATWG HTML, section 9.2) from bytes, without any network."""

from __future__ import annotations

from dataclasses import dataclass

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its type ("" unless the server names one) and its ``data`` lines."""

    name: str
    lines: tuple[bytes, ...]


class EventParser:
    """Parses a stream of events that arrives in arbitrary pieces.

    Lines end with LF, CR or both. Comments, ``id`` and ``retry`` are ignored; the last two concern
    reconnecting, and an answer is never requested twice.
    """

    def __init__(self) -> None:
        self._rest = bytearray()  # of a line that has not ended
        self._began = False
        self._after_cr = False
        self._name = ""
        self._lines: list[bytes] = []

    def feed(self, piece: bytes) -> list[Event]:
        """Add the next bytes; return the events that they complete."""
        if not self._began:
            piece = bytes(self._rest) + piece
            self._rest.clear()
            if len(piece) < len(_BOM) and _BOM.startswith(piece):
                self._rest += piece
                return []
            self._began = True
            piece = piece.removeprefix(_BOM)
        if self._after_cr and piece:
            piece = piece.removeprefix(b"\n")  # the second half of a split line end
            self._after_cr = False
        if piece.endswith(b"\r"):
            self._after_cr = True
        # Only the new bytes are searched, so that a line without an end costs no more than its
        # length.
        end, *lines = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._rest += end
        if not lines:
            return []
        lines.insert(0, bytes(self._rest))
        self._rest = bytearray(lines.pop())
        events = [self._line(line) for line in lines]
        return [event for event in events if event is not None]

    def close(self) -> list[Event]:
        """Return the event that the end of the stream cut off from its blank line, if any.

        The standard drops it; servers that forget the last blank line are common.
        """
        rest, self._rest = bytes(self._rest), bytearray()
        events = [self._line(rest), self._dispatched()]
        return [event for event in events if event is not None]

    def _line(self, line: bytes) -> Event | None:
        if not line:
            return self._dispatched()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._lines.append(value)
        elif name == b"event":
            self._name = value.decode(errors="replace")
        return None

    def _dispatched(self) -> Event | None:
        lines, name = tuple(self._lines), self._name
        self._lines, self._name = [], ""
        return Event(name, lines) if lines else None
