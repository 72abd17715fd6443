"""Tasks that never wait leave the event loop its turns; the loop ends without a word."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time

from game_reasoning_arena.process import event_loop
from game_reasoning_arena.process.event_loop import Rest


def test_one_task_works_in_each_round_of_the_loop() -> None:
    worked: list[int] = []
    rounds: list[int] = []

    async def busy(rest: Rest) -> None:
        for _ in range(4):
            time.sleep(event_loop.REST_EVERY_S * 1.1)  # noqa: ASYNC251  work in which nothing waits
            worked.append(len(rounds))
            if rest.due:
                await rest.take()

    async def main() -> None:
        loop = asyncio.get_running_loop()

        def count() -> None:
            rounds.append(len(rounds))
            loop.call_soon(count)

        rest = Rest()
        loop.call_soon(count)
        await asyncio.gather(*(busy(rest) for _ in range(5)))

    asyncio.run(main())
    later = [at for at in worked if at > 1]  # all tasks begin in the first round
    assert len(later) == len(set(later)) == 15


def test_short_work_is_not_interrupted() -> None:
    async def main() -> bool:
        ran = False

        def other() -> None:
            nonlocal ran
            ran = True

        rest = Rest()
        asyncio.get_running_loop().call_soon(other)
        if rest.due:
            await rest.take()
        return ran

    assert asyncio.run(main()) is False


def test_a_program_that_used_threads_ends_in_silence() -> None:
    program = (
        "import asyncio\n"
        "from game_reasoning_arena.process.event_loop import run_coroutine\n"
        "async def main(): await asyncio.to_thread(print, 'worked')\n"
        "run_coroutine(main())\n"
    )
    command = [sys.executable, "-c", program]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "worked\n", "")
