"""The unstable parts of vLLM that are used here, and nowhere else.

vLLM keeps only its engine arguments and sampling parameters stable between versions. All other
names are imported, called or read here; tests/vllm/test_internals.py shows what a version changed.
vLLM is imported only when a function is called, as that takes seconds.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Mapping, Sequence
from importlib import import_module
from typing import Any

#: Modules that an engine needs, imported one after the other: each takes some seconds.
MODULES = ("torch", "vllm.engine.arg_utils", "vllm.v1.engine.async_llm")

#: Files of vLLM's own source whose fields are read without importing them, and their classes.
ENGINE_ARGUMENTS = ("engine/arg_utils.py", ("EngineArgs", "AsyncEngineArgs"))
SAMPLING_PARAMETERS = ("sampling_params.py", ("SamplingParams",))

#: Names of an engine's processes, and of those that coordinate several (``data_parallel_size``).
PROCESS_NAMES = ("EngineCore", "VLLM_DP_Coordinator")

#: The sampler of vLLM's first model runner, by what it samples with. With FlashInfer, requests with
#: a seed (all requests of a run) are still sampled by PyTorch.
_SAMPLERS = {
    "forward_cuda": "FlashInfer; PyTorch for requests with a seed",
    "forward_native": "PyTorch",
    "forward_cpu": "PyTorch",
    "forward_hip": "aiter",
    "forward_xpu": "XPU kernels",
}


# Life of an engine.


def engine_config(arguments: Mapping[str, Any]) -> Any:
    """Return vLLM's configuration of an engine.

    Raises:
        ValueError, TypeError, NotImplementedError, OSError: vLLM refuses the arguments.
    """
    from vllm.engine.arg_utils import AsyncEngineArgs

    return AsyncEngineArgs(**arguments).create_engine_config()


def start_engine(config: Any) -> Any:
    """Start an engine and return its AsyncLLM; takes from seconds to many minutes."""
    from vllm.v1.engine.async_llm import AsyncLLM

    # The engine's own metrics are the source of all times in the records.
    return AsyncLLM.from_vllm_config(config, disable_log_stats=False)


def shut_down(llm: Any, timeout_s: float) -> None:
    """Ask an engine to shut down; newer versions accept a time limit."""
    if "timeout" in inspect.signature(llm.shutdown).parameters:
        llm.shutdown(timeout=timeout_s)
    else:
        llm.shutdown()


def disarm(llm: Any) -> None:
    """Keep a stopped engine's finalizer from stopping it again.

    It would fail while the interpreter exits.
    """
    llm.shutdown = _nothing


def _nothing() -> None:
    """Do nothing: the engine is already stopped."""


# Requests.


async def render(
    llm: Any, messages: Sequence[Mapping[str, Any]], template: str | None, values: Mapping[str, Any]
) -> Any:
    """Return messages as an engine's input, by a chat template (None: the model's own)."""
    from vllm.renderers import ChatParams

    parameters = ChatParams(chat_template=template, chat_template_kwargs=dict(values))
    conversation = [dict(message) for message in messages]
    _, prompts = await llm.renderer.render_chat_async([conversation], parameters)
    return prompts[0]


def sampling_parameters(given: Mapping[str, Any], choices: Sequence[str] | None) -> Any:
    """Return vLLM's sampling parameters for one answer that comes as a whole at its end.

    Args:
        given: by vLLM's own names.
        choices: the only possible answers; None for no constraint.

    Raises:
        One of :func:`client_errors`: vLLM refuses them.
    """
    from vllm.sampling_params import RequestOutputKind, SamplingParams, StructuredOutputsParams

    more = {}
    if choices is not None:
        more["structured_outputs"] = StructuredOutputsParams(choice=list(choices))
    return SamplingParams(output_kind=RequestOutputKind.FINAL_ONLY, **given, **more)


def generate(
    llm: Any, prompt: Any, sampling: Any, number: str, values: Mapping[str, Any] | None
) -> AsyncGenerator[Any, None]:
    """Return the outputs of a request as they come.

    Args:
        llm: vLLM's AsyncLLM.
        prompt: from :func:`render`.
        sampling: from :func:`sampling_parameters`.
        number: names the request.
        values: variables of the rendered template, for the engine's reasoning parser; None
        where there is none. Newer versions need them.
    """
    more: dict[str, Any] = {}
    if (
        values is not None
        and "reasoning_parser_kwargs" in inspect.signature(llm.generate).parameters
    ):
        more["reasoning_parser_kwargs"] = {"chat_template_kwargs": dict(values)}
    outputs: AsyncGenerator[Any, None] = llm.generate(prompt, sampling, request_id=number, **more)
    return outputs


def unfinished(llm: Any) -> int:
    """Return how many requests an engine has not answered yet."""
    return int(llm.output_processor.get_num_unfinished_requests())


def client_errors() -> tuple[type[Exception], ...]:
    """Return the exceptions of this version for requests that cannot be served."""
    import jinja2
    from vllm import exceptions

    newer = getattr(exceptions, "VLLMClientError", None)
    known: list[type[Exception]] = [ValueError, TypeError, jinja2.TemplateError]
    return (*known, newer) if newer is not None else tuple(known)


def engine_errors() -> tuple[type[Exception], type[Exception]]:
    """Return the exceptions for an engine that died, and for one that failed at one request."""
    from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

    return EngineDeadError, EngineGenerateError


# Thinking.


def reasoning_parsers() -> list[str]:
    """Return the names of vLLM's reasoning parsers."""
    from vllm.reasoning import ReasoningParserManager

    return list(ReasoningParserManager.list_registered())


def reasoning_parser(name: str) -> Any:
    """Return the class of a reasoning parser.

    Raises:
        KeyError: there is none of that name.
    """
    from vllm.reasoning import ReasoningParserManager

    return ReasoningParserManager.get_reasoning_parser(name)


def parser_for(
    parser_class: Any,
    llm: Any,
    messages: Sequence[Mapping[str, Any]],
    model_id: str,
    values: Mapping[str, Any],
) -> tuple[Any, Any]:
    """Return a reasoning parser for one request, and the request in the form that parsers want.

    Args:
        parser_class: from :func:`reasoning_parser`.
        llm: vLLM's AsyncLLM.
        messages: of the request.
        model_id: of the request.
        values: variables of the rendered template.
    """
    from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest

    parser = parser_class(llm.renderer.get_tokenizer(), chat_template_kwargs=dict(values))
    question = ChatCompletionRequest(messages=[dict(m) for m in messages], model=model_id)
    adjust = getattr(parser, "adjust_request", None)
    return parser, (adjust(question) if adjust else question)


# Inside a worker, which has the attributes that are read here.


def device_name(worker: Any) -> str:
    """Return the name of a worker's device, CPU for a processor."""
    device = worker.device
    if device.type == "cuda":  # ROCm's devices are of this type, too
        return str(import_module("torch").cuda.get_device_name(device))
    return str(device.type).upper() if device.type == "cpu" else str(device.type)


def driver_version() -> str | None:
    """Return the version of the NVIDIA driver, None where none is used."""
    from vllm.platforms import current_platform

    if not current_platform.is_cuda():
        return None
    from vllm.utils.import_utils import import_pynvml

    nvml = import_pynvml()
    nvml.nvmlInit()
    version = nvml.nvmlSystemGetDriverVersion()
    return version.decode() if isinstance(version, bytes) else str(version)


def attention_backends(compilation: Any) -> set[str]:
    """Return the backends of all layers that attend, such as ``FLASH_ATTN 3`` with its version."""
    layers: Mapping[str, Any] = compilation.static_forward_context
    found = set()
    for layer in layers.values():
        chosen = getattr(layer, "get_attn_backend", None)
        if chosen is not None:
            version = getattr(getattr(layer, "impl", None), "vllm_flash_attn_version", None)
            name = str(chosen().get_name())
            found.add(f"{name} {version}" if version else name)
    return found


def sampler_name(runner: Any) -> str:
    """Return what a model runner samples with."""
    sampler = runner.sampler
    inner = getattr(sampler, "topk_topp_sampler", None)
    if inner is not None:
        name = str(inner.forward.__name__)
        return _SAMPLERS.get(name, name)
    flashinfer = getattr(sampler, "use_flashinfer", None)
    if flashinfer is None:
        return type(sampler).__name__
    return "FlashInfer; Triton for requests with a seed" if flashinfer else "Triton"


def runner_version(runner: Any) -> str:
    """Return ``V2`` for vLLM's newer model runner, which samples and batches by its own kernels."""
    module = type(runner).__module__
    return "V2" if ".worker.gpu." in module or ".worker.cpu." in module else "V1"
