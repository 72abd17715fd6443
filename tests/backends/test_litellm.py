"""What only the LiteLLM backend does: its routes, refused parameters, the library kept quiet."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import zlib

import pytest

from game_reasoning_arena.backends import litellm_backend
from game_reasoning_arena.backends.litellm.library import load_litellm
from game_reasoning_arena.backends.litellm.routes import misled, route_of
from game_reasoning_arena.backends.litellm_backend import LiteLLMBackend
from game_reasoning_arena.errors import AuthError, BadRequestError
from game_reasoning_arena.records import Model, Provider
from tests.backends.calls import answer, failure, provider, request
from tests.loopback import LoopbackServer


def known(name: str, key: str | None = "SOME_API_KEY", base: str | None = None) -> Model:
    return Model(
        name=f"litellm_{name}/m",
        backend="litellm",
        model_id="m",
        provider=Provider(name=name, api_key_env=key, api_base=base, known_to_litellm=True),
    )


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("SOME_API_KEY", "key-0123456789")
    return "key-0123456789"


def test_a_known_provider_takes_litellms_own_route(key: str) -> None:
    assert route_of(known("groq")) == {"model": "groq/m", "api_base": None, "api_key": key}


def test_openai_means_openai_whatever_the_environment_says(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://evil.invalid/v1")
    assert route_of(known("openai"))["api_base"] == "https://api.openai.com/v1"
    monkeypatch.setenv("GROQ_API_BASE", "http://evil.invalid/v1")
    assert route_of(known("groq"))["api_base"] == "https://api.groq.com/openai/v1"


def test_a_variable_that_would_lead_a_key_elsewhere_is_an_error(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://evil.invalid")
    with pytest.raises(BadRequestError, match="ANTHROPIC_BASE_URL is set"):
        route_of(known("anthropic"))
    (problem,) = LiteLLMBackend().check([known("anthropic")])
    assert "provider.anthropic.api_base" in problem
    monkeypatch.setenv("AZURE_API_BASE", "http://mine.invalid")
    monkeypatch.setenv("OLLAMA_API_BASE", "http://mine.invalid")
    assert misled(known("azure")) is None  # has no other way to be told
    assert misled(known("ollama", key=None)) is None  # there is no key to lose


def test_an_address_of_ones_own_speaks_the_openai_protocol(key: str) -> None:
    assert route_of(known("groq", base="http://127.0.0.1:1/v1")) == {
        "model": "openai/m",
        "api_base": "http://127.0.0.1:1/v1",
        "api_key": key,
    }
    keyless = route_of(known("mine", key=None, base="http://127.0.0.1:1/v1"))
    assert keyless["api_key"] == "keyless"


def test_two_credentials_for_one_request_are_refused(key: str) -> None:
    model = known("mine", base="http://me:pw@127.0.0.1:1/v1")
    (problem,) = LiteLLMBackend().check([model])
    assert "only one of them" in problem
    with pytest.raises(BadRequestError, match="only one of them"):
        route_of(model)


def test_a_missing_key_never_reaches_litellm() -> None:
    with pytest.raises(AuthError, match="SOME_API_KEY, which is not set"):
        route_of(known("groq"))


def test_reserved_names_in_extra_are_found_before_the_start(key: str) -> None:
    from dataclasses import replace

    model = replace(known("groq"), extra={"api_base": "http://x", "reasoning_effort": "low"})
    (problem,) = LiteLLMBackend().check([model])
    assert "api_base" in problem
    assert "reasoning_effort" not in problem


def test_refused_parameters_are_named(loopback: LoopbackServer) -> None:
    asked = request(provider(loopback.url), model="gpt-5-mini", top_p=0.5)
    error = failure(LiteLLMBackend(), asked)
    assert isinstance(error, BadRequestError)
    assert "top_p" in str(error)
    assert "drop_params=true" in str(error)
    assert loopback.stats()["requests"] == 0


def test_dropped_parameters_are_recorded(loopback: LoopbackServer) -> None:
    asked = request(provider(loopback.url), model="gpt-5-mini", top_p=0.5, stop=("x",))
    reply = answer(LiteLLMBackend(drop_params=True), asked)
    assert set(reply.dropped) == {"temperature", "top_p", "stop"}
    body = loopback.requests()[0]["body"]
    assert not {"temperature", "top_p", "stop"} & set(body)
    assert reply.sent["max_completion_tokens"] == 40  # renamed, so not dropped
    assert reply.sent["seed"] == 7


def test_the_seed_is_left_out_where_it_is_not_taken() -> None:
    backend = LiteLLMBackend()
    litellm = load_litellm()
    asked, dropped = backend._asked(litellm, request(provider(None)), "anthropic/claude-sonnet-4-5")
    assert "seed" not in asked
    assert dropped == ("seed",)
    asked, dropped = backend._asked(litellm, request(provider(None)), "openai/gpt-4o-mini")
    assert (asked["seed"], dropped) == (7, ())


def test_litellm_prepares_logs_only_for_those_who_listen(
    loopback: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    litellm = load_litellm()
    logged: list[str] = []

    async def noted(self: object, *_: object, **__: object) -> None:
        logged.append("call")

    logging_class = litellm.litellm_core_utils.litellm_logging.Logging
    monkeypatch.setattr(logging_class, "async_success_handler", noted)
    asked = request(provider(loopback.url))
    answer(LiteLLMBackend(), asked)
    assert logged == []
    monkeypatch.setattr(litellm, "success_callback", ["somebody"])
    answer(LiteLLMBackend(), asked)
    assert logged == ["call"]


def test_the_client_is_watched_where_latencies_would_hang_on_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for stamped, share in ((True, None), (False, 1.0)):
        monkeypatch.setattr(litellm_backend, "arrivals_are_stamped", lambda told=stamped: told)
        assert LiteLLMBackend().client_share == share
    assert LiteLLMBackend(client_share=0.5).client_share == 0.5
    with pytest.raises(ValueError, match="client_share must be auto, null or above 0, not 'often'"):
        LiteLLMBackend(client_share="often")  # type: ignore[arg-type]


def test_loading_leaves_no_trace() -> None:
    code = """
import logging, os, sys
before = dict(os.environ)
from game_reasoning_arena.backends.litellm.library import load_litellm
litellm = load_litellm()
print(dict(os.environ) == before, [logging.getLogger(n).handlers for n in ("LiteLLM",)])
# Half a second that would be in the first call's time.
print("openai.resources.chat.completions" in sys.modules)
"""
    env = {**os.environ, "HTTPS_PROXY": "http://127.0.0.1:9"}  # a fetch would fail, and say so
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True
    )
    assert (done.stdout, done.stderr) == ("True [[]]\nTrue\n", "")


def test_the_module_can_be_had_without_litellm() -> None:
    code = (
        "import sys, game_reasoning_arena.backends.litellm_backend as b\n"
        "b.LiteLLMBackend().check([])\n"
        "print('litellm' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


BLANK = b" " * (8 << 20)
RAW = zlib.compressobj(wbits=-15)


@pytest.mark.parametrize(
    ("coding", "body", "says"),
    [
        ("GZIP", gzip.compress(BLANK), "longer than 1048576 bytes"),
        ("deflate", RAW.compress(BLANK) + RAW.flush(), "longer than 1048576 bytes"),
        ("gzip, gzip", gzip.compress(gzip.compress(BLANK)), "is compressed"),
        ("br", b"\x8b", "is compressed"),
    ],
    ids=["capitals", "raw", "twice", "uncounted"],
)
def test_no_compression_passes_the_limit_of_a_body(coding: str, body: bytes, says: str) -> None:
    with LoopbackServer() as server:
        sent = {"body": body.decode("latin-1"), "headers": {"Content-Encoding": coding}}
        server.set(recorded=sent)
        backend = LiteLLMBackend(max_retries=0, most_bytes=1 << 20)
        error = failure(backend, request(provider(server.url)))
    assert says in str(error)
