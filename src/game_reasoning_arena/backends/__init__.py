"""Backends: access to language models by name.

from game_reasoning_arena.backends import initialize_llm_registry, generate_response

The backends themselves are imported on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from game_reasoning_arena.backends.base_backend import BaseLLMBackend
    from game_reasoning_arena.backends.direct_backend import DirectBackend
    from game_reasoning_arena.backends.litellm_backend import LiteLLMBackend
    from game_reasoning_arena.backends.llm_registry import (
        LLM_REGISTRY,
        close_llm_registry,
        detect_model_backend,
        extract_model_name,
        generate_response,
        get_available_models,
        get_backend_for_model,
        initialize_llm_registry,
        list_models,
    )
    from game_reasoning_arena.backends.replay_backend import ReplayBackend
    from game_reasoning_arena.backends.scripted_backend import ScriptedBackend
    from game_reasoning_arena.backends.vllm_backend import VLLMBackend

__all__ = [
    "LLM_REGISTRY",
    "BaseLLMBackend",
    "DirectBackend",
    "LiteLLMBackend",
    "ReplayBackend",
    "ScriptedBackend",
    "VLLMBackend",
    "close_llm_registry",
    "detect_model_backend",
    "extract_model_name",
    "generate_response",
    "get_available_models",
    "get_backend_for_model",
    "initialize_llm_registry",
    "list_models",
]

_CLASSES = {
    "BaseLLMBackend": "base_backend",
    "DirectBackend": "direct_backend",
    "LiteLLMBackend": "litellm_backend",
    "ReplayBackend": "replay_backend",
    "ScriptedBackend": "scripted_backend",
    "VLLMBackend": "vllm_backend",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_CLASSES.get(name, 'llm_registry')}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
