"""The body of a response, counted as it is read: what does not end must not fill the memory."""

from __future__ import annotations

import functools
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import aiohttp

#: Window bits by which zlib distinguishes gzip from deflate, and the bytes that it makes at once.
_ANY_ZLIB = 47
_RAW_DEFLATE = -15
_UNPACKED_AT_ONCE = 1 << 20
#: Compressions that LiteLLM's client may unpack, and this does not.
_NOT_COUNTED = frozenset({"br", "zstd"})


class UnknownCompression(aiohttp.ClientPayloadError):
    """A body is compressed in a way whose size is not counted."""


class BodyTooLong(aiohttp.ClientError):
    """A body is longer than any honest answer."""


def compression(given: Sequence[str]) -> str:
    """Return the compression of a body, which nobody asked for; "" for none.

    Args:
        given: all values of the header Content-Encoding.

    Raises:
        UnknownCompression: it is one whose size cannot be counted, or several.
    """
    codings = [name.strip().lower() for value in given for name in value.split(",")]
    codings = [name for name in codings if name not in ("", "identity")]
    if not codings:
        return ""
    if len(codings) > 1 or codings[0] in _NOT_COUNTED:
        raise UnknownCompression(
            f"its answer is compressed ({', '.join(codings)[:80]}), which was not asked for"
        )
    return codings[0]


class CountedBody:
    """The content of a response, whose pieces are reported as they are read.

    Args:
        content: what it reads from.
        take: called with each piece and its decompressed size.
        packed: the compression of a body that its caller decompresses, as LiteLLM does.
        most_bytes: the size beyond which nothing more is decompressed to be counted.
    """

    def __init__(
        self,
        content: aiohttp.StreamReader,
        take: Callable[[bytes, int], None],
        *,
        packed: str,
        most_bytes: int,
    ) -> None:
        self._unpack = zlib.decompressobj(_ANY_ZLIB) if packed in ("gzip", "deflate") else None
        self._is_raw = False
        self._content = content
        self._take = take
        self._most_bytes = most_bytes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)

    async def read(self, n: int = -1) -> bytes:
        """Return ``n`` bytes, or all."""
        if n >= 0:
            return self._counted(await self._content.read(n))
        return b"".join([piece async for piece in self.iter_any()])

    async def readany(self) -> bytes:
        """Return the bytes that are there, at least one unless the body has ended."""
        return self._counted(await self._content.readany())

    def iter_chunked(self, n: int) -> AsyncIterator[bytes]:
        """Yield pieces of at most ``n`` bytes."""
        return self._pieces(functools.partial(self.read, n))

    def iter_any(self) -> AsyncIterator[bytes]:
        """Yield pieces as they come."""
        return self._pieces(self.readany)

    async def _pieces(self, read: Callable[[], Awaitable[bytes]]) -> AsyncIterator[bytes]:
        while piece := await read():
            yield piece

    def _counted(self, piece: bytes) -> bytes:
        self._take(piece, len(piece) if self._unpack is None else self._unpacked(piece))
        return piece

    def _unpacked(self, piece: bytes) -> int:
        """Return the size of a piece when it is decompressed, or more than the limit."""
        assert self._unpack is not None
        size = 0
        while piece and size <= self._most_bytes:
            try:
                size += len(self._unpack.decompress(piece, _UNPACKED_AT_ONCE))
            except zlib.error:
                if self._is_raw:
                    return size + len(piece)  # the caller reports it when unpacking
                # "deflate" without a head, which clients accept, too
                self._unpack, self._is_raw = zlib.decompressobj(_RAW_DEFLATE), True
                continue
            piece = self._unpack.unconsumed_tail
        return size
