"""What ``direct`` and ``litellm`` share, each against the real loopback server."""

from __future__ import annotations

import asyncio
import base64
import json
import pickle
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from game_reasoning_arena.backends.base_backend import BaseLLMBackend
from game_reasoning_arena.backends.direct_backend import DirectBackend
from game_reasoning_arena.backends.litellm_backend import LiteLLMBackend
from game_reasoning_arena.errors import (
    AuthError,
    BackendError,
    BadRequestError,
    ContextOverflowError,
    EmptyReplyError,
    NotFoundError,
    QuotaError,
    RateLimitedError,
    TimeoutExceededError,
    TransientError,
)
from game_reasoning_arena.records import Constraint, Reply
from tests.backends.calls import answer, complete, failure, provider, request
from tests.loopback import LoopbackServer

Make = Callable[..., BaseLLMBackend]

ERRORS: list[tuple[dict[str, Any], type[BackendError]]] = [
    ({"status": 400}, BadRequestError),
    ({"status": 401}, AuthError),
    ({"status": 402}, QuotaError),
    ({"status": 403}, AuthError),
    ({"status": 404}, NotFoundError),
    ({"status": 408}, TransientError),
    ({"status": 413}, BadRequestError),
    ({"status": 422}, BadRequestError),
    ({"status": 429}, RateLimitedError),
    ({"status": 500}, TransientError),
    ({"status": 502}, TransientError),
    ({"status": 503}, TransientError),
    ({"status": 529}, TransientError),
    ({"kind": "quota"}, QuotaError),
    ({"kind": "context"}, ContextOverflowError),
    ({"kind": "drop_before"}, TransientError),
    ({"kind": "drop_mid"}, TransientError),
    ({"kind": "not_json"}, TransientError),
]


@pytest.fixture(params=[DirectBackend, LiteLLMBackend], ids=["direct", "litellm"])
def make(request: pytest.FixtureRequest) -> Make:
    """Makes a backend that by default does not retry and hardly waits."""
    defaults = {"max_retries": 0, "backoff_s": 0.001, "timeout_s": 20.0}
    return lambda **settings: request.param(**{**defaults, **settings})


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_an_answer_comes_with_all_that_the_server_told(
    loopback: LoopbackServer, make: Make, stream: bool
) -> None:
    loopback.set(
        answer={"text": "Forty-two."},
        usage={
            "prompt_tokens": 9,
            "completion_tokens": 6,
            "cached_tokens": 4,
            "reasoning_tokens": 2,
        },
        reasoning={"field": "reasoning_content", "text": "Let me see."},
        served_model="some-model-0123",
    )
    reply = answer(make(stream=stream), request(provider(loopback.url), stop=("END",)))
    assert reply.text == "Forty-two."
    assert reply.reasoning == "Let me see."
    assert (reply.prompt_tokens, reply.completion_tokens) == (9, 6)
    assert (reply.cached_tokens, reply.reasoning_tokens) == (4, 2)
    assert reply.served_model == "some-model-0123"
    assert reply.finish_reason == "stop"
    assert reply.cost_usd is None  # nobody knows my_lab's prices
    assert reply.retries == 0
    (seen,) = loopback.requests()
    assert seen["body"]["messages"] == [{"role": "user", "content": "Hello"}]
    assert {k: v for k, v in seen["body"].items() if k != "messages"} == reply.sent
    assert reply.sent["seed"] == 7
    assert reply.sent["stop"] == ["END"]
    assert reply.started_at is not None
    assert reply.started_at <= seen["completed_at"]
    assert reply.latency_s is not None
    # Known only when the times were taken at the socket.
    assert reply.client_s is not None
    assert (reply.ttft_s is not None) == stream


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_every_failure_has_its_type_and_was_one_request(
    loopback: LoopbackServer, make: Make, stream: bool
) -> None:
    async def run() -> list[tuple[str, str, int | None, int]]:
        wrong = []
        where = provider(loopback.url)
        async with make(stream=stream) as backend:
            for fault, expected in ERRORS:
                loopback.set(faults=[fault])
                loopback.reset()
                with pytest.raises(BackendError) as caught:
                    await backend.complete(request(where))
                error = caught.value
                seen = loopback.stats()["requests"]
                status = {"quota": 429, "context": 400}.get(fault.get("kind", ""))
                status = fault.get("status", status)
                if type(error) is not expected or error.status != status or seen != 1:
                    wrong.append((str(fault), repr(error), error.status, seen))
        return wrong

    assert asyncio.run(run()) == []


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_answers_that_are_no_move_are_still_answers(
    loopback: LoopbackServer, make: Make, stream: bool
) -> None:
    loopback.set(answer={"text": "A rather long answer that is cut."})
    asked = request(provider(loopback.url))
    backend = make(stream=stream)

    async def run() -> dict[str, Reply]:
        replies = {}
        async with backend:
            for kind in ("null_content", "empty", "length", "content_filter"):
                loopback.set(faults=[{"kind": kind}])
                replies[kind] = await backend.complete(asked)
        return replies

    replies = asyncio.run(run())
    assert (replies["null_content"].text, replies["empty"].text) == ("", "")
    assert replies["length"].finish_reason == "length"
    assert replies["length"].text == "A rather long an"
    assert replies["content_filter"].refused
    assert not replies["length"].refused


def test_a_refusal_is_said(loopback: LoopbackServer, make: Make) -> None:
    loopback.set(faults=[{"kind": "refusal"}])
    assert answer(make(), request(provider(loopback.url))).refused


def test_no_choice_is_no_answer(loopback: LoopbackServer, make: Make) -> None:
    loopback.set(faults=[{"kind": "no_choices"}])
    assert isinstance(failure(make(), request(provider(loopback.url))), EmptyReplyError)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_tokens_are_unknown_where_the_server_is_silent(
    loopback: LoopbackServer, make: Make, stream: bool
) -> None:
    loopback.set(usage=None)
    reply = answer(make(stream=stream), request(provider(loopback.url)))
    assert (reply.prompt_tokens, reply.completion_tokens, reply.cost_usd) == (None, None, None)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_thinking_in_tags_is_no_part_of_the_answer(
    loopback: LoopbackServer, make: Make, stream: bool
) -> None:
    loopback.set(answer={"text": "Done."}, reasoning={"field": "think", "text": "Hm, x(0,0)?"})
    reply = answer(make(stream=stream), request(provider(loopback.url)))
    assert (reply.text.strip(), (reply.reasoning or "").strip()) == ("Done.", "Hm, x(0,0)?")


def test_the_first_token_is_timed_before_the_last(loopback: LoopbackServer, make: Make) -> None:
    loopback.set(answer={"text": "one two three four five"}, chunk_s=0.05)
    reply = answer(make(stream=True), request(provider(loopback.url)))
    assert reply.ttft_s is not None
    assert reply.latency_s is not None
    assert reply.decode_s is not None
    # Four waits of 50 ms lie between the first piece and the last; sleeping is never shorter.
    assert reply.latency_s - reply.ttft_s > 0.15
    assert reply.decode_s > 0.15


def test_the_server_sees_as_many_requests_as_are_recorded(
    loopback: LoopbackServer, make: Make
) -> None:
    loopback.set(faults=[{"status": 503, "rate": 0.4}, {"kind": "drop_before", "rate": 0.2}])
    asked = [request(provider(loopback.url), seed=seed) for seed in range(12)]
    results = complete(make(max_retries=20), *asked)
    assert all(isinstance(result, Reply) for result in results)
    recorded = sum(result.retries + 1 for result in results)
    assert loopback.stats()["requests"] == recorded > len(asked)


def test_giving_up_keeps_count(loopback: LoopbackServer, make: Make) -> None:
    loopback.set(faults=[{"status": 503}])
    error = failure(make(max_retries=2), request(provider(loopback.url)))
    assert error.retries == 2
    assert loopback.stats()["requests"] == 3
    assert error.timing["latency_s"] is not None
    assert error.sent["temperature"] == 0.5
    assert "messages" not in error.sent
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.retries, again.timing) == (type(error), 2, error.timing)


def test_retry_after_is_honoured(loopback: LoopbackServer, make: Make) -> None:
    loopback.set(faults=[{"status": 429, "retry_after": 0.3, "count": 1}])
    reply = answer(make(max_retries=3), request(provider(loopback.url)))
    first, second = loopback.requests()
    assert second["arrived_at"] - first["arrived_at"] >= 0.3
    assert reply.retries == 1
    assert reply.queue_s is not None
    assert reply.queue_s >= 0.3


def test_a_wait_beyond_the_deadline_is_not_begun(loopback: LoopbackServer, make: Make) -> None:
    loopback.set(faults=[{"status": 429, "retry_after": 3600}])
    error = failure(make(max_retries=3, deadline_s=30), request(provider(loopback.url)))
    assert isinstance(error, RateLimitedError)
    assert error.retry_after == 3600
    assert loopback.stats()["requests"] == 1


@pytest.mark.parametrize("kind", ["drip", "stall"])
def test_the_deadline_fires_whatever_the_server_does(
    loopback: LoopbackServer, make: Make, kind: str
) -> None:
    loopback.set(faults=[{"kind": kind, "drip_s": 0.1}])  # hundreds of bytes: half a minute
    error = failure(make(timeout_s=0.5), request(provider(loopback.url)))
    assert isinstance(error, TimeoutExceededError)
    assert "within 0.5 s" in str(error)


def test_a_call_that_is_given_up_frees_its_place(loopback: LoopbackServer, make: Make) -> None:
    loopback.set(faults=[{"kind": "stall", "count": 1}])
    asked = request(provider(loopback.url))

    async def run() -> Reply:
        async with make(max_concurrency=1) as backend:
            stuck = asyncio.ensure_future(backend.complete(asked))
            await asyncio.to_thread(loopback.wait_for, 1)
            stuck.cancel()
            with pytest.raises(asyncio.CancelledError):
                await stuck
            return await backend.complete(asked)

    assert asyncio.run(run()).text


def test_each_provider_gets_its_own_key_and_nobody_else(
    loopback: LoopbackServer, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-real-openai-key")
    monkeypatch.setenv("A_API_KEY", "key-of-a")
    monkeypatch.setenv("B_API_KEY", "key-of-b")
    with LoopbackServer() as other:
        monkeypatch.setenv("OPENAI_BASE_URL", other.url)
        monkeypatch.setenv("OPENAI_API_BASE", other.url)
        results = complete(
            make(),
            request(provider(loopback.url, "a", api_key_env="A_API_KEY")),
            request(provider(loopback.url, "b", api_key_env="B_API_KEY")),
            request(provider(loopback.url, "keyless")),
        )
        assert other.stats()["requests"] == 0
    assert all(isinstance(result, Reply) for result in results)
    a, b, keyless = (seen["headers"].get("authorization") for seen in loopback.requests())
    assert (a, b) == ("Bearer key-of-a", "Bearer key-of-b")
    assert keyless in (None, "Bearer keyless")
    assert "sk-real-openai-key" not in json.dumps(loopback.requests())


@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_missing_key_is_an_error_before_anything_is_sent(
    loopback: LoopbackServer, make: Make, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-real-openai-key")
    if value is not None:
        monkeypatch.setenv("LAB_API_KEY", value)
    asked = request(provider(loopback.url, api_key_env="LAB_API_KEY"))
    error = failure(make(max_retries=3), asked)
    assert isinstance(error, AuthError)
    assert "LAB_API_KEY" in str(error)
    assert loopback.stats()["requests"] == 0
    (problem,) = make().check([asked.model])
    assert "LAB_API_KEY" in problem
    assert "scripted_random" in problem


def test_an_address_may_hold_its_own_credentials(loopback: LoopbackServer, make: Make) -> None:
    url = loopback.url.replace("http://", "http://user:pass%20word@")
    assert answer(make(), request(provider(url))).text
    sent = loopback.requests()[0]["headers"]["authorization"]
    assert sent == "Basic " + base64.b64encode(b"user:pass word").decode()


def test_an_error_that_echoes_the_key_shows_no_key(
    loopback: LoopbackServer, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_API_KEY", "canary-0123456789")
    monkeypatch.setenv("OTHER_TOKEN", "canary-other-987654")
    echo = "No: {authorization} (not canary-other-987654 either)"
    url = loopback.url
    for fault in ({"status": 401, "message": echo}, {"status": 500, "message": echo}):
        loopback.set(faults=[fault])
        error = failure(make(), request(provider(url, api_key_env="LAB_API_KEY")))
        shown = "".join(traceback.format_exception(error)) + repr(error) + repr(error.__dict__)
        assert "canary" not in shown
        assert "[redacted:LAB_API_KEY]" in str(error)


def test_a_refused_connection_names_no_password(make: Make) -> None:
    error = failure(make(), request(provider("http://me:canary-passw0rd@127.0.0.1:9/v1")))
    assert isinstance(error, TransientError)
    assert error.status is None
    assert "canary" not in "".join(traceback.format_exception(error))


def test_a_constraint_becomes_a_response_format(loopback: LoopbackServer, make: Make) -> None:
    schema = {
        "type": "object",
        "properties": {"action": {"type": "string", "enum": ["a", "b"]}},
        "required": ["action"],
        "additionalProperties": False,
    }
    constraint = Constraint(choices=('{"action": "a"}', '{"action": "b"}'), json_schema=schema)
    reply = answer(make(), request(provider(loopback.url), constraint=constraint))
    assert json.loads(reply.text)["action"] in ("a", "b")
    assert reply.sent["response_format"]["json_schema"]["schema"] == schema


def test_a_constraint_that_cannot_be_said_is_an_error(loopback: LoopbackServer, make: Make) -> None:
    constraint = Constraint(choices=("Final Answer: a",))
    error = failure(make(), request(provider(loopback.url), constraint=constraint))
    assert isinstance(error, BadRequestError)
    assert "template=json" in str(error)
    assert loopback.stats()["requests"] == 0


def test_extra_fields_go_into_the_body_as_they_are(loopback: LoopbackServer, make: Make) -> None:
    extra = {"reasoning_effort": "low", "my_field": {"a": 1}}
    reply = answer(make(), request(provider(loopback.url), extra=extra, top_k=4))
    body = loopback.requests()[0]["body"]
    assert {name: body[name] for name in extra} == extra
    assert body["top_k"] == 4
    assert reply.sent["my_field"] == {"a": 1}


def test_a_known_model_has_a_price(
    loopback: LoopbackServer, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789")
    loopback.set(usage={"prompt_tokens": 1000, "completion_tokens": 100, "cached_tokens": 400})
    where = provider(loopback.url, "openai", api_key_env="OPENAI_API_KEY", known_to_litellm=True)
    reply = answer(make(), request(where, model="gpt-4o-mini"))
    assert reply.cost_usd == pytest.approx(600 * 1.5e-7 + 400 * 7.5e-8 + 100 * 6e-7)


def test_no_address_is_found_before_the_start(make: Make) -> None:
    (problem,) = make().check([request(provider(None)).model])
    assert "'my_lab' has no api_base" in problem
    assert "provider.my_lab.api_base=" in problem
    assert "/<model>" in make().check([request(None).model])[0]


def test_requests_in_flight_stay_within_the_limit(loopback: LoopbackServer, make: Make) -> None:
    loopback.set(latency=0.02)
    asked = request(provider(loopback.url, max_concurrency=3))

    async def run() -> list[Reply]:
        async with make() as backend:
            return await asyncio.gather(*(backend.complete(asked) for _ in range(20)))

    replies = asyncio.run(run())
    assert len(replies) == 20
    assert loopback.stats()["max_in_flight"] == 3
    assert max(reply.queue_s or 0.0 for reply in replies) > 0.02  # the last stood in line
