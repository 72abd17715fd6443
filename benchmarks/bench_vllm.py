"""What the harness costs on top of vLLM: tokens per second, side by side on one engine.

    make bench-vllm                                        a tiny model on the CPU
    python -m benchmarks.bench_vllm --shape 60m            what a real size goes through, on a CPU
    python -m benchmarks.bench_vllm --shape 7b             a 7B shape with made-up weights, on a GPU
    python -m benchmarks.bench_vllm --model DIRECTORY      a model of your own

Four ways to get the same answers from the same engine, in turns, its prefix cache emptied between:

- ``harness``     concurrent episodes: agents, prompts, parsing, records on disk
- ``as_ready``    the same prompts straight to AsyncLLM, each as soon as its forerunner is answered,
                  as an episode forces it; the fair rival
- ``all_at_once`` the same prompts straight to AsyncLLM, all together: no game allows that
- ``one_by_one``  some of them, one after the other: what batching buys

Every answer has the same number of tokens (the end mark is ignored). Medians over rounds whose
order rotates; ratios are taken within a round, since machines drift. With ``--json`` the figures so
far are in the file after every round, so that a run which is cut short leaves them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.vllm import tiny_model

from game_reasoning_arena.agents.base_agent import OnFailure, PlayerSpec
from game_reasoning_arena.backends.vllm import engine as vllm_engine
from game_reasoning_arena.backends.vllm import internals
from game_reasoning_arena.backends.vllm_backend import VLLMBackend
from game_reasoning_arena.process.event_loop import run_coroutine
from game_reasoning_arena.recording.writer import RunWriter
from game_reasoning_arena.records import Model, Reply, Request, Sampling
from game_reasoning_arena.running.provenance import package_versions
from game_reasoning_arena.simulation.factory import make_simulation
from game_reasoning_arena.simulation.players import make_agent

#: Shapes of real models, by the names of transformers' LlamaConfig.
SHAPES: dict[str, dict[str, Any]] = {
    "tiny": {},
    # All that a shape of real size goes through, small enough for a CPU.
    "60m": {
        "hidden_size": 512,
        "intermediate_size": 1376,
        "num_hidden_layers": 8,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "vocab_size": 32000,
        "max_position_embeddings": 4096,
        "tie_word_embeddings": False,
    },
    "7b": {
        "hidden_size": 4096,
        "intermediate_size": 11008,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 32,
        "vocab_size": 32000,
        "max_position_embeddings": 4096,
        "tie_word_embeddings": False,
    },
}

#: Tokens of an answer where nothing is said: noise of a tiny model needs no more.
MAX_TOKENS = {"tiny": 16}
MAX_TOKENS_OF_REAL_SIZE = 128

#: How far the ways' tokens may be apart.
SAME_WORK = 1.02

#: What the tokenizers of shapes of real size learn their words from: English, code, prompts.
ROOT = Path(__file__).parents[1]
TEXTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("src/**/*.py")])

#: Questions of the harness, per episode in the order they were asked.
Chains = list[list[Request]]

#: Tokens/s of every way, a value per round.
Rates = dict[str, list[float]]


class Listener:
    """Stands between agents and backend and keeps what was asked."""

    def __init__(self, backend: VLLMBackend) -> None:
        self.backend = backend
        self.asked: dict[int, list[Request]] = defaultdict(list)
        self.tokens = 0

    async def complete(self, request: Request) -> Reply:
        self.asked[request.key.episode].append(request)
        reply = await self.backend.complete(request)
        self.tokens += reply.completion_tokens or 0
        return reply


async def episodes(backend: VLLMBackend, model: Model, options: argparse.Namespace) -> Listener:
    """The harness: all episodes at once, as ``arena`` plays them."""
    simulation = make_simulation({"type": "openspiel", "game": options.game, "max_moves": None})
    listener = Listener(backend)
    with tempfile.TemporaryDirectory() as folder, RunWriter(Path(folder) / "run") as writer:
        agents = {
            name: make_agent(
                PlayerSpec(
                    name=name,
                    type="llm",
                    model=model,
                    sampling=Sampling(max_tokens=options.max_tokens, temperature=1.0),
                ),
                asker=listener,
                record=writer.response,
                run_id="bench",
                seed=0,
                on_failure=OnFailure(rethinks=0, policy="random"),
                simulation=simulation,
            )
            for name in ("player_0", "player_1")
        }
        plans = simulation.plan(
            episodes=options.episodes, seed=0, rotate=True, players=list(agents)
        )
        played = await asyncio.gather(*(simulation.play(p, agents, "bench") for p in plans))
        for record in played:
            writer.episode(record)
    return listener


class Straight:
    """AsyncLLM by itself: render, generate, nothing else."""

    def __init__(self, llm: Any, options: argparse.Namespace) -> None:
        self.llm = llm
        self.max_tokens = options.max_tokens
        self.count = 0

    async def ask(self, request: Request) -> int:
        self.count += 1
        prompt = await internals.render(
            self.llm, request.messages, None, {"add_generation_prompt": True}
        )
        given = {
            "max_tokens": self.max_tokens,
            "temperature": 1.0,
            "seed": request.seed,
            "ignore_eos": True,
        }
        sampling = internals.sampling_parameters(given, None)
        tokens = 0
        async for output in internals.generate(self.llm, prompt, sampling, f"b{self.count}", None):
            tokens = len(output.outputs[0].token_ids)
        return tokens

    async def chain(self, requests: Sequence[Request]) -> int:
        return sum([await self.ask(request) for request in requests])

    async def as_ready(self, chains: Chains) -> int:
        return sum(await asyncio.gather(*(self.chain(chain) for chain in chains)))

    async def all_at_once(self, chains: Chains) -> int:
        return sum(await asyncio.gather(*(self.ask(r) for chain in chains for r in chain)))

    async def one_by_one(self, chains: Chains) -> int:
        return await self.chain([chain[0] for chain in chains][:8])


async def empty_cache(llm: Any) -> None:
    """Empty the prefix cache, which the engine does once it has let go of the last request.

    Raises:
        SystemExit: it does not; the next way would find what the last one computed.
    """
    for _ in range(100):
        if await llm.reset_prefix_cache() is not False:
            return
        await asyncio.sleep(0.05)
    raise SystemExit("the engine kept its prefix cache: the ways are not comparable")


async def measure(
    backend: VLLMBackend,
    model: Model,
    options: argparse.Namespace,
    keep: Callable[[Rates], None],
) -> Rates:
    """Return tokens/s of every way, a value per round; ``keep`` gets those so far after each.

    Raises:
        SystemExit: the ways did not do the same work, so that no ratio of theirs means anything.
    """
    [engine] = vllm_engine.loaded_engines()
    first = await episodes(backend, model, options)  # warms up, and tells the prompts
    chains = [first.asked[number] for number in sorted(first.asked)]
    straight = Straight(engine.llm, options)

    async def harness() -> int:
        return (await episodes(backend, model, options)).tokens

    ways: dict[str, Callable[[], Awaitable[int]]] = {
        "harness": harness,
        "as_ready": lambda: straight.as_ready(chains),
        "all_at_once": lambda: straight.all_at_once(chains),
        "one_by_one": lambda: straight.one_by_one(chains),
    }
    rates: Rates = {name: [] for name in ways}
    same_work = {first.tokens}
    names = list(ways)
    for number in range(options.rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            await empty_cache(engine.llm)
            began = time.perf_counter()
            tokens = await ways[name]()
            same_work |= set() if name == "one_by_one" else {tokens}
            rates[name].append(tokens / (time.perf_counter() - began))
        # Noise that happens to name a move makes a game longer, and on a GPU it is not always the
        # same.
        if max(same_work) > SAME_WORK * min(same_work):
            raise SystemExit(f"the ways are not comparable: they gave {same_work} tokens")
        keep(rates)
        print(
            f"round {number + 1} of {options.rounds}: "
            + ", ".join(f"{name} {values[-1]:.0f}" for name, values in rates.items())
            + " tokens/s"
        )
    print(
        f"{len(chains)} episodes, {sum(map(len, chains))} prompts, "
        f"{options.max_tokens} tokens each, {options.rounds} rounds"
    )
    return rates


def summary(rates: Rates) -> dict[str, Any]:
    """Return the medians, and the harness's rate over each of the others' within a round."""
    return {
        "tokens_per_s": {name: round(statistics.median(v), 1) for name, v in rates.items()},
        "harness_over": {
            name: round(statistics.median(ratios(rates, name)), 3)
            for name in rates
            if name != "harness"
        },
    }


def ratios(rates: Rates, name: str) -> list[float]:
    """Return the harness's rate over that of another way, round by round."""
    return [h / v for h, v in zip(rates["harness"], rates[name], strict=True)]


def show(rates: Rates) -> None:
    """Print medians and ratios with their spread over the rounds."""
    found = summary(rates)
    print(f"{'way':14}{'tokens/s':>10}{'spread':>18}{'harness / it':>14}{'spread':>18}")
    for name, values in rates.items():
        spread = f"{min(values):.0f} to {max(values):.0f}"
        line = f"{name:14}{found['tokens_per_s'][name]:>10}{spread:>18}"
        if name in found["harness_over"]:
            each = ratios(rates, name)
            line += f"{found['harness_over'][name]:>14.3f}"
            line += f"{f'{min(each):.2f} to {max(each):.2f}':>18}"
        print(line)


async def run(options: argparse.Namespace, directory: Path) -> None:
    path = options.model
    engine: dict[str, Any] = {}
    if path is None:
        shape = SHAPES[options.shape]
        texts = [file.read_text(encoding="utf-8") for file in TEXTS] if shape else []
        path = tiny_model.make(
            directory, context=4096, shape=shape or None, texts=texts, weights=not shape
        )
        if shape:
            engine["load_format"] = "dummy"  # the engine makes up its weights where they belong
    backend = VLLMBackend(
        dtype=options.dtype,
        max_model_len=2048,
        engine=engine,
        timeout_s=3600,
        deadline_s=3600,
    )
    model = Model(name="vllm_bench", backend="vllm", model_id="bench", model_path=str(path))
    model = replace(model, extra={"ignore_eos": True})
    if problems := backend.check([model]):
        raise SystemExit("\n".join(problems))
    try:
        await backend.start([model])
        chosen = backend.choices([model])[model.name]
        about = {
            "device": chosen["device"],
            "versions": package_versions([backend]),
            "shape": str(options.model or options.shape),
            "engine": chosen,
        }

        def keep(rates: Rates) -> None:
            if options.json:
                result = {**about, "rounds": rates, **summary(rates)}
                options.json.write_text(json.dumps(result, indent=1) + "\n")

        rates = await measure(backend, model, options, keep)
    finally:
        await backend.aclose()
        await vllm_engine.shutdown_engines()
    show(rates)
    print(f"{about['shape']} on {about['device']}, {about['versions']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shape", choices=SHAPES, default="tiny")
    parser.add_argument("--model", type=Path, help="a model's directory instead of a shape")
    parser.add_argument("--game", default="kuhn_poker")
    parser.add_argument("--episodes", type=int, default=64)
    parser.add_argument("--max-tokens", type=int, help="of an answer (tiny: 16, else 128)")
    parser.add_argument("--dtype", default="bfloat16", help="float16 for GPUs before Ampere")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures there after every round")
    options = parser.parse_args()
    if options.max_tokens is None:
        options.max_tokens = MAX_TOKENS.get(options.shape, MAX_TOKENS_OF_REAL_SIZE)
    with tempfile.TemporaryDirectory() as directory:
        run_coroutine(run(options, Path(directory) / "model"))


if __name__ == "__main__":
    main()
