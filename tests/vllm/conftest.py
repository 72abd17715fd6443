"""A tiny model and one real engine for all tests of this folder.

    make test-vllm      installs the CPU engine into an environment of its own and runs them

Loading an engine takes half a minute, so the tests share one, on the process's own event loop, as
the jobs of a sweep do. Without vLLM the tests are skipped and say so.
"""

from __future__ import annotations

import gc
import importlib.util
import warnings
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from game_reasoning_arena.backends.vllm import engine as vllm_engine
from game_reasoning_arena.backends.vllm_backend import VLLMBackend
from game_reasoning_arena.process.event_loop import run_coroutine
from game_reasoning_arena.records import Model, Reply, Request, Sampling
from tests.vllm import tiny_model
from tests.vllm.device import CACHE, SHARE

T = TypeVar("T")

HERE = Path(__file__).parent

#: Several engines share one machine; whatever else a CPU needs the backend supplies.
ENGINE = dict(CACHE)
NAMED = {"dtype": "bfloat16", "max_model_len": 1024, **SHARE}

#: The numbers of "<think>" and "</think>": after 256 bytes and the template's marks.
BEGIN = 256 + len(tiny_model.SPECIAL)
END = BEGIN + 1

#: Noise that says neither: it would have had thoughts that nobody asked for.
NO_MARKS = {"logit_bias": {str(BEGIN): -100.0, str(END): -100.0}}

#: Noise thinks for some tokens, and then answers: it does not end in the middle of its thoughts,
#: which on any device some seed would do. Where a constraint leaves nothing but the end, it ends.
BRIEFLY = {"logit_bias": {str(END): 3.0, str(tiny_model.STOP): -100.0}}

#: Opens the thinking in the prompt, or closes it there.
THINKING = (
    "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant: "
    "{% if enable_thinking is defined and not enable_thinking %}<think></think>"
    "{% else %}<think>{% endif %}"
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip without vLLM; with it, its warnings about itself are not ours to fail on."""
    missing = importlib.util.find_spec("vllm") is None
    for item in items:
        if HERE not in item.path.parents:
            continue
        if missing:
            item.add_marker(pytest.mark.skip(reason="vLLM is not installed; see make test-vllm"))
        for warning in ("default", "ignore::DeprecationWarning", "ignore::FutureWarning"):
            item.add_marker(pytest.mark.filterwarnings(warning))


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the tiny model: 2048 positions, a chat template, one byte per token."""
    return tiny_model.make(tmp_path_factory.mktemp("models") / "tiny", context=2048)


@pytest.fixture(scope="session")
def model(tiny: Path) -> Model:
    """The tiny model's entry."""
    return Model(name="vllm_tiny", backend="vllm", model_id="tiny", model_path=str(tiny))


@pytest.fixture(scope="session")
def thinker(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A base model that knows the marks of thinking, with a template of the user's."""
    folder = tmp_path_factory.mktemp("thinker")
    path = tiny_model.make(folder / "model", template=False, added=("<think>", "</think>"))
    (folder / "chat.jinja").write_text(THINKING)
    return Model(
        name="vllm_thinker",
        backend="vllm",
        model_id="thinker",
        model_path=str(path),
        chat_template=str(folder / "chat.jinja"),
        engine={"reasoning_parser": "deepseek_r1", "max_model_len": 2048},
    )


@pytest.fixture(scope="session")
def both(thinker: Model, model: Model, engines: None) -> Iterator[tuple[VLLMBackend, Model, Model]]:
    """One backend with two models, as a run of one against the other has."""
    made = VLLMBackend(**NAMED, engine=ENGINE)
    run_coroutine(made.start([model, thinker]))
    yield made, model, thinker
    run_coroutine(made.aclose())


@pytest.fixture(scope="session", autouse=True)
def engines() -> Iterator[None]:
    """No engine is left when the tests are done."""
    yield
    if vllm_engine.loaded_engines():
        run_coroutine(vllm_engine.shutdown_engines())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # engines that failed leave sockets of vLLM's unclosed
        gc.collect()


@pytest.fixture
def play() -> Callable[[Coroutine[Any, Any, T]], T]:
    """Run a coroutine on the process's event loop."""
    return run_coroutine


@pytest.fixture
def backend(model: Model) -> Iterator[VLLMBackend]:
    """A backend like that of one job: its own object, the engine that is there."""
    made = VLLMBackend(**NAMED, engine=ENGINE)
    run_coroutine(made.start([model]))
    yield made
    run_coroutine(made.aclose())


@pytest.fixture
def ask(model: Model) -> Callable[..., Request]:
    """Make a request to the tiny model: by default at most 16 tokens at temperature 1."""

    def make(*texts: str, seed: int | None = 1, **more: Any) -> Request:
        roles = ("user", "assistant")
        sampling = more.pop("sampling", Sampling(max_tokens=16, temperature=1.0))
        return Request(
            model=more.pop("model", model),
            messages=tuple({"role": roles[i % 2], "content": t} for i, t in enumerate(texts)),
            sampling=sampling,
            seed=seed,
            **more,
        )

    return make


def never_ending(model: Model) -> Model:
    """The same model, which continues until its tokens are spent, with random text."""
    return replace(model, extra={**model.extra, "ignore_eos": True})


def block_of(model: Model) -> int:
    """Tokens that the cache of the model's loaded engine keeps together."""
    [engine] = (
        e for e in vllm_engine.loaded_engines() if e.settings.model_path == model.model_path
    )
    return int(engine.llm.vllm_config.cache_config.block_size)


async def gather(backend: VLLMBackend, requests: list[Request]) -> list[Reply]:
    """All at once, as concurrent episodes ask."""
    import asyncio

    return await asyncio.gather(*(backend.complete(request) for request in requests))
