"""The engines of this process: one per distinct settings, loaded once, shared by all who need it.

An engine belongs to the event loop that it was started from (vLLM's own restriction), so the loop
is part of what identifies it. Engines outlive the backend that asked for them: the next job of a
sweep finds them loaded. They are stopped by :func:`shutdown_engines`, when another engine needs
the room and nobody uses them, at the end of the process, and by a bystander if it is killed.
"""

from __future__ import annotations

import asyncio
import atexit
import inspect
import logging
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from game_reasoning_arena.backends.vllm.choices import EXTENSION, ask_choices
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

#: Seconds that an engine's process gets to end by itself before it is killed.
STOP_S = 20.0

#: Seconds between looks at an engine that is starting.
_LOOK_S = 0.1


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
        """What the engine's processes write."""
        return self.directory / "engine.log"

    @property
    def context(self) -> int:
        """Tokens that a prompt and its answer may have together."""
        return int(self.llm.model_config.max_model_len)

    @property
    def dead(self) -> bool:
        """Whether it can answer no more."""
        return bool(self.llm.errored) or self.loop.is_closed()

    def death(self) -> EngineDeadError:
        """The error for all who still wait, with the cause from the engine's own log."""
        if self._cause is None:  # found once: a thousand may wait
            for process in self.processes:
                process.join(1.0)  # its end may be noticed before it is over
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
    """Engines loaded by this process so far."""
    return _loads


def loaded_engines() -> list[Engine]:
    """Engines that are up now."""
    return list(_engines.values())


async def acquire(settings: EngineSettings, wanted: Collection[str]) -> Engine:
    """The engine with these settings, loaded if it is not. Release it after use.

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
        _engines[settings.key] = engine  # from here on it is stopped, whatever happens
        engine.choices = await ask_choices(engine.llm)
        log.info("What the engine chose: %s", engine.choices)
    engine.users += 1
    return engine


def release(engine: Engine) -> None:
    """Stop using an engine; it stays loaded for whoever comes next."""
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
    _shut_down(engine.llm)
    for process in engine.processes:
        _end(process)
    # vLLM's finalizer shuts down once more and fails in an interpreter that is going down.
    engine.llm.shutdown = _nothing
    if not failed:  # a failed engine's log is left for the user to read
        shutil.rmtree(engine.directory, ignore_errors=True)


def _end(process: BaseProcess) -> None:
    kill(process, STOP_S)
    if process.pid is not None:
        _guard.forget(process.pid)


def _shut_down(llm: Any) -> None:
    """Ask for an end in good order; newer versions of vLLM let us say how long that may take."""
    if "timeout" in inspect.signature(llm.shutdown).parameters:
        llm.shutdown(timeout=STOP_S)
    else:
        llm.shutdown()


def _nothing() -> None:
    """What is left to do for an engine that was stopped."""


def _at_exit() -> None:
    with suppress(ValueError):  # not in the main thread
        # What is left takes seconds, and left in the middle it would leave processes.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    for engine in loaded_engines():
        _engines.pop(engine.settings.key, None)
        _stop_now(engine)
    if not engine_processes():  # else one is still starting, and the guard sees to it
        _guard.dismiss()


async def _load(settings: EngineSettings, loop: asyncio.AbstractEventLoop) -> Engine:
    global _loads  # noqa: PLW0603
    directory = Path(tempfile.mkdtemp(prefix="arena-vllm-"))
    log.info("Starting vLLM for %s; its log: %s", settings.model_path, directory / "engine.log")
    if settings.supplied:
        log.info("A CPU needs these, and nobody set them: %s", dict(settings.supplied))
    started = loop.time()
    _guard.watch_those_in(started_file(directory / "engine.log"))
    before = {process.pid for process in engine_processes()}
    stop = threading.Event()
    work = _in_thread(lambda: _construct(settings, directory / "engine.log", stop))
    mine: dict[int | None, BaseProcess] = {}

    def look() -> None:
        for process in engine_processes():
            if process.pid is not None and process.pid not in before:
                mine[process.pid] = process
                _guard.watch(process.pid)

    try:
        while not work.done():
            await asyncio.wait({work}, timeout=_LOOK_S)
            look()
    except asyncio.CancelledError:
        stop.set()
        try:
            while not work.done():  # the thread ends as soon as its engine process has ended
                look()
                for process in mine.values():
                    kill_at_once(process)
                await asyncio.wait({work}, timeout=_LOOK_S)
            if work.exception() is None:
                await asyncio.to_thread(_shut_down, work.result()[0])
            for process in mine.values():
                _end(process)
        finally:  # a second cancellation does not wait
            shutil.rmtree(directory, ignore_errors=True)
        raise
    look()
    failure = work.exception()
    if failure is not None:
        codes = {process.name: process.exitcode for process in mine.values()}
        for process in mine.values():
            _end(process)
        raise _explain(settings, failure, directory, codes) from failure
    llm, parser_class, client_errors = work.result()
    _loads += 1
    # Last come, first served at exit: before the event loop is closed, whoever does that.
    atexit.unregister(_at_exit)
    atexit.register(_at_exit)
    log.info("vLLM is ready after %.0f s.", loop.time() - started)
    engine_log = directory / "engine.log"
    return Engine(
        settings=settings,
        loop=loop,
        llm=llm,
        processes=tuple(mine.values()),
        directory=directory,
        healthy_bytes=engine_log.stat().st_size if engine_log.is_file() else 0,
        client_errors=client_errors,
        parser_class=parser_class,
    )


def _in_thread(work: Callable[[], Any]) -> asyncio.Future[Any]:
    """Run in a thread that does not keep the interpreter from ending, unlike an executor's."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def settle(result: Any, error: BaseException | None) -> None:
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    def run() -> None:
        try:
            result, error = work(), None
        except BaseException as caught:  # handed over, whatever it is
            result, error = None, caught
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=run, name="vllm-start", daemon=True).start()
    return future


class _Stopped(Exception):
    """The start was called off."""


def _construct(
    settings: EngineSettings, engine_log: Path, stop: threading.Event
) -> tuple[Any, Any, tuple[type[Exception], ...]]:
    """Import vLLM and start an engine; takes from seconds to many minutes."""
    with engine_surroundings(engine_log):
        logging.getLogger("vllm").setLevel(logging.CRITICAL)  # what it says comes as exceptions
        for module in ("torch", "vllm.engine.arg_utils", "vllm.v1.engine.async_llm"):
            import_module(module)  # some seconds each, between which the start can be called off
            if stop.is_set():
                raise _Stopped
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM

        parser_class = _reasoning_parser(settings)
        arguments = AsyncEngineArgs(
            model=settings.model_path,
            tokenizer=settings.tokenizer_path,
            # Sampling is the experiment's own; nothing slips in from the model's directory.
            **{
                "generation_config": "vllm",
                "worker_extension_cls": EXTENSION,
                **settings.arguments,
            },
        )
        try:
            config = arguments.create_engine_config()
        except (ValueError, TypeError, NotImplementedError, OSError) as error:
            raise UserError(
                f"vLLM refuses the settings of {settings.model_path}: {_plain(error)}"
            ) from error
        if stop.is_set():
            raise _Stopped
        # The engine's own metrics are the source of all times in the records.
        llm = AsyncLLM.from_vllm_config(config, disable_log_stats=False)
    return llm, parser_class, _client_errors()


def _reasoning_parser(settings: EngineSettings) -> Any:
    name = settings.arguments.get("reasoning_parser")
    if not name:
        return None
    from vllm.reasoning import ReasoningParserManager

    try:
        return ReasoningParserManager.get_reasoning_parser(name)
    except KeyError as error:
        known = ReasoningParserManager.list_registered()
        raise UserError(
            f"{settings.origin_of('reasoning_parser')}: vLLM has no reasoning parser {name!r}. "
            + choose_from(str(name), known)
        ) from error


def _client_errors() -> tuple[type[Exception], ...]:
    """How this version of vLLM says that a request cannot be served: newer ones have a class."""
    import jinja2
    from vllm import exceptions

    newer = getattr(exceptions, "VLLMClientError", None)
    known: list[type[Exception]] = [ValueError, TypeError, jinja2.TemplateError]
    return (*known, newer) if newer is not None else tuple(known)


def _plain(error: BaseException) -> str:
    """A configuration error in a line or two; pydantic adds a link to its manual."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    kept = [line for line in lines if "errors.pydantic.dev" not in line]
    return " ".join(kept)[:600] or type(error).__name__


def _explain(
    settings: EngineSettings,
    failure: BaseException,
    directory: Path,
    codes: dict[str, int | None],
) -> BaseException:
    """What to tell about a start that failed."""
    engine_log = directory / "engine.log"
    if isinstance(failure, UserError) or not codes:
        shutil.rmtree(directory, ignore_errors=True)
        if isinstance(failure, UserError | KeyboardInterrupt | SystemExit):
            return failure
        return EngineDeadError(
            f"vLLM could not start for {settings.model_path}: "
            f"{type(failure).__name__}: {_plain(failure)}"
        )
    cause = cause_of(engine_log, exit_codes=codes)
    own = _plain(failure)
    if "see root cause" not in own.lower():  # nothing but "look elsewhere"
        cause = f"{cause}; {own}" if own not in cause else cause
    return EngineDeadError(
        f"The vLLM engine for {settings.model_path} did not start: {cause}. Its log: {engine_log}"
    )
