"""Whole runs beside the least that the same work can take.

    python -m benchmarks.bench_play [--rounds 3] [--json FILE]

- many calls: episodes at 256 in flight (prompt, call, parse, record) beside a bare aiohttp loop
  that makes the same calls, and the recorded latencies beside the server's own;
- games: 20 and 200 games at 200 ms a call beside their critical path, the longest game's calls one
  after the other; and, through LiteLLM, beside a bare `litellm.acompletion` loop.

All in one process and one run, rounds interleaved, medians shown; ratios travel, times do not. A
round that is thrown away goes first, so that nobody pays for imports.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from tests.loopback import LoopbackServer

from benchmarks import figures
from game_reasoning_arena.preflight.preparation import prepare
from game_reasoning_arena.preflight.session import compose_words
from game_reasoning_arena.running.runner import run

LATENCY_S = 0.2

#: What was measured, in seconds or numbers.
Figures = dict[str, float]


class Played(NamedTuple):
    """A run's answers, and its seconds.

    ``took_s`` is the whole call of ``run``; ``duration_s`` what the run writes down: all but the
    closing of connections, as with the bare loops. ``cpu_s`` are processor seconds of the call.
    """

    answers: list[dict[str, Any]]
    took_s: float
    duration_s: float
    cpu_s: float


def play(words: list[str]) -> Played:
    """Play once, in a directory that is thrown away."""
    directory = Path(tempfile.mkdtemp(prefix="arena-bench-"))
    try:
        experiment = prepare(compose_words(words))
        began, cpu = time.perf_counter(), time.process_time()
        result = run(experiment, directory / "run", quiet=True)
        took, cpu = time.perf_counter() - began, time.process_time() - cpu
        assert result.exit_code == 0, result.reason
        told = orjson.loads((directory / "run" / "run.json").read_bytes())
        text = (directory / "run" / "responses.jsonl").read_bytes()
        answers = [orjson.loads(line) for line in text.splitlines()]
        return Played(answers, took, told["duration_s"], cpu)
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
    from game_reasoning_arena.backends.litellm.library import load_litellm

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
    played = play([*words, "concurrency=256"])
    answers = played.answers
    seen = server.stats()
    bare = asyncio.run(bare_aiohttp(server, answers, 256))
    recorded = [answer["latency_s"] for answer in answers]
    return {
        "calls_per_s": len(answers) / played.took_s,
        "bare_calls_per_s": len(answers) / bare,
        "recorded_p50_s": at(recorded, 0.5),
        "server_p50_s": seen["latency_p50_s"],
        "recorded_p95_s": at(recorded, 0.95),
        "server_p95_s": seen["latency_p95_s"],
    }


def games(server: LoopbackServer, backend: str, game: str, number: int) -> Figures:
    """Games beside their critical path, and beside a bare loop that makes the same calls."""
    words = [*model_words(server, backend), f"simulation={game}", f"episodes={number}"]
    in_flight = 64 if backend == "litellm" else 256
    played = play([*words, f"concurrency={in_flight}"])
    answers = played.answers
    calls: dict[int, int] = defaultdict(int)
    for answer in answers:
        calls[answer["episode"]] += 1
    bare = bare_litellm if backend == "litellm" else bare_aiohttp
    return {
        "seconds": played.duration_s,
        "whole_call_s": played.took_s,
        "calls": float(len(answers)),
        "critical_path_s": max(calls.values()) * LATENCY_S,
        "bare_s": asyncio.run(bare(server, answers, in_flight)),
        "one_after_the_other_s": len(answers) * LATENCY_S,
    }


def measure(server: LoopbackServer) -> dict[str, Figures]:
    """One round of everything."""
    found = {"many calls": many_calls(server)}
    for game in ("tic_tac_toe", "kuhn_poker"):
        for number in (20, 200):
            found[f"{number} games of {game}"] = games(server, "direct", game, number)
    found["litellm"] = games(server, "litellm", "tic_tac_toe", 200)
    return found


def ratios(rounds: list[dict[str, Figures]]) -> list[figures.Ratio]:
    """Ours beside the anchors."""

    def pairs(what: str, ours: str, anchor: str) -> list[tuple[float, float]]:
        return [(one[what][ours], one[what][anchor]) for one in rounds]

    found = [
        figures.ratio(
            "direct, 256 in flight: calls/s of a bare aiohttp loop",
            pairs("many calls", "calls_per_s", "bare_calls_per_s"),
            goal=0.6,
            more=True,
            unit="/s",
        )
    ]
    found += [
        figures.ratio(
            f"direct, 256 in flight: recorded {share} over the server's",
            pairs("many calls", f"recorded_{share}_s", f"server_{share}_s"),
            goal=1.1,
            unit="s",
        )
        for share in ("p50", "p95")
    ]
    for what in rounds[0]:
        if "games of" in what:
            for ours, anchor, name, goal in (
                ("seconds", "critical_path_s", "over the critical path", 1.3),
                ("whole_call_s", "critical_path_s", "and connections closed, over it", None),
                ("seconds", "bare_s", "over the bare aiohttp loop", None),
            ):
                found.append(
                    figures.ratio(
                        f"direct, {what} {name}",
                        pairs(what, ours, anchor),
                        goal=goal,
                        unit="s",
                    )
                )
    found.append(
        figures.ratio(
            "litellm, 200 games of tic_tac_toe over a bare acompletion loop",
            pairs("litellm", "seconds", "bare_s"),
            goal=1.3,
            unit="s",
        )
    )
    return found


def main() -> None:
    options = figures.options(__doc__, rounds=3)
    with LoopbackServer(latency=LATENCY_S, log="off") as server:
        measure(server)
        rounds = [measure(server) for _ in range(options.rounds)]
    figures.finish(ratios(rounds), rounds, options.json)


if __name__ == "__main__":
    main()
