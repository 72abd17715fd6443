"""Growth of `arena compare` and `arena report`: processor time and memory over load_runs'.

    python -m benchmarks.bench_compare [--sizes 1000 10000 100000] [--rounds 1] [--jobs 400]

A run of kuhn_poker is played once and its lines repeated under new numbers and seeds, up to each
size (10⁶ episodes take 3 GB of disk). Every measurement is a process of its own, imports included,
one after the other; a sweep of many short runs is measured likewise.
"""

from __future__ import annotations

import contextlib
import io
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import yaml

from benchmarks import figures

PLAYED = 1000
#: Goals: compare and report over load_runs; MiB of 10⁶ episodes; seconds of a sweep's comparison.
OVER_LOADING = 3.0
MOST_MIB = 3072
SWEEP_SECONDS = 5.0


def play(home: Path, episodes: int) -> Path:
    """A run that is really played, by a stand-in against random moves."""
    from game_reasoning_arena.cli import run_command

    run = home / f"played-{episodes}"
    words = ["simulation=kuhn_poker", f"episodes={episodes}", f"hydra.run.dir={run}"]
    with contextlib.redirect_stdout(io.StringIO()):
        assert run_command(words) == 0
    return run


def repeat(source: Path, target: Path, episodes: int) -> None:
    """The same run, so many episodes long: each time through, all numbers and seeds are new."""
    target.mkdir()
    for name in ("config.yaml", "run.json"):
        shutil.copy(source / name, target / name)
    for name in ("episodes.jsonl", "responses.jsonl"):
        lines = [orjson.loads(line) for line in (source / name).read_bytes().splitlines()]
        with open(target / name, "wb") as out:
            for start in range(0, episodes, PLAYED):
                for line in lines:
                    number = line["episode"] + start
                    if number < episodes:
                        moved = {**line, "episode": number, "seed": line["seed"] + start}
                        out.write(orjson.dumps(moved) + b"\n")


def sweep(source: Path, home: Path, jobs: int) -> None:
    """Runs that differ as a sweep of models, temperatures and seeds makes them."""
    models, temperatures = [f"scripted_m{i}" for i in range(4)], [0.0, 0.3, 0.6, 0.9]
    config = yaml.safe_load((source / "config.yaml").read_text())
    told = orjson.loads((source / "run.json").read_bytes())
    home.mkdir()
    seeds = max(1, jobs // 16)
    for job in range(jobs):
        model, temperature = models[job % 4], temperatures[job // 4 % 4]
        run, run_id = home / str(job), f"{job:012x}"
        run.mkdir()
        config["agents"]["player_0"] |= {"model": model}
        config["agents"]["player_0"]["sampling"]["temperature"] = temperature
        config |= {"seed": job // 16}
        told |= {"run_id": run_id, "seed": job // 16}
        told["players"]["player_0"]["model"] = model
        (run / "config.yaml").write_text(yaml.safe_dump(config))
        (run / "run.json").write_bytes(orjson.dumps(told))
        for name in ("episodes.jsonl", "responses.jsonl"):
            with open(run / name, "wb") as out:
                for text in (source / name).read_bytes().splitlines():
                    line = orjson.loads(text)
                    line |= {"run_id": run_id, "seed": line["seed"] + job // 16}
                    if "requested" in line:
                        line |= {"model": model}
                        line["requested"]["temperature"] = temperature
                    out.write(orjson.dumps(line) + b"\n")
    axes = {"model": models, "sampling.temperature": temperatures, "seed": list(range(seeds))}
    (home / "sweep.json").write_text(json.dumps({"format_version": 1, "axes": axes}))


def measure(way: str, directory: str) -> dict[str, float]:
    """Processor seconds and peak memory in MiB of one way, imports included."""
    begun = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        if way == "load":
            from game_reasoning_arena.recording import load_runs

            assert len(load_runs(directory).responses)
        else:
            from game_reasoning_arena.cli import run_command

            page = ["--output", str(Path(directory).parent / "page.html")]
            assert run_command([way, directory, *(page if way == "report" else [])]) == 0
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "cpu": used.ru_utime + used.ru_stime,
        "wall": time.perf_counter() - begun,
        "mib": used.ru_maxrss / 1024,
    }


def apart(way: str, directory: Path) -> dict[str, float]:
    """The same in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.bench_compare", "measure", way, str(directory)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def grown(
    source: Path, home: Path, episodes: int, rounds: int
) -> dict[str, list[dict[str, float]]]:
    """Measurements of one size, ways in turn; a page of more than 10⁵ episodes nobody opens."""
    run = home / f"run-{episodes}"
    repeat(source, run, episodes)
    ways = ["load", "compare", *(["report"] if episodes <= 100_000 else [])]
    found: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way in ways:
            found[way].append(apart(way, run))
    shutil.rmtree(run)
    return found


def growth(found: dict[int, dict[str, list[dict[str, float]]]]) -> str:
    """A table: a row per size, processor seconds and memory of each way."""
    rows = [("episodes", "load_runs", "compare", "report", "load MiB", "compare MiB", "report MiB")]
    for episodes, ways in found.items():
        best = {way: min(one["cpu"] for one in rounds) for way, rounds in ways.items()}
        most = {way: max(one["mib"] for one in rounds) for way, rounds in ways.items()}
        cells = [f"{best[way]:.1f} s" if way in best else "-" for way in _WAYS]
        cells += [f"{most[way]:,.0f}" if way in most else "-" for way in _WAYS]
        rows.append((f"{episodes:,}", *cells))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )


_WAYS = ("load", "compare", "report")


def ratios_of(found: dict[int, dict[str, list[dict[str, float]]]]) -> list[figures.Ratio]:
    """Each way over load_runs, and the memory of 10⁶ episodes."""
    made = []
    for episodes, ways in found.items():
        for way in ("compare", "report"):
            if way not in ways:
                continue
            pairs = [(a["cpu"], b["cpu"]) for a, b in zip(ways[way], ways["load"], strict=True)]
            goal = OVER_LOADING if episodes >= 100_000 else None
            name = f"{way} of {episodes:,} episodes of kuhn_poker: CPU over load_runs"
            made.append(figures.ratio(name, pairs, goal=goal, unit="s"))
        if episodes >= 1_000_000:
            pairs = [(one["mib"], MOST_MIB) for one in ways["compare"]]
            name = f"compare of {episodes:,} episodes: peak memory over {MOST_MIB:,} MiB"
            made.append(figures.ratio(name, pairs, goal=1, unit="MiB"))
    return made


def main() -> None:
    """Play, repeat, measure each size, show the growth and the ratios."""
    if sys.argv[1:2] == ["measure"]:
        print(json.dumps(measure(sys.argv[2], sys.argv[3])))
        return
    sizes: Sequence[int] = [1000, 10_000, 100_000]
    options = figures.options(__doc__, sizes=sizes, rounds=1, jobs=400)
    detail: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as place:
        home = Path(place)
        source = play(home, PLAYED)
        found = {size: grown(source, home, size, options.rounds) for size in options.sizes}
        print(growth(found))
        ratios = ratios_of(found)
        detail["growth"] = {str(size): ways for size, ways in found.items()}
        if options.jobs:
            sweep(play(home, 4), home / "sweep", options.jobs)
            several = [apart("compare", home / "sweep") for _ in range(options.rounds)]
            pairs = [(one["cpu"], SWEEP_SECONDS) for one in several]
            name = f"compare of a sweep of {options.jobs} runs: CPU over {SWEEP_SECONDS:g} s"
            ratios.append(figures.ratio(name, pairs, goal=1, unit="s"))
            detail["sweep"] = several
    figures.finish(ratios, detail, options.json)


if __name__ == "__main__":
    main()
