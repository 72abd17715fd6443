"""Assess a run at its end (``assess=true``), off the event loop and in processes of its own."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from game_reasoning_arena.assessment import Assessed, EvaluatorSettings, assess_run, sentences
from game_reasoning_arena.errors import ArenaError, Interrupted
from game_reasoning_arena.process.faults import fault_of
from game_reasoning_arena.running.progress import Progress
from game_reasoning_arena.running.stopping import Stop

log = logging.getLogger(__name__)

#: One run at a time, since each assessment uses all cores.
_ASSESSING = ThreadPoolExecutor(max_workers=1, thread_name_prefix="assess")


async def assess_played(directory: Path, stop: Stop, shown: Progress) -> list[str]:
    """Assess a run that was just played; return sentences on the result.

    An error here does not change the run's result; it becomes a sentence, too.

    Args:
        directory: the run, whose lock the caller holds.
        stop: stops the assessment; ``arena assess`` continues it.
        shown: the display for its start.
    """
    go_on = f"go on with: arena assess {directory}"
    if stop.requested:
        return [f"not assessed; {go_on}"]
    halted = threading.Event()

    def stopping() -> None:
        if halted.is_set() or stop.requested:
            raise Interrupted("the assessment was stopped")

    def work() -> Assessed:
        workers = os.cpu_count() or 1
        settings = EvaluatorSettings()
        return assess_run(directory, settings, workers=workers, locked=True, stopping=stopping)

    shown.show_message(f"assessing {directory}")
    assessing = asyncio.get_running_loop().run_in_executor(_ASSESSING, work)
    try:
        summary = list(sentences(await asyncio.shield(assessing)))
    except asyncio.CancelledError:
        halted.set()
        why = stop.reason
        if why is None:
            raise
        with suppress(ArenaError, asyncio.CancelledError):
            await assessing
        return [f"not assessed to the end: {why}; {go_on}"]
    except Interrupted as error:
        return [f"not assessed to the end: {error}; {go_on}"]
    except ArenaError as error:
        log.error("not assessed: %s", error)
        return [f"not assessed: {error}"]
    except Exception as error:
        log.exception("not assessed because of a fault")
        return [f"not assessed: {fault_of(error)}"]
    for sentence in summary:
        log.info("%s", sentence)
    return summary
