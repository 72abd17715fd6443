"""More calls at once than the system lets a process have open connections."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.loopback import LoopbackServer


def test_six_hundred_at_once_finish_under_a_limit_of_256(
    loopback: LoopbackServer, tmp_path: Path
) -> None:
    loopback.set(latency=0.05)
    (tmp_path / "p.txt").write_text("".join(f"What is {n}?\n" for n in range(600)))
    words = (
        f"+provider.my_lab.api_base={loopback.url} agents=llm concurrency=600 probe=false "
        "agents.player_0.model=direct_my_lab/small backend.direct.max_concurrency=600 "
        "simulation=prompts simulation.file=p.txt hydra.run.dir=mine"
    )
    done = subprocess.run(
        ["bash", "-c", f"ulimit -n 256; {sys.executable} -m game_reasoning_arena {words}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "episodes: 600 completed" in done.stdout
    told = json.loads((tmp_path / "mine/run.json").read_text())
    assert told["episodes"] == {"planned": 600, "completed": 600}
    assert told["totals"]["failed_calls"] == 0
    assert loopback.stats()["max_in_flight"] < 256
