"""What goes out: addresses, headers, parameters; the same through every backend."""

from __future__ import annotations

import asyncio
import logging
import shutil
import ssl
import subprocess
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from game_reasoning_arena.backends.base_backend import BaseLLMBackend
from game_reasoning_arena.backends.direct_backend import DirectBackend
from game_reasoning_arena.backends.litellm_backend import LiteLLMBackend
from game_reasoning_arena.errors import (
    AuthError,
    BadRequestError,
    NotFoundError,
    RateLimitedError,
    TransientError,
)
from tests.backends.calls import answer, complete, failure, provider, request
from tests.loopback import LoopbackServer

Make = Callable[..., BaseLLMBackend]


@pytest.fixture(params=[DirectBackend, LiteLLMBackend], ids=["direct", "litellm"])
def make(request: pytest.FixtureRequest) -> Make:
    """Makes a backend that does not retry."""
    defaults = {"max_retries": 0, "backoff_s": 0.001, "timeout_s": 20.0}
    return lambda **settings: request.param(**{**defaults, **settings})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_moved_address_is_named_and_nothing_goes_there(
    loopback: LoopbackServer,
    make: Make,
    monkeypatch: pytest.MonkeyPatch,
    stream: bool,
    status: int,
) -> None:
    monkeypatch.setenv("LAB_API_KEY", "canary-0123456789")
    with LoopbackServer() as other:
        moved = {"Location": f"{other.url}/chat/completions"}
        loopback.set(recorded={"body": "", "status": status, "headers": moved})
        where = provider(loopback.url, api_key_env="LAB_API_KEY")
        error = failure(make(stream=stream, max_retries=3), request(where))
        assert isinstance(error, NotFoundError)
        assert error.status == status
        assert f"moved to {other.url}" in str(error)
        assert f"provider.my_lab.api_base={other.url}" in str(error)
        assert other.stats()["requests"] == 0
    assert loopback.stats()["requests"] == 1


def test_a_query_stays_at_the_end_of_the_path(loopback: LoopbackServer, make: Make) -> None:
    where = provider(f"{loopback.url}/deployments/x?api-version=2024-10-21&a=b")
    assert answer(make(), request(where)).text
    (seen,) = loopback.requests()
    assert seen["path"] == "/v1/deployments/x/chat/completions"
    assert seen["query"] == "api-version=2024-10-21&a=b"


def test_further_headers_come_from_variables(
    loopback: LoopbackServer, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = provider(loopback.url, headers={"api-key": "LAB_SECRET", "X-Title": "LAB_TITLE"})
    monkeypatch.setenv("LAB_TITLE", "arena")
    (problem,) = make().check([request(where).model])
    assert "LAB_SECRET" in problem
    assert isinstance(failure(make(), request(where)), AuthError)
    monkeypatch.setenv("LAB_SECRET", "canary-0123456789")
    assert answer(make(), request(where)).text
    headers = loopback.requests()[-1]["headers"]
    assert (headers["api-key"], headers["x-title"]) == ("canary-0123456789", "arena")
    loopback.set(faults=[{"status": 401, "message": "wrong: canary-0123456789"}])
    assert "canary" not in str(failure(make(), request(where)))


@pytest.mark.parametrize("name", ["temperature", "max_tokens", "seed"])
def test_a_parameter_is_left_out_by_null(loopback: LoopbackServer, make: Make, name: str) -> None:
    reply = answer(make(), request(provider(loopback.url), extra={name: None, "mine": 1}))
    body = loopback.requests()[0]["body"]
    assert name not in body
    assert name not in reply.sent
    assert body["mine"] == 1


def test_stream_options_can_be_left_out(loopback: LoopbackServer, make: Make) -> None:
    asked = request(provider(loopback.url), extra={"stream_options": None})
    assert answer(make(stream=True), asked).text
    assert "stream_options" not in loopback.requests()[0]["body"]


def test_an_error_names_the_setting_that_leaves_a_parameter_out(
    loopback: LoopbackServer, make: Make
) -> None:
    told = {"status": 400, "message": "Unsupported parameter: 'top_p'"}
    loopback.set(faults=[told])
    error = failure(make(), request(provider(loopback.url), top_p=0.5))
    assert isinstance(error, BadRequestError)
    assert "`extra: {top_p: null}`" in str(error)
    loopback.set(faults=[{**told, "message": "seed: extra inputs are not permitted"}])
    assert "sampling.seed=null" in str(failure(make(), request(provider(loopback.url))))


def test_max_completion_tokens_where_a_server_wants_it(
    loopback: LoopbackServer, make: Make
) -> None:
    refusal = (
        "Unsupported parameter: 'max_tokens' is not supported with this model. "
        "Use 'max_completion_tokens' instead."
    )
    loopback.set(faults=[{"status": 400, "message": refusal, "count": 1}])
    asked = request(provider(loopback.url))
    first, second = complete(make(), asked, asked)
    for reply in (first, second):
        assert not isinstance(reply, Exception)
        assert reply.sent["max_completion_tokens"] == 40
        assert "max_tokens" not in reply.sent
    assert len(loopback.requests()) == 3  # it is learnt once


def test_a_wait_in_words_is_obeyed(loopback: LoopbackServer, make: Make) -> None:
    loopback.set(faults=[{"status": 429, "message": "Please try again in 300ms.", "count": 1}])
    reply = answer(make(max_retries=2), request(provider(loopback.url)))
    first, second = loopback.requests()
    assert second["arrived_at"] - first["arrived_at"] >= 0.3
    assert reply.retries == 1


def test_a_wait_until_the_reset_is_known(loopback: LoopbackServer, make: Make) -> None:
    loopback.set(
        recorded={
            "body": '{"error": {"message": "slow down"}}',
            "status": 429,
            "headers": {"x-ratelimit-reset": "77"},
        }
    )
    error = failure(make(), request(provider(loopback.url)))
    assert isinstance(error, RateLimitedError)
    assert error.retry_after == 77


def test_a_long_wait_is_announced_once(
    loopback: LoopbackServer, caplog: pytest.LogCaptureFixture
) -> None:
    loopback.set(faults=[{"status": 429, "retry_after": 40}])

    async def run() -> None:
        async with DirectBackend(max_retries=1) as backend:
            asked = [backend.complete(request(provider(loopback.url))) for _ in range(4)]
            waiting = [asyncio.ensure_future(one) for one in asked]
            await asyncio.to_thread(loopback.wait_for, 4)
            await asyncio.wait(waiting, timeout=0.5)
            for one in waiting:
                one.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    with caplog.at_level(logging.WARNING):
        asyncio.run(run())
    (said,) = [message for message in caplog.messages if message.startswith("Waiting")]
    assert "for my_lab, as it asks" in said


def test_a_dead_proxy_is_named(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    asked = request(provider("http://lab.invalid:8000/v1"))
    backend = make()
    if isinstance(backend, DirectBackend):
        beside = failure(backend, asked)
        assert "HTTP_PROXY is set" in str(beside)
        assert "backend.direct.trust_env=true" in str(beside)
        backend = make(trust_env=True)
    error = failure(backend, asked)
    assert isinstance(error, TransientError)
    assert "through the proxy 127.0.0.1:9" in str(error)
    assert "lab.invalid:8000" in str(error)


def test_a_default_address_is_named_behind_a_dead_proxy(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://user:canary@127.0.0.1:9")
    monkeypatch.setenv("GROQ_API_KEY", "canary-0123456789")
    backend = make()
    where = provider(
        None if isinstance(backend, LiteLLMBackend) else "https://api.groq.com/v1",
        "groq",
        api_key_env="GROQ_API_KEY",
        known_to_litellm=True,
    )
    error = failure(make(trust_env=True) if where.api_base else backend, request(where))
    assert isinstance(error, TransientError)
    assert "api.groq.com" in str(error)
    assert "through the proxy 127.0.0.1:9: Connection refused" in str(error)
    assert "canary" not in str(error)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificate with openssl")
def test_a_certificate_that_nobody_signed_is_named(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, certificate = str(tmp_path / "key.pem"), str(tmp_path / "certificate.pem")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1"),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        asked = request(provider(f"https://127.0.0.1:{server.server_port}/v1"))
        error = failure(make(), asked)
        assert "its TLS certificate cannot be verified (self-signed certificate)" in str(error)
        assert "SSL_CERT_FILE=" in str(error)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("variable", ["OPENAI_BASE_URL", "OPENAI_API_BASE"])
def test_a_variable_that_names_another_address_is_refused_by_name(
    make: Make, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789")
    monkeypatch.setenv(variable, "http://127.0.0.1:1/v1")
    usual: dict[str, Any] = {"api_key_env": "OPENAI_API_KEY", "known_to_litellm": True}
    model = request(provider("https://api.openai.com/v1", "openai", **usual)).model
    (problem,) = make().check([model, model])
    assert variable in problem
    assert "provider.openai.api_base=" in problem
    own = request(provider("http://127.0.0.1:2/v1", "openai", **usual)).model
    assert make().check([own]) == []
    monkeypatch.setenv(variable, "https://api.openai.com/v1/")
    assert make().check([model]) == []


def test_a_key_that_can_be_none_is_refused_by_its_variables_name(
    loopback: LoopbackServer, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_API_KEY", '"canary-0123456789"')
    asked = request(provider(loopback.url, api_key_env="LAB_API_KEY"))
    (problem,) = make().check([asked.model])
    assert "LAB_API_KEY has quotation marks" in problem
    assert isinstance(failure(make(), asked), AuthError)
    assert loopback.stats()["requests"] == 0
    assert "canary" not in problem
