"""Whole runs beside the least that the same work can take.

    python -m benchmarks.bench_play [--rounds 3] [--json FILE]

- many calls: episodes at 256 in flight (prompt, call, parse, record) beside a bare aiohttp loop
  that makes the same calls, and the recorded latencies beside the server's own;
- games: 20 and 200 games at 200 ms a call beside their critical path, the longest game's calls one
  after the other; and, through LiteLLM, beside a bare `litellm.acompletion` loop;
- random play: episodes per second, records included, beside a bare pyspiel loop.

All in one process and one run, rounds interleaved, medians shown; ratios travel, times do not.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import shutil
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
from tests.loopback import LoopbackServer

from game_reasoning_arena.hydra_app import compose_words
from game_reasoning_arena.preflight import prepare
from game_reasoning_arena.run import run

LATENCY_S = 0.2

Figures = dict[str, float]


def play(words: list[str]) -> tuple[float, list[dict[str, Any]], int]:
    """Seconds of a run, its answers, and its number of episodes."""
    directory = Path(tempfile.mkdtemp(prefix="arena-bench-"))
    try:
        experiment = prepare(compose_words(words))
        began = time.perf_counter()
        result = run(experiment, directory / "run", quiet=True)
        took = time.perf_counter() - began
        assert result.exit_code == 0, result.reason
        text = (directory / "run" / "responses.jsonl").read_bytes()
        return (
            took,
            [orjson.loads(line) for line in text.splitlines()],
            sum(result.episodes.values()),
        )
    finally:
        shutil.rmtree(directory)


def model_words(server: LoopbackServer, backend: str) -> list[str]:
    return [
        f"+provider.lab.api_base={server.url}",
        f"agents.player_0.model={backend}_lab/m",
        f"backend.{backend}.max_concurrency=1024",
        "probe=false",
    ]


Ask = Callable[[dict[str, Any]], Awaitable[None]]


async def repeat(answers: list[dict[str, Any]], in_flight: int, ask: Ask) -> float:
    """Make a run's calls again without a harness: a game's one after the other; the seconds."""
    games: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for answer in answers:
        games[answer["episode"]].append(answer)
    todo = iter(games.values())

    async def worker() -> None:
        for game in todo:
            for answer in game:
                await ask({"messages": answer["messages"], **answer["requested"]})

    began = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(in_flight)))
    return time.perf_counter() - began


async def bare_aiohttp(server: LoopbackServer, answers: list[Any], in_flight: int) -> float:
    import aiohttp

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def ask(body: dict[str, Any]) -> None:
            async with session.post(
                server.url + "/chat/completions", json={"model": "m", **body}
            ) as response:
                await response.json()

        return await repeat(answers, in_flight, ask)


async def bare_litellm(server: LoopbackServer, answers: list[Any], in_flight: int) -> float:
    from game_reasoning_arena.backends.litellm_library import load_litellm

    litellm: Any = load_litellm()

    async def ask(body: dict[str, Any]) -> None:
        await litellm.acompletion(
            model="openai/m",
            api_base=server.url,
            api_key="none",
            max_retries=0,
            num_retries=0,
            timeout=120.0,
            **body,
        )

    took = await repeat(answers, in_flight, ask)
    await litellm.close_litellm_async_clients()
    return took


def at(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[int(share * (len(ordered) - 1))]


def many_calls(server: LoopbackServer) -> Figures:
    """Whole episodes at 256 in flight, directly."""
    words = [*model_words(server, "direct"), "simulation=connect_four", "episodes=512"]
    server.reset()
    took, answers, _ = play([*words, "concurrency=256"])
    seen = server.stats()
    bare = asyncio.run(bare_aiohttp(server, answers, 256))
    recorded = [answer["latency_s"] for answer in answers]
    return {
        "calls_per_s": len(answers) / took,
        "bare_calls_per_s": len(answers) / bare,
        "share_of_bare": bare / took,
        "recorded_p50_s": at(recorded, 0.5),
        "server_p50_s": seen["latency_p50_s"],
        "recorded_p95_s": at(recorded, 0.95),
        "server_p95_s": seen["latency_p95_s"],
    }


def games(server: LoopbackServer, backend: str, game: str, number: int) -> Figures:
    """Games beside their critical path, and through LiteLLM beside its bare loop."""
    words = [*model_words(server, backend), f"simulation={game}", f"episodes={number}"]
    in_flight = 64 if backend == "litellm" else 256
    took, answers, _ = play([*words, f"concurrency={in_flight}"])
    calls: dict[int, int] = defaultdict(int)
    for answer in answers:
        calls[answer["episode"]] += 1
    path = max(calls.values()) * LATENCY_S
    figures = {"seconds": took, "calls": float(len(answers)), "critical_path_s": path}
    if backend == "direct":
        return figures | {"times_critical_path": took / path}
    bare = asyncio.run(bare_litellm(server, answers, in_flight))
    return figures | {
        "bare_s": bare,
        "times_bare": took / bare,
        "one_after_the_other_s": len(answers) * LATENCY_S,
    }


def random_play(game: str, number: int) -> Figures:
    """Random players, everything recorded, beside pyspiel alone."""
    import pyspiel

    words = ["agents=random_vs_random", f"simulation={game}", f"episodes={number}"]
    took, _, played = play(words)
    loaded = pyspiel.load_game(game)
    dice = random.Random(0)
    began = time.perf_counter()
    for _ in range(number):
        state = loaded.new_initial_state()
        while not state.is_terminal():
            state.apply_action(dice.choice(state.legal_actions()))
        state.returns()
    bare = time.perf_counter() - began
    return {
        "episodes_per_s": played / took,
        "bare_episodes_per_s": number / bare,
        "share_of_bare": bare / took,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    measured: dict[str, list[Figures]] = defaultdict(list)
    with LoopbackServer(latency=LATENCY_S, log="off") as server:
        for _ in range(options.rounds):
            measured["256 in flight, direct"].append(many_calls(server))
            for game in ("tic_tac_toe", "kuhn_poker"):
                for number in (20, 200):
                    name = f"{number} games of {game}, direct"
                    measured[name].append(games(server, "direct", game, number))
            name = "200 games of tic_tac_toe, litellm"
            measured[name].append(games(server, "litellm", "tic_tac_toe", 200))
            for game, number in (
                ("tic_tac_toe", 4000),
                ("kuhn_poker", 8000),
                ("connect_four", 1500),
            ):
                measured[f"random {game}"].append(random_play(game, number))
    medians = {
        name: {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
        for name, rounds in measured.items()
    }
    for name, figures in medians.items():
        print(name)
        for key, value in figures.items():
            print(f"    {key:<24}{value:>12.3f}")
    if options.json:
        options.json.write_text(json.dumps(medians, indent=1) + "\n")


if __name__ == "__main__":
    main()
