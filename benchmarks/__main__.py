"""All benchmarks that need no extra: ``make bench``.

    python -m benchmarks [PART ...] [--keep]

Shows every ratio beside its goal and beside ``results/reference.json``, an earlier measurement that
is kept with the code; ``--keep`` makes this one the reference. ``results/latest.local.json`` holds
the newest. The exit code is 1 when a part failed, not when a goal is missed: machines differ.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.figures import Ratio, load, table

PARTS = (
    "bench_startup",
    "bench_random",
    "bench_play",
    "bench_backends",
    "bench_litellm_workers",
    "bench_inspect",
    "bench_load",
    "bench_reader",
    "bench_assess",
    "bench_compare",
)
RESULTS = Path(__file__).with_name("results")
REFERENCE = RESULTS / "reference.json"


def machine() -> dict[str, Any]:
    """What the figures were measured on, as far as it matters to them."""
    return {
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.system(),
        "load_before": os.getloadavg()[0],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="Speed, as ratios measured side by side.")
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], default=[])
    parser.add_argument("--inspect", default="", help="an interpreter that has inspect_ai")
    parser.add_argument("--keep", action="store_true", help="make this the reference")
    options = parser.parse_args()
    on, ratios, failed = machine(), [], []
    for part in options.parts or PARTS:
        print(f"== {part}", flush=True)
        path = RESULTS / f"{part}.local.json"
        path.unlink(missing_ok=True)
        command = [sys.executable, "-m", f"benchmarks.{part}", "--json", str(path)]
        if part == "bench_inspect":
            command += ["--inspect", options.inspect]
        if subprocess.run(command, check=False).returncode:
            failed.append(part)
        elif path.exists():
            ratios += [Ratio(**one) for one in json.loads(path.read_text())["ratios"]]
    earlier = load(REFERENCE)
    content = {"machine": on, "ratios": [asdict(one) for one in ratios]}
    print(f"\n== all, on {on['cpus']} cores, Python {on['python']}, load {on['load_before']:.1f}")
    print(table(ratios, earlier))
    (RESULTS / "latest.local.json").write_text(json.dumps(content, indent=1) + "\n")
    if options.keep and not failed:
        kept = {**earlier, **{one.name: asdict(one) for one in ratios}}
        content["ratios"] = list(kept.values())
        REFERENCE.write_text(json.dumps(content, indent=1) + "\n")
        print(f"\nkept as {REFERENCE.relative_to(Path.cwd())}")
    if failed:
        print(f"\nfailed: {', '.join(failed)}", file=sys.stderr)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
