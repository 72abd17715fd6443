"""The process of one LiteLLM worker: an ordinary ``LiteLLMBackend`` behind a socket.

See :mod:`game_reasoning_arena.backends.litellm.workers` for the messages on the socket.
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
    """Serve the socket until the other end is gone."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # Batch systems send these to every process; the caller decides what they mean.
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(ConnectionError):  # the caller went while a message was sent
        asyncio.run(_serve(socket.socket(fileno=descriptor)))
    # Everything is closed. Unloading LiteLLM's modules would take another second.
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
        message = pack((number, await backend.generate(request)))
    except BackendError as error:
        message = pack((number, error))
    except Exception as error:  # a fault: report it to the caller; it may not be picklable
        fault = RuntimeError(f"in a LiteLLM worker process: {type(error).__name__}: {error}")
        message = pack((number, fault))
    _send(writer, message)


def _forget(tasks: dict[int, asyncio.Task[None]], number: int, _: asyncio.Task[None]) -> None:
    del tasks[number]


def _send(writer: asyncio.StreamWriter, message: bytes) -> None:
    if not writer.is_closing():  # otherwise the caller is gone
        writer.write(message)


class _Forwarder(logging.Handler):
    """Sends log records to the caller, whose handlers redact and route them."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        super().__init__()
        self._writer = writer
        self._loop = asyncio.get_running_loop()

    def emit(self, record: logging.LogRecord) -> None:
        message = pack((None, (record.name, record.levelno, self.format(record))))
        with contextlib.suppress(RuntimeError):  # the loop is closed: the caller is gone
            self._loop.call_soon_threadsafe(_send, self._writer, message)
