"""Models by name, for programs that want an answer without a run.

    initialize_llm_registry()
    generate_response("litellm_gpt-3.5-turbo", "Hello, world!", max_tokens=50)

The functions may be called from a script, from a notebook whose event loop is running, and from
many threads at once: the backends live on one event loop of their own, where they share their
limits and connections.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from game_reasoning_arena.backends.backend_config import config
from game_reasoning_arena.backends.background_loop import BackgroundLoop
from game_reasoning_arena.backends.base_backend import BaseLLMBackend
from game_reasoning_arena.backends.factory import default_backend_confs, make_backend
from game_reasoning_arena.catalog.prefixes import split_name
from game_reasoning_arena.catalog.sampling import parse_sampling, sampling_from_environment
from game_reasoning_arena.errors import ConfigProblems, UserError
from game_reasoning_arena.records import Message, Model, Request

#: The listed models by name: each has ``backend``, ``provider`` and ``description``. Filled by
#: :func:`initialize_llm_registry`; models of known providers need not be in it to be called.
LLM_REGISTRY: dict[str, dict[str, Any]] = {}


class _Service:
    """The backends in use, made when first needed, on a loop of their own."""

    def __init__(self, confs: dict[str, dict[str, Any]], trusted: Sequence[str]) -> None:
        self.confs = confs
        self.trusted = tuple(trusted)
        self._loop = BackgroundLoop()
        self._backends: dict[str, BaseLLMBackend] = {}
        self._started: set[str] = set()
        self._starting: dict[str, asyncio.Lock] = {}

    def answer(self, request: Request) -> str:
        """Return the text of one answer."""
        return self._loop.run(self._answer(request))

    def close(self) -> None:
        """Close all backends and stop the loop."""
        try:
            self._loop.run(self._close_backends())
        finally:
            self._loop.close()

    async def _answer(self, request: Request) -> str:
        model = request.model
        backend = self._backends.get(model.backend)
        if backend is None:
            backend = _make(model.backend, self.confs, self.trusted)
            self._backends[model.backend] = backend
        if problems := backend.check([model]):
            raise ConfigProblems(problems)
        if model.name not in self._started:
            async with self._starting.setdefault(model.backend, asyncio.Lock()):
                if model.name not in self._started:
                    await backend.start([model])
                    self._started.add(model.name)
        return (await backend.complete(request)).text

    async def _close_backends(self) -> None:
        closing = [backend.aclose() for backend in self._backends.values()]
        self._backends.clear()
        results = await asyncio.gather(*closing, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result


_service: _Service | None = None
_lock = threading.RLock()


def initialize_llm_registry(
    files: Sequence[str | Path] = (), *, trusted_targets: Sequence[str] = ()
) -> None:
    """Read ``.env``, the catalog and the backends' settings. May be called again to read anew.

    Args:
        files: further lists of models and providers, YAML or JSON.
        trusted_targets: dotted prefixes outside this package whose classes may be backends.

    Raises:
        ConfigProblems: everything that is wrong in those files.
    """
    global _service  # noqa: PLW0603  one registry per process is the documented interface
    confs = default_backend_confs()
    with _lock:
        catalog = config.load(files)
        close_llm_registry()
        listed = {
            name: {
                "backend": prefix,
                "provider": catalog.provider_name(entry.name, confs),
                "description": entry.description,
            }
            for name in catalog.names()
            if (entry := catalog.entry(name)) and (prefix := split_name(entry.name, confs)[0])
        }
        LLM_REGISTRY.clear()
        LLM_REGISTRY.update(listed)
        _service = _Service(confs, trusted_targets)


def close_llm_registry() -> None:
    """Close connections and engines; the next call opens new ones. Done by itself at exit."""
    global _service
    with _lock:
        closing, _service = _service, None
    if closing is not None:
        closing.close()


def generate_response(
    model_name: str,
    prompt: str,
    max_tokens: int | None = None,
    temperature: float | None = None,
    *,
    system_prompt: str | None = None,
    top_p: float | None = None,
    top_k: int | None = None,
    stop: str | Sequence[str] | None = None,
    seed: int | None = None,
) -> str:
    """Ask a model once and wait for its answer.

    None takes the value of the model's entry, then of MAX_TOKENS and TEMPERATURE, then 250
    tokens and temperature 0.1.

    Args:
        model_name: with its prefix, such as ``litellm_groq/openai/gpt-oss-20b``.
        prompt: the user's message.
        max_tokens: the longest answer, 1 or more tokens.
        temperature: 0 to 2.
        system_prompt: a system message before it.
        top_p, top_k, stop, seed: as in the OpenAI protocol.

    Returns:
        The answer's text, which may be empty.

    Raises:
        UserError: an unknown model, a missing key, a parameter out of range.
        BackendError: there is no answer.
    """
    given = {
        "max_tokens": max_tokens,
        "temperature": temperature,
        "top_p": top_p,
        "top_k": top_k,
        "stop": list(stop) if stop is not None and not isinstance(stop, str) else stop,
    }
    sampling, problems = parse_sampling(given, "generate_response")
    if problems:
        raise ConfigProblems(problems)
    service = _ready()
    model = config.catalog.resolve(model_name, backends=service.confs)
    messages = [Message(role="user", content=prompt)]
    if system_prompt is not None:
        messages.insert(0, Message(role="system", content=system_prompt))
    request = Request(
        model=model,
        messages=tuple(messages),
        sampling=sampling.merged(model.sampling).merged(sampling_from_environment()),
        seed=seed,
    )
    return service.answer(request)


def get_available_models() -> list[str]:
    """Return the names of all listed models, sorted; other models of known providers work, too."""
    _ready()
    return sorted(LLM_REGISTRY)


def list_models(contains: str = "", *, backend: str | None = None) -> list[str]:
    """Return the listed models whose names contain a text in any case, of one backend or of all."""
    _ready()
    return [
        name
        for name in sorted(LLM_REGISTRY)
        if contains.lower() in name.lower() and backend in (None, LLM_REGISTRY[name]["backend"])
    ]


def detect_model_backend(model_name: str) -> str:
    """Return the prefix of a model's name: ``litellm`` for ``litellm_gpt-4``.

    Raises:
        UserError: no backend has such a prefix.
    """
    return _split(model_name)[0]


def extract_model_name(model_name: str) -> str:
    """Return a model's name without its prefix: ``groq/x`` for ``litellm_groq/x``.

    Raises:
        UserError: no backend has such a prefix.
    """
    return _split(model_name)[1]


def get_backend_for_model(model_name: str) -> BaseLLMBackend:
    """Return a new backend, set up as configured, that can serve a model.

    Use it on your own event loop as an async context manager.

    Raises:
        UserError: an unknown model or wrong settings.
    """
    service = _ready()
    model = _resolve(model_name)
    return _make(model.backend, service.confs, service.trusted)


def _ready() -> _Service:
    with _lock:
        if _service is None:
            initialize_llm_registry()
        assert _service is not None
        return _service


def _resolve(model_name: str) -> Model:
    return config.catalog.resolve(model_name, backends=_ready().confs)


def _split(model_name: str) -> tuple[str, str]:
    backends = _ready().confs
    entry = config.catalog.entry(model_name)
    prefix, rest = split_name(entry.name if entry else model_name, backends)
    if prefix is None:
        _resolve(model_name)  # raises if the name is wrong
        raise UserError(f"The model name {model_name!r} begins with no backend's prefix.")
    return prefix, rest


def _make(prefix: str, confs: dict[str, dict[str, Any]], trusted: Sequence[str]) -> BaseLLMBackend:
    return make_backend(prefix, confs[prefix], trusted_targets=trusted)


def _forget() -> None:
    """Drop the service in a forked child, which has neither the parent's loop nor its thread."""
    global _service, _lock
    _service, _lock = None, threading.RLock()


atexit.register(close_llm_registry)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
