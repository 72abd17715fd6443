"""`arena assess DIR...`: compare every recorded decision with the best one, and take out luck.

arena assess outputs/2026-11-22/* --by mcts --simulations 2000
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from game_reasoning_arena.catalog.catalog import Catalog
from game_reasoning_arena.errors import UserError, choose_from
from game_reasoning_arena.simulation.open_spiel.evaluators.settings import (
    EVALUATORS,
    EvaluatorSettings,
)

if TYPE_CHECKING:
    from game_reasoning_arena.assessment.assess import ProgressCallback

_DEFAULTS = EvaluatorSettings()

HELP = """Replay recorded episodes, measure every decision against the best one, and write
decisions.jsonl, luck.jsonl and assessment.json beside each run; compare and report show them. What
an interrupted call has done stays, and the same call goes on. Terms and formulas are in
docs/assessment.md."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("directories", nargs="+", metavar="DIR", help="run, sweep or glob pattern")
    parser.add_argument(
        "--by",
        default="auto",
        metavar="EVALUATOR",
        help=f"{', '.join(EVALUATORS)}; auto (default) chooses by the game",
    )
    for name, metavar, what in (
        ("simulations", "N", "of mcts, from each legal move"),
        ("nodes", "N", "of uci, for each position"),
        ("engine", "PATH", "of uci: the program"),
        ("iterations", "N", "of solver, of CFR+ where information is hidden"),
        ("seed", "N", "of mcts"),
    ):
        default = getattr(_DEFAULTS, name)
        parser.add_argument(
            f"--{name}",
            type=type(default),
            default=default,
            metavar=metavar,
            help=f"{what} (default: {default})",
        )
    parser.add_argument(
        "--workers", type=int, metavar="N", help="processes (default: one per processor)"
    )
    parser.add_argument(
        "--again", action="store_true", help="replace an assessment that was made otherwise"
    )


def run(args: argparse.Namespace) -> int:
    """Assess and print the results; return 1 if some of the runs could not be assessed, else 0.

    Raises:
        UserError: an argument is wrong, or no run can be assessed.
    """
    _check(args)
    from game_reasoning_arena.assessment import assess_runs, sentences

    Catalog.load(broken=[])  # tells which variables hold keys, which no judge gets
    names = ("by", "simulations", "nodes", "engine", "iterations", "seed")
    settings = EvaluatorSettings(**{name: getattr(args, name) for name in names})
    with _progress() as progress:
        outcome = assess_runs(
            args.directories, settings, again=args.again, progress=progress, workers=args.workers
        )
    for assessed in outcome.assessed:
        for line in sentences(assessed):
            sys.stdout.write(f"{line}\n")
    for reason in outcome.left_out:
        sys.stderr.write(f"arena: {reason}\n")
    return 1 if outcome.left_out else 0


def _check(args: argparse.Namespace) -> None:
    if args.by not in EVALUATORS:
        raise UserError(
            f"--by {args.by}: there is no such evaluator. {choose_from(args.by, EVALUATORS)}"
        )
    for name in ("simulations", "nodes", "iterations", "workers"):
        value = getattr(args, name)
        if value is not None and value < 1:
            raise UserError(f"--{name} {value} must be at least 1.")


@contextmanager
def _progress() -> Iterator[ProgressCallback]:
    """Yield a function that shows a progress bar per run on a terminal, and nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda run, done, total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bars:
        tasks: dict[Path, Any] = {}

        def progress(run: Path, done: int, total: int) -> None:
            if run not in tasks:
                tasks[run] = bars.add_task(str(run), total=total)
            bars.update(tasks[run], completed=done, total=total)

        yield progress
