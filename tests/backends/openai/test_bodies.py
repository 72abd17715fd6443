"""Whatever a provider sends means the same through every backend, streamed and not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from game_reasoning_arena.backends.base_backend import BaseLLMBackend
from game_reasoning_arena.backends.direct_backend import DirectBackend
from game_reasoning_arena.backends.litellm_backend import LiteLLMBackend
from game_reasoning_arena.backends.openai.body import BodyReader
from game_reasoning_arena.errors import BackendError
from game_reasoning_arena.records import Reply, Request
from tests.backends.calls import provider, request
from tests.loopback import LoopbackServer
from tests.loopback.bodies import BROKEN, CASES, PLAIN, STREAMS, Case, as_stream, sse

Make = Callable[..., BaseLLMBackend]
ODD = [1, 2, 3, 5, 7, 11, 64]


@pytest.fixture(params=[DirectBackend, LiteLLMBackend], ids=["direct", "litellm"])
def make(request: pytest.FixtureRequest) -> Make:
    """Makes a backend that does not retry."""
    defaults = {"max_retries": 0, "backoff_s": 0.001, "timeout_s": 20.0}
    return lambda **settings: request.param(**{**defaults, **settings})


def recorded(body: bytes, *, stream: bool, **settings: Any) -> dict[str, Any]:
    kind = "text/event-stream" if stream else "application/json"
    return {"body": body.decode("latin-1"), "content_type": kind, **settings}


def body_of(case: Case, *, stream: bool) -> bytes | None:
    if not stream or case.status >= 400:
        return case.body.encode() if isinstance(case.body, str) else json.dumps(case.body).encode()
    events = as_stream(case.body) if case.events is None else case.events
    return sse(events) if events else None


async def asked(backend: BaseLLMBackend, question: Request) -> Reply | BackendError:
    try:
        return await backend.complete(question)
    except BackendError as error:
        return error


def wrong(case: Case, result: Reply | BackendError) -> list[str]:
    """What of a result is not what the case means."""
    if case.error is not None:
        if isinstance(result, Reply):
            return [f"{case.name}: an answer, {result.text!r}"]
        if result.kind != case.error or case.says not in str(result):
            return [f"{case.name}: {result.kind}: {result}"]
        return []
    if not isinstance(result, Reply):
        return [f"{case.name}: {result.kind}: {result}"]
    expected = {**PLAIN, **case.reply}
    seen = {name: getattr(result, name) for name in expected}
    return [f"{case.name}: {seen}"] if seen != expected else []


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_every_body_has_its_meaning(loopback: LoopbackServer, make: Make, stream: bool) -> None:
    async def run() -> list[str]:
        found: list[str] = []
        question = request(provider(loopback.url))
        async with make(stream=stream) as backend:
            await backend.start(())
            for number, case in enumerate(CASES):
                body = body_of(case, stream=stream)
                if body is None:
                    continue
                sent = recorded(
                    body,
                    stream=stream and case.status < 400,
                    status=case.status,
                    headers=case.headers,
                    pieces=ODD[number % 5 :],
                )
                loopback.set(recorded=sent)
                found += wrong(case, await asked(backend, question))
        return found

    assert asyncio.run(run()) == []


def test_every_stream_is_read_as_the_standard_has_it(loopback: LoopbackServer, make: Make) -> None:
    async def run() -> list[str]:
        found: list[str] = []
        question = request(provider(loopback.url))
        async with make(stream=True) as backend:
            await backend.start(())
            for name, body in STREAMS:
                for pieces in ([1], ODD, [10**9]):
                    loopback.set(recorded=recorded(body, stream=True, pieces=pieces))
                    found += wrong(Case(name, None), await asked(backend, question))
            for name, body, says in BROKEN:
                loopback.set(recorded=recorded(body, stream=True, pieces=ODD))
                case = Case(name, None, error="transient", says=says)
                found += wrong(case, await asked(backend, question))
        return found

    assert asyncio.run(run()) == []


@pytest.mark.parametrize("framing", ["length", "close", "cut"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_the_end_of_a_body_is_told_in_any_way(
    loopback: LoopbackServer, make: Make, stream: bool, framing: str
) -> None:
    case = CASES[0]
    body = body_of(case, stream=stream)
    assert body is not None

    async def run() -> Reply | BackendError:
        loopback.set(recorded=recorded(body, stream=stream, framing=framing))
        async with make(stream=stream) as backend:
            await backend.start(())
            return await asked(backend, request(provider(loopback.url)))

    cut = framing == "cut" and not stream  # a stream is whole with its [DONE]
    expected = Case("cut", None, error="transient") if cut else case
    assert wrong(expected, asyncio.run(run())) == []


def test_kinds_of_content_are_told_by_the_bytes_and_not_by_the_header(
    loopback: LoopbackServer, make: Make
) -> None:
    case = CASES[0]

    async def run() -> list[str]:
        found: list[str] = []
        for stream in (False, True):
            body = body_of(case, stream=not stream)
            assert body is not None
            loopback.set(recorded=recorded(body, stream=stream))
            async with make(stream=stream) as backend:
                await backend.start(())
                found += wrong(case, await asked(backend, request(provider(loopback.url))))
        return found

    assert asyncio.run(run()) == []


def test_where_a_body_is_cut_into_pieces_makes_no_difference() -> None:
    model = request(provider("http://127.0.0.1:1/v1")).model
    for name, body in STREAMS:
        for at in range(len(body)):
            reader = BodyReader()
            reader.feed(body[:at], 1.0)
            reader.feed(body[at:], 2.0)
            answer = reader.answer(model)
            assert (answer.text, answer.usage.prompt_tokens) == ("Final Answer: a", 9), (name, at)


KEY = "sk-canary-Qz7Hb93XwLmNoPq"


@pytest.mark.parametrize("status", [200, 502])
@pytest.mark.parametrize("body", ["<p>{}</p>", '["{}"]'], ids=["page", "json"])
def test_no_error_shows_a_key_that_was_cut(
    body: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_API_KEY", KEY)
    model = request(provider("http://127.0.0.1:1/v1")).model
    for before in (*range(80, 125), *range(550, 605), *range(8160, 8195)):
        reader = BodyReader()
        reader.feed(body.format("x " * (before // 2) + KEY).encode(), 1.0)
        if status == 200:
            with pytest.raises(BackendError) as caught:
                reader.answer(model)
            error = caught.value
        else:
            error = reader.failure(model, status, {})
        assert KEY[:9] not in str(error), before


class Piece(bytes):
    """Counts the bytes that it is joined to."""

    copied = 0

    def __radd__(self, before: bytes) -> bytes:
        Piece.copied += len(before)
        return before + bytes(self)


@pytest.mark.parametrize("first", [b"", b"data: "], ids=["blank", "line"])
def test_what_does_not_end_is_read_once(first: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Piece, "copied", 0)
    reader = BodyReader()
    reader.feed(first, 1.0)
    for _ in range(100):
        reader.feed(Piece(b" " * 1000), 1.0)
    assert Piece.copied < 1000


@pytest.mark.parametrize("begin", [b"", b"data: "], ids=["whole", "event"])
def test_a_body_of_too_many_values_takes_no_memory(
    begin: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("game_reasoning_arena.backends.openai.body.MOST_VALUES", 1000)
    model = request(provider("http://127.0.0.1:1/v1")).model
    for status in (200, 500):
        reader = BodyReader()
        reader.feed(begin + b'{"choices": [' + b"{}," * 1000 + b"{}]}", 1.0)
        if status == 500:
            assert "{},{}" in str(reader.failure(model, status, {}))
            continue
        with pytest.raises(BackendError, match="more than 1,000 values"):
            reader.answer(model)
