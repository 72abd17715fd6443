"""`arena merge DIR... --output DIR`: the shards of a run as one run.

arena -m shard=all/8 episodes=100000 hydra/launcher=slurm
arena merge outputs/multirun/2026-11-22/10-23-45-123456 --output outputs/whole
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

HELP = """Put the shards of one run (shard=0/8 to shard=7/8) together into one run directory, with
the numbers that the unsplit run would have. Episodes that no shard has played are left for
`arena resume`."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "directories", nargs="+", type=Path, metavar="DIR", help="runs, or a sweep over shard"
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="the new run directory"
    )


def run(args: argparse.Namespace) -> int:
    """Merge; 0 when the run is whole, else as the run's status says.

    Raises:
        UserError: the directories are not parts of one run, or the output holds one.
    """
    from game_reasoning_arena.merging import merge
    from game_reasoning_arena.outcome import show_result

    notices: list[str] = []
    result = merge(args.directories, args.output, notices)
    for notice in notices:
        sys.stderr.write(f"note: {notice}\n")
    show_result(result)
    return result.exit_code
