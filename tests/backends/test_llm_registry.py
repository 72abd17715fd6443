"""The library face: from a script, a notebook, threads; and what a provider's server receives."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from game_reasoning_arena import backends
from game_reasoning_arena.backends import (
    LLM_REGISTRY,
    BaseLLMBackend,
    close_llm_registry,
    detect_model_backend,
    extract_model_name,
    generate_response,
    get_available_models,
    get_backend_for_model,
    initialize_llm_registry,
    list_models,
)
from game_reasoning_arena.backends.backend_config import BackendConfig, config
from game_reasoning_arena.backends.background_loop import BackgroundLoop
from game_reasoning_arena.errors import AuthError, ConfigProblems, UserError
from tests.backends.calls import request
from tests.loopback import LoopbackServer

CANARY = "sk-canary-openai-0123456789"


@pytest.fixture(autouse=True)
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(config, "_added", {})
    monkeypatch.setattr(config, "_catalog", None)
    yield
    close_llm_registry()


def test_the_documented_names_are_there_and_sorted() -> None:
    assert {
        "initialize_llm_registry",
        "generate_response",
        "get_available_models",
        "get_backend_for_model",
        "detect_model_backend",
        "extract_model_name",
        "list_models",
        "LLM_REGISTRY",
        "BaseLLMBackend",
        "LiteLLMBackend",
        "VLLMBackend",
    } <= set(backends.__all__)
    assert backends.__all__ == sorted(
        backends.__all__, key=lambda n: (not n.isupper(), n[0].islower(), n)
    )
    for name in backends.__all__:
        assert getattr(backends, name) is not None
    assert set(backends.__all__) <= set(dir(backends))
    with pytest.raises(AttributeError, match="NoSuchBackend"):
        _ = backends.NoSuchBackend


def test_importing_the_package_imports_no_library_of_models() -> None:
    script = (
        "import sys\n"
        "from game_reasoning_arena.backends import generate_response, VLLMBackend\n"
        "generate_response('scripted_random', 'Hello')\n"
        "heavy = {'litellm', 'vllm', 'torch', 'ray', 'pandas', 'pyspiel'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_models_are_listed() -> None:
    initialize_llm_registry()
    models = get_available_models()
    assert models == sorted(LLM_REGISTRY)
    assert {"litellm_gpt-4", "litellm_groq/openai/gpt-oss-20b", "scripted_random"} <= set(models)
    assert LLM_REGISTRY["litellm_groq/openai/gpt-oss-20b"] == {
        "backend": "litellm",
        "provider": "groq",
        "description": "",
    }
    assert list_models("GROQ/llama") == [name for name in models if "groq/llama" in name]
    assert all(name.startswith("scripted") for name in list_models(backend="scripted"))


def test_names_are_taken_apart() -> None:
    assert detect_model_backend("litellm_gpt-4") == "litellm"
    assert detect_model_backend("vllm_Qwen2-7B-Instruct") == "vllm"
    assert extract_model_name("litellm_groq/llama3-8b-8192") == "groq/llama3-8b-8192"
    assert extract_model_name("vllm_Qwen2-7B-Instruct") == "Qwen2-7B-Instruct"
    with pytest.raises(UserError, match="litellm_gpt-4"):
        detect_model_backend("gpt-4")


def test_a_backend_of_ones_own_answers_on_ones_own_loop() -> None:
    async def ask() -> str:
        async with get_backend_for_model("scripted_first") as backend:
            assert isinstance(backend, BaseLLMBackend)
            asked = request(None, backend="scripted", model="first")
            return (await backend.complete(asked)).text

    assert "stand-in" in asyncio.run(ask())


def test_a_custom_provider_gets_its_key_its_model_and_nothing_of_others(
    loopback: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    monkeypatch.setenv("CUSTOM_AI_API_KEY", "custom-secret-0123456789")
    initialize_llm_registry()
    config.add_provider(
        provider_name="custom_ai",
        api_key_env="CUSTOM_AI_API_KEY",
        description="Custom AI Provider",
        api_base=loopback.url,
    )
    config.add_provider("keyless_ai", None, api_base=loopback.url)
    assert config.get_api_key("custom_ai") == "custom-secret-0123456789"
    assert config.get_api_key("keyless_ai") is None
    assert {"custom_ai", "keyless_ai", "openai", "groq"} <= set(config.get_supported_providers())
    loopback.set(answer={"text": "hello"})
    for backend in ("litellm", "direct"):
        for provider in ("custom_ai", "keyless_ai"):
            loopback.reset()
            answer = generate_response(
                model_name=f"{backend}_{provider}/org/some-model",
                prompt="Hello, world!",
                max_tokens=50,
                temperature=0.1,
            )
            assert answer == "hello"
            (seen,) = loopback.requests()
            assert seen["body"]["model"] == "org/some-model"
            assert seen["body"]["messages"] == [{"role": "user", "content": "Hello, world!"}]
            assert (seen["body"]["max_tokens"], seen["body"]["temperature"]) == (50, 0.1)
            sent = {name.lower(): value for name, value in seen["headers"].items()}
            if provider == "custom_ai":
                assert sent["authorization"] == "Bearer custom-secret-0123456789"
            assert CANARY not in str(seen)


def test_another_providers_address_is_not_used(
    loopback: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LoopbackServer(answer={"text": "wrong server"}) as other:
        monkeypatch.setenv("OPENAI_BASE_URL", other.url)
        monkeypatch.setenv("OPENAI_API_BASE", other.url)
        monkeypatch.setenv("OPENAI_API_KEY", CANARY)
        loopback.set(answer={"text": "right server"})
        config.add_provider("lab", None, api_base=loopback.url)
        for backend in ("litellm", "direct"):
            assert generate_response(f"{backend}_lab/m", "Hello") == "right server"
        assert other.requests() == []


def test_threads_and_a_running_loop_share_the_backends(loopback: LoopbackServer) -> None:
    loopback.set(answer="echo", latency=0.05)
    config.add_provider("lab", None, api_base=loopback.url)
    initialize_llm_registry()

    def ask(number: int) -> str:
        return generate_response("direct_lab/m", f"question {number}")

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, range(32)))
    assert all(f"question {number}" in answer for number, answer in enumerate(answers))

    async def notebook() -> str:
        return ask(99)

    assert "question 99" in asyncio.run(notebook())
    names = [thread.name for thread in threading.enumerate()]
    assert names.count("arena-backends") == 1
    close_llm_registry()
    assert "arena-backends" not in [thread.name for thread in threading.enumerate()]
    assert "question 1" in ask(1)


def test_sampling_is_call_then_entry_then_environment_then_defaults(
    loopback: LoopbackServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    listed = tmp_path / "models.json"
    listed.write_text(
        '{"models": [{"name": "direct_lab/warm", "sampling": {"temperature": 1.5}}],'
        f' "providers": {{"lab": {{"api_base": "{loopback.url}"}}}}}}'
    )
    initialize_llm_registry([listed])

    def sent(model: str, **said: float) -> tuple[int, float]:
        loopback.reset()
        generate_response(model, "Hello", **said)  # type: ignore[arg-type]
        (seen,) = loopback.requests()
        return seen["body"]["max_tokens"], seen["body"]["temperature"]

    assert sent("direct_lab/m") == (250, 0.1)
    monkeypatch.setenv("MAX_TOKENS", "77")
    monkeypatch.setenv("TEMPERATURE", "0.7")
    assert sent("direct_lab/m") == (77, 0.7)
    assert sent("direct_lab/warm") == (77, 1.5)
    assert sent("direct_lab/warm", temperature=0, max_tokens=3) == (3, 0)


def test_mistakes_are_the_users(monkeypatch: pytest.MonkeyPatch, loopback: LoopbackServer) -> None:
    with pytest.raises(ConfigProblems, match="OPENAI_API_KEY"):
        generate_response("litellm_gpt-4", "Hello")
    with pytest.raises(UserError, match=r"temperature is 3.*0 to 2"):
        generate_response("scripted_first", "Hello", temperature=3)
    with pytest.raises(UserError, match="not listed"):
        generate_response("vllm_absent", "Hello")
    with pytest.raises(UserError, match="The provider 'lib' is not known"):
        config.get_api_key("lib")
    with pytest.raises(ConfigProblems, match="no variable name"):
        config.add_provider("a", "sk-canary-1")
    with pytest.raises(ConfigProblems, match="http"):
        config.add_provider("a", None, api_base="localhost")
    loopback.set(faults=[{"status": 401}])
    config.add_provider("lab", None, api_base=loopback.url)
    with pytest.raises(AuthError):
        generate_response("direct_lab/m", "Hello")
    monkeypatch.setenv("MAX_TOKENS", "abc")
    with pytest.raises(ConfigProblems, match="MAX_TOKENS is 'abc'"):
        generate_response("scripted_first", "Hello")


def test_dotenv_is_read_and_the_real_environment_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GROQ_API_KEY", "from-the-environment")
    monkeypatch.setenv("XAI_API_KEY", "placeholder")
    monkeypatch.delenv("XAI_API_KEY")  # so that it is taken back after the test
    (tmp_path / ".env").write_text("GROQ_API_KEY=from-the-file\nXAI_API_KEY=from-the-file\n")
    initialize_llm_registry()
    assert config.get_api_key("groq") == "from-the-environment"
    assert config.get_api_key("xai") == "from-the-file"
    monkeypatch.delenv("XAI_API_KEY")


def test_a_broken_list_leaves_the_old_registry(tmp_path: Path) -> None:
    initialize_llm_registry()
    before = dict(LLM_REGISTRY)
    (tmp_path / "bad.yaml").write_text("models: [gpt]\n")
    with pytest.raises(ConfigProblems, match=r"bad.yaml:1"):
        initialize_llm_registry([tmp_path / "bad.yaml"])
    assert before == LLM_REGISTRY
    assert "stand-in" in generate_response("scripted_first", "Hello")


def test_added_providers_survive_reading_anew() -> None:
    mine = BackendConfig()
    mine.add_provider("lab", "LAB_KEY", "Lab", api_base="http://127.0.0.1:1/v1")
    mine.load()
    assert mine.catalog.provider("lab").api_key_env == "LAB_KEY"


def test_the_loop_refuses_to_wait_for_itself() -> None:
    loop = BackgroundLoop()

    async def inner() -> None:
        return None

    async def outer() -> None:
        loop.run(inner())

    with pytest.raises(RuntimeError, match="await"):
        loop.run(outer())
    loop.close()


def test_the_example_runs_without_a_key(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "game_reasoning_arena.backends.example"],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Final Answer: o(") == 2
    assert "litellm_groq/openai/gpt-oss-20b: not asked; set GROQ_API_KEY" in done.stdout
    done = subprocess.run(
        [sys.executable, "-m", "game_reasoning_arena.backends.example", "nonsense"],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 1
    assert "begins with no backend's prefix" in done.stdout
