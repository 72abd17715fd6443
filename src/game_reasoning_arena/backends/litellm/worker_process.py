"""The process of one LiteLLM worker: an ordinary ``LiteLLMBackend`` behind a socket.

See :mod:`game_reasoning_arena.backends.litellm.workers` for what goes over the socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import signal
import socket
import sys
from typing import Any

from game_reasoning_arena.backends.litellm.workers import pack, receive
from game_reasoning_arena.errors import BackendError
from game_reasoning_arena.records import Request


def main(descriptor: int) -> None:
    """A worker process: serve the socket until the other end is gone."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # Batch systems send these to every process; what they mean is the caller's to decide.
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(ConnectionError):  # the caller went while something was being said
        asyncio.run(_serve(socket.socket(fileno=descriptor)))
    # All is closed. Taking LiteLLM's modules apart would take a second that somebody waits for.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


async def _serve(link: socket.socket) -> None:
    reader, writer = await asyncio.open_connection(sock=link)
    logging.getLogger().addHandler(_Forwarder(writer))
    made_of = await receive(reader)
    if made_of is None:
        return
    kind, settings = made_of
    async with kind(**settings) as backend:
        await backend.start(())
        writer.write(pack((None, None)))
        tasks: dict[int, asyncio.Task[None]] = {}
        while (message := await receive(reader)) is not None:
            number, request = message
            if request is not None:
                tasks[number] = asyncio.create_task(_answer(backend, number, request, writer))
                tasks[number].add_done_callback(functools.partial(_forget, tasks, number))
            elif number in tasks:
                tasks[number].cancel()
        left = list(tasks.values())
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
    writer.close()


async def _answer(
    backend: Any, number: int, request: Request, writer: asyncio.StreamWriter
) -> None:
    try:
        said = pack((number, await backend.generate(request)))
    except BackendError as error:
        said = pack((number, error))
    except Exception as error:  # a fault: the caller must hear of it, and it may not be picklable
        told = RuntimeError(f"in a LiteLLM worker process: {type(error).__name__}: {error}")
        said = pack((number, told))
    _say(writer, said)


def _forget(tasks: dict[int, asyncio.Task[None]], number: int, _: asyncio.Task[None]) -> None:
    del tasks[number]


def _say(writer: asyncio.StreamWriter, said: bytes) -> None:
    if not writer.is_closing():  # else nobody listens any more
        writer.write(said)


class _Forwarder(logging.Handler):
    """Sends records to the caller, whose own handlers know what may be shown and where."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        super().__init__()
        self._writer = writer
        self._loop = asyncio.get_running_loop()

    def emit(self, record: logging.LogRecord) -> None:
        said = pack((None, (record.name, record.levelno, self.format(record))))
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
            self._loop.call_soon_threadsafe(_say, self._writer, said)
