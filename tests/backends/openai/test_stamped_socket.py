"""Times of a socket are those of its bytes, however late they are read."""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
import sys
import time
from collections.abc import Iterator

import pytest

from game_reasoning_arena.backends.direct_backend import DirectBackend
from game_reasoning_arena.backends.openai import stamped_socket
from game_reasoning_arena.backends.openai.stamped_socket import StampedSocket
from game_reasoning_arena.records import Reply
from tests.backends.calls import provider, request
from tests.loopback import LoopbackServer

LATE_S = 0.2

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells when bytes came")


@pytest.fixture
def pair() -> Iterator[tuple[StampedSocket, socket.socket]]:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        StampedSocket(socket.AF_INET, socket.SOCK_STREAM) as ours,
    ):
        ours.connect(server.getsockname())
        theirs, _ = server.accept()
        with theirs:
            if sys.platform == "linux":
                _until_stamped(ours, theirs)
            yield ours, theirs


def _until_stamped(ours: StampedSocket, theirs: socket.socket) -> None:
    """The first socket on a machine that asks for stamps gets them a moment later."""
    for _ in range(500):
        theirs.send(b"?")
        _, notes, _, _ = ours.recvmsg(1, 64)
        if notes:
            return
        time.sleep(0.01)
    raise AssertionError("the system stamps nothing")


@linux
@pytest.mark.parametrize("into", [False, True])
def test_a_late_look_sees_when_bytes_came(
    pair: tuple[StampedSocket, socket.socket], into: bool
) -> None:
    ours, theirs = pair
    ours.send(b"question")
    theirs.send(b"answer")
    time.sleep(LATE_S)
    looked = time.monotonic()
    if into:
        buffer = bytearray(64)
        assert ours.recv_into(buffer, 6) == len(b"answer")
        assert buffer.startswith(b"answer")
    else:
        assert ours.recv(64) == b"answer"
    assert ours.sent_at is not None
    assert ours.received_at is not None
    assert ours.sent_at <= ours.received_at <= looked - LATE_S / 2


def test_elsewhere_the_time_is_that_of_the_look(
    pair: tuple[StampedSocket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stamped_socket, "_STAMPED", None)
    ours, theirs = pair
    buffer = bytearray(64)
    for read in (lambda: ours.recv(64), lambda: ours.recv_into(buffer)):
        theirs.send(b"answer")
        looked = time.monotonic()
        assert read()
        assert ours.received_at is not None
        assert ours.received_at >= looked


@linux
@pytest.mark.parametrize("step_s", [-3600.0, 3600.0])
def test_a_wall_clock_that_is_set_in_between_is_not_believed(
    pair: tuple[StampedSocket, socket.socket], step_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = pair
    ours.send(b"question")
    theirs.send(b"answer")
    looked = time.monotonic()
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + step_s)
    ours.recv(64)
    assert ours.received_at is not None
    assert ours.received_at >= looked


@linux
@pytest.mark.parametrize(
    ("early_s", "believed"), [(-0.01, True), (0.0001, True), (0.001, False), (5.0, False)]
)
def test_clocks_that_are_read_a_little_apart_are_believed(
    pair: tuple[StampedSocket, socket.socket],
    early_s: float,
    believed: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours, _ = pair
    ours.send(b"question")
    sent_at = ours.sent_at
    assert sent_at is not None
    now, wall = sent_at + 0.05, 1_000_000.0
    monkeypatch.setattr(stamped_socket, "_both_clocks", lambda: (now, wall))
    stamp = wall - (now - sent_at) - early_s  # so long before the question
    note = struct.pack("@ll", int(stamp), int(stamp % 1 * 1e9))
    ours._came([(socket.SOL_SOCKET, 35, note)])
    assert ours.received_at is not None
    expected = max(sent_at - early_s, sent_at) if believed else now
    assert ours.received_at == pytest.approx(expected, abs=1e-6)


def test_the_two_clocks_are_read_again_when_something_came_between(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = iter([10.0, 10.5, 11.0, 11.00001])
    monkeypatch.setattr(time, "monotonic", lambda: next(read))
    assert stamped_socket._both_clocks()[0] == 11.0


@pytest.mark.parametrize("system", ["linux", "darwin"])
def test_where_a_second_connect_is_an_error_it_is_not_made(
    system: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    calls = []

    def connect(_: socket.socket, address: object) -> None:
        calls.append(address)
        if len(calls) == 1:
            raise BlockingIOError(errno.EINPROGRESS, "in progress")
        if system == "darwin":
            raise OSError(errno.EISCONN, "is connected")

    monkeypatch.setattr(socket.socket, "connect", connect)
    with StampedSocket(socket.AF_INET, socket.SOCK_STREAM) as ours:
        if system == "linux":
            ours.connect(("127.0.0.1", 1))
            assert len(calls) == 2
        else:
            with pytest.raises(BlockingIOError):
                ours.connect(("127.0.0.1", 1))


@linux
def test_an_answer_that_waits_for_a_busy_loop_is_not_the_providers_time() -> None:
    async def run(url: str) -> Reply:
        async with DirectBackend() as backend:
            await backend.complete(request(provider(url)))  # connected, so that the next is sent
            asking = asyncio.ensure_future(backend.complete(request(provider(url))))
            await asyncio.sleep(0.02)  # it is on the wire, and not answered yet
            time.sleep(0.1 + LATE_S)  # noqa: ASYNC251  the busy loop
            return await asking

    with LoopbackServer(latency=0.1) as server:
        reply = asyncio.run(run(server.url))
    assert reply.latency_s is not None
    assert reply.client_s is not None
    assert reply.client_s > LATE_S / 2
