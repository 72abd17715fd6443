"""`arena verify`: check that this installation reproduces known results.

arena verify
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import metadata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from game_reasoning_arena.analysis.tables.forms import Table
    from game_reasoning_arena.simulation.open_spiel.answer_checks import Check

HELP = """Play known answers (random and optimal play of small games, exact values) through
the same code that model runs use, and print expected, got, how far that is off, and how far it may
be: 4 standard errors where games are played, 1e-06 where a value is computed. Exit code 1 when one
is off. The result is noted in the run.json of later runs."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add no arguments."""


def run(args: argparse.Namespace) -> int:
    """Verify; return 0 if everything is as known, else 1."""
    from rich.console import Console

    from game_reasoning_arena.analysis.tables.terminal import to_rich
    from game_reasoning_arena.running.verification import keep_verification, verification_file
    from game_reasoning_arena.simulation.open_spiel.known_answers import verify

    def report(name: str) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{name}")
            sys.stderr.flush()

    checks = verify(report)
    report("")
    terminal = sys.stdout.isatty()
    console = Console(width=None if terminal else 10_000, highlight=False)
    console.print(to_rich(checks_table(checks), console.width if terminal else None))
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


def checks_table(checks: Sequence[Check]) -> Table:
    """Print expected and measured values, the difference and the largest allowed one."""
    from game_reasoning_arena.analysis.tables.forms import Column, Table
    from game_reasoning_arena.simulation.open_spiel.answer_checks import BAND, EXACT

    table = Table(
        "verify",
        "",
        [
            Column("name", "known answer", names_row=True),
            Column("expected", "expected", "count"),
            Column("got", "got", "count"),
            Column("off", "off by", "count"),
            Column("band", "allowed", "count"),
            Column("z", "standard errors off", "count"),
            Column("ok", "result"),
        ],
    )
    for check in checks:
        table.rows.append(
            {
                "name": check.name,
                "expected": f"{check.expected:.6g}",
                "got": f"{check.got:.6g}",
                "off": f"{check.got - check.expected:+.2g}",
                "band": f"±{check.band:.2g}",
                "z": "exact" if check.z is None else f"{check.z:+.2f}",
                "ok": "ok" if check.ok else "OFF",
            }
        )
    table.notes.append(
        f"ok: what was played is at most {BAND:g} standard errors off, which a right answer "
        "exceeds by luck once in 16,000 times (the seed is fixed, so a machine always gives one "
        f"result); what was computed (exact) is at most {EXACT:g} off, or as much as is allowed "
        "beside it."
    )
    return table
