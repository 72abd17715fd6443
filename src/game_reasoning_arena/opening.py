"""Opening backends before a run or a sweep plays: sessions, engines that load for minutes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack

from game_reasoning_arena.backends.base_backend import BaseLLMBackend
from game_reasoning_arena.records import Model
from game_reasoning_arena.stopping import Stop


async def open_backends(
    wanted: Iterable[tuple[BaseLLMBackend, Sequence[Model]]],
    stack: AsyncExitStack,
    stop: Stop,
    say: Callable[[str], None],
) -> None:
    """Open backends for their models until the stack is closed, one after the other.

    Args:
        wanted: each backend once, with all the models that it is to serve.
        stack: closes what was opened, also after a failure.
        stop: listens for signals meanwhile.
        say: tells the person who waits what takes long.

    Raises:
        Interrupted: it came to a stop.
        UserError, BackendError: a backend cannot serve.
    """
    for backend, models in wanted:
        await stack.enter_async_context(backend)
        loading = backend.loading(models)
        if loading is not None:
            say(loading)
        with stop.while_loading(loading is not None):
            await backend.start(models)
