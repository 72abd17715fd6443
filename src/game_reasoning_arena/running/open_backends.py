"""Open backends before a run or a sweep plays: sessions, engines that load for minutes."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from game_reasoning_arena.backends.base_backend import BaseLLMBackend
from game_reasoning_arena.errors import ArenaError
from game_reasoning_arena.process.faults import describe_fault, fault_of
from game_reasoning_arena.records import Model
from game_reasoning_arena.running.stopping import Stop

log = logging.getLogger(__name__)


async def open_backends(
    wanted: Iterable[tuple[BaseLLMBackend, Sequence[Model]]],
    stack: AsyncExitStack,
    stop: Stop,
    message: Callable[[str], None],
) -> None:
    """Open backends for their models until the stack is closed, one after the other.

    Args:
        wanted: each backend once, with all models that it is to serve.
        stack: closes what was opened, also after a failure.
        stop: listens for signals meanwhile.
        message: called with a text about what takes long.

    Raises:
        Interrupted: the run was stopped.
        UserError, BackendError, Fault: a backend cannot serve.
    """
    for backend, models in wanted:
        try:
            await stack.enter_async_context(_closed_in_the_end(backend, message))
            loading = backend.loading(models)
            if loading is not None:
                message(loading)
            with stop.while_loading(loading is not None):
                await backend.start(models)
        except ArenaError:
            raise
        except Exception as error:
            log.exception("%s cannot be opened", type(backend).__name__)
            raise fault_of(error) from error


@asynccontextmanager
async def _closed_in_the_end(
    backend: BaseLLMBackend, message: Callable[[str], None]
) -> AsyncIterator[None]:
    """Close a backend at the end; log a failure, as the run itself is complete."""
    async with AsyncExitStack() as own:
        await own.enter_async_context(backend)
        try:
            yield
        finally:
            try:
                await own.aclose()
            except Exception as error:
                log.exception("%s cannot be closed", type(backend).__name__)
                message(f"{type(backend).__name__} cannot be closed: {describe_fault(error)}")
