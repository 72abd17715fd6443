"""The engine of a model: its own entry's settings over those of ``backend.vllm``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from game_reasoning_arena.records import Model

#: Engine settings that ``backend.vllm`` takes by name; others go under ``backend.vllm.engine``.
NAMED = (
    "dtype",
    "gpu_memory_utilization",
    "tensor_parallel_size",
    "pipeline_parallel_size",
    "max_model_len",
    "quantization",
    "enforce_eager",
    "distributed_executor_backend",
    "reasoning_parser",
)

#: vLLM's default (its ``CacheConfig``, the same from 0.21 to 0.33).
DEFAULT_GPU_SHARE = 0.92


@dataclass(frozen=True, kw_only=True)
class EngineSettings:
    """Everything that decides whether two models can share an engine.

    ``arguments`` are vLLM's engine arguments by their own names; ``origin`` holds the configuration
    key of each, for error messages; ``supplied`` holds those that the machine needs and that were
    not set.
    """

    model_path: str
    tokenizer_path: str
    arguments: Mapping[str, Any]
    origin: Mapping[str, str] = field(default_factory=dict, compare=False)
    supplied: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def key(self) -> str:
        """Return a text that is equal for equal settings in any order."""
        parts = (self.model_path, self.tokenizer_path, dict(self.arguments))
        return orjson.dumps(parts, option=orjson.OPT_SORT_KEYS, default=str).decode()

    def origin_of(self, argument: str) -> str:
        """Return the configuration key to name in a message about ``argument``."""
        return self.origin.get(argument, f"backend.vllm.{argument}")


def engine_settings(
    model: Model,
    named: Mapping[str, Any],
    engine: Mapping[str, Any],
    needed: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None,
) -> EngineSettings:
    """Resolve: the model's entry > ``backend.vllm.engine`` > ``backend.vllm``'s own keys.

    Args:
        model: an entry with a ``model_path``.
        named: values of :data:`NAMED`; None is not set.
        engine: further engine arguments by vLLM's names.
        needed: returns, for the arguments that are set, the others that the machine needs.
    """
    arguments = {name: value for name, value in named.items() if value is not None}
    origin = {name: f"backend.vllm.{name}" for name in arguments}
    for source, where in (
        (engine, "backend.vllm.engine"),
        (model.engine, f"engine of {model.name}"),
    ):
        for name, value in source.items():
            arguments[name] = value
            origin[name] = f"{where}.{name}" if where.startswith("backend") else f"{where}: {name}"
    supplied = dict(needed(arguments)) if needed is not None else {}
    path = model.model_path or ""
    return EngineSettings(
        model_path=path,
        tokenizer_path=model.tokenizer_path or path,
        arguments={**arguments, **supplied},
        origin=origin,
        supplied=supplied,
    )
