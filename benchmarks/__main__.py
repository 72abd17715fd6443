"""All benchmarks that need no extra: ``make bench``; results as JSON in ``benchmarks/results/``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

#: With whether they write JSON.
PARTS = {
    "bench_startup": True,
    "bench_play": True,
    "bench_backends": True,
    "bench_litellm_workers": True,
    "bench_load": True,
    "bench_reader": False,
}

if __name__ == "__main__":
    results = Path(__file__).with_name("results")
    results.mkdir(exist_ok=True)
    for part, writes in PARTS.items():
        print(f"== {part}", flush=True)
        kept = ["--json", str(results / f"{part}.local.json")] if writes else []
        subprocess.run([sys.executable, "-m", f"benchmarks.{part}", *kept], check=True)
