"""What a new version of vLLM changed of its unstable parts that are used here. Loads no engine."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

import pytest

from game_reasoning_arena.backends.vllm import internals
from game_reasoning_arena.backends.vllm.checks import vllm_fields
from game_reasoning_arena.backends.vllm.settings import DEFAULT_GPU_SHARE
from tests.vllm.conftest import NAMED

LLM = "vllm.v1.engine.async_llm:AsyncLLM"
PARSERS = "vllm.reasoning:ReasoningParserManager"
QUESTION = "vllm.entrypoints.openai.chat_completion.protocol:ChatCompletionRequest"


def found(where: str) -> Any:
    """What stands at ``module:name.name``."""
    module, _, names = where.partition(":")
    try:
        value: Any = import_module(module)
    except ImportError as error:
        pytest.fail(f"vLLM has no module {module} any more: {error}")
    for name in names.split("."):
        if not hasattr(value, name):
            pytest.fail(f"vLLM has no {where} any more: {name} is gone")
        value = getattr(value, name)
    return value


@pytest.mark.parametrize(
    ("where", "takes"),
    [
        ("vllm.engine.arg_utils:AsyncEngineArgs", {"model", "tokenizer", "generation_config"}),
        ("vllm.engine.arg_utils:AsyncEngineArgs", {"worker_extension_cls", *NAMED}),
        (f"{LLM}.from_vllm_config", {"vllm_config", "disable_log_stats"}),
        (f"{LLM}.generate", {"prompt", "sampling_params", "request_id"}),
        (f"{LLM}.collective_rpc", {"method", "timeout"}),
        ("vllm.renderers:ChatParams", {"chat_template", "chat_template_kwargs"}),
        (
            "vllm.sampling_params:SamplingParams",
            {"max_tokens", "seed", "output_kind", "structured_outputs"},
        ),
        ("vllm.sampling_params:StructuredOutputsParams", {"choice"}),
        (f"{PARSERS}.get_reasoning_parser", {"name"}),
    ],
)
def test_takes_what_is_given(where: str, takes: set[str]) -> None:
    missing = takes - set(inspect.signature(found(where)).parameters)
    assert not missing, f"vLLM's {where} no longer takes {sorted(missing)}"


@pytest.mark.parametrize(
    "where",
    [
        f"{LLM}.errored",
        f"{LLM}.shutdown",
        f"{LLM}.reset_prefix_cache",
        f"{PARSERS}.list_registered",
        "vllm.renderers.base:BaseRenderer.render_chat_async",
        "vllm.renderers.base:BaseRenderer.get_tokenizer",
        "vllm.reasoning:ReasoningParser.is_reasoning_end",
        "vllm.reasoning:ReasoningParser.extract_reasoning",
        "vllm.sampling_params:RequestOutputKind.FINAL_ONLY",
        "vllm.v1.engine.output_processor:OutputProcessor.get_num_unfinished_requests",
        "vllm.platforms:current_platform.is_cuda",
        "vllm.utils.import_utils:import_pynvml",
    ],
)
def test_is_where_it_was(where: str) -> None:
    assert found(where) is not None


@pytest.mark.parametrize("module", internals.MODULES)
def test_modules_that_a_start_imports_are_there(module: str) -> None:
    assert import_module(module).__name__ == module


def test_a_question_for_parsers_is_taken() -> None:
    question = found(QUESTION)(messages=[{"role": "user", "content": "hi"}], model="m")
    assert question.skip_special_tokens is True


def test_errors_are_classes_of_their_own() -> None:
    kinds = (*internals.engine_errors(), *internals.client_errors())
    assert all(issubclass(kind, Exception) for kind in kinds)
    assert len(set(kinds)) == len(kinds)


def test_parsers_are_found_by_name() -> None:
    assert "deepseek_r1" in internals.reasoning_parsers()
    assert internals.reasoning_parser("deepseek_r1").__name__ == "DeepSeekR1ReasoningParser"
    with pytest.raises(KeyError):
        internals.reasoning_parser("no_such_parser")


def test_arguments_are_read_from_the_source_as_they_are() -> None:
    """Typing errors in settings are found without importing vLLM, by the names in its files."""
    from vllm.engine.arg_utils import AsyncEngineArgs

    known = vllm_fields(*internals.ENGINE_ARGUMENTS)
    assert known == set(inspect.signature(AsyncEngineArgs).parameters)
    assert vllm_fields(*internals.SAMPLING_PARAMETERS) >= {"temperature", "bad_words", "seed"}


def test_the_default_share_of_a_gpu_is_vllms() -> None:
    share = inspect.signature(found("vllm.config:CacheConfig")).parameters["gpu_memory_utilization"]
    assert share.default == DEFAULT_GPU_SHARE


def test_engine_processes_have_the_names_that_are_looked_for() -> None:
    """They are found by name among the children of this process."""
    source = inspect.getsource(import_module("vllm.v1.engine.utils"))
    coordinator = inspect.getsource(import_module("vllm.v1.engine.coordinator"))
    engine, dp = internals.PROCESS_NAMES
    assert f'"{engine}' in source
    assert f'"{dp}"' in coordinator
