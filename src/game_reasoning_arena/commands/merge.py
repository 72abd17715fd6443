"""`arena merge DIR... --output DIR`: merge the shards of a run into one run.

arena -m shard=all/8 episodes=100000 hydra/launcher=slurm
arena merge outputs/multirun/2026-11-22/10-23-45-123456 --output outputs/whole
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from game_reasoning_arena.configuration.trust import TRUST_OPTION, Trust, add_trust_option, trusting
from game_reasoning_arena.records import Status

HELP = """Put the shards of one run (shard=0/8 to shard=7/8) together into one run directory, with
the numbers that the unsplit run would have. Episodes that no shard has played are left for
`arena resume`."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "directories", nargs="+", type=Path, metavar="DIR", help="runs, or a sweep over shard"
    )
    add_trust_option(parser)
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="the new run directory"
    )


def run(args: argparse.Namespace) -> int:
    """Merge; return 0 if the run is whole, 1 if episodes are missing or failed.

    Raises:
        UserError: the directories are not parts of one run, or the output holds one.
    """
    from game_reasoning_arena.running.merge import merge
    from game_reasoning_arena.running.result_table import show_result

    notices: list[str] = []
    with trusting(Trust.of_file(args.directories[0], allowed=args.trust, option=TRUST_OPTION)):
        result = merge(args.directories, args.output, notices)
    for notice in dict.fromkeys(notices):
        sys.stderr.write(f"note: {notice}\n")
    show_result(result, next_step=False)
    if result.status is Status.COMPLETED:
        return result.exit_code
    advice = _advice(args, result.directory)
    reason = (result.reason or "").rstrip(".")
    sys.stderr.write(f"arena: {result.directory} is not whole: {reason}. {advice}\n")
    return 1


def _advice(args: argparse.Namespace, merged: Path) -> str:
    """Return the missing shards, or that some are not finished, and the next step."""
    from game_reasoning_arena.preflight.sharding import Shard
    from game_reasoning_arena.recording.reader import find_runs

    parts = find_runs(*args.directories, notice=lambda _: None)
    shards = [Shard.parse(part.config.get("shard")) for part in parts]
    given = [shard for shard in shards if shard is not None]
    counts = {shard.count for shard in given}
    play = f"`arena resume {merged}` plays what is missing"
    if len(counts) != 1:
        return f"{play}."
    [count] = counts
    absent = sorted(set(range(count)) - {shard.index for shard in given})
    if not absent:
        return f"All shards are here, but not all that they played came to its end: {play}."
    named = ", ".join(f"shard={index}/{count}" for index in absent)
    return f"Missing: {named}. {play}; or merge again with it, to another --output."
