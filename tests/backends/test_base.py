"""The policy around every call, on small backends with scripted failures."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from game_reasoning_arena.backends.base_backend import BaseLLMBackend
from game_reasoning_arena.errors import (
    BackendError,
    BadRequestError,
    QuotaError,
    RateLimitedError,
    TimeoutExceededError,
    TransientError,
)
from game_reasoning_arena.records import Provider, Reply, Request
from tests.backends.calls import answer, failure, request

LAB = Provider(name="lab", api_base="http://127.0.0.1:1/v1")
OTHER = Provider(name="other", api_base="http://127.0.0.1:2/v1")


class Told(BaseLLMBackend):
    """Calls ``behave`` with the number of the try; records the requests in flight."""

    def __init__(self, behave: Callable[[int, Request], Any], **policy: Any) -> None:
        super().__init__(**{"backoff_s": 0.0, **policy})
        self.behave = behave
        self.tries = 0
        self.in_flight = 0
        self.most = 0

    async def generate(self, request: Request) -> Reply:
        self.tries += 1
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        try:
            result = self.behave(self.tries, request)
            if asyncio.iscoroutine(result):
                result = await result
        finally:
            self.in_flight -= 1
        if isinstance(result, BaseException):
            raise result
        return result if isinstance(result, Reply) else Reply(text=str(result))


def gather(backend: BaseLLMBackend, *requests: Request) -> list[Reply | BaseException]:
    async def run() -> list[Reply | BaseException]:
        async with backend:
            return await asyncio.gather(
                *(backend.complete(asked) for asked in requests), return_exceptions=True
            )

    return asyncio.run(run())


def test_errors_that_may_pass_are_tried_again() -> None:
    backend = Told(lambda n, _: TransientError("down") if n < 4 else "up")
    reply = answer(backend, request(LAB))
    assert (reply.text, reply.retries, backend.tries) == ("up", 3, 4)


@pytest.mark.parametrize("error", [BadRequestError("no"), QuotaError("empty")])
def test_errors_that_stay_are_not(error: BackendError) -> None:
    backend = Told(lambda *_: error)
    assert failure(backend, request(LAB)).retries == 0
    assert backend.tries == 1


def test_the_last_error_comes_out_with_the_count() -> None:
    backend = Told(lambda n, _: TransientError(f"down {n}"), max_retries=2)
    error = failure(backend, request(LAB))
    assert (str(error), error.retries) == ("down 3", 2)
    assert set(error.timing) == {"started_at", "latency_s", "queue_s", "client_s"}
    assert pickle.loads(pickle.dumps(error)).timing == error.timing


def test_a_try_that_takes_too_long_is_a_timeout_and_tried_again() -> None:
    backend = Told(
        lambda n, _: asyncio.sleep(60) if n == 1 else "up", timeout_s=0.05, max_retries=1
    )
    assert answer(backend, request(LAB)).retries == 1
    backend = Told(lambda *_: asyncio.sleep(60), timeout_s=0.05, max_retries=1)
    error = failure(backend, request(LAB))
    assert isinstance(error, TimeoutExceededError)
    assert "within 0.05 s" in str(error)
    assert backend.tries == 2


def test_the_deadline_is_for_all_tries_together() -> None:
    backend = Told(lambda *_: asyncio.sleep(60), timeout_s=0.2, deadline_s=0.3, max_retries=50)
    assert isinstance(failure(backend, request(LAB)), TimeoutExceededError)
    assert backend.tries == 2  # 0.2 s, then the 0.1 s that were left


def test_a_timeout_of_the_backends_own_is_not_ours() -> None:
    async def own() -> None:
        raise TimeoutError("inner")

    backend = Told(lambda *_: own())
    (result,) = gather(backend, request(LAB))
    assert type(result) is TimeoutError
    assert backend.tries == 1


def test_bugs_are_not_outages() -> None:
    backend = Told(lambda *_: ZeroDivisionError("bug"), max_concurrency=1)
    results = gather(backend, request(LAB), request(LAB))
    assert [type(result) for result in results] == [ZeroDivisionError] * 2


def test_cancelling_is_never_swallowed_and_frees_the_place() -> None:
    async def run() -> str:
        backend = Told(lambda n, _: asyncio.sleep(60) if n == 1 else "up", max_concurrency=1)
        stuck = asyncio.ensure_future(backend.complete(request(LAB)))
        waiting = asyncio.ensure_future(backend.complete(request(LAB)))
        last = asyncio.ensure_future(backend.complete(request(LAB)))
        await asyncio.sleep(0.01)
        waiting.cancel()  # in line
        stuck.cancel()  # in flight
        with pytest.raises(asyncio.CancelledError):
            await stuck
        with pytest.raises(asyncio.CancelledError):
            await waiting
        return (await last).text

    assert asyncio.run(run()) == "up"


def test_one_limit_per_endpoint_and_the_providers_own_wins() -> None:
    narrow = Provider(name="lab", api_base="http://127.0.0.1:1/v1", max_concurrency=2)
    backend = Told(lambda *_: asyncio.sleep(0.005, "up"), max_concurrency=7)
    gather(backend, *(request(narrow, model=f"m{i % 3}") for i in range(12)))
    assert backend.most == 2
    backend = Told(lambda *_: asyncio.sleep(0.005, "up"), max_concurrency=3)
    gather(backend, *(request(LAB) for _ in range(9)), *(request(OTHER) for _ in range(9)))
    assert backend.most == 6
    backend = Told(lambda *_: asyncio.sleep(0.005, "up"), max_concurrency=None)
    gather(backend, *(request(LAB) for _ in range(200)))
    assert backend.most == 200


def test_a_stalled_provider_does_not_hold_up_another() -> None:
    async def run() -> list[str]:
        backend = Told(
            lambda _, asked: asyncio.sleep(60) if asked.model.provider == LAB else "up",
            max_concurrency=2,
        )
        stuck = [asyncio.ensure_future(backend.complete(request(LAB))) for _ in range(20)]
        replies = [await backend.complete(request(OTHER)) for _ in range(20)]
        for call in stuck:
            call.cancel()
        await asyncio.gather(*stuck, return_exceptions=True)
        return [reply.text for reply in replies]

    assert asyncio.run(run()) == ["up"] * 20


def test_no_place_is_held_while_waiting_to_try_again() -> None:
    order: list[int | None] = []

    def behave(n: int, asked: Request) -> Any:
        order.append(asked.seed)
        return TransientError("busy", retry_after=0.05) if n == 1 else "up"

    backend = Told(behave, max_concurrency=1)
    gather(backend, request(LAB, seed=1), request(LAB, seed=2))
    assert order == [1, 2, 1]


def test_times_are_those_of_the_last_try_and_the_queue_is_all_waiting() -> None:
    backend = Told(lambda n, _: RateLimitedError("slow", retry_after=0.05) if n == 1 else "up")
    reply = answer(backend, request(LAB))
    assert reply.queue_s is not None
    assert reply.queue_s >= 0.05
    assert reply.latency_s is not None
    assert reply.latency_s < reply.queue_s
    assert reply.client_s is None  # a backend that cannot tell
    assert reply.started_at is not None


def test_what_the_backend_knows_of_times_is_kept() -> None:
    async def slowly() -> Reply:
        await asyncio.sleep(0.05)
        return Reply(text="x", latency_s=0.01, started_at=123.0)

    reply = answer(Told(lambda *_: slowly()), request(LAB))
    assert (reply.latency_s, reply.started_at) == (0.01, 123.0)
    assert reply.client_s is not None
    assert reply.client_s >= 0.03


def test_waits_grow_stay_bounded_and_obey_the_provider() -> None:
    backend = Told(lambda *_: "up", backoff_s=1.0, backoff_max_s=8.0)
    for retries, longest in [(0, 1.0), (1, 2.0), (2, 4.0), (3, 8.0), (30, 8.0), (3000, 8.0)]:
        waits = [backend._pause(retries, None) for _ in range(200)]
        assert 0.0 <= min(waits) < longest * 0.2
        assert longest * 0.8 < max(waits) <= longest
    asked = [backend._pause(0, 30.0) for _ in range(50)]
    assert min(asked) >= 30.0
    assert max(asked) <= 33.0


@pytest.mark.parametrize(
    "policy",
    [{"timeout_s": 0}, {"deadline_s": -1}, {"max_retries": -1}, {"max_concurrency": 0}],
)
def test_impossible_limits_are_refused(policy: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(policy))):
        Told(lambda *_: "up", **policy)
