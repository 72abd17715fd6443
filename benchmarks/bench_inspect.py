"""Samples per second beside inspect_ai (it is no dependency): ``make bench-inspect``.

    python -m benchmarks.bench_inspect --inspect PYTHON [--samples 300] [--rounds 3] [--json FILE]

The same prompts, the same server answering in 200 ms, 256 calls in flight for each:
inspect_ai's ``eval`` with the ``generate`` solver and no scorer, ours with ``simulation=prompts``.
Both write all that they write by default. inspect_ai wants openai 3 and LiteLLM openai 2, so that
it runs in an environment of its own, by the interpreter PYTHON; the rounds alternate.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from tests.loopback import LoopbackServer

from benchmarks import figures
from benchmarks.bench_play import LATENCY_S, model_words, play

IN_FLIGHT = 256


def inspect_ai(python: str, server: LoopbackServer, prompts: str) -> float:
    """Samples per second of an evaluation."""
    side = Path(__file__).with_name("inspect_side.py")
    done = subprocess.run(
        [python, str(side), server.url, str(IN_FLIGHT)],
        input=prompts,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return float(done.stdout.splitlines()[-1])


def ours(server: LoopbackServer, backend: str, file: Path) -> float:
    """Samples per second of a run."""
    words = [*model_words(server, backend), "simulation=prompts", f"simulation.file={file}"]
    if backend == "litellm":
        words.append("backend.litellm.client_share=null")  # as many in flight as inspect_ai has
    played = play([*words, "agents=llm", f"concurrency={IN_FLIGHT}"])
    return len(played.answers) / played.took_s


def main() -> None:
    options = figures.options(__doc__, samples=300, rounds=3, inspect="")
    if not options.inspect:
        print("left out: no interpreter with inspect_ai was named (make bench-inspect does)")
        return
    prompts = "".join(
        f"Question {number}: name a move that forks two pieces, and say why in one sentence.\n"
        for number in range(options.samples)
    )
    with LoopbackServer(latency=LATENCY_S, log="off") as server, tempfile.TemporaryDirectory() as d:
        file = Path(d) / "prompts.txt"
        file.write_text(prompts)
        ours(server, "litellm", file)  # imports
        rounds = [
            {
                "inspect_ai": inspect_ai(options.inspect, server, prompts),
                "direct": ours(server, "direct", file),
                "litellm": ours(server, "litellm", file),
            }
            for _ in range(options.rounds)
        ]
    found = [
        figures.ratio(
            f"{backend}, {options.samples} prompts: samples/s of inspect_ai",
            [(one[backend], one["inspect_ai"]) for one in rounds],
            goal=goal,
            more=True,
            unit="/s",
        )
        for backend, goal in (("direct", 10), ("litellm", 3))
    ]
    figures.finish(found, rounds, options.json)


if __name__ == "__main__":
    main()
