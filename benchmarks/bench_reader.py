"""Reading responses into a table: load_runs against pandas.read_json(lines=True), time and memory.

    python -m benchmarks.bench_reader [--lines 150000] [--rounds 3] [--json FILE]

Each way runs in a process of its own, alternating, so that peak memory is its own.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import orjson

from benchmarks import figures

WAYS = ("nothing", "read_json", "read_json_bodies", "load_runs", "load_runs_bodies")


def write(directory: Path, lines: int) -> None:
    """A run directory with ``lines`` responses of about 1.9 KB."""
    rng = random.Random(0)
    words = ["corner", "block", "threat", "centre", "therefore", "opponent", "wins", "x(1,1)"]
    (directory / "run.json").write_bytes(orjson.dumps({"run_id": "bench", "format_version": 1}))
    (directory / "config.yaml").write_text("agents: {player_0: {type: llm, model: vllm_bench}}\n")
    (directory / "episodes.jsonl").touch()
    with open(directory / "responses.jsonl", "wb") as out:
        for number in range(lines):
            text = " ".join(rng.choices(words, k=90))
            prompt = " ".join(rng.choices(words, k=70))
            line = {
                "run_id": "bench", "episode": number // 5, "seed": number // 10, "seat": number % 2,
                "player": "player_0", "turn": number % 5, "attempt": 0, "sample": 0,
                "model": "vllm_bench", "backend": "vllm", "provider": None,
                "messages": [
                    {"role": "system", "content": "You play to win. " * 10},
                    {"role": "user", "content": prompt},
                ],
                "text": text, "reasoning": None, "outcome": "legal", "action": number % 9,
                "action_text": f"x({number % 3},1)", "parse_form": "line", "finish_reason": "stop",
                "started_at": 1.79e9 + number, "latency_s": rng.random(), "ttft_s": rng.random(),
                "decode_s": rng.random(), "queue_s": 0.01, "client_s": 0.001, "retries": 0,
                "prompt_tokens": 300, "completion_tokens": 90, "reasoning_tokens": None,
                "cached_tokens": None, "cost_usd": None,
                "requested": {"temperature": 0.1, "max_tokens": 250},
                "sent": {"temperature": 0.1, "max_tokens": 250, "seed": number},
                "dropped": [], "constrained": False, "served_model": "bench", "error": None,
            }  # fmt: skip
            out.write(orjson.dumps(line) + b"\n")


def measure(way: str, directory: Path) -> dict[str, float]:
    """Seconds of one way and the process's peak memory in MB, imports included."""
    import pandas as pd

    from game_reasoning_arena.recording import load_runs
    from game_reasoning_arena.recording.columns import BODIES, RESPONSES

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start, cpu = time.perf_counter(), time.process_time()
    table = None
    if way == "read_json":  # as a user would: read all, keep what is needed
        table = pd.read_json(directory / "responses.jsonl", lines=True)
        table = table.drop(columns=list(BODIES))
    elif way == "read_json_bodies":
        table = pd.read_json(directory / "responses.jsonl", lines=True)
    elif way == "load_runs":
        table = load_runs(directory).responses
    elif way == "load_runs_bodies":
        table = load_runs(directory, columns=list(RESPONSES)).responses
    seconds, spent = time.perf_counter() - start, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    kept = 0.0 if table is None else float(table.memory_usage(deep=False).sum()) / 1e6
    return {"seconds": seconds, "cpu": spent, "added_mb": (peak - before) / 1024, "table_mb": kept}


def main() -> None:
    """Write, measure each way in turn, show ratios."""
    if sys.argv[1:2] == ["measure"]:
        print(json.dumps(measure(sys.argv[2], Path(sys.argv[3]))))
        return
    options = figures.options(__doc__, lines=150_000, rounds=3)
    with tempfile.TemporaryDirectory() as home:
        directory = Path(home)
        write(directory, options.lines)
        size = (directory / "responses.jsonl").stat().st_size / 1e6
        print(f"{options.lines:,} lines, {size:.0f} MB")
        found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
        for _ in range(options.rounds):
            for way in WAYS:
                told = subprocess.run(
                    [sys.executable, "-m", "benchmarks.bench_reader", "measure", way, home],
                    check=True,
                    capture_output=True,
                    text=True,
                )
                found[way].append(json.loads(told.stdout))
    ratios = []
    for what, way, anchor in (
        ("load_runs", "load_runs", "read_json"),
        ("load_runs with texts", "load_runs_bodies", "read_json_bodies"),
    ):
        for key, name, unit in (("cpu", "CPU", "s"), ("added_mb", "peak memory", "MiB")):
            ratios.append(
                figures.ratio(
                    f"{what}, {size:.0f} MB: {name} over pandas.read_json",
                    [(a[key], b[key]) for a, b in zip(found[way], found[anchor], strict=True)],
                    goal=1,
                    unit=unit,
                )
            )
    figures.finish(ratios, found, options.json)


if __name__ == "__main__":
    main()
