"""The real engine: batching, prefix cache, seeds, sampling, limits, sharing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from game_reasoning_arena.backends.vllm import engine as vllm_engine
from game_reasoning_arena.backends.vllm import internals
from game_reasoning_arena.backends.vllm_backend import VLLMBackend
from game_reasoning_arena.errors import BadRequestError, ContextOverflowError, UserError
from game_reasoning_arena.records import Model, Request, Sampling
from tests.vllm.conftest import ENGINE, NAMED, block_of, gather, never_ending
from tests.vllm.device import ON_CPU, WORK

Ask = Callable[..., Request]
Play = Callable[..., Any]


def unfinished(backend: VLLMBackend) -> int:
    [engine] = (e for e in vllm_engine.loaded_engines() if e.context == NAMED["max_model_len"])
    return internals.unfinished(engine.llm)


def test_waiting_requests_are_in_the_engine_together(
    backend: VLLMBackend, ask: Ask, play: Play, model: Model
) -> None:
    """A request never waits here for another one: all are the engine's to batch."""
    tokens = 64 * WORK  # so that the first is not done before the last has come
    sampling = Sampling(max_tokens=tokens, temperature=1.0)
    requests = [
        ask(f"question {i}", seed=i, sampling=sampling, model=never_ending(model))
        for i in range(32)
    ]

    async def watch() -> int:
        answers = asyncio.ensure_future(gather(backend, requests))
        most = 0
        while not answers.done():
            most = max(most, unfinished(backend))
            await asyncio.sleep(0)
        assert [reply.completion_tokens for reply in await answers] == [tokens] * 32
        return most

    assert play(watch()) == 32


def test_histories_are_read_from_the_cache(
    backend: VLLMBackend, ask: Ask, play: Play, model: Model
) -> None:
    """An append-only history is computed once; the records show it."""
    opening = "the rules of a game " * 15
    block = block_of(model)

    async def game() -> list[tuple[int, int]]:
        said = [opening]
        seen = []
        for turn in range(3):
            reply = await backend.complete(ask(*said, seed=turn))
            assert reply.prompt_tokens is not None
            assert reply.cached_tokens is not None
            seen.append((reply.prompt_tokens, reply.cached_tokens))
            said += ["my move " * 16, f"state {turn} " * 10]
        return seen

    (first, cold), (second, warm), (third, warmer) = play(game())
    assert first < second < third
    assert cold == 0
    assert warm == first // block * block > 0
    assert warmer == second // block * block > warm

    changed = play(backend.complete(ask("turn 4 of " + opening)))
    assert changed.cached_tokens == 0  # what changes at the front leaves nothing to reuse


def test_the_seed_decides(backend: VLLMBackend, ask: Ask, play: Play) -> None:
    """One after the other, for a GPU's sums depend on what else is in the batch."""
    first, again, other = (play(backend.complete(ask("hello", seed=s))) for s in (5, 5, 6))
    assert first.text == again.text != other.text
    assert first.sent == {"max_tokens": 16, "temperature": 1.0, "seed": 5}


def test_sampling_reaches_the_engine(
    backend: VLLMBackend, ask: Ask, play: Play, model: Model
) -> None:
    greedy = play(backend.complete(ask("hello", sampling=Sampling(max_tokens=8, temperature=0.0))))
    one = Sampling(max_tokens=8, temperature=1.0, top_k=1)
    assert play(backend.complete(ask("hello", sampling=one))).text == greedy.text
    little = Sampling(max_tokens=8, temperature=1.0, top_p=1e-6)
    assert play(backend.complete(ask("hello", sampling=little))).text == greedy.text
    assert greedy.finish_reason == "length"
    assert greedy.completion_tokens == 8

    banned = replace(model, extra={"allowed_token_ids": [65, 66], "ignore_eos": True})
    sampling = Sampling(max_tokens=8, temperature=1.0)
    letters = play(backend.complete(ask("hello", sampling=sampling, model=banned)))
    assert len(set(letters.text)) <= 2
    assert letters.sent["allowed_token_ids"] == [65, 66]

    stop = Sampling(max_tokens=64, temperature=1.0, stop=(letters.text[2:4],))
    stopped = play(backend.complete(ask("hello", sampling=stop, model=banned)))
    assert stopped.finish_reason == "stop"
    assert letters.text.startswith(stopped.text)
    assert letters.text[2:4] not in stopped.text


def test_what_vllm_refuses_is_no_outage(
    backend: VLLMBackend, ask: Ask, play: Play, model: Model
) -> None:
    with pytest.raises(BadRequestError, match="vllm_tiny: vLLM refuses the sampling parameters"):
        play(backend.complete(ask("hello", sampling=Sampling(temperature=-1.0, max_tokens=4))))
    odd = replace(model, extra={"no_such_parameter": 1})
    with pytest.raises(BadRequestError, match="no_such_parameter"):
        play(backend.complete(ask("hello", model=odd)))


def test_times_are_the_engines_own(
    backend: VLLMBackend, ask: Ask, play: Play, model: Model
) -> None:
    reply = play(backend.complete(ask("how long does it take?", model=never_ending(model))))
    for value in (reply.queue_s, reply.ttft_s, reply.decode_s, reply.client_s):
        assert value is not None
        assert value > 0
    assert reply.latency_s == pytest.approx(reply.ttft_s + reply.decode_s)
    assert reply.prompt_tokens == len("how long does it take?") + 3  # and the template's marks
    assert reply.cost_usd is None


def test_a_prompt_that_is_too_long_is_its_own_error(
    backend: VLLMBackend, ask: Ask, play: Play, model: Model
) -> None:
    with pytest.raises(ContextOverflowError, match="maximum context length is 1024 tokens"):
        play(backend.complete(ask("x" * 1100)))
    almost = play(backend.complete(ask("x" * 1010, model=never_ending(model))))
    assert almost.finish_reason == "length"  # what room there was is used
    assert almost.prompt_tokens + almost.completion_tokens == 1024


def test_a_cancelled_request_leaves_the_engine(
    backend: VLLMBackend, ask: Ask, play: Play, model: Model
) -> None:
    sampling = Sampling(max_tokens=900, temperature=1.0)
    request = ask("go on for ever", sampling=sampling, model=never_ending(model))

    async def cancel() -> int:
        task = asyncio.create_task(backend.complete(request))
        while unfinished(backend) == 0:  # noqa: ASYNC110  the engine tells nobody
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return unfinished(backend)

    assert play(cancel()) == 0
    assert play(backend.complete(ask("still there?"))).completion_tokens is not None


def test_successive_jobs_load_the_engine_once(
    backend: VLLMBackend, ask: Ask, play: Play, model: Model
) -> None:
    """What a sweep over four temperatures does: a backend per job, and one engine for all."""
    loaded = vllm_engine.load_count()
    texts = set()
    for temperature in (0.0, 0.5, 1.0, 1.5):
        job = VLLMBackend(**NAMED, engine=ENGINE)
        play(job.start([model]))
        sampling = Sampling(max_tokens=8, temperature=temperature)
        texts.add(play(job.complete(ask("hello", sampling=sampling))).text)
        play(job.aclose())
    assert vllm_engine.load_count() == loaded
    assert len(texts) > 1
    assert len(vllm_engine.loaded_engines()) == 1


def test_the_engine_tells_what_it_chose(backend: VLLMBackend, model: Model) -> None:
    chosen = backend.choices([model])[model.name]
    assert [name for name, value in chosen.items() if value is None and name != "driver"] == []
    assert chosen["devices"] == 1
    assert chosen["dtype"] == NAMED["dtype"]
    assert chosen["context"] == NAMED["max_model_len"]
    assert chosen["block_size"] == block_of(model)
    assert chosen["prefix_caching"] is True
    assert chosen["kv_blocks"] > 1
    assert (chosen["driver"] is None) == ON_CPU
    assert (chosen["device"] == "CPU") == ON_CPU
    assert (chosen["graphs"] == "NONE") == ON_CPU  # supplied: eager
    assert backend.choices([replace(model, name="vllm_not_started")]) == {}


def test_an_explicit_template_is_used(
    backend: VLLMBackend, ask: Ask, play: Play, model: Model, tmp_path: Path
) -> None:
    file = tmp_path / "chat.jinja"
    file.write_text("{% for m in messages %}{{ m['content'] }}{% endfor %}{{ tail }}")
    plain = replace(model, name="vllm_plain", chat_template=str(file))
    job = VLLMBackend(**NAMED, engine=ENGINE, chat_template_kwargs={"tail": "1234"})
    play(job.start([plain]))
    reply = play(job.complete(ask("hello", model=plain)))
    assert reply.prompt_tokens == len("hello1234")
    assert reply.sent["chat_template_kwargs"] == {"tail": "1234"}
    own = replace(plain, extra={"chat_template_kwargs": {"tail": ""}})
    assert play(job.complete(ask("hello", model=own))).prompt_tokens == len("hello")
    play(job.aclose())


def test_a_template_that_fails_is_found_at_the_start(
    backend: VLLMBackend, play: Play, model: Model
) -> None:
    broken = replace(model, name="vllm_broken", chat_template="{{ raise_exception('not so') }}")
    job = VLLMBackend(**NAMED, engine=ENGINE)
    with pytest.raises(UserError, match=r"vllm_broken: its chat template .*not so.*Set chat_templ"):
        play(job.start([broken]))
    play(job.aclose())
