"""A keyless server that does not run is reported before anything is written."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path

import pytest

from game_reasoning_arena.preflight import reachability as reaching
from tests.arena import Arena
from tests.loopback import LoopbackServer


@pytest.fixture
def dead() -> str:
    """An address at which nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    return f"127.0.0.1:{port}"


@pytest.mark.parametrize("backend", ["direct", "litellm"])
def test_a_dead_server_is_told_before_a_directory_exists(
    arena: Arena, dead: str, backend: str
) -> None:
    ran = arena(
        f"+provider.lab.api_base=http://{dead}/v1", f"agents.player_0.model={backend}_lab/m"
    )
    assert ran.code == 2
    assert ran.err == (
        f"arena: {backend}_lab/m: nothing can be asked at {dead} (Connection refused). Start the "
        "server, correct its address, or skip this check with probe=false.\n"
    )
    assert not Path("outputs").exists()


@pytest.mark.parametrize("backend", ["direct", "litellm"])
def test_without_the_look_the_outage_says_it_once(arena: Arena, dead: str, backend: str) -> None:
    ran = arena(
        f"+provider.lab.api_base=http://{dead}/v1",
        f"agents.player_0.model={backend}_lab/m",
        f"backend.{backend}.max_retries=0",
        "probe=false",
        "episodes=1",
    )
    assert ran.code == 1
    said = f"{backend}_lab/m: no answer from http://{dead}/v1: Connection refused"
    assert ran.out.count(said) == 1
    assert "ssl" not in ran.out


def test_who_listens_has_a_key_or_lies_behind_a_proxy_is_not_looked_at(
    arena: Arena, loopback: LoopbackServer, dead: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    refusal = reaching._refusal

    def noted(host: str, port: int, moment: int) -> str | None:
        asked.append(f"{host}:{port}")
        return refusal(host, port, moment)

    monkeypatch.setattr(reaching, "_refusal", noted)
    monkeypatch.setenv("LAB_API_KEY", "key-0123456789")
    keyless = f"+provider.lab.api_base={loopback.url}"
    model = "agents.player_0.model=direct_lab/m"
    assert arena(keyless, model, "episodes=1").code == 0
    assert asked == [f"127.0.0.1:{loopback.port}"]
    asked.clear()
    keyed = arena(
        f"+provider.lab={{api_base: 'http://{dead}/v1', api_key_env: LAB_API_KEY}}", model
    )
    assert keyed.code == 1  # the probe asks there
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert arena(keyless, model, "episodes=1").code == 0
    assert asked == []


@pytest.mark.parametrize("answers", [True, False])
def test_https_at_a_server_of_http_is_told(
    arena: Arena, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: bool
) -> None:
    """It would be tried for minutes: some servers are silent where they cannot read a request."""
    monkeypatch.setattr(reaching, "HANDSHAKE_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    held.append(connection)
                    if answers and connection.recv(64):
                        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        held: list[socket.socket] = []
        threading.Thread(target=serve, daemon=True).start()
        port = server.getsockname()[1]
        ran = arena(
            f"+provider.lab.api_base=https://127.0.0.1:{port}/v1",
            "agents.player_0.model=direct_lab/m",
        )
        server.shutdown(socket.SHUT_RDWR)
    for connection in held:
        connection.close()
    assert ran.code == 2
    assert f"nothing can be asked at 127.0.0.1:{port} (no TLS handshake" in ran.err
    assert "is it http://?" in ran.err
    assert list(tmp_path.iterdir()) == []
