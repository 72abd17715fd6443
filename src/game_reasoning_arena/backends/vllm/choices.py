"""What a loaded engine chose by itself: device, attention, sampler, graphs, cache.

Which kernels serve a model is decided inside the engine's workers, by the GPU, the packages that
are found there and the model's own shapes, and stands nowhere in the configuration. So the workers
are asked, through a class that vLLM mixes into them (its ``worker_extension_cls``). This module is
imported by them, and imports nothing of vLLM or torch by itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

log = logging.getLogger(__name__)

#: Seconds that the workers get to answer; they have nothing else to do yet.
_ANSWER_S = 60.0

#: How the sampler of vLLM's first model runner is called by what it samples with. With FlashInfer,
#: requests that have a seed, as all of a run have, are still sampled by PyTorch.
_SAMPLERS = {
    "forward_cuda": "FlashInfer; PyTorch for requests with a seed",
    "forward_native": "PyTorch",
    "forward_cpu": "PyTorch",
    "forward_hip": "aiter",
    "forward_xpu": "XPU kernels",
}


class AskedWorker:
    """Mixed into vLLM's workers, which have the attributes that are read here."""

    def arena_choices(self) -> dict[str, Any]:
        """Return what this worker runs with; None under a key is not known."""
        runner = getattr(self, "model_runner", None)
        compiled: Any = getattr(getattr(self, "vllm_config", None), "compilation_config", None)
        return {
            "device": _known(lambda: _device_name(self)),
            "driver": _known(_driver),
            "attention": _known(lambda: _attention(compiled)),
            "sampler": _known(lambda: _sampler(runner)),
            "runner": _known(lambda: _runner(runner)),
            "graphs": _known(lambda: compiled.cudagraph_mode.name),
            "compilation": _known(lambda: compiled.mode.name),
        }


#: What vLLM is given as ``worker_extension_cls``.
EXTENSION = f"{AskedWorker.__module__}.{AskedWorker.__qualname__}"


async def ask_choices(llm: Any) -> dict[str, Any]:
    """Return what an engine chose, by what was chosen; None is not known.

    ``device`` and ``driver`` (None on a CPU), ``devices`` (how many), ``attention``, ``sampler``,
    ``runner``, ``graphs`` and ``compilation`` (vLLM's own names, NONE for none), ``dtype``,
    ``kv_cache_dtype``, ``prefix_caching``, ``block_size`` (tokens), ``kv_blocks`` (blocks of the
    cache), ``context`` (tokens).

    Args:
        llm: vLLM's AsyncLLM, on its own event loop.
    """
    workers: list[dict[str, Any]] = []
    try:
        workers = await llm.collective_rpc("arena_choices", timeout=_ANSWER_S)
    except Exception as error:  # an engine that cannot tell what it chose can still answer
        log.warning("The engine does not tell what it chose: %s: %s", type(error).__name__, error)
    first = workers[0] if workers else {}
    config = llm.vllm_config
    return {
        "device": _joined(worker["device"] for worker in workers),
        "devices": len(workers) or None,
        **{
            name: first.get(name)
            for name in ("driver", "attention", "sampler", "runner", "graphs", "compilation")
        },
        "dtype": _known(lambda: str(config.model_config.dtype).removeprefix("torch.")),
        "kv_cache_dtype": _known(lambda: str(config.cache_config.cache_dtype)),
        "prefix_caching": _known(lambda: bool(config.cache_config.enable_prefix_caching)),
        "block_size": _known(lambda: int(config.cache_config.block_size)),
        "kv_blocks": _known(lambda: int(config.cache_config.num_gpu_blocks)),
        "context": _known(lambda: int(config.model_config.max_model_len)),
    }


def _known(find: Callable[[], Any]) -> Any:
    """What is found, None where this version of vLLM has it elsewhere or not at all."""
    try:
        return find()
    except Exception:
        return None


def _joined(names: Any) -> str | None:
    return ", ".join(sorted({name for name in names if name})) or None


def _device_name(worker: Any) -> str:
    device = worker.device
    if device.type == "cuda":  # ROCm's devices are of this type, too
        import torch

        return str(torch.cuda.get_device_name(device))
    return str(device.type).upper() if device.type == "cpu" else str(device.type)


def _driver() -> str | None:
    from vllm.platforms import current_platform

    if not current_platform.is_cuda():
        return None
    from vllm.utils.import_utils import import_pynvml

    nvml = import_pynvml()
    nvml.nvmlInit()
    version = nvml.nvmlSystemGetDriverVersion()
    return version.decode() if isinstance(version, bytes) else str(version)


def _attention(compiled: Any) -> str | None:
    """The backends of all layers that attend, such as ``FLASH_ATTN 3`` with its version."""
    layers: Mapping[str, Any] = compiled.static_forward_context
    found = set()
    for layer in layers.values():
        chosen = getattr(layer, "get_attn_backend", None)
        if chosen is not None:
            version = getattr(getattr(layer, "impl", None), "vllm_flash_attn_version", None)
            name = str(chosen().get_name())
            found.add(f"{name} {version}" if version else name)
    return _joined(found)


def _sampler(runner: Any) -> str | None:
    sampler = runner.sampler
    inner = getattr(sampler, "topk_topp_sampler", None)
    if inner is not None:
        name = str(inner.forward.__name__)
        return _SAMPLERS.get(name, name)
    flashinfer = getattr(sampler, "use_flashinfer", None)
    if flashinfer is None:
        return type(sampler).__name__
    return "FlashInfer; Triton for requests with a seed" if flashinfer else "Triton"


def _runner(runner: Any) -> str:
    """``V2`` for vLLM's newer model runner, which samples and batches by kernels of its own."""
    module = type(runner).__module__
    return "V2" if ".worker.gpu." in module or ".worker.cpu." in module else "V1"
