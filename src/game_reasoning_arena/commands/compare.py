"""`arena compare DIR...`: which model is better, by how much, how surely, and at what cost.

arena compare outputs/2026-11-22/* --csv table.csv --plots plots/
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from game_reasoning_arena.errors import UserError, choose_from
from game_reasoning_arena.process.text import as_cell, plain
from game_reasoning_arena.recording import layout

if TYPE_CHECKING:
    from rich.console import Console

    from game_reasoning_arena.analysis.compare import Comparison
    from game_reasoning_arena.analysis.tables.forms import Table
    from game_reasoning_arena.commands.judging import Judgement

HELP = """Compare runs, sweeps and glob patterns: win, draw, loss and failure rates with intervals,
paired tests where deals match, ratings, latency, cost, and what else differed between the runs."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("directories", nargs="+", metavar="DIR", help="run, sweep or glob pattern")
    parser.add_argument(
        "--forfeits",
        default="loss",
        metavar="POLICY",
        help="how failures count: loss (default), drop or as-played; all three are shown",
    )
    parser.add_argument(
        "--against", metavar="NAME", help="compare every other competitor with this one alone"
    )
    parser.add_argument(
        "--pairs", metavar="A:B,...", help="compare only these; Holm's correction is for them alone"
    )
    parser.add_argument("--all", action="store_true", help="show every table and caveat")
    parser.add_argument("--table", metavar="NAME,...", help="show these tables instead of the head")
    parser.add_argument("--games", metavar="GAME,...", help="compare these games alone")
    parser.add_argument("--only", metavar="NAME,...", help="compare these competitors alone")
    parser.add_argument(
        "--measure",
        default="auto",
        help="score, return or accuracy; auto (default): what shows most at each game",
    )
    parser.add_argument(
        "--by", metavar="KEY", help="the effect of a swept setting, such as temperature"
    )
    parser.add_argument("--csv", type=Path, metavar="FILE", help="all tables in long form")
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help="a paper's tables as Markdown; all with --all"
    )
    parser.add_argument(
        "--latex", type=Path, metavar="FILE", help="a paper's tables, with booktabs; all with --all"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="everything as JSON")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="plots, to go into a paper")
    parser.add_argument(
        "--format", metavar="NAME,...", help="of plots: png, svg, pdf (default: all three)"
    )
    parser.add_argument(
        "--columns",
        type=int,
        choices=(1, 2),
        help="width of plots in columns of a paper: 1 (3.35 inches) or 2 (default, 7 inches)",
    )
    parser.add_argument(
        "--reasoning", type=Path, metavar="FILE", help="features of each answer's reasoning, as CSV"
    )
    parser.add_argument(
        "--judge", metavar="MODEL", help="a model that judges the reasoning, with --reasoning"
    )
    parser.add_argument(
        "--judge-most",
        type=int,
        default=200,
        metavar="N",
        help="judge at most so many answers, evenly spread (default: 200)",
    )
    parser.add_argument(
        "--labels",
        type=Path,
        metavar="FILE",
        help="labels that people gave to answers (CSV or JSONL: label, and prompt or episode)",
    )


def run(args: argparse.Namespace) -> int:
    """Compare and write; return 1 if a judge gave no verdict at all, else 0.

    Raises:
        UserError: there is no run to read, or a file cannot be written.
    """
    from rich.console import Console
    from rich.text import Text

    from game_reasoning_arena.analysis.tables.terminal import to_rich

    comparison = _comparison(args)
    tables = _chosen_tables(comparison, args)
    # A pipe gets each table in one piece; a terminal in pieces that fit.
    terminal = sys.stdout.isatty()
    console = Console(width=None if terminal else 10_000, soft_wrap=False)
    width = console.width if terminal else None
    if not (args.all or args.table):
        _print_head(comparison, console, width)
    for table in tables:
        if table.rows or table.notes:
            console.print(to_rich(table, width))
    judgement = _reasoning(comparison, args, console, width) if args.reasoning else None
    if args.all:
        _all_caveats(comparison, console)
    _write_all(comparison, judgement, args, lambda line: console.print(Text(line, style="dim")))
    if judgement is None or judgement.verdicts:
        return 0
    sys.stderr.write(
        f"arena: {args.judge} judged nothing, of {judgement.asked:,} answers that it was to "
        f"judge: {plain(judgement.cause())}.\n"
    )
    return 1


def _comparison(args: argparse.Namespace) -> Comparison:
    """Return the comparison for the arguments.

    Raises:
        UserError: arguments that contradict each other, a file that cannot be written, no run.
    """
    from game_reasoning_arena.analysis.compare import Comparison
    from game_reasoning_arena.recording.frames import load_runs

    if args.judge is not None and args.reasoning is None:
        raise UserError("--judge needs --reasoning FILE, where its labels are written.")
    if args.judge_most < 1:
        raise UserError(f"--judge-most must be 1 or more, not {args.judge_most}.")
    _formats(args)
    for file in (args.csv, args.markdown, args.latex, args.json, args.reasoning):
        if file is not None:
            check_writable(file)
    loaded = load_runs(*args.directories, notice=lambda _: None)
    if games := _names(args.games):
        loaded = loaded.of_games(games)
    return Comparison(
        loaded,
        args.forfeits,
        args.against,
        args.pairs,
        only=_names(args.only),
        measure=args.measure,
        by=args.by,
        labels=args.labels,
    )


def _formats(args: argparse.Namespace) -> Sequence[str]:
    """Return the formats of plots.

    Raises:
        UserError: there is no such format, or no plot.
    """
    from game_reasoning_arena.analysis.plots import FORMATS

    if args.plots is None and (args.format is not None or args.columns is not None):
        raise UserError("--format and --columns are of plots: choose a directory with --plots DIR.")
    words = _names(args.format)
    for word in words:
        if word not in FORMATS:
            raise UserError(f"--format {word} is unknown. {choose_from(word, FORMATS)}")
    return tuple(dict.fromkeys(words)) or FORMATS


def _chosen_tables(comparison: Comparison, args: argparse.Namespace) -> list[Table]:
    """Return the tables to print: all, those of some names, or those that options ask for."""
    if args.all:
        return comparison.tables
    tables = comparison.chosen(_names(args.table))
    if comparison.factors is not None and comparison.factors not in tables:
        tables.append(comparison.factors)
    if args.labels is not None and "judge_agreement" not in [table.key for table in tables]:
        tables += comparison.chosen(["judge_agreement"])
    return tables


def _print_head(comparison: Comparison, console: Console, width: int | None) -> None:
    """Print the answer: a sentence and a leaderboard per game, and the caveats that could change
    it.
    """
    from rich.text import Text

    from game_reasoning_arena.analysis.tables.head import WIDTH, head_lines

    notes = [*comparison.caveats, *(f"note: {notice}" for notice in comparison.loaded.notices)]
    for line in head_lines(comparison.sections, notes, _REST, width=min(WIDTH, width or WIDTH)):
        console.print(Text(line, style="yellow" if line.startswith("! ") else ""))


#: The last line of the head.
_REST = "More: --all, --table NAME, --games A,B, --only A,B, --against A; --json, --csv, --plots."


def _names(text: str | None) -> list[str]:
    """Return the names in a list with commas; those in parentheses stay whole."""
    parts = re.split(r",(?![^(]*\))", text or "")
    return [part.strip() for part in parts if part.strip()]


def _all_caveats(comparison: Comparison, console: Console) -> None:
    """Print the differences between prompts, and everything unknown about the runs."""
    from rich.text import Text

    from game_reasoning_arena.analysis.statistics.differences import prompt_diffs

    for diff in prompt_diffs(comparison.loaded):
        console.print(Text(plain(diff) + "\n"))
    for notice in comparison.loaded.notices:
        console.print(Text(f"note: {plain(notice)}", style="yellow"))
    for caveat in comparison.caveats:
        loud = caveat.startswith("CONFOUNDED")
        console.print(Text(plain(caveat), style="bold red" if loud else "yellow"))


def _reasoning(
    comparison: Comparison, args: argparse.Namespace, console: Console, width: int | None
) -> Judgement | None:
    """Write features of the answers' reasoning; return a judge's result, if one was asked."""
    from rich.text import Text

    from game_reasoning_arena.analysis.statistics import reasoning
    from game_reasoning_arena.analysis.tables.terminal import to_rich

    loaded, seen = comparison.loaded, comparison.standings
    written = reasoning.passages(loaded, seen)
    words = reasoning.reasoning_table(reasoning.reasoning_row(*one) for one in written)
    judgement = None
    if args.judge is not None:
        from game_reasoning_arena.commands.judging import with_judge

        every = list(reasoning.passages(loaded, seen))
        words, judgement = with_judge(words, every, args.judge, most=args.judge_most)
        failed = judgement.asked - judgement.verdicts
        for line in judgement.sentences():
            console.print(Text(plain(line), style="yellow" if failed else "dim"))
    write_text(args.reasoning, str(words.map(as_cell).to_csv(index=False)))
    console.print(to_rich(reasoning.reasoning_summary(words), width))
    console.print(Text(f"wrote {args.reasoning}", style="dim"))
    return judgement


def _write_all(
    comparison: Comparison,
    judgement: Judgement | None,
    args: argparse.Namespace,
    report: Callable[[str], None],
) -> None:
    from game_reasoning_arena.analysis.tables import forms as tables
    from game_reasoning_arena.analysis.tables.latex import to_latex

    forms: list[tuple[Path | None, Callable[[], str]]] = [
        (args.csv, lambda: tables.to_csv(comparison.every_table)),
        (args.markdown, lambda: tables.to_markdown(_printed(comparison, args))),
        (args.latex, lambda: to_latex(_printed(comparison, args))),
        (args.json, lambda: _json(comparison, judgement)),
    ]
    for path, make in forms:
        if path is not None:
            write_text(path, make())
            report(f"wrote {path}")
    if args.plots is not None:
        from game_reasoning_arena.analysis.plots.figures import save_plots

        for path in save_plots(comparison, args.plots, _formats(args), args.columns or 2):
            report(f"wrote {path}")


def _printed(comparison: Comparison, args: argparse.Namespace) -> list[Table]:
    """Return the tables for a paper: those that were named, all of them, or what papers print."""
    if args.all or args.table:
        return _chosen_tables(comparison, args)
    factors = [comparison.factors] if comparison.factors is not None else []
    return [*comparison.paper_tables, *factors]


def check_writable(path: Path) -> None:
    """Raise if a file cannot be written there, before anything is computed or a judge is paid.

    Raises:
        UserError: it is a directory or a run's own record, or the nearest directory above is not
            writable.
    """
    if path.is_dir():
        raise UserError(f"{path} is a directory. Name a file in it.")
    if path.name in layout.RECORDS and any(
        (path.parent / name).exists() for name in (layout.RUN, layout.SWEEP)
    ):
        raise UserError(f"{path} is a record of the run in {path.parent}. Name another file.")
    above = path if path.exists() else path.parent
    while not above.exists() and above != above.parent:
        above = above.parent
    if not (above.is_dir() or above == path):
        raise UserError(f"{path} cannot be written: {above} is no directory.")
    if not os.access(above, os.W_OK):
        raise UserError(f"{path} cannot be written: you may not write to {above}.")


def write_text(path: Path, text: str) -> None:
    """Write a file, making its directory.

    Raises:
        UserError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}.") from error


def _json(comparison: Comparison, judgement: Judgement | None) -> str:
    import orjson

    content = comparison.as_dict()
    if judgement is not None:
        content["judge"] = judgement.as_dict()
    return orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY).decode()
