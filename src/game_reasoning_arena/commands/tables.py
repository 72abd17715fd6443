"""Tables on standard output: drawn on a terminal, plain aligned text everywhere else."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def show_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows of texts under columns; in a pipe every text is whole, one row a line."""
    if sys.stdout.isatty():
        from rich.console import Console

        from game_reasoning_arena.analysis.tables.forms import Column, Table
        from game_reasoning_arena.analysis.tables.terminal import one_grid

        console = Console(highlight=False)
        keys = [str(number) for number in range(len(columns))]
        table = Table(
            "table",
            "",
            [Column(key, column) for key, column in zip(keys, columns, strict=True)],
            [dict(zip(keys, row, strict=True)) for row in rows],
        )
        console.print(one_grid(table, console.width))
        return
    widths = [max(len(line[i]) for line in (columns, *rows)) for i in range(len(columns))]
    for line in (columns, *rows):
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        sys.stdout.write("  ".join(cells).rstrip() + "\n")


def print_line(text: str = "") -> None:
    """Print a line."""
    sys.stdout.write(text + "\n")
