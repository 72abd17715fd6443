"""The engines of this process: one per distinct settings, loaded once, shared by all that need it.

An engine belongs to the event loop that it was started from (vLLM's own restriction), so the loop
is part of what identifies it. Engines outlive the backend that asked for them: the next job of a
sweep finds them loaded. They are stopped by :func:`shutdown_engines`, when another engine needs
the room and nobody uses them, at the end of the process, and by a bystander if it is killed.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import shutil
import signal
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from game_reasoning_arena.backends.vllm import internals
from game_reasoning_arena.backends.vllm.choices import ask_choices
from game_reasoning_arena.backends.vllm.process import Guard, cause_of, engine_processes
from game_reasoning_arena.backends.vllm.settings import EngineSettings
from game_reasoning_arena.backends.vllm.start import STOP_S, Start, end_process
from game_reasoning_arena.errors import EngineDeadError

log = logging.getLogger(__name__)


@dataclass(eq=False)
class Engine:
    """A loaded engine: ``llm`` is vLLM's AsyncLLM, ``parser_class`` its reasoning parser or None.

    ``client_errors`` are the exceptions by which this vLLM refuses a request, ``choices`` is what
    the engine chose by itself (see ``choices``), ``users`` counts the backends that hold it.
    """

    settings: EngineSettings
    loop: asyncio.AbstractEventLoop
    llm: Any
    processes: Sequence[BaseProcess]
    directory: Path
    healthy_bytes: int
    client_errors: tuple[type[Exception], ...]
    parser_class: Any = None
    choices: Mapping[str, Any] = field(default_factory=dict)
    users: int = 0
    _cause: str | None = None

    @property
    def log(self) -> Path:
        """The log of the engine's processes."""
        return self.directory / "engine.log"

    @property
    def context(self) -> int:
        """The most tokens of a prompt and its answer together."""
        return int(self.llm.model_config.max_model_len)

    @property
    def dead(self) -> bool:
        """Whether it can answer no more requests."""
        return bool(self.llm.errored) or self.loop.is_closed()

    def death(self) -> EngineDeadError:
        """Return the error for all waiting requests, with the cause from the engine's own log."""
        if self._cause is None:  # found once, as a thousand requests may wait
            for process in self.processes:
                process.join(1.0)  # it may still be ending
            codes = {process.name: process.exitcode for process in self.processes}
            self._cause = cause_of(self.log, since=self.healthy_bytes, exit_codes=codes)
        return EngineDeadError(
            f"The vLLM engine of {self.settings.model_path} died: {self._cause}. "
            f"Its log: {self.log}"
        )


_engines: dict[str, Engine] = {}
_guard = Guard()
_loads = 0


def load_count() -> int:
    """Return the number of engines that this process has loaded."""
    return _loads


def loaded_engines() -> list[Engine]:
    """Return the engines that are up now."""
    return list(_engines.values())


async def acquire(settings: EngineSettings, wanted: Collection[str]) -> Engine:
    """Return the engine with these settings, loaded if it is not. Release it after use.

    Call it for one engine after the other: each measures the memory that is left. Idle engines
    whose keys are not among ``wanted`` are stopped first if one has to be loaded.

    Raises:
        UserError: vLLM refuses the settings.
        EngineDeadError: the engine failed while it started; the message quotes its log.
    """
    loop = asyncio.get_running_loop()
    engine = _engines.get(settings.key)
    if engine is not None and (engine.dead or engine.loop is not loop):
        await _stop(engine)
        engine = None
    if engine is None:
        for other in loaded_engines():
            if not other.users and other.settings.key not in wanted:
                await _stop(other)
        engine = await _load(settings, loop)
        _engines[settings.key] = engine  # from here on it will be stopped in any case
        engine.choices = await ask_choices(engine.llm)
        log.info("The engine chose: %s", engine.choices)
    engine.users += 1
    return engine


def release(engine: Engine) -> None:
    """Stop using an engine; it stays loaded for the next user."""
    engine.users = max(0, engine.users - 1)


async def shutdown_engines() -> None:
    """Stop all engines of this process and wait until their processes are gone."""
    for engine in loaded_engines():
        await _stop(engine)
    _guard.dismiss()


async def _stop(engine: Engine) -> None:
    _engines.pop(engine.settings.key, None)
    await asyncio.to_thread(_stop_now, engine)


def _stop_now(engine: Engine) -> None:
    failed = bool(engine.llm.errored) and not engine.loop.is_closed()
    internals.shut_down(engine.llm, STOP_S)
    for process in engine.processes:
        end_process(process, _guard)
    internals.disarm(engine.llm)
    if not failed:  # a failed engine's log is left for the user to read
        shutil.rmtree(engine.directory, ignore_errors=True)


def _at_exit() -> None:
    with suppress(ValueError):  # not in the main thread
        # The rest takes seconds; an interrupt in the middle would leave processes.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    for engine in loaded_engines():
        _engines.pop(engine.settings.key, None)
        _stop_now(engine)
    if not engine_processes():  # else one is still starting and left to the guard
        _guard.dismiss()


async def _load(settings: EngineSettings, loop: asyncio.AbstractEventLoop) -> Engine:
    global _loads  # noqa: PLW0603
    start = Start(settings, _guard)
    made = await start.run()
    _loads += 1
    # Registered last, so it runs first at exit: before anything closes the event loop.
    atexit.unregister(_at_exit)
    atexit.register(_at_exit)
    return Engine(
        settings=settings,
        loop=loop,
        llm=made.llm,
        processes=start.processes,
        directory=start.directory,
        healthy_bytes=start.log.stat().st_size if start.log.is_file() else 0,
        client_errors=made.client_errors,
        parser_class=made.parser_class,
    )
