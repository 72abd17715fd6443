"""Judging in several processes, each asked by a thread of its own."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from game_reasoning_arena.errors import Fault, UserError
from game_reasoning_arena.process.environment import without_keys

Chunk = list[dict[str, Any]]
Lines = tuple[bytes, bytes]
_LOOK_EVERY_S = 0.5


class JudgePool:
    """Processes that judge alike; call ``close`` at the end.

    Args:
        setup: the first line for each, see ``worker``.
        workers: their number.
    """

    def __init__(self, setup: Mapping[str, Any], workers: int) -> None:
        first = orjson.dumps(setup) + b"\n"
        self._processes = [self._started(first) for _ in range(workers)]

    def lines(
        self, chunks: Iterator[Chunk], stopping: Callable[[], None]
    ) -> Iterator[tuple[int, Lines]]:
        """Yield the number of episodes and the lines of each chunk, in the order of the chunks.

        Args:
            chunks: groups of episodes, each judged by one process.
            stopping: called now and then; may raise.

        Raises:
            UserError: an episode cannot be judged.
            Fault: a process ended.
        """
        answers: queue.Queue[tuple[int, int, Lines | Exception]] = queue.Queue()
        numbered = enumerate(chunks)
        taking = threading.Lock()
        for process in self._processes:
            asking = (process, numbered, taking, answers)
            threading.Thread(target=self._ask, args=asking, daemon=True).start()
        waiting: dict[int, tuple[int, Lines]] = {}
        following, at_work = 0, len(self._processes)
        while at_work:
            try:
                number, episodes, found = answers.get(timeout=_LOOK_EVERY_S)
            except queue.Empty:
                stopping()
                continue
            if isinstance(found, Exception):
                raise found
            if number < 0:
                at_work -= 1
                continue
            waiting[number] = (episodes, found)
            while following in waiting:
                yield waiting.pop(following)
                following += 1

    def close(self) -> None:
        """End all processes."""
        for process in self._processes:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()

    @staticmethod
    def _started(first: bytes) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "game_reasoning_arena.assessment.worker"]
        process = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=without_keys()
        )
        assert process.stdin is not None
        process.stdin.write(first)
        process.stdin.flush()
        return process

    @staticmethod
    def _ask(
        process: subprocess.Popen[bytes],
        numbered: Iterator[tuple[int, Chunk]],
        taking: threading.Lock,
        answers: queue.Queue[tuple[int, int, Lines | Exception]],
    ) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            while True:
                with taking:
                    number, chunk = next(numbered, (-1, []))
                if number < 0:
                    answers.put((-1, 0, (b"", b"")))
                    return
                process.stdin.write(orjson.dumps(chunk) + b"\n")
                process.stdin.flush()
                line = process.stdout.readline()
                if not line:
                    raise Fault("a process that judges episodes ended; what is written is kept.")
                answer = orjson.loads(line)
                if "problem" in answer:
                    raise UserError(answer["problem"])
                lines = (answer["decisions"].encode(), answer["luck"].encode())
                answers.put((number, len(chunk), lines))
        except Exception as error:
            answers.put((0, 0, error))


def chunks_of(numbers: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    """Yield the numbers in runs of ``size``."""
    for begin in range(0, len(numbers), size):
        yield numbers[begin : begin + size]
