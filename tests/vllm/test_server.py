"""The same entries with an address: vLLM's own OpenAI server over the engine that is loaded.

`vllm serve` of the CPU wheel stumbles over its missing metadata, so the server's app is built from
Python as that command builds it, and served on loopback.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from game_reasoning_arena.backends import vllm_engine
from game_reasoning_arena.backends.vllm_backend import VLLMBackend
from game_reasoning_arena.errors import BadRequestError, ContextOverflowError
from game_reasoning_arena.records import (
    Constraint,
    Model,
    Outcome,
    Provider,
    Reply,
    Request,
    Sampling,
    Status,
)
from tests.vllm.conftest import gather
from tests.vllm.test_games import games

Ask = Callable[..., Request]
Play = Callable[..., Any]


@asynccontextmanager
async def serving(llm: Any, model: Model) -> AsyncIterator[str]:
    """The address of an OpenAI-compatible server for a loaded engine."""
    import uvicorn
    from vllm.entrypoints.launchers.api_server.app_state import init_app_state
    from vllm.entrypoints.launchers.app import build_app
    from vllm.entrypoints.launchers.cli_args import make_arg_parser
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    arguments = make_arg_parser(FlexibleArgumentParser()).parse_args(
        f"--model {model.model_path} --served-model-name {model.model_id} "
        "--enable-prompt-tokens-details --generation-config vllm".split()
    )
    tasks = await llm.get_supported_tasks()
    app = build_app(arguments, tasks, llm.model_config)
    await init_app_state(llm, app.state, arguments, tasks)
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off")
    )
    server.install_signal_handlers = lambda: None
    running = asyncio.ensure_future(server._serve())
    while not server.started and not running.done():  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.should_exit = True
        await running


@pytest.fixture
def served(backend: VLLMBackend, model: Model, play: Play) -> Iterator[Model]:
    """The tiny model behind a server."""
    [engine] = vllm_engine.loaded_engines()
    server = serving(engine.llm, model)
    address = play(server.__aenter__())
    provider = Provider(name="vllm", api_base=address)
    yield replace(model, name="vllm_served", model_path=None, provider=provider)
    play(server.__aexit__(None, None, None))


@pytest.fixture
def client(served: Model, play: Play) -> Iterator[VLLMBackend]:
    """A backend that has no engine of its own."""
    made = VLLMBackend()
    assert made.check([served]) == []
    play(made.start([served]))
    yield made
    play(made.aclose())


def known(reply: Reply) -> set[str]:
    return {name for name in reply.__struct_fields__ if getattr(reply, name) is not None}


def test_the_server_answers_as_the_engine_does(
    backend: VLLMBackend, client: VLLMBackend, served: Model, ask: Ask, play: Play
) -> None:
    """Same seed, same text, same columns, no second engine."""
    loaded = vllm_engine.load_count()
    sampling = Sampling(max_tokens=16, temperature=1.0, top_p=0.9, top_k=50, stop=("zz",))
    local = play(backend.complete(ask("hello there", seed=4, sampling=sampling)))
    remote = play(client.complete(ask("hello there", seed=4, sampling=sampling, model=served)))
    assert remote.text == local.text
    assert remote.finish_reason == local.finish_reason
    assert remote.prompt_tokens == local.prompt_tokens
    assert remote.completion_tokens == local.completion_tokens
    assert {**remote.sent, **local.sent} == dict(remote.sent)
    assert known(local) - known(remote) == set()
    assert vllm_engine.load_count() == loaded


def test_many_calls_share_the_server(
    client: VLLMBackend, served: Model, ask: Ask, play: Play
) -> None:
    replies = play(gather(client, [ask(f"{i}", seed=i, model=served) for i in range(16)]))
    assert len({reply.text for reply in replies}) > 8


def test_the_constraint_goes_through_the_server(
    client: VLLMBackend, served: Model, ask: Ask, play: Play
) -> None:
    choices = ("Final Answer: a1", "Final Answer: b2", "Final Answer: c3")
    sampling = Sampling(max_tokens=64, temperature=1.0)
    requests = [
        ask("move", seed=i, sampling=sampling, model=served, constraint=Constraint(choices=choices))
        for i in range(16)
    ]
    replies = play(gather(client, requests))
    assert {reply.text for reply in replies} <= set(choices)
    assert len({reply.text for reply in replies}) > 1
    assert {reply.finish_reason for reply in replies} == {"stop"}
    assert all(r.sent["structured_outputs"] == {"choice": list(choices)} for r in replies)


def test_constrained_games_through_the_server(
    client: VLLMBackend, served: Model, play: Play
) -> None:
    played, records = play(games(client, served, "kuhn_poker", episodes=4, constrain_to_legal=True))
    assert {episode.status for episode in played} == {Status.COMPLETED}
    assert {record.outcome for record in records} == {Outcome.LEGAL}


def test_template_variables_of_the_backend_reach_the_server(
    served: Model, ask: Ask, play: Play
) -> None:
    job = VLLMBackend(chat_template_kwargs={"enable_thinking": False})
    reply = play(job.complete(ask("hello", model=served)))
    assert reply.sent["chat_template_kwargs"] == {"enable_thinking": False}
    play(job.aclose())


def test_refusals_of_the_server_are_told_apart(
    client: VLLMBackend, served: Model, ask: Ask, play: Play
) -> None:
    with pytest.raises(ContextOverflowError):
        play(client.complete(ask("x" * 1100, model=served)))
    nameless = replace(served, model_id="another")
    with pytest.raises(BadRequestError, match="another"):
        play(client.complete(ask("hello", model=nameless)))
