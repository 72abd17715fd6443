"""What only the direct backend does, and the times that are taken at the socket."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time

import pytest

from game_reasoning_arena.backends import prices
from game_reasoning_arena.backends.direct_backend import DirectBackend
from game_reasoning_arena.backends.openai.wire import _TimedProtocol
from game_reasoning_arena.errors import AuthError, BadRequestError, TransientError
from game_reasoning_arena.records import Constraint
from tests.backends.calls import answer, failure, provider, request
from tests.loopback import LoopbackServer

CHOICES = Constraint(choices=("Final Answer: a", "Final Answer: b"))


def test_exact_texts_for_a_vllm_server(loopback: LoopbackServer) -> None:
    asked = request(provider(loopback.url), constraint=CHOICES)
    assert answer(DirectBackend(structured="vllm"), asked).text in CHOICES.choices
    for seen in loopback.requests():
        assert seen["body"]["structured_outputs"] == {"choice": list(CHOICES.choices)}


def test_an_unknown_form_of_constraint_is_refused() -> None:
    with pytest.raises(ValueError, match="'guided'"):
        DirectBackend(structured="guided")  # type: ignore[arg-type]


def test_times_do_not_hold_what_this_process_did(
    loopback: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the arrival of the answer and its reader, the loop is busy for 0.3 s."""
    arrived = _TimedProtocol.data_received

    def then_busy(protocol: _TimedProtocol, data: bytes) -> None:
        asyncio.get_running_loop().call_soon(time.sleep, 0.3)  # runs before the reader is woken
        arrived(protocol, data)

    monkeypatch.setattr(_TimedProtocol, "data_received", then_busy)
    reply = answer(DirectBackend(), request(provider(loopback.url)))
    assert reply.client_s is not None
    assert reply.client_s >= 0.3


def test_prices_are_read_before_the_first_answer() -> None:
    """Reading them takes some 50 ms, in which answers of all calls in flight wait."""
    prices.table.cache_clear()
    asyncio.run(DirectBackend().start(()))
    assert prices.table.cache_info().currsize == 1


def test_both_kinds_of_credentials_at_once_are_refused(
    loopback: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_API_KEY", "key-0123456789")
    url = loopback.url.replace("http://", "http://me:pw@")
    asked = request(provider(url, api_key_env="LAB_API_KEY"))
    assert isinstance(failure(DirectBackend(), asked), AuthError)
    assert "only one of them" in DirectBackend().check([asked.model])[0]


def test_an_address_that_is_none_is_said() -> None:
    error = failure(DirectBackend(), request(provider("no address")))
    assert isinstance(error, BadRequestError)
    assert "provider.my_lab.api_base=http" in str(error)


def test_a_stream_that_ends_early_is_no_answer(loopback: LoopbackServer) -> None:
    loopback.set(faults=[{"kind": "drop_mid"}])
    error = failure(DirectBackend(stream=True, max_retries=0), request(provider(loopback.url)))
    assert isinstance(error, TransientError)
    assert error.timing["latency_s"] is not None


def test_what_was_sent_is_known_of_calls_that_failed(loopback: LoopbackServer) -> None:
    loopback.set(faults=[{"kind": "stall"}])
    late = failure(
        DirectBackend(timeout_s=0.3, max_retries=0), request(provider(loopback.url), top_p=0.5)
    )
    body = loopback.requests()[0]["body"]
    assert late.sent == {key: value for key, value in body.items() if key != "messages"}
    nobody = request(provider("http://127.0.0.1:9/v1"))
    assert failure(DirectBackend(max_retries=0), nobody).sent == {}


def test_many_calls_share_few_connections(loopback: LoopbackServer) -> None:
    async def run() -> None:
        async with DirectBackend(max_concurrency=4) as backend:
            asked = request(provider(loopback.url))
            await asyncio.gather(*(backend.complete(asked) for _ in range(40)))

    before = loopback.stats()["connections"]
    asyncio.run(run())
    # One more is the connection over which the numbers are read.
    assert loopback.stats()["connections"] - before <= 4 + 1


def test_never_imports_litellm(loopback: LoopbackServer) -> None:
    code = f"""
import sys
from game_reasoning_arena.backends import prices
from game_reasoning_arena.backends.direct_backend import DirectBackend
from tests.backends.calls import answer, provider, request
where = provider({loopback.url!r}, "openai")
print(answer(DirectBackend(), request(where, model="gpt-4o-mini")).cost_usd > 0)
print("litellm" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True\nFalse\n"
