"""Lines from this process's terminal, read on the event loop.

No thread blocks in ``input()``: a thread that waits for a key cannot be ended and would keep the
process alive after Ctrl-C.
"""

from __future__ import annotations

import asyncio
import os
import sys
from functools import lru_cache

from rich.console import Console
from rich.markup import escape

_CHUNK = 4096


class Terminal:
    """Standard input and an output, with one lock for all players that ask there."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.lock = asyncio.Lock()
        #: The reason why no player may ask any more.
        self.left: str | None = None
        self._typed = b""

    async def read_line(self, prompt: str) -> str:
        """Return one line, without its end.

        Raises:
            EOFError: the terminal is closed, or there is none.
        """
        self.console.print(escape(prompt), end="", highlight=False, soft_wrap=True)
        try:
            number = sys.stdin.fileno()
        except (AttributeError, OSError, ValueError):  # no standard input, or a closed one
            raise EOFError from None
        while b"\n" not in self._typed:
            await _readable(number)
            more = os.read(number, _CHUNK)
            if not more and not self._typed:
                self.console.print()
                raise EOFError
            self._typed += more or b"\n"
        line, _, self._typed = self._typed.partition(b"\n")
        return line.decode(sys.stdin.encoding or "utf-8", "replace").rstrip("\r")


async def _readable(number: int) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    try:
        loop.add_reader(number, ready.set)
    except PermissionError:  # a regular file: reading never waits
        return
    try:
        await ready.wait()
    finally:
        loop.remove_reader(number)


@lru_cache(maxsize=1)
def this_terminal() -> Terminal:
    """Return the one terminal of this process."""
    return Terminal(Console(stderr=True))  # so that standard output can be piped
