"""LiteLLM in processes of its own, for more calls than one Python process can handle.

LiteLLM costs several ms of CPU per call, so one process handles about a hundred calls a second.
Here whole requests go to worker processes, each with an ordinary ``LiteLLMBackend`` on an event
loop of its own, and replies or errors come back. All policy (limits, retries, deadlines) stays
with the caller; a call that is cancelled there is cancelled in its worker, too.

A worker is an interpreter that imports this module and not the caller's main module, connected by
a pair of sockets. Messages are pickled, with their length in front:

to a worker     (class, settings) once; (number, Request); (number, None) cancels
from a worker   (None, None) once LiteLLM is loaded; (number, Reply or error);
                (None, (logger, level, text)) for LiteLLM's log lines

A worker ends when its socket closes, however its owner ended. It inherits the environment and reads
keys from its variables; no key is sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import pickle
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from game_reasoning_arena.backends.base_backend import BaseLLMBackend
from game_reasoning_arena.errors import EngineDeadError, TransientError
from game_reasoning_arena.records import Reply, Request

#: A worker that ends so often in a row without an answer is not started again.
MAX_DEATHS = 3

#: Seconds for a worker to close its connections. LiteLLM's own bookkeeping may take 2 of them.
GRACE_S = 5.0

_log = logging.getLogger(__name__)

_LENGTH = struct.Struct(">Q")
_START = (
    "import sys; link = int(sys.argv[1]); sys.path[:] = sys.argv[2:]; "
    "from game_reasoning_arena.backends.litellm.worker_process import main; main(link)"
)


class LiteLLMWorkers:
    """A number of worker processes, started with the first call or by :meth:`start`.

    Args:
        count: number of processes, at least 1.
        backend: the class of the backend in each of them.
        settings: its keyword arguments.
    """

    def __init__(
        self, count: int, backend: type[BaseLLMBackend], settings: Mapping[str, Any]
    ) -> None:
        self._workers = [_Worker(backend, settings) for _ in range(count)]
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers that run now."""
        return [worker.pid for worker in self._workers if worker.pid is not None]

    async def start(self) -> None:
        """Start all workers and wait until LiteLLM is loaded in each.

        Raises:
            EngineDeadError: one of them cannot be started; its own output explains more.
        """
        self._launch()
        for worker in self._workers:
            await worker.settled.wait()
        for worker in self._workers:
            if worker.given_up is not None:
                raise EngineDeadError(worker.given_up)

    async def generate(self, request: Request) -> Reply:
        """Let the least busy worker answer.

        Raises:
            TransientError: the worker ended before it answered.
            EngineDeadError: no worker is left that could be started again.
            BackendError: raised by the worker's own backend.
        """
        self._launch()
        left = [worker for worker in self._workers if worker.given_up is None]
        if not left:
            raise EngineDeadError(f"{request.model.name}: {self._workers[0].given_up}")
        # A worker that still loads LiteLLM gets work only if all do.
        return await min(left, key=lambda worker: (not worker.ready, worker.load)).ask(request)

    async def aclose(self) -> None:
        """End all workers; none is left when this returns, or when it is cancelled."""
        for worker in self._workers:
            worker.close()
        await asyncio.gather(*self._tasks)

    def _launch(self) -> None:
        if not self._tasks:
            self._tasks = [asyncio.create_task(worker.run()) for worker in self._workers]


class _Worker:
    """The caller's side of one worker process, and of its successors when it dies."""

    def __init__(self, backend: type[BaseLLMBackend], settings: Mapping[str, Any]) -> None:
        self.ready = False  # whether LiteLLM is loaded
        self.settled = asyncio.Event()  # set when it was ready once, or is given up
        self.given_up: str | None = None  # why it is not started again
        self.load = 0  # number of requests that it has or will get
        self.pid: int | None = None
        self._made_of = (backend, dict(settings))
        self._numbers = itertools.count()
        self._pending: dict[int, tuple[str, asyncio.Future[Reply]]] = {}
        self._link: asyncio.StreamWriter | None = None
        self._changed = asyncio.Event()  # set when there is a link, or it is given up
        self._closing = False
        self._answered = 0

    async def run(self) -> None:
        """Keep a process running until :meth:`close`, or until it is given up."""
        deaths = 0
        try:
            while not self._closing:
                before = self._answered
                ended = await self._one_life()
                deaths = 1 if self._answered > before else deaths + 1
                if not self._closing:
                    _log.warning("A LiteLLM worker process ended %s.", ended)
                if deaths >= MAX_DEATHS and not self._closing:
                    self.given_up = (
                        f"A LiteLLM worker process ended {deaths} times in a row without an "
                        f"answer, at last {ended}. backend.litellm.workers=0 does without them."
                    )
                    return
        finally:
            self.given_up = self.given_up or "The LiteLLM worker processes are closed."
            self.settled.set()
            self._changed.set()

    async def ask(self, request: Request) -> Reply:
        """Send one request, once; see :meth:`LiteLLMWorkers.generate`."""
        name = request.model.name
        self.load += 1
        try:
            while (link := self._link) is None:
                if self.given_up is not None:
                    raise TransientError(f"{name}: {self.given_up}")
                await self._changed.wait()
            number = next(self._numbers)
            question = pack((number, request))
            answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
            self._pending[number] = (name, answer)
            try:
                link.write(question)
                return await answer
            except asyncio.CancelledError:
                if not link.is_closing():
                    link.write(pack((number, None)))
                raise
            finally:
                self._pending.pop(number, None)
        finally:
            self.load -= 1

    def close(self) -> None:
        """Ask the process to end; :meth:`run` returns when it has."""
        self._closing = True
        if self._link is not None:
            self._link.transport.abort()  # do not wait for a stuck process to read

    async def _one_life(self) -> str:
        """Start a process and serve it until it ends; return how it ended."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                process = _spawned(theirs)
            except OSError as error:
                ours.close()
                return f"before it began ({error})"
        link: asyncio.StreamWriter | None = None
        try:
            self.pid = process.pid
            reader, link = await asyncio.open_connection(sock=ours)
            link.write(pack(self._made_of))
            self._link = link
            self._changed.set()
            while not self._closing and (message := await receive(reader)) is not None:
                self._take(*message)
            # From here on requests wait for the next process.
            self._link = None
            self._changed.clear()
            await self._last_moments(process)
        finally:
            # Also when cancelled: no process may keep running, and no caller keep waiting.
            if link is None:
                ours.close()
            else:
                link.transport.abort()
            process.kill()
            ended = _how(process.wait())
            self._link, self.pid, self.ready = None, None, False
            self._changed.clear()
            pending, self._pending = self._pending, {}
            for name, answer in pending.values():
                if not answer.done():
                    answer.set_exception(
                        TransientError(f"{name}: LiteLLM's worker process ended {ended}.")
                    )
        return ended

    def _take(self, number: int | None, content: Any) -> None:
        """Handle one message of the process."""
        if number is None and content is None:
            self.ready = True
            self.settled.set()
        elif number is None:
            logger, level, text = content
            logging.getLogger(logger).log(level, "%s", text)
        else:
            self._answered += 1
            _, answer = self._pending.get(number, ("", None))
            if answer is None or answer.done():
                return  # cancelled, while the answer was on its way
            if isinstance(content, Exception):
                answer.set_exception(content)
            else:
                answer.set_result(content)

    async def _last_moments(self, process: subprocess.Popen[bytes]) -> None:
        """Wait a limited time for the process to end; the link is already down."""
        unloaded = self._closing and not self.ready  # it holds nothing to close
        with contextlib.suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(process.wait, 0.0 if unloaded else GRACE_S)


def _spawned(link: socket.socket) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603  our own interpreter and module
        # Modules are found on the caller's path, which may differ from a new interpreter's.
        [sys.executable, "-c", _START, str(link.fileno()), *map(str, sys.path)],
        stdin=subprocess.DEVNULL,
        pass_fds=[link.fileno()],
        start_new_session=True,  # a terminal's Ctrl-C is for the caller, who ends the workers
    )


def _how(code: int) -> str:
    if code >= 0:
        return f"with exit code {code}"
    name = signal.Signals(-code).name
    return f"by {name}" + (": the system may be out of memory" if name == "SIGKILL" else "")


def pack(message: Any) -> bytes:
    data = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(data)) + data


async def receive(reader: asyncio.StreamReader) -> Any:
    """Return the next message; None at the end of the link."""
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        return pickle.loads(await reader.readexactly(length))  # noqa: S301  from ourselves
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
