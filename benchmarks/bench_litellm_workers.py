"""Calls per second and recorded latencies of LiteLLM in this process and in worker processes.

    python -m benchmarks.bench_litellm_workers [--workers 0 1 2] [--rounds 3] [--in-flight 64]

Rounds are interleaved and medians shown, as in ``bench_backends``. All in-flight calls are allowed
(``client_share=null``), so that what is seen is what the processes can carry. More workers than
cores do not help, and the loopback server and this process want a core too: measure where
there are at least two more cores than workers.
"""

from __future__ import annotations

import asyncio
import os
import statistics

from tests.loopback import LoopbackServer

from benchmarks import figures
from benchmarks.bench_backends import one_round, ours
from game_reasoning_arena.backends.litellm_backend import LiteLLMBackend


def main() -> None:
    options = figures.options(
        __doc__, rounds=3, workers=[0, 1, 2], latency=0.2, in_flight=64, per=8
    )
    rounds: dict[int, list[dict[str, float]]] = {count: [] for count in options.workers}
    with LoopbackServer(latency=options.latency, log="off") as server:
        for _ in range(options.rounds):
            for count, measured in rounds.items():
                make = ours(LiteLLMBackend, workers=count, max_concurrency=None, client_share=None)
                measured.append(
                    asyncio.run(one_round(server, make, options.in_flight, options.per))
                )
    print(f"{os.cpu_count()} cores, {options.in_flight} in flight, {options.latency:g} s")
    names = ("calls/s", "ratio", "CPU ms here", "p50", "p95", "server p50")
    print(("{:>8}" + "{:>13}" * len(names)).format("workers", *names))
    results = []
    base_rate: float | None = None
    for count, measured in rounds.items():
        medians = {key: statistics.median(one[key] for one in measured) for key in measured[0]}
        base_rate = medians["calls_per_s"] if base_rate is None else base_rate
        ratio = medians["calls_per_s"] / base_rate
        print(
            f"{count:>8}{medians['calls_per_s']:>13.0f}{ratio:>13.2f}{medians['cpu_ms']:>13.2f}"
            f"{medians['p50_ms']:>13.0f}{medians['p95_ms']:>13.0f}{medians['server_p50_ms']:>13.0f}"
        )
        results.append({"workers": count, "ratio_to_first": ratio, **medians})
    first = options.workers[0]
    found = [
        figures.ratio(
            f"litellm, {count} worker processes: calls/s over {first}",
            [
                (one["calls_per_s"], base["calls_per_s"])
                for one, base in zip(rounds[count], rounds[first], strict=True)
            ],
            goal=None,
            more=True,
            unit="/s",
        )
        for count in options.workers[1:]
    ]
    figures.finish(found, results, options.json)


if __name__ == "__main__":
    main()
