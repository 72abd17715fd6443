"""Memory and descriptors over a long run with many calls in flight.

    python -m benchmarks.bench_load [--episodes 27000] [--in-flight 512] [--json FILE]

Plays tic_tac_toe against the loopback server, directly, in a process of its own, and looks at that
process twice a second. 27,000 episodes are some 100,000 calls; after the first thousand memory
should stand still.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.loopback import LoopbackServer

from benchmarks import figures


def resident_mb(pid: int) -> float:
    """Resident memory of a process, in MiB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def count_lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def main() -> None:
    options = figures.options(__doc__, episodes=27_000, in_flight=512)
    seen: list[tuple[int, float, int]] = []
    with LoopbackServer(log="off") as server, tempfile.TemporaryDirectory() as name:
        run = Path(name) / "run"
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "game_reasoning_arena"),
                f"+provider.lab.api_base={server.url}",
                "agents.player_0.model=direct_lab/m",
                "backend.direct.max_concurrency=null",
                "probe=false",  # every request is a call of the run
                f"episodes={options.episodes}",
                f"concurrency={options.in_flight}",
                f"hydra.run.dir={run}",
            ],
            cwd=name,
            stdout=subprocess.DEVNULL,
        )
        began = time.monotonic()
        while process.poll() is None:
            time.sleep(0.5)
            try:
                descriptors = len(os.listdir(f"/proc/{process.pid}/fd"))
                memory = resident_mb(process.pid)
            except (FileNotFoundError, ProcessLookupError, IndexError):
                break
            if memory:  # zero once the process has ended
                seen.append((count_lines(run / "episodes.jsonl"), memory, descriptors))
        code = process.wait()
        took = time.monotonic() - began
        answers = [json.loads(line) for line in (run / "responses.jsonl").open()]
        asked = server.stats()["requests"]
    places = {(a["episode"], a["seat"], a["turn"], a["attempt"], a["sample"]) for a in answers}
    assert code == 0, f"the run ended with {code}"
    assert len(places) == len(answers) == asked, "a call was lost or made twice"
    calls = len(answers)
    # By calls, which is what memory could grow with.
    settled = next(memory for done, memory, _ in seen if done >= options.episodes * 1000 / calls)
    most = max(memory for _, memory, _ in seen)
    detail = {
        "seconds": took,
        "calls": calls,
        "MiB after 1,000 calls": settled,
        "MiB at the end": seen[-1][1],
        "MiB at most": most,
        "descriptors at most": max(descriptors for *_, descriptors in seen),
        "descriptors at the end": seen[-1][2],
    }
    for what, value in detail.items():
        print(f"{what:<36}{value:>12.1f}")
    grown = figures.ratio(
        f"memory, MiB added from 1,000 to {calls:,} calls over 100 MB",
        [(most - settled, 100e6 / 2**20)],
        goal=1,
        unit="MiB",
    )
    figures.finish([grown], detail, options.json)


if __name__ == "__main__":
    main()
