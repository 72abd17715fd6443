"""A keyless server that does not run is told before anything is made."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from game_reasoning_arena import reaching
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
        "server, mend its address, or leave out this look with probe=false.\n"
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
