"""`arena report DIR`: one HTML page to replay every game move by move.

arena report outputs/2026-11-22/10-23-45-123456
arena report outputs/random outputs/sloppy --output pages/duel.html
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

HELP = """Write one self-contained HTML page: summary, plots, and every game of the runs to be
replayed with board, prompt, answer and reasoning. It needs no network to open. A run's page is
its report.html, a sweep's likewise; several runs get a page named after them where they lie."""

#: The most runs named in the page's file name and title; more are counted.
_NAMED = 3


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("directories", nargs="+", metavar="DIR", help="run, sweep or glob pattern")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="the page, or a directory for it (default: report.html in a run or sweep; "
        "report-A-B.html beside several)",
    )
    parser.add_argument(
        "--forfeits", default="loss", metavar="POLICY", help="loss (default), drop or as-played"
    )
    parser.add_argument("--title", help="heading of the page (default: the runs' names)")


def run(args: argparse.Namespace) -> int:
    """Write the page and print its path.

    Raises:
        UserError: there is no run to read, or the page cannot be written.
    """
    from game_reasoning_arena.analysis.compare import Comparison
    from game_reasoning_arena.analysis.page.report import write_report
    from game_reasoning_arena.commands.compare import check_writable
    from game_reasoning_arena.recording.frames import load_runs

    loaded = load_runs(*args.directories, moves=True, notice=lambda _: None)
    page, names = _place(args.directories, [reader.path for reader in loaded.readers])
    output = args.output or page
    if output.is_dir():
        output /= page.name
    check_writable(output)
    title = args.title or f"Arena report: {names}"
    size = write_report(Comparison(loaded, args.forfeits), output, title=title)
    for notice in loaded.notices:
        sys.stdout.write(f"note: {notice}\n")
    sys.stdout.write(f"wrote {output} ({size / 1e6:.1f} MB)\n")
    return 0


def _place(words: Sequence[str], runs: Sequence[Path]) -> tuple[Path, str]:
    """Return the path of the page, and its title.

    A page of several runs must not replace that of one of them, or of a sweep.
    """
    if len(words) == 1 and Path(words[0]).is_dir():
        home = Path(words[0])
        return home / "report.html", home.resolve().name
    if len(runs) == 1:
        return runs[0] / "report.html", runs[0].resolve().name
    paths = [run.resolve() for run in runs]
    home = Path(os.path.commonpath([path.parent for path in paths]))
    names = [str(path.relative_to(home)) for path in paths]
    if len(names) > _NAMED:
        file = f"report-{names[0]}-to-{names[-1]}-{len(names)}-runs.html"
        title = f"{len(names)} runs in {home.name}"
    else:
        file, title = f"report-{'-'.join(names)}.html", ", ".join(names)
    if home.is_relative_to(Path.cwd()):
        home = home.relative_to(Path.cwd())
    return home / file.replace(os.sep, "_"), title
