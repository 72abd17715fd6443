"""Calls per second and recorded latencies of LiteLLM in this process and in worker processes.

    python benchmarks/bench_litellm_workers.py [--workers 0 1 2] [--rounds 3] [--in-flight 64]

Rounds are interleaved and medians shown, as in ``bench_backends``. All in-flight calls are allowed
(``client_share=null``), so that what is seen is what the processes can carry. More workers than
cores do not help, and the loopback server and this process want a core too: measure where
there are at least two more cores than workers.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.loopback import LoopbackServer

from benchmarks.bench_backends import one_round, ours
from game_reasoning_arena.backends.litellm_backend import LiteLLMBackend


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--latency", type=float, default=0.2, help="of the server, in seconds")
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--per", type=int, default=8, help="calls per call in flight")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rounds: dict[int, list[dict[str, float]]] = {count: [] for count in options.workers}
    with LoopbackServer(latency=options.latency, log="off") as server:
        for _ in range(options.rounds):
            for count, figures in rounds.items():
                make = ours(LiteLLMBackend, workers=count, max_concurrency=None, client_share=None)
                figures.append(asyncio.run(one_round(server, make, options.in_flight, options.per)))
    print(f"{os.cpu_count()} cores, {options.in_flight} in flight, {options.latency:g} s")
    names = ("calls/s", "ratio", "CPU ms here", "p50", "p95", "server p50")
    print(("{:>8}" + "{:>13}" * len(names)).format("workers", *names))
    results = []
    base: float | None = None
    for count, figures in rounds.items():
        medians = {key: statistics.median(one[key] for one in figures) for key in figures[0]}
        base = medians["calls_per_s"] if base is None else base
        ratio = medians["calls_per_s"] / base
        print(
            f"{count:>8}{medians['calls_per_s']:>13.0f}{ratio:>13.2f}{medians['cpu_ms']:>13.2f}"
            f"{medians['p50_ms']:>13.0f}{medians['p95_ms']:>13.0f}{medians['server_p50_ms']:>13.0f}"
        )
        results.append({"workers": count, "ratio_to_first": ratio, **medians})
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
