"""LiteLLM in processes of its own: requests, replies, and workers that die."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from game_reasoning_arena.backends.factory import make_backend
from game_reasoning_arena.backends.limits import SLOW_START
from game_reasoning_arena.backends.litellm.worker_process import _Forwarder
from game_reasoning_arena.backends.litellm.workers import MAX_DEATHS, _Worker, receive
from game_reasoning_arena.backends.litellm_backend import LiteLLMBackend
from game_reasoning_arena.errors import (
    AuthError,
    BackendError,
    BadRequestError,
    ContextOverflowError,
    EngineDeadError,
    RateLimitedError,
    TimeoutExceededError,
    TransientError,
    UserError,
)
from game_reasoning_arena.records import Reply, Request
from tests.backends.calls import provider, request
from tests.loopback import LoopbackServer

CONFIG = {"_target_": "game_reasoning_arena.backends.litellm_backend.LiteLLMBackend"}
KEY = "key-0123456789"


@dataclass
class Two:
    """A backend with two workers, and the loop that it lives on."""

    backend: LiteLLMBackend
    runner: asyncio.Runner

    @property
    def pids(self) -> list[int]:
        assert self.backend._workers is not None
        return self.backend._workers.pids

    def ask(self, *requests: Request) -> list[Reply | BackendError]:
        """All at once."""

        async def run() -> list[Any]:
            calls = map(self.backend.complete, requests)
            return await asyncio.gather(*calls, return_exceptions=True)

        return self.runner.run(run())


@pytest.fixture(scope="module")
def two() -> Iterator[Two]:
    """Workers take seconds to start, so one pair serves all tests that leave it as it was."""
    with asyncio.Runner() as runner:
        backend = LiteLLMBackend(workers=2, max_retries=0, timeout_s=60.0)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("EARLY_API_KEY", KEY)  # gone from here once the workers have it
            runner.run(backend.start([]))
        two = Two(backend, runner)
        pids = two.pids
        yield two
        runner.run(backend.aclose())
        assert not any(is_alive(pid) for pid in pids)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def until(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.01)


def connections(pid: int, port: int) -> int:
    """How many connections a process has to a port of this machine."""
    inodes = {
        line.split()[9]
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
        if line.split()[2].endswith(f":{port:04X}")
    }
    links = [os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()]
    return sum(link.removeprefix("socket:[").rstrip("]") in inodes for link in links)


def test_every_worker_asks_and_this_process_does_not(loopback: LoopbackServer, two: Two) -> None:
    loopback.set(latency=0.3, answer="echo")
    asked = [request(provider(loopback.url), content=f"Number {n}") for n in range(4)]

    async def run() -> tuple[list[Reply], list[int]]:
        calls = asyncio.gather(*map(two.backend.complete, asked))
        await asyncio.to_thread(loopback.wait_for, 4)
        seen = [connections(pid, loopback.port) for pid in (*two.pids, os.getpid())]
        return await calls, seen

    replies, seen = two.runner.run(run())
    assert seen == [2, 2, 0]
    assert [reply.text for reply in replies] == [f"Number {n}" for n in range(4)]
    for reply in replies:
        assert reply.latency_s is not None
        assert reply.latency_s >= 0.3
        assert reply.client_s is not None  # the times were taken at the worker's socket
        assert reply.sent["seed"] == 7


def test_errors_keep_their_types_and_what_they_know(loopback: LoopbackServer, two: Two) -> None:
    kinds: list[tuple[dict[str, Any], type[BackendError]]] = [
        ({"status": 401}, AuthError),
        ({"status": 422}, BadRequestError),
        ({"status": 429, "retry_after": 3}, RateLimitedError),
        ({"status": 503}, TransientError),
        ({"kind": "context"}, ContextOverflowError),
    ]
    for fault, expected in kinds:
        loopback.set(faults=[fault])
        (error,) = two.ask(request(provider(loopback.url)))
        assert type(error) is expected
        assert error.status == loopback.requests()[-1]["status"]
        assert error.retry_after == fault.get("retry_after")
        assert error.timing["latency_s"] is not None
        assert error.timing["client_s"] is not None


def test_keys_come_from_the_environment_and_go_to_the_provider_only(
    loopback: LoopbackServer, two: Two
) -> None:
    loopback.set(faults=[{"status": 401, "message": "I know {authorization}!"}])
    (error,) = two.ask(request(provider(loopback.url, api_key_env="EARLY_API_KEY")))
    assert isinstance(error, AuthError)
    assert "I know" in str(error)
    assert KEY not in str(error)
    assert loopback.requests()[0]["headers"]["authorization"] == f"Bearer {KEY}"
    for pid in two.pids:
        assert KEY.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()
    (error,) = two.ask(request(provider(loopback.url, api_key_env="NO_API_KEY")))
    assert isinstance(error, AuthError)
    assert "NO_API_KEY, which is not set" in str(error)


def test_a_call_that_is_given_up_here_is_given_up_in_its_worker(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A server of its own: the other's connections are kept for a while.
    with LoopbackServer(latency=600.0) as server:

        def gone() -> bool:
            return all(connections(pid, server.port) == 0 for pid in two.pids)

        async def ask(*, cancel: bool) -> None:
            call = asyncio.create_task(two.backend.complete(request(provider(server.url))))
            await asyncio.to_thread(server.wait_for, 1)
            assert not gone()
            if cancel:
                call.cancel()
            await call

        with pytest.raises(asyncio.CancelledError):
            two.runner.run(ask(cancel=True))
        until(gone)  # a request that is broken off takes its connection with it
        server.reset()
        monkeypatch.setattr(two.backend, "timeout_s", 2.0)
        with pytest.raises(TimeoutExceededError):
            two.runner.run(ask(cancel=False))
        until(gone)


def test_what_litellm_logs_reaches_its_owners_handlers(caplog: pytest.LogCaptureFixture) -> None:
    async def told() -> Any:
        ours, theirs = socket.socketpair()
        reader, one = await asyncio.open_connection(sock=ours)
        _, other = await asyncio.open_connection(sock=theirs)
        logger = logging.Logger("LiteLLM")  # known to nobody else
        logger.addHandler(_Forwarder(other))
        logger.warning("%d %% odd", 100)
        message = await receive(reader)
        for writer in (one, other):
            writer.close()
            await writer.wait_closed()
        return message

    _Worker(LiteLLMBackend, {})._take(*asyncio.run(told()))
    assert caplog.record_tuples == [("LiteLLM", logging.WARNING, "100 % odd")]


def test_a_killed_worker_fails_its_calls_and_is_replaced(
    loopback: LoopbackServer, caplog: pytest.LogCaptureFixture
) -> None:
    loopback.set(latency=600.0)

    async def run() -> tuple[list[Any], Reply, list[int], list[int]]:
        async with LiteLLMBackend(workers=1, max_retries=0) as backend:
            await backend.start([])
            assert backend._workers is not None
            before = backend._workers.pids
            asked = request(provider(loopback.url))
            calls = [asyncio.create_task(backend.complete(asked)) for _ in range(2)]
            await asyncio.to_thread(loopback.wait_for, 2)
            for pid in before:
                os.kill(pid, signal.SIGINT)  # not theirs to act on
                os.kill(pid, signal.SIGTERM)
            loopback.set(latency=0.0)
            assert isinstance(await backend.complete(asked), Reply)
            for pid in before:
                os.kill(pid, signal.SIGKILL)
            errors = await asyncio.gather(*calls, return_exceptions=True)
            # This one waits for the new process.
            reply = await backend.complete(asked)
            return errors, reply, before, backend._workers.pids

    errors, reply, before, after = asyncio.run(run())
    for error in errors:
        assert type(error) is TransientError
        assert "ended by SIGKILL" in str(error)
    assert reply.text
    assert "A LiteLLM worker process ended by SIGKILL" in caplog.text
    assert len(after) == 1
    assert before != after
    assert not any(is_alive(pid) for pid in before + after)


def test_workers_that_cannot_live_are_an_error_and_no_loop(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from game_reasoning_arena.backends.litellm import workers as litellm_workers

    monkeypatch.setattr(litellm_workers, "_START", "raise SystemExit(7)")

    async def run() -> BackendError:
        async with LiteLLMBackend(workers=2, max_retries=0) as backend:
            with pytest.raises(EngineDeadError, match=f"{MAX_DEATHS} times in a row") as start:
                await backend.start([])
            assert "with exit code 7" in str(start.value)
            assert "backend.litellm.workers=0" in str(start.value)
            with pytest.raises(EngineDeadError) as call:
                await backend.complete(request(provider("http://127.0.0.1:9/v1")))
            return call.value

    assert asyncio.run(run()).stops_run


def test_workers_end_with_their_owner_however_it_goes() -> None:
    code = """
import asyncio, sys
from game_reasoning_arena.backends.litellm_backend import LiteLLMBackend

async def main():
    backend = LiteLLMBackend(workers=2)
    starting = asyncio.ensure_future(backend.start([]))
    while len(backend._workers.pids) < 2:
        await asyncio.sleep(0)
    print(*backend._workers.pids, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""
    for number in (signal.SIGINT, signal.SIGKILL):
        with subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        ) as owner:
            assert owner.stdout is not None
            pids = [int(pid) for pid in owner.stdout.readline().split()]
            assert len(pids) == 2
            owner.send_signal(number)
            owner.wait()
        until(lambda pids=pids: not any(is_running(pid) for pid in pids))  # type: ignore[misc]


def is_running(pid: int) -> bool:
    """Ignore orphans that stay as zombies, as in containers without an init process."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_what_one_process_carries_counts_for_each_worker() -> None:
    asked = request(provider("http://127.0.0.1:9/v1"))
    one = LiteLLMBackend(client_share=1.0)
    four = LiteLLMBackend(client_share=1.0, workers=4, max_concurrency=512)
    assert one._lane(asked.model).allowed == SLOW_START
    assert four._lane(asked.model).allowed == 4 * SLOW_START
    few = LiteLLMBackend(client_share=1.0, workers=4, max_concurrency=3)
    assert few._lane(asked.model).allowed == 3  # what the user set is not ours to exceed


def test_the_setting_is_checked() -> None:
    backend = make_backend("litellm", {**CONFIG, "workers": 2})
    assert backend.processes == 2
    with pytest.raises(UserError, match=r"workers must be 0 .* not -1"):
        make_backend("litellm", {**CONFIG, "workers": -1})
    with pytest.raises(UserError, match="whole number"):
        make_backend("litellm", {**CONFIG, "workers": "two"})
