"""Reading responses into a table: load_runs against pandas.read_json(lines=True), time and memory.

python benchmarks/bench_reader.py            # 100,000 lines, about 190 MB
python benchmarks/bench_reader.py --lines 300000

Each way runs in a process of its own, alternating, so that peak memory is its own; the best of
three times is shown, and ratios to read_json, which travel between machines where seconds do not.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import orjson

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
    """Write, measure each way three times, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--measure", nargs=2, metavar=("WAY", "DIR"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(args.measure[0], Path(args.measure[1]))))
        return
    with tempfile.TemporaryDirectory() as home:
        directory = Path(home)
        write(directory, args.lines)
        size = (directory / "responses.jsonl").stat().st_size / 1e6
        print(f"{args.lines:,} lines, {size:.0f} MB")
        found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
        for _ in range(args.repeats):
            for way in WAYS:
                told = subprocess.run(
                    [sys.executable, __file__, "--measure", way, home],
                    check=True,
                    capture_output=True,
                    text=True,
                )
                found[way].append(json.loads(told.stdout))
        base = min(m["cpu"] for m in found["read_json"])
        base_mb = min(m["added_mb"] for m in found["read_json"])
        for way in WAYS[1:]:
            best = min(m["seconds"] for m in found[way])
            cpu = min(m["cpu"] for m in found[way])
            peak = min(m["added_mb"] for m in found[way])
            print(
                f"{way:18} {best:6.2f} s, CPU {cpu:6.2f} s ({cpu / base:4.2f})"
                f"  peak +{peak:6.0f} MB ({peak / base_mb:4.2f})"
                f"  table {found[way][0]['table_mb']:6.1f} MB"
            )


if __name__ == "__main__":
    main()
