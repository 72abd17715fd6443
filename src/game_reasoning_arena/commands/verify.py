"""`arena verify`: does this installation reproduce what is known?

arena verify
"""

from __future__ import annotations

import argparse
import sys
from importlib import metadata

HELP = """Play known answers (random and optimal play of small games, exact values) through
the same code that model runs use, and print expected, got, and the distance in standard errors.
Exit code 1 when one is off. The result is noted in the run.json of later runs."""


def configure(parser: argparse.ArgumentParser) -> None:
    """There are no arguments."""


def run(args: argparse.Namespace) -> int:
    """Verify; 0 when everything is as known, 1 otherwise."""
    from rich.console import Console
    from rich.table import Table

    from game_reasoning_arena.simulation.open_spiel.known_answers import verify
    from game_reasoning_arena.verification import keep_verification, verification_file

    def tell(name: str) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{name}")
            sys.stderr.flush()

    checks = verify(tell)
    tell("")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("known answer", "expected", "got", "standard errors off", ""):
        table.add_column(column, justify="left" if column == "known answer" else "right")
    for check in checks:
        table.add_row(
            check.name,
            f"{check.expected:.6g}",
            f"{check.got:.6g}",
            "exact" if check.z is None else f"{check.z:+.2f}",
            "ok" if check.ok else "OFF",
        )
    console = Console(width=None if sys.stdout.isatty() else 110, highlight=False)
    console.print(table)
    failed = [check.name for check in checks if not check.ok]
    console.print(
        f"{len(checks) - len(failed)} of {len(checks)} known answers are as they should be"
    )
    try:
        keep_verification(
            checks=len(checks), failed=len(failed), open_spiel=metadata.version("open-spiel")
        )
    except OSError as error:
        sys.stderr.write(f"the result was not kept in {verification_file()}: {error.strerror}\n")
    return 1 if failed else 0
