"""Progress on the terminal while a run plays: a live display, or plain lines elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Self

from game_reasoning_arena.metering.budget import Totals
from game_reasoning_arena.process.secrets import RedactingFilter
from game_reasoning_arena.process.text import plain
from game_reasoning_arena.records import FAILURES, EpisodeRecord, ResponseRecord

if TYPE_CHECKING:
    from game_reasoning_arena.preflight.experiment import Experiment

#: Seconds between plain lines.
PLAIN_EVERY_S = 10.0


class Progress:
    """Shows nothing; the base of the displays that do."""

    def __init__(self) -> None:
        self.total = 0
        self.done = 0
        self.failures = 0
        self.outages = 0
        self.began = time.monotonic()
        self.calls = 0
        self._waits: list[Callable[[], Mapping[str, float]]] = []

    def __enter__(self) -> Self:
        self.began = time.monotonic()
        return self

    def __exit__(self, *what: Any) -> None:
        return None

    def expect(self, episodes: int, *, done: int = 0) -> None:
        """Add episodes to this display, some of them played before."""
        self.total += episodes
        self.done += done

    def watch(self, waits: Callable[[], Mapping[str, float]]) -> None:
        """Show these waits while they last: the seconds left, by provider or model."""
        if waits not in self._waits:
            self._waits.append(waits)

    def answered(self, record: ResponseRecord, totals: Totals) -> None:
        """Count an answer or an outage."""
        self.calls += 1
        if record.outcome is None:
            self.outages += 1
        elif record.outcome in FAILURES:
            self.failures += 1
        self.update(totals)

    def episode_done(self, record: EpisodeRecord, totals: Totals) -> None:
        """Count an episode that ended."""
        self.done += 1
        self.update(totals)

    def update(self, totals: Totals) -> None:
        """Show the new state."""

    def show_message(self, text: str) -> None:
        """Show one line of text."""

    def line(self, totals: Totals) -> str:
        """Return the state in one line."""
        elapsed = max(time.monotonic() - self.began, 1e-9)
        cost = f"${totals.cost_usd:.4f}" + ("+?" if totals.unpriced else "")
        text = f"{self.calls / elapsed:.1f} calls/s  {self.failures} failures  {cost}"
        text += f"  {self.outages} outages" if self.outages else ""
        waits = {name: left for waits in self._waits for name, left in waits().items()}
        return "".join(f"waiting {left:.0f} s for {name}  " for name, left in waits.items()) + text


class PlainProgress(Progress):
    """A line every few seconds on stderr; fit for log files."""

    def __init__(self) -> None:
        super().__init__()
        self._next = time.monotonic() + PLAIN_EVERY_S
        self._handler = _Warnings(self.show_message)

    def __enter__(self) -> Self:
        logging.getLogger().addHandler(self._handler)
        return super().__enter__()

    def __exit__(self, *what: Any) -> None:
        logging.getLogger().removeHandler(self._handler)

    def update(self, totals: Totals) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + PLAIN_EVERY_S
            self.show_message(f"{self.done}/{self.total} episodes  {self.line(totals)}")

    def show_message(self, text: str) -> None:
        sys.stderr.write(plain(text) + "\n")
        sys.stderr.flush()


class LiveProgress(Progress):
    """rich's progress bar; log lines and messages go above it, never into it."""

    def __init__(self, title: str) -> None:
        super().__init__()
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            ProgressColumn,
            TextColumn,
            TimeElapsedColumn,
        )
        from rich.progress import Progress as RichProgress
        from rich.table import Column
        from rich.text import Text

        class State(ProgressColumn):
            """Return the present state; a wait lasts until the next answer."""

            def render(column, _: Any) -> Text:
                return Text(self.line(self._totals) if self.total else "")

        self._console = Console(stderr=True)
        self._bar = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            State(table_column=Column(no_wrap=True)),
            TimeElapsedColumn(),
            console=self._console,
            refresh_per_second=8,
        )
        self._task = self._bar.add_task(title, total=None)
        self._totals = Totals()
        self._next = 0.0
        self._handler = _Warnings(self.show_message)

    def __enter__(self) -> Self:
        super().__enter__()
        logging.getLogger().addHandler(self._handler)
        self._bar.reset(self._task)  # time counts from the first question, not from the loading
        self._bar.__enter__()
        return self

    def __exit__(self, *what: Any) -> None:
        self._bar.update(self._task, completed=self.done)
        self._bar.__exit__(*what)
        logging.getLogger().removeHandler(self._handler)

    def update(self, totals: Totals) -> None:
        now = time.monotonic()
        self._totals = totals
        if now >= self._next or self.done >= self.total:
            self._next = now + 0.1
            self._bar.update(self._task, completed=self.done, total=self.total)

    def show_message(self, text: str) -> None:
        self._console.print(plain(text), markup=False, highlight=False)


class _Warnings(logging.Handler):
    """Shows warnings of the log on the terminal, too, above a live display."""

    def __init__(self, show: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self.addFilter(RedactingFilter())
        self._show = show

    def emit(self, record: logging.LogRecord) -> None:
        self._show(f"{record.levelname.lower()}: {record.getMessage()}")


def make_progress(experiment: Experiment, *, quiet: bool) -> Progress:
    """Return the display: live on a terminal, plain lines elsewhere, none when quiet."""
    if quiet or any(player.type == "human" for player in experiment.players):
        return Progress()
    if sys.stderr.isatty():
        return LiveProgress(experiment.simulation.name)
    return PlainProgress()
