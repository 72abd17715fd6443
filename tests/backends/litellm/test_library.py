"""What a new version of LiteLLM changed of the private parts that ``library`` uses."""

from __future__ import annotations

import inspect
import logging
from contextvars import ContextVar
from importlib import import_module

from game_reasoning_arena.backends.litellm.library import beside, load_litellm


def test_its_mark_of_its_own_calls_is_there() -> None:
    load_litellm()
    mark = import_module("litellm._internal_context").is_internal_call
    assert isinstance(mark, ContextVar), "answers would be prepared for loggers again"


def test_its_bookkeeping_can_be_waited_for() -> None:
    worker = load_litellm().litellm_core_utils.logging_worker.GLOBAL_LOGGING_WORKER
    assert inspect.iscoroutinefunction(worker.flush)
    assert inspect.iscoroutinefunction(worker.stop)


def test_it_keeps_costs_and_models_beside_answers() -> None:
    litellm = load_litellm()
    for kind in (litellm.ModelResponse, litellm.ModelResponseStream):
        answered = kind(choices=[])
        answered._hidden_params["response_cost"] = 0.5
        assert beside(answered, "response_cost") == 0.5
        assert beside(answered, "provider_response_model") is None


def test_its_switches_and_loggers_have_their_names() -> None:
    litellm = load_litellm()
    assert litellm.suppress_debug_info is True
    for name in ("callbacks", "success_callback", "failure_callback"):
        assert isinstance(getattr(litellm, name), list)
    assert "temperature" in litellm.get_supported_openai_params(
        "gpt-4o", custom_llm_provider="openai"
    )
    assert {"LiteLLM", "LiteLLM Router"} <= logging.root.manager.loggerDict.keys()
