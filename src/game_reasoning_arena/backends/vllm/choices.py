"""The choices of a loaded engine: device, attention, sampler, graphs, cache.

The engine's workers decide which kernels serve a model, by the GPU, the installed packages and the
model's own shapes; the configuration does not hold them. So the workers are asked, through a class
that vLLM mixes into them (its ``worker_extension_cls``). They import this module, which imports
nothing of vLLM or torch by itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from game_reasoning_arena.backends.vllm import internals

log = logging.getLogger(__name__)

#: Seconds for the workers to answer; they have nothing else to do yet.
_ANSWER_S = 60.0


class AskedWorker:
    """Mixed into vLLM's workers, whose attributes are read here."""

    def arena_choices(self) -> dict[str, Any]:
        """Return this worker's choices; None for unknown ones."""
        runner = getattr(self, "model_runner", None)
        compiled: Any = getattr(getattr(self, "vllm_config", None), "compilation_config", None)
        return {
            "device": _known(lambda: internals.device_name(self)),
            "driver": _known(internals.driver_version),
            "attention": _known(lambda: _joined(internals.attention_backends(compiled))),
            "sampler": _known(lambda: internals.sampler_name(runner)),
            "runner": _known(lambda: internals.runner_version(runner)),
            "graphs": _known(lambda: compiled.cudagraph_mode.name),
            "compilation": _known(lambda: compiled.mode.name),
        }


#: Value of vLLM's ``worker_extension_cls``.
EXTENSION = f"{AskedWorker.__module__}.{AskedWorker.__qualname__}"


async def ask_choices(llm: Any) -> dict[str, Any]:
    """Return an engine's choices by name; None for unknown ones.

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
    except Exception as error:  # any error of a worker; the engine can still answer
        log.warning("The engine does not report its choices: %s: %s", type(error).__name__, error)
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
    """Return a value, or None if this version of vLLM has it elsewhere or not at all."""
    try:
        return find()
    except Exception:  # vLLM, torch and the driver raise errors of their own
        return None


def _joined(names: Any) -> str | None:
    return ", ".join(sorted({name for name in names if name})) or None
