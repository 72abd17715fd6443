"""Start an engine in a thread, watch it, cancel it if needed, explain its failure."""

from __future__ import annotations

import asyncio
import logging
import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from game_reasoning_arena.backends.vllm import internals
from game_reasoning_arena.backends.vllm.choices import EXTENSION
from game_reasoning_arena.backends.vllm.process import (
    Guard,
    cause_of,
    engine_processes,
    engine_surroundings,
    kill,
    kill_at_once,
    started_file,
)
from game_reasoning_arena.backends.vllm.settings import EngineSettings
from game_reasoning_arena.errors import EngineDeadError, UserError, choose_from

log = logging.getLogger(__name__)

#: Seconds that an engine's process gets to end before it is killed.
STOP_S = 20.0

#: Seconds between looks at an engine that is starting.
_LOOK_S = 0.1


@dataclass(frozen=True)
class Constructed:
    """The result of the starting thread: vLLM's AsyncLLM and what belongs to it."""

    llm: Any
    parser_class: Any
    client_errors: tuple[type[Exception], ...]


@dataclass
class Start:
    """The start of one engine; ``guard`` learns of its processes as soon as they exist."""

    settings: EngineSettings
    guard: Guard
    directory: Path = field(
        default_factory=lambda: Path(tempfile.mkdtemp(prefix="arena-vllm-")), init=False
    )
    _stop: threading.Event = field(default_factory=threading.Event, init=False)
    _before: set[int | None] = field(default_factory=set, init=False)
    _mine: dict[int, BaseProcess] = field(default_factory=dict, init=False)

    @property
    def log(self) -> Path:
        """The log of the engine's processes."""
        return self.directory / "engine.log"

    @property
    def processes(self) -> Sequence[BaseProcess]:
        """The processes of this engine."""
        return tuple(self._mine.values())

    async def run(self) -> Constructed:
        """Start the engine and return it.

        Raises:
            UserError: vLLM refuses the settings.
            EngineDeadError: the engine failed while it started; the message quotes its log.
        """
        log.info("Starting vLLM for %s; its log: %s", self.settings.model_path, self.log)
        if self.settings.supplied:
            log.info("Set because a CPU needs it: %s", dict(self.settings.supplied))
        loop = asyncio.get_running_loop()
        began = loop.time()
        self.guard.watch_those_in(started_file(self.log))
        self._before = {process.pid for process in engine_processes()}
        work = _in_thread(lambda: _construct(self.settings, self.log, self._stop))
        try:
            while not work.done():
                await asyncio.wait({work}, timeout=_LOOK_S)
                self._look()
        except asyncio.CancelledError:
            await self._call_off(work)
            raise
        self._look()
        failure = work.exception()
        if failure is not None:
            raise self._failed(failure) from failure
        log.info("vLLM is ready after %.0f s.", loop.time() - began)
        return work.result()

    def _look(self) -> None:
        for process in engine_processes():
            if process.pid is not None and process.pid not in self._before:
                self._mine[process.pid] = process
                self.guard.watch(process.pid)

    async def _call_off(self, work: asyncio.Future[Constructed]) -> None:
        self._stop.set()
        try:
            while not work.done():  # the thread ends as soon as its engine process has ended
                self._look()
                for process in self.processes:
                    kill_at_once(process)
                await asyncio.wait({work}, timeout=_LOOK_S)
            if work.exception() is None:
                await asyncio.to_thread(internals.shut_down, work.result().llm, STOP_S)
            for process in self.processes:
                end_process(process, self.guard)
        finally:  # a second cancellation does not wait
            shutil.rmtree(self.directory, ignore_errors=True)

    def _failed(self, failure: BaseException) -> BaseException:
        """Return the exception to raise for a failed start."""
        codes = {process.name: process.exitcode for process in self.processes}
        for process in self.processes:
            end_process(process, self.guard)
        if isinstance(failure, UserError) or not codes:
            shutil.rmtree(self.directory, ignore_errors=True)
            if isinstance(failure, UserError | KeyboardInterrupt | SystemExit):
                return failure
            return EngineDeadError(
                f"vLLM could not start for {self.settings.model_path}: "
                f"{type(failure).__name__}: {_plain(failure)}"
            )
        cause = cause_of(self.log, exit_codes=codes)
        own = _plain(failure)
        if "see root cause" not in own.lower():  # it only refers to the log
            cause = f"{cause}; {own}" if own not in cause else cause
        return EngineDeadError(
            f"The vLLM engine for {self.settings.model_path} did not start: {cause}. "
            f"Its log: {self.log}"
        )


def end_process(process: BaseProcess, guard: Guard) -> None:
    """End an engine's process, in order if possible, and inform the guard."""
    kill(process, STOP_S)
    if process.pid is not None:
        guard.forget(process.pid)


def _in_thread(work: Callable[[], Constructed]) -> asyncio.Future[Constructed]:
    """Run in a thread that, unlike an executor's, does not keep the interpreter alive."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Constructed] = loop.create_future()

    def settle(result: Constructed | None, error: BaseException | None) -> None:
        if result is not None:
            future.set_result(result)
        elif error is not None:
            future.set_exception(error)

    def run() -> None:
        result: Constructed | None = None
        failure: BaseException | None = None
        try:
            result = work()
        except BaseException as error:  # any exception is handed over
            failure = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=run, name="vllm-start", daemon=True).start()
    return future


class _Stopped(Exception):
    """The start was cancelled."""


def _construct(settings: EngineSettings, engine_log: Path, stop: threading.Event) -> Constructed:
    """Import vLLM and start an engine; takes from seconds to many minutes."""
    with engine_surroundings(engine_log):
        logging.getLogger("vllm").setLevel(logging.CRITICAL)  # its messages also come as exceptions
        for module in internals.MODULES:
            import_module(module)  # some seconds each, between which the start can be called off
            if stop.is_set():
                raise _Stopped
        parser_class = _reasoning_parser(settings)
        try:
            config = internals.engine_config(_arguments(settings))
        except (ValueError, TypeError, NotImplementedError, OSError) as error:
            raise UserError(
                f"vLLM refuses the settings of {settings.model_path}: {_plain(error)}"
            ) from error
        if stop.is_set():
            raise _Stopped
        llm = internals.start_engine(config)
    return Constructed(llm, parser_class, internals.client_errors())


def _arguments(settings: EngineSettings) -> Mapping[str, Any]:
    return {
        "model": settings.model_path,
        "tokenizer": settings.tokenizer_path,
        # Sampling is the experiment's own; nothing slips in from the model's directory.
        "generation_config": "vllm",
        "worker_extension_cls": EXTENSION,
        **settings.arguments,
    }


def _reasoning_parser(settings: EngineSettings) -> Any:
    name = settings.arguments.get("reasoning_parser")
    if not name:
        return None
    try:
        return internals.reasoning_parser(name)
    except KeyError as error:
        raise UserError(
            f"{settings.origin_of('reasoning_parser')}: vLLM has no reasoning parser {name!r}. "
            + choose_from(str(name), internals.reasoning_parsers())
        ) from error


def _plain(error: BaseException) -> str:
    """Return a configuration error in a line or two, without pydantic's link to its manual."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    kept = [line for line in lines if "errors.pydantic.dev" not in line]
    return " ".join(kept)[:600] or type(error).__name__
