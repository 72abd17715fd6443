"""`arena report DIR`: one HTML page on which every game can be replayed move by move.

arena report outputs/2026-11-22/10-23-45-123456
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

NAME = "report"
HELP = """Write one self-contained HTML page: summary, plots, and every game of the runs to be
replayed with board, prompt, answer and reasoning. It needs no network to open."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("directories", nargs="+", metavar="DIR", help="run, sweep or glob pattern")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="the page (default: report.html in the first)"
    )
    parser.add_argument(
        "--forfeits", default="loss", metavar="POLICY", help="loss (default), drop or as-played"
    )
    parser.add_argument("--title", help="heading of the page (default: the first directory's name)")


def run(args: argparse.Namespace) -> int:
    """Write the page and say where.

    Raises:
        UserError: there is no run to read, or the page cannot be written.
    """
    from game_reasoning_arena.analysis.compare import Comparison
    from game_reasoning_arena.analysis.report import write_report
    from game_reasoning_arena.recording.frames import load_runs

    loaded = load_runs(*args.directories, moves=True, notice=lambda _: None)
    first = Path(args.directories[0])
    home = first if first.is_dir() else loaded.readers[0].path
    output = args.output or home / "report.html"
    title = args.title or f"Arena report: {home.resolve().name}"
    size = write_report(Comparison(loaded, args.forfeits), output, title=title)
    for notice in loaded.notices:
        sys.stdout.write(f"note: {notice}\n")
    sys.stdout.write(f"wrote {output} ({size / 1e6:.1f} MB)\n")
    return 0
