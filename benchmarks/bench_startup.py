"""Start-up beside a minimal Hydra application, and what a record costs.

    python -m benchmarks.bench_startup [--rounds 5] [--json FILE]

The minimal application has one small group and an empty main. Processor time of whole processes,
rounds interleaved, medians shown. Bytecode is compiled first: that is how users have it.
"""

from __future__ import annotations

import compileall
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import figures
from game_reasoning_arena.process.secrets import Redactor
from game_reasoning_arena.recording.decoding import response_of
from game_reasoning_arena.recording.writer import RunWriter
from game_reasoning_arena.records import ResponseRecord

MINIMAL = """
import hydra

@hydra.main(version_base="1.3", config_path="settings", config_name="config")
def main(cfg):
    pass

main()
"""


def cpu(command: list[str], folder: Path) -> float:
    """Processor seconds of a process and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        command,
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"},
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)


def minimal_application(folder: Path) -> None:
    (folder / "settings" / "db").mkdir(parents=True)
    (folder / "settings" / "config.yaml").write_text("defaults: [{db: mysql}, _self_]\nseed: 0\n")
    (folder / "settings" / "db" / "mysql.yaml").write_text("driver: mysql\n")
    (folder / "main.py").write_text(MINIMAL)


def a_record() -> ResponseRecord:
    """A typical one, from a real run of the stand-in."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, "-m", "game_reasoning_arena", "episodes=1", "hydra.run.dir=run"],
            cwd=folder,
            check=True,
            capture_output=True,
        )
        line = (Path(folder) / "run" / "responses.jsonl").read_text().splitlines()[-1]
    return response_of(json.loads(line))


def seconds_per_record(record: ResponseRecord, number: int = 20_000) -> float:
    """Of appending and flushing, with keys to look for in the environment."""
    keys = {"OPENAI_API_KEY": "a-key-of-some-length-0123456789", "GROQ_API_KEY": "another-0123456"}
    with tempfile.TemporaryDirectory() as folder:
        redact = Redactor(environ=keys).redact
        with RunWriter(Path(folder) / "run", redact=redact) as writer:
            began = time.process_time()
            for _ in range(number):
                writer.response(record)
            return (time.process_time() - began) / number


def main() -> None:
    options = figures.options(__doc__, rounds=5)
    for path in sys.path:
        if path.endswith("site-packages"):
            compileall.compile_dir(path, quiet=2, workers=2)
    arena = [sys.executable, "-m", "game_reasoning_arena"]
    times: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        minimal_application(folder)
        commands = {
            "minimal --cfg job": [sys.executable, "main.py", "--cfg", "job"],
            "arena --cfg job": [*arena, "--cfg", "job"],
            "minimal --help": [sys.executable, "main.py", "--help"],
            "arena --help": [*arena, "--help"],
            "minimal run": [sys.executable, "main.py"],
            "arena episodes=1": [*arena, "episodes=1"],
        }
        for _ in range(options.rounds):
            for what, command in commands.items():
                times.setdefault(what, []).append(cpu(command, folder))
    per_record = 1e6 * seconds_per_record(a_record())
    found = [
        figures.ratio(
            f"start-up, {what}: processor time over a minimal Hydra application's",
            zip(times[ours], times[minimal], strict=True),
            goal=goal,
            unit="s",
        )
        for what, ours, minimal, goal in (
            ("--cfg job", "arena --cfg job", "minimal --cfg job", 1.5),
            ("--help", "arena --help", "minimal --help", 1.5),
            ("one scripted episode", "arena episodes=1", "minimal run", 2.5),
        )
    ]
    found.append(
        figures.ratio(
            "a record, appended and flushed, over 20 us", [(per_record, 20.0)], goal=1, unit="us"
        )
    )
    figures.finish(found, times, options.json)


if __name__ == "__main__":
    main()
