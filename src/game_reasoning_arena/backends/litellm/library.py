"""Import LiteLLM without its side effects: no fetching, no .env, no printing, no log handlers.

This is the only module that imports it; the import takes seconds, so callers do it in a thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextvars import ContextVar
from types import ModuleType
from typing import Any

#: Variables that LiteLLM reads once, while it is imported.
_WHILE_IMPORTING = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it fetches its price table, blocking
    "LITELLM_MODE": "PRODUCTION",  # else it loads a .env file found upwards from its own folder
}


def load_litellm() -> ModuleType:
    """Import LiteLLM and turn off everything but calling models."""
    if "litellm" in sys.modules:
        return _completed(sys.modules["litellm"])
    before = {name: os.environ.get(name) for name in _WHILE_IMPORTING}
    os.environ.update(_WHILE_IMPORTING)
    try:
        library = importlib.import_module("litellm")
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
    return _completed(library)


@contextlib.contextmanager
def unlogged(library: ModuleType) -> Iterator[None]:
    """Skip the record that LiteLLM prepares for loggers after each answer.

    It takes a fifth of a call's processor time and nothing reads it. LiteLLM skips it for its own
    internal calls, so calls inside this context are marked as such. Streams, versions without that
    mark and processes with callbacks of the user's are logged as usual.
    """
    litellm: Any = library
    heard = (litellm.callbacks, litellm.success_callback, litellm.failure_callback)
    mark = None if any(heard) else _mark_of_own_calls()
    if mark is None:
        yield
        return
    token = mark.set(True)
    try:
        yield
    finally:
        mark.reset(token)


@functools.cache
def _mark_of_own_calls() -> ContextVar[bool] | None:
    try:
        context = importlib.import_module("litellm._internal_context")
    except ImportError:
        return None
    mark = getattr(context, "is_internal_call", None)
    return mark if isinstance(mark, ContextVar) else None


def beside(answered: object, name: str) -> Any:
    """Return what LiteLLM keeps beside an answer or a piece of a stream; None if it has nothing."""
    return getattr(answered, "_hidden_params", {}).get(name)


async def close_clients(library: ModuleType) -> None:
    """Close the connections of routes that LiteLLM opens by itself, and forget all its clients."""
    litellm: Any = library
    await litellm.close_litellm_async_clients()
    # Clients that were made around a session of ours must not be found again.
    litellm.in_memory_llm_clients_cache.flush_cache()


async def settle(library: ModuleType) -> None:
    """Wait for LiteLLM's own bookkeeping after the answers to end on this loop."""
    litellm: Any = library
    worker = litellm.litellm_core_utils.logging_worker.GLOBAL_LOGGING_WORKER
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(2.0):
            await worker.flush()
    await worker.stop()


def _completed(library: ModuleType) -> ModuleType:
    """Import what the first call would import, half a second of that call's time."""
    with contextlib.suppress(ImportError):
        importlib.import_module("openai.resources.chat.completions")
    return _quietened(library)


def _is_true_of_the_record(record: logging.LogRecord) -> bool:
    """Return whether a log line of LiteLLM is true for us; we read finish reasons ourselves."""
    return "Unmapped finish_reason" not in str(record.msg)


def _quietened(library: ModuleType) -> ModuleType:
    litellm: Any = library
    # Warnings about LiteLLM's own code, which users cannot fix.
    warnings.filterwarnings(
        "ignore", message=r".*using the `ReadOnly` qualifier", module="pydantic"
    )
    warnings.filterwarnings(
        "ignore", category=DeprecationWarning, module=r"(litellm|openai|pydantic)(\.|$)"
    )
    litellm.suppress_debug_info = True  # else it prints advice to stdout after every error
    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
        logger = logging.getLogger(name)
        logger.handlers.clear()  # its records still reach the run's own handlers
        logger.setLevel(logging.WARNING)
        logger.addFilter(_is_true_of_the_record)
    return library
