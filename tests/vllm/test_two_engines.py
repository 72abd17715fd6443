"""A second engine beside the first: two models in one run, reasoning, a start that fails, a death.

The tests stand in the order of an engine's life, so that the loads of the session serve them all.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from game_reasoning_arena.backends.vllm import engine as vllm_engine
from game_reasoning_arena.backends.vllm import guard as vllm_guard
from game_reasoning_arena.backends.vllm import internals
from game_reasoning_arena.backends.vllm_backend import VLLMBackend
from game_reasoning_arena.errors import EngineDeadError, UserError
from game_reasoning_arena.records import Constraint, Model, Request, Sampling
from tests.vllm.conftest import BRIEFLY, END, ENGINE, NAMED, NO_MARKS, gather, never_ending

Ask = Callable[..., Request]
Play = Callable[..., Any]


def test_two_models_have_an_engine_each(
    both: tuple[VLLMBackend, Model, Model], ask: Ask, play: Play
) -> None:
    backend, model, thinker = both
    contexts = {e.settings.model_path: e.context for e in vllm_engine.loaded_engines()}
    assert contexts == {model.model_path: 1024, thinker.model_path: 2048}
    replies = play(gather(backend, [ask("hi", model=model), ask("hi", model=thinker)]))
    assert [reply.served_model for reply in replies] == [model.model_path, thinker.model_path]


def test_a_failed_start_tells_why_and_harms_no_other_engine(
    both: tuple[VLLMBackend, Model, Model], play: Play
) -> None:
    """In the words of the engine's log; an engine in use makes no room for another."""
    _, model, _ = both
    cramped = replace(model, name="vllm_cramped", engine={"kv_cache_memory_bytes": 1024})
    job = VLLMBackend(**NAMED, engine=ENGINE)
    assert job.check([cramped]) == []
    before = vllm_engine.load_count()
    with pytest.raises(EngineDeadError) as told:
        play(job.start([cramped]))
    said, _, log = str(told.value).partition("Its log: ")
    assert "did not start: ValueError: " in said
    assert "cache" in said.lower()
    assert "Traceback" in Path(log).read_text()
    assert vllm_engine.load_count() == before
    assert len(vllm_engine.loaded_engines()) == 2
    play(job.aclose())


def test_settings_that_vllm_refuses_are_the_users(
    both: tuple[VLLMBackend, Model, Model], play: Play
) -> None:
    _, model, thinker = both
    odd = VLLMBackend(**{**NAMED, "dtype": "float17"}, engine=ENGINE)
    with pytest.raises(UserError, match=r"vLLM refuses the settings of .*dtype"):
        play(odd.start([model]))
    unknown = replace(thinker, name="vllm_other", engine={"reasoning_parser": "deepseek_r"})
    with pytest.raises(
        UserError, match=r"no reasoning parser 'deepseek_r'\. Did you mean 'deepseek"
    ):
        play(odd.start([unknown]))


def test_thinking_is_split_off(
    both: tuple[VLLMBackend, Model, Model], ask: Ask, play: Play
) -> None:
    backend, _, thinker = both
    sampling = Sampling(max_tokens=100, temperature=1.0)
    brief = never_ending(replace(thinker, extra={"logit_bias": {str(END): 2.0}}))
    asked = [ask("hi", seed=seed, sampling=sampling, model=brief) for seed in range(8)]
    # Noise may stop thinking at once, or never.
    reply = next(r for r in play(gather(backend, asked)) if r.reasoning and r.text)
    assert "</think>" not in reply.reasoning
    endless = never_ending(replace(thinker, extra={"bad_words": ["</think>"]}))
    lost = play(backend.complete(ask("hi", seed=1, sampling=sampling, model=endless)))
    assert lost.text == ""  # all of max_tokens went into thinking
    assert lost.reasoning
    assert lost.finish_reason == "length"


def test_the_constraint_holds_for_the_answer_and_not_for_the_thinking(
    both: tuple[VLLMBackend, Model, Model], ask: Ask, play: Play
) -> None:
    backend, _, thinker = both
    choices = Constraint(choices=("Final Answer: 1", "Final Answer: 2"))
    sampling = Sampling(max_tokens=400, temperature=1.0)
    brief = replace(thinker, extra=BRIEFLY)
    requests = [
        ask("hi", seed=i, sampling=sampling, model=brief, constraint=choices) for i in range(4)
    ]
    replies = play(gather(backend, requests))
    for reply in replies:
        assert reply.text.strip() in choices.choices
        assert reply.reasoning is None or "Final" not in reply.reasoning
    assert any(reply.reasoning for reply in replies)


def test_thinking_that_the_template_closes_is_none(
    both: tuple[VLLMBackend, Model, Model], ask: Ask, play: Play
) -> None:
    backend, _, thinker = both
    no_thinking = {"chat_template_kwargs": {"enable_thinking": False}}
    closed = replace(thinker, extra={**no_thinking, **NO_MARKS})
    reply = play(backend.complete(ask("hi", seed=1, model=never_ending(closed))))
    assert reply.text
    assert reply.reasoning is None


def test_an_engine_that_dies_tells_all_who_wait(
    both: tuple[VLLMBackend, Model, Model], ask: Ask, play: Play
) -> None:
    backend, model, thinker = both
    [engine] = [
        e for e in vllm_engine.loaded_engines() if e.settings.model_path == thinker.model_path
    ]
    [process] = engine.processes
    sampling = Sampling(max_tokens=400, temperature=1.0)
    request = ask("hi", sampling=sampling, model=never_ending(thinker))

    async def kill() -> list[BaseException | Any]:
        waiting = [asyncio.ensure_future(backend.complete(request)) for _ in range(4)]
        while internals.unfinished(engine.llm) < len(waiting):  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        return await asyncio.gather(*waiting, return_exceptions=True)

    for error in play(kill()):
        assert isinstance(error, EngineDeadError)
        assert "died: ended by SIGKILL" in str(error)
        assert error.retries == 0
        assert str(engine.log) in str(error)
    with pytest.raises(EngineDeadError):
        play(backend.complete(request))
    assert play(backend.complete(ask("hi", model=model))).completion_tokens  # the other one lives


def test_shutdown_leaves_no_process(both: tuple[VLLMBackend, Model, Model], play: Play) -> None:
    processes = [p.pid for e in vllm_engine.loaded_engines() for p in e.processes if p.pid]
    assert processes
    play(vllm_engine.shutdown_engines())
    assert [vllm_guard.start_time(pid) for pid in processes] == [""] * len(processes)
    assert vllm_engine.loaded_engines() == []
