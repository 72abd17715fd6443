"""LiteLLM as a library that minds its own business: no fetching, no .env, no printing, no handlers.

The only place that imports it; the import takes seconds, so callers do it in a thread.
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

#: Read by LiteLLM while it is imported, and never again.
_WHILE_IMPORTING = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it fetches its price table, blocking
    "LITELLM_MODE": "PRODUCTION",  # else it loads a .env file found upwards from its own folder
}


def load_litellm() -> ModuleType:
    """Import LiteLLM and turn off what it does besides calling models."""
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
    """Spare LiteLLM the record that it prepares for loggers after each answer.

    That takes a fifth of a call's processor time, though nobody listens. LiteLLM leaves it out for
    the calls that it makes itself, and what happens inside is taken for one. Streams, versions
    without that mark and processes with callbacks of the user's are logged as ever.
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


async def settle(library: ModuleType, *, limit_s: float = 2.0) -> None:
    """Let LiteLLM's own bookkeeping, which runs after the answers, come to an end on this loop."""
    litellm: Any = library
    worker = litellm.litellm_core_utils.logging_worker.GLOBAL_LOGGING_WORKER
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(limit_s):
            await worker.flush()
    await worker.stop()


def _completed(library: ModuleType) -> ModuleType:
    """With what its first call would import, half a second that would be in that call's time."""
    with contextlib.suppress(ImportError):
        importlib.import_module("openai.resources.chat.completions")
    return _quietened(library)


def _is_true_of_the_record(record: logging.LogRecord) -> bool:
    """Whether what LiteLLM logs holds for the record, which reads finish reasons by itself."""
    return "Unmapped finish_reason" not in str(record.msg)


def _quietened(library: ModuleType) -> ModuleType:
    litellm: Any = library
    # Complaints about LiteLLM's own code, which nobody here can help.
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
