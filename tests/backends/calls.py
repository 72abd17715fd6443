"""Requests for the tests of backends."""

from __future__ import annotations

import asyncio
from typing import Any

from game_reasoning_arena.backends.base_backend import BaseLLMBackend
from game_reasoning_arena.errors import BackendError
from game_reasoning_arena.records import (
    Constraint,
    Message,
    Model,
    Provider,
    Reply,
    Request,
    Sampling,
)


def provider(url: str | None, name: str = "my_lab", **settings: Any) -> Provider:
    return Provider(name=name, api_base=url, **settings)


def request(
    where: Provider | None,
    *,
    model: str = "some-model",
    backend: str = "direct",
    content: str = "Hello",
    seed: int | None = 7,
    constraint: Constraint | None = None,
    extra: dict[str, Any] | None = None,
    **sampling: Any,
) -> Request:
    known = where.name if where else "nowhere"
    return Request(
        model=Model(
            name=f"{backend}_{known}/{model}",
            backend=backend,
            model_id=model,
            provider=where,
            extra=extra or {},
        ),
        messages=(Message(role="user", content=content),),
        sampling=Sampling(**{"temperature": 0.5, "max_tokens": 40, **sampling}),
        seed=seed,
        constraint=constraint,
    )


def complete(backend: BaseLLMBackend, *requests: Request) -> list[Reply | BackendError]:
    """Ask one after the other on one loop, close the backend, give replies or errors."""

    async def run() -> list[Reply | BackendError]:
        results: list[Reply | BackendError] = []
        async with backend:
            await backend.start([asked.model for asked in requests])  # imports take their time here
            for asked in requests:
                try:
                    results.append(await backend.complete(asked))
                except BackendError as error:
                    results.append(error)
        return results

    return asyncio.run(run())


def answer(backend: BaseLLMBackend, asked: Request) -> Reply:
    result = complete(backend, asked)[0]
    assert isinstance(result, Reply), result
    return result


def failure(backend: BaseLLMBackend, asked: Request) -> BackendError:
    result = complete(backend, asked)[0]
    assert isinstance(result, BackendError), result
    return result
