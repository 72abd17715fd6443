"""What the terminal shows while a run plays."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import time
from pathlib import Path

from tests.loopback import LoopbackServer


def test_a_long_wait_counts_down_on_the_line_of_progress(
    loopback: LoopbackServer, tmp_path: Path
) -> None:
    loopback.set(faults=[{"status": 429, "retry_after": 600, "skip": 1}])
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "game_reasoning_arena"),
            *("agents.player_0.model=direct_my_lab/small", "probe=false"),
            f"+provider.my_lab.api_base={loopback.url}",
            "backend.direct.deadline_s=3600",
        ],
        cwd=tmp_path,
        env={**os.environ, "COLUMNS": "80"},
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        stdin=subprocess.DEVNULL,
    ) as process:
        os.close(theirs)
        shown = b""
        left: set[bytes] = set()
        until = time.monotonic() + 100
        while len(left) < 3 and time.monotonic() < until:  # the seconds go down
            try:
                shown += os.read(ours, 65536)
            except OSError:  # it has ended
                break
            left = set(re.findall(rb"waiting (\d+) s for my_lab", shown))
        process.kill()
    os.close(ours)
    assert len(left) >= 3, shown.decode()
    assert b"Waiting 6" in shown  # and is announced above it
    assert all(540 < int(seconds) <= 660 for seconds in left)
