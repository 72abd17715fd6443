"""Limits per minute and concurrency that adapts, without waiting for any clock."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from game_reasoning_arena.backends.limits import BURST_OF_429, Lane, Pace
from game_reasoning_arena.records import Provider, Reply
from tests.backends.calls import request


def times(pace: Pace, count: int, *, every: float = 0.0) -> list[float]:
    """When requests that come every so many seconds are let through."""
    return [at + pace.reserve(1.0, at) for at in (every * i for i in range(count))]


@given(st.floats(1.0, 3000.0), st.integers(1, 400), st.floats(0.0, 2.0))
def test_no_minute_sees_more_than_its_allowance(
    per_minute: float, count: int, every: float
) -> None:
    let_through = times(Pace(per_minute), count, every=every)
    assert let_through == sorted(let_through)
    for start in let_through:
        in_window = sum(start <= at < start + 59.999 for at in let_through)
        assert in_window <= per_minute + 1


def test_the_allowance_is_used() -> None:
    assert times(Pace(60.0), 61)[-1] == pytest.approx(60.0, rel=0.05)
    assert times(Pace(1.0), 3) == [0.0, 60.0, 120.0]
    assert times(Pace(0.5), 2) == [0.0, 120.0]


def test_slow_traffic_never_waits() -> None:
    assert times(Pace(60.0), 50, every=1.1) == [1.1 * i for i in range(50)]


def test_what_was_not_used_is_given_back() -> None:
    pace = Pace(6000.0)
    first = pace.reserve(3000.0, 0.0)
    pace.give_back(2900.0)
    assert first > pace.reserve(0.0, 0.0) == 0.0


def test_a_limit_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="more than 0"):
        Pace(0.0)


def test_tokens_are_corrected_by_what_was_billed() -> None:
    async def run() -> list[float]:
        lane = Lane(Provider(name="p", tokens_per_minute=600_000), None)
        asked = request(None, content="x" * 4000, max_tokens=9000)  # 10,000 tokens guessed
        levels = []
        for prompt, completion in [(900, 100), (None, None)]:
            permit = await lane.enter(asked)
            assert lane._tokens is not None
            lane.leave(permit, Reply(text="", prompt_tokens=prompt, completion_tokens=completion))
            levels.append(lane._tokens.capacity - lane._tokens._level)
        return levels

    known, unknown = asyncio.run(run())
    assert known == pytest.approx(1000, abs=1)
    assert unknown == pytest.approx(11_000, abs=600)  # the guess stands; some came back meanwhile


def test_many_429s_halve_what_is_asked_once_per_round_and_answers_raise_it() -> None:
    async def run() -> list[float]:
        lane = Lane(None, 16)
        asked = request(None)
        permits = [await lane.enter(asked) for _ in range(16)]
        seen = []
        for permit in permits:  # one round: all were sent before the first refusal
            lane.leave(permit, None)
            lane.throttled(permit, None)
        seen.append(lane.allowed)
        permit = await lane.enter(asked)
        lane.leave(permit, None)
        lane.throttled(permit, None)
        seen.append(lane.allowed)
        for _ in range(200):
            lane.leave(await lane.enter(asked), Reply(text=""))
        seen.append(lane.allowed)
        return seen

    after_round, after_next, recovered = asyncio.run(run())
    assert after_round == 8.0
    assert after_next == 4.0
    assert recovered == 16.0


def answers(lane: Lane, count: int, client_s: float) -> float:
    """Give a lane so many answers of 0.2 s, one at a time in a full round; what it then allows."""

    async def run() -> None:
        for _ in range(count):
            permits = [await lane.enter(request(None)) for _ in range(int(lane.allowed))]
            for permit in permits:
                lane.leave(permit, Reply(text="", latency_s=0.2, client_s=client_s))

    asyncio.run(run())
    return lane.allowed


def test_a_client_that_falls_behind_asks_less() -> None:
    lane = Lane(None, 128, client_share=0.5)
    assert lane.allowed == 32.0
    assert answers(lane, 1, client_s=9.0) == 64.0  # slow start doubles; first calls are not judged
    assert answers(lane, 1, client_s=0.01) == 128.0
    assert 96.0 <= answers(lane, 1, client_s=0.2) < 104.0  # once per round, by a quarter
    assert answers(lane, 100, client_s=0.2) < 24.0
    assert answers(lane, 200, client_s=0.01) == 128.0
    unwatched = Lane(None, 64)
    assert answers(unwatched, 5, client_s=10.0) == 64.0


def test_only_bursts_make_the_whole_lane_wait() -> None:
    async def run() -> list[bool]:
        lane = Lane(None, 16)
        waits = []
        for _ in range(BURST_OF_429):
            permit = await lane.enter(request(None))
            lane.leave(permit, None)
            lane.throttled(permit, 30.0)
            waits.append(lane.paused_until > 0.0)
        return waits

    assert asyncio.run(run()) == [False] * (BURST_OF_429 - 1) + [True]


def test_first_come_first_served() -> None:
    async def run() -> list[int]:
        lane = Lane(None, 1)
        order: list[int] = []

        async def call(number: int) -> None:
            permit = await lane.enter(request(None))
            order.append(number)
            await asyncio.sleep(0)
            lane.leave(permit, None)

        await asyncio.gather(*(call(number) for number in range(50)))
        assert lane.in_flight == 0
        return order

    assert asyncio.run(run()) == list(range(50))


@given(st.lists(st.integers(0, 19), max_size=20), st.integers(1, 4))
def test_cancelling_at_any_moment_loses_no_place(cancelled: list[int], places: int) -> None:
    async def run() -> int:
        lane = Lane(None, places)

        async def call() -> None:
            permit = await lane.enter(request(None))
            try:
                await asyncio.sleep(0)
            finally:
                lane.leave(permit, None)

        calls = [asyncio.ensure_future(call()) for _ in range(20)]
        for number in cancelled:
            await asyncio.sleep(0)
            calls[number].cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        assert not lane._waiting
        return lane.in_flight

    assert asyncio.run(run()) == 0
