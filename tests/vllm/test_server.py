"""The same entries with an address: a real ``vllm serve`` in a process of its own.

It serves the model that thinks, so that its reasoning parser is in the way of all that is asked;
the engine of this process that has the same settings says what has to come out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import pytest

from game_reasoning_arena.backends.litellm_backend import LiteLLMBackend
from game_reasoning_arena.backends.vllm import engine as vllm_engine
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
from tests.vllm.conftest import BRIEFLY, END, ENGINE, NAMED, NO_MARKS, block_of, gather
from tests.vllm.device import ON_CPU
from tests.vllm.served import vllm_serve
from tests.vllm.test_games import games

Ask = Callable[..., Request]
Play = Callable[..., Any]

CHOICES = ("Final Answer: a1", "Final Answer: b2", "Final Answer: c3")

NO_THINKING: dict[str, Any] = {"chat_template_kwargs": {"enable_thinking": False}}


@pytest.fixture(scope="module")
def address(thinker: Model, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where ``vllm serve`` answers, with the settings of the engine beside it."""
    words = (
        f"--served-model-name thinker --chat-template {thinker.chat_template} "
        "--generation-config vllm --enable-prompt-tokens-details "
        # JSON may hold any number of blanks, and noise would put all of max_tokens into them.
        "--structured-outputs-config.backend xgrammar "
        "--structured-outputs-config.disable_any_whitespace true"
    )
    [settings] = VLLMBackend(**NAMED, engine=ENGINE).loads([thinker]).values()
    with vllm_serve(
        thinker.model_path or "",
        tmp_path_factory.mktemp("serve"),
        *words.split(),
        *as_words(settings.arguments),
    ) as where:
        yield where


def as_words(arguments: Mapping[str, Any]) -> list[str]:
    """Engine arguments as ``vllm serve`` takes them."""
    words = []
    for name, value in arguments.items():
        option = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{option}" if value else f"--no-{option}")
        else:
            words += [f"--{option}", str(value)]
    return words


@pytest.fixture
def served(address: str) -> Model:
    """The entry of a served model: an address, and the name after the prefix."""
    provider = Provider(name="vllm", api_base=address)
    return Model(name="vllm_thinker", backend="vllm", model_id="thinker", provider=provider)


@pytest.fixture
def client(served: Model, play: Play) -> Iterator[VLLMBackend]:
    """A backend that has no engine of its own."""
    made = VLLMBackend()
    assert made.check([served]) == []
    play(made.start([served]))
    yield made
    play(made.aclose())


def said(reply: Reply) -> tuple[str | None, str]:
    return reply.reasoning, reply.text


def times_ended(reply: Reply) -> int:
    """Return how often a reply of printable letters, one token each, ended its thinking.

    What stood before each time is on a line of its own.
    """
    letters = len(reply.text) + len((reply.reasoning or "").replace("\n", ""))
    return (reply.completion_tokens or 0) - letters


def known(reply: Reply) -> set[str]:
    return {name for name in reply.__struct_fields__ if getattr(reply, name) is not None}


def test_the_server_answers_as_the_engine_does(
    both: tuple[VLLMBackend, Model, Model],
    client: VLLMBackend,
    served: Model,
    ask: Ask,
    play: Play,
) -> None:
    """Same seed, same thoughts, same text, same columns, no engine more."""
    backend, _, thinker = both
    loaded = vllm_engine.load_count()
    # Printable letters, one token each, and now and then the end of thinking.
    extra = {"allowed_token_ids": [*range(90), END], "ignore_eos": True}
    sampling = Sampling(max_tokens=100, temperature=1.0, top_p=0.99, top_k=90)

    def asked(model: Model) -> list[Request]:
        given = {"sampling": sampling, "model": replace(model, extra=extra)}
        return [ask("hi", seed=seed, **given) for seed in range(16)]

    locally = play(gather(backend, asked(thinker)))
    remotely = play(gather(client, asked(served)))
    # Noise may say more than once that it has thought enough, which means nothing.
    clear = [
        (one, two)
        for one, two in zip(locally, remotely, strict=True)
        if one.text and times_ended(one) == 1
    ]
    # A GPU's sums depend on what else is in the batch, so a text may turn off on its way.
    alike = [(one, two) for one, two in clear if said(one) == said(two)]
    assert len(alike) == len(clear) if ON_CPU else alike
    local, remote = alike[0]
    assert remote.reasoning
    assert remote.finish_reason == local.finish_reason
    assert remote.prompt_tokens == local.prompt_tokens
    assert remote.completion_tokens == local.completion_tokens
    assert {**remote.sent, **local.sent} == dict(remote.sent)
    assert known(local) - known(remote) <= {"reasoning_tokens"}
    assert remote.served_model == "thinker"
    assert vllm_engine.load_count() == loaded


def test_the_seed_decides_on_the_server_too(
    client: VLLMBackend, served: Model, ask: Ask, play: Play
) -> None:
    quiet = replace(served, extra={**NO_THINKING, **NO_MARKS})
    first, again = (play(client.complete(ask("hello", seed=5, model=quiet))) for _ in range(2))
    assert first.text == again.text
    replies = play(gather(client, [ask("hello", seed=seed, model=quiet) for seed in range(16)]))
    assert len({reply.text for reply in replies}) > 8
    assert not any(reply.reasoning for reply in replies)


def test_the_server_stops_where_it_is_told(
    client: VLLMBackend, served: Model, ask: Ask, play: Play
) -> None:
    letters = replace(served, extra={**NO_THINKING, "allowed_token_ids": [*range(90)]})
    whole = play(client.complete(ask("hello", model=letters)))
    sampling = Sampling(max_tokens=16, temperature=1.0, stop=(whole.text[4:6],))
    stopped = play(client.complete(ask("hello", sampling=sampling, model=letters)))
    assert stopped.finish_reason == "stop"
    assert stopped.text == whole.text[: whole.text.index(whole.text[4:6])]


def test_the_server_tells_what_its_cache_held(
    both: tuple[VLLMBackend, Model, Model],
    client: VLLMBackend,
    served: Model,
    ask: Ask,
    play: Play,
) -> None:
    block = block_of(both[2])  # the server's engine has the same settings
    history = ["the rules of a game " * 15, "my move " * 16, "the new state"]
    first = play(client.complete(ask(history[0], model=served)))
    later = play(client.complete(ask(*history, model=served)))
    assert not first.cached_tokens
    # All of the first prompt but its last token, which opened the thinking.
    assert later.cached_tokens == ((first.prompt_tokens or 0) - 1) // block * block > 0


def test_the_constraint_goes_through_the_server(
    client: VLLMBackend, served: Model, ask: Ask, play: Play
) -> None:
    sampling = Sampling(max_tokens=64, temperature=1.0)
    quiet = replace(served, extra=NO_THINKING)
    constraint = Constraint(choices=CHOICES)
    requests = [
        ask("move", seed=i, sampling=sampling, model=quiet, constraint=constraint)
        for i in range(16)
    ]
    replies = play(gather(client, requests))
    assert {reply.text for reply in replies} <= set(CHOICES)
    assert len({reply.text for reply in replies}) > 1
    assert {reply.finish_reason for reply in replies} == {"stop"}
    assert all(r.sent["structured_outputs"] == {"choice": list(CHOICES)} for r in replies)


def test_what_is_thought_before_it_is_free(
    client: VLLMBackend, served: Model, ask: Ask, play: Play
) -> None:
    sampling = Sampling(max_tokens=400, temperature=1.0)
    brief = replace(served, extra=BRIEFLY)
    constraint = Constraint(choices=CHOICES)
    requests = [
        ask("hi", seed=i, sampling=sampling, model=brief, constraint=constraint) for i in range(4)
    ]
    replies = play(gather(client, requests))
    assert {reply.text.strip() for reply in replies} <= set(CHOICES)
    assert any(reply.reasoning for reply in replies)


def test_constrained_games_through_the_server(
    client: VLLMBackend, served: Model, play: Play
) -> None:
    quiet = replace(served, extra=NO_THINKING)
    played, records = play(games(client, quiet, "kuhn_poker", episodes=4, constrain_to_legal=True))
    assert {episode.status for episode in played} == {Status.COMPLETED}
    assert {record.outcome for record in records} == {Outcome.LEGAL}
    assert all(record.constrained for record in records)


@pytest.mark.skipif(find_spec("litellm") is None, reason="LiteLLM is not installed")
def test_constrained_games_through_litellm(served: Model, play: Play) -> None:
    """A provider that takes a JSON schema, here the same server, may choose among legal moves."""
    lab = Provider(name="lab", api_base=served.provider.api_base if served.provider else None)
    model = Model(
        name="litellm_lab/thinker",
        backend="litellm",
        model_id="thinker",
        provider=lab,
        extra={"logit_bias": {str(END): 100}},  # thinks of nothing, and then must say a move
    )
    backend = LiteLLMBackend()
    assert backend.check([model]) == []
    play(backend.start([model]))
    played, records = play(
        games(backend, model, "kuhn_poker", episodes=4, template="json", constrain_to_legal=True)
    )
    play(backend.aclose())
    assert {record.outcome for record in records} == {Outcome.LEGAL}
    assert {episode.status for episode in played} == {Status.COMPLETED}
    assert all(record.sent["response_format"]["type"] == "json_schema" for record in records)


def test_template_variables_of_the_backend_reach_the_server(
    served: Model, ask: Ask, play: Play
) -> None:
    job = VLLMBackend(**NO_THINKING)
    quiet = play(job.complete(ask("hello", model=served)))
    assert quiet.sent["chat_template_kwargs"] == {"enable_thinking": False}
    play(job.aclose())
    aloud = VLLMBackend()
    assert quiet.prompt_tokens == play(aloud.complete(ask("hello", model=served))).prompt_tokens + 1
    play(aloud.aclose())


def test_refusals_of_the_server_are_told_apart(
    client: VLLMBackend, served: Model, ask: Ask, play: Play
) -> None:
    with pytest.raises(ContextOverflowError):
        play(client.complete(ask("x" * 2100, model=served)))
    nameless = replace(served, model_id="another")
    with pytest.raises(BadRequestError, match="another"):
        play(client.complete(ask("hello", model=nameless)))


def test_an_entry_for_a_server_takes_no_template_of_its_own(served: Model) -> None:
    own = replace(served, chat_template="{{ messages }}")
    [said] = VLLMBackend().check([own])
    assert "vllm serve --chat-template" in said
