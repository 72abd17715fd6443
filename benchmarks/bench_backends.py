"""Calls per second, CPU per call and recorded latencies of our backends beside bare clients.

    python -m benchmarks.bench_backends [--rounds 3] [--latency 0.2] [--json FILE]

All clients ask one loopback server, in a process of its own, for the same answers. Rounds are
interleaved, so that a busy machine disturbs all alike; medians over the rounds are shown. What the
server itself measured stands beside what was recorded. Ratios travel; absolute times do not.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

from tests.loopback import LoopbackServer

from benchmarks import figures
from game_reasoning_arena.backends.direct_backend import DirectBackend
from game_reasoning_arena.backends.litellm_backend import LiteLLMBackend
from game_reasoning_arena.records import Message, Model, Provider, Request, Sampling

PROMPT = (
    "You play tic_tac_toe as x.\n\nBoard:\n"
    + "...\n" * 3
    + "\nLegal moves:\n"
    + "".join(f"- x({row},{column})\n" for row in range(3) for column in range(3))
    + "\nThink step by step, then end with a last line of this form:\nFinal Answer: <move>"
)
MESSAGES = [{"role": "user", "content": PROMPT}]

#: A call returns the seconds that its client would record.
Call = Callable[[int], Awaitable[float]]


def request(url: str, seed: int) -> Request:
    return Request(
        model=Model(
            name="direct_lab/m",
            backend="direct",
            model_id="m",
            provider=Provider(name="lab", api_base=url),
        ),
        messages=(Message(role="user", content=PROMPT),),
        sampling=Sampling(temperature=0.1, max_tokens=250),
        seed=seed,
    )


async def bare_aiohttp(url: str, stack: AsyncExitStack) -> Call:
    import aiohttp

    session = await stack.enter_async_context(
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
    )

    async def call(seed: int) -> float:
        began = time.monotonic()
        body = {"model": "m", "messages": MESSAGES, "temperature": 0.1, "max_tokens": 250}
        async with session.post(url + "/chat/completions", json=body | {"seed": seed}) as response:
            await response.json()
        return time.monotonic() - began

    return call


async def bare_litellm(url: str, stack: AsyncExitStack) -> Call:
    from game_reasoning_arena.backends.litellm.library import load_litellm

    litellm: Any = load_litellm()
    stack.push_async_callback(litellm.close_litellm_async_clients)

    async def call(seed: int) -> float:
        began = time.monotonic()
        await litellm.acompletion(
            model="openai/m",
            api_base=url,
            api_key="none",
            messages=MESSAGES,
            temperature=0.1,
            max_tokens=250,
            seed=seed,
            timeout=120.0,
            max_retries=0,
            num_retries=0,
        )
        return time.monotonic() - began

    return call


def ours(kind: Any, **settings: Any) -> Callable[[str, AsyncExitStack], Awaitable[Call]]:
    async def make(url: str, stack: AsyncExitStack) -> Call:
        backend = await stack.enter_async_context(kind(**settings))
        await backend.start([])

        async def call(seed: int) -> float:
            reply = await backend.complete(request(url, seed))
            return float(reply.latency_s)

        return call

    return make


CLIENTS: dict[str, tuple[Callable[[str, AsyncExitStack], Awaitable[Call]], int]] = {
    # name -> how to make it, calls per call in flight
    "bare aiohttp": (bare_aiohttp, 6),
    "direct": (ours(DirectBackend, max_concurrency=None), 6),
    "direct, streamed": (ours(DirectBackend, max_concurrency=None, stream=True), 6),
    "bare litellm": (bare_litellm, 4),
    "litellm, unlimited": (ours(LiteLLMBackend, max_concurrency=None, client_share=None), 4),
    "litellm": (ours(LiteLLMBackend), 4),
}


async def load(call: Call, in_flight: int, count: int) -> list[float]:
    """Keep so many calls in flight until so many are done; the recorded seconds."""
    numbers = iter(range(count))
    recorded: list[float] = []

    async def worker() -> None:
        recorded.extend([await call(number) for number in numbers])

    await asyncio.gather(*(worker() for _ in range(in_flight)))
    return recorded


def at(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[int(share * (len(ordered) - 1))]


async def one_round(
    server: LoopbackServer, make: Any, in_flight: int, per: int
) -> dict[str, float]:
    async with AsyncExitStack() as stack:
        call = await make(server.url, stack)
        await load(call, in_flight, in_flight)  # connections are open, code is warm
        server.reset()
        began, cpu = time.monotonic(), time.process_time()
        recorded = await load(call, in_flight, in_flight * per)
        took, cpu = time.monotonic() - began, time.process_time() - cpu
    seen = server.stats()
    return {
        "calls_per_s": len(recorded) / took,
        "cpu_ms": 1000 * cpu / len(recorded),
        "p50_ms": 1000 * at(recorded, 0.5),
        "p95_ms": 1000 * at(recorded, 0.95),
        "server_p50_ms": 1000 * seen["latency_p50_s"],
        "server_p95_ms": 1000 * seen["latency_p95_s"],
    }


def ratios(rounds: dict[tuple[int, str], list[dict[str, float]]]) -> list[figures.Ratio]:
    """Ours beside bare clients and the server's clock, for what was measured."""

    def pairs(in_flight: int, ours: str, anchor: str, key: str, base: str = "") -> Any:
        mine, others = rounds[in_flight, ours], rounds[in_flight, anchor]
        return [(a[key], b[base or key]) for a, b in zip(mine, others, strict=True)]

    found = []
    for in_flight, name in rounds:
        anchor = f"bare {'aiohttp' if name.startswith('direct') else 'litellm'}"
        if name.startswith("bare"):
            continue
        if (in_flight, anchor) in rounds:
            goal = 1.15 if name == "litellm, unlimited" else None
            found.append(
                figures.ratio(
                    f"{name}, {in_flight} in flight: CPU per call over {anchor}",
                    pairs(in_flight, name, anchor, "cpu_ms"),
                    goal=goal,
                    unit="ms",
                )
            )
        for share in ("p50", "p95"):
            limit = {"direct": 1.1, "direct, streamed": 1.1, "litellm": 1.25}.get(name)
            found.append(
                figures.ratio(
                    f"{name}, {in_flight} in flight: recorded {share} over the server's",
                    pairs(in_flight, name, name, f"{share}_ms", f"server_{share}_ms"),
                    goal=limit,
                    unit="ms",
                )
            )
    return found


def main() -> None:
    options = figures.options(
        __doc__, rounds=3, latency=0.2, in_flight=[64, 256], clients=list(CLIENTS)
    )
    rounds: dict[tuple[int, str], list[dict[str, float]]] = {}
    with LoopbackServer(latency=options.latency, log="off") as server:
        for _ in range(options.rounds):
            for in_flight in options.in_flight:
                for name in options.clients:
                    make, per = CLIENTS[name]
                    measured = asyncio.run(one_round(server, make, in_flight, per))
                    rounds.setdefault((in_flight, name), []).append(measured)
    results = []
    head = ["in flight", "client", "calls/s", "CPU ms", "p50", "p95", "server p50", "server p95"]
    print(("{:>9}  {:<24}" + "{:>10}" * 6).format(*head))
    for (in_flight, name), measured in sorted(rounds.items(), key=lambda item: item[0][0]):
        medians = {key: statistics.median(one[key] for one in measured) for key in measured[0]}
        print(
            f"{in_flight:>9}  {name:<24}"
            + "".join(
                f"{value:>10.{2 if key == 'cpu_ms' else 0}f}" for key, value in medians.items()
            )
        )
        results.append({"in_flight": in_flight, "client": name, **medians})
    figures.finish(ratios(rounds), results, options.json)


if __name__ == "__main__":
    main()
