"""Everything that `arena compare` knows of some runs, as tables and sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from game_reasoning_arena.analysis.statistics import confounders, costs, differences
from game_reasoning_arena.analysis.statistics.answer_tables import answer_tables
from game_reasoning_arena.analysis.statistics.answers import Answers, answers_of
from game_reasoning_arena.analysis.statistics.board_tables import (
    boards_table,
    overall_table,
    sections,
)
from game_reasoning_arena.analysis.statistics.bradley_terry import Ratings
from game_reasoning_arena.analysis.statistics.competitors import run_names
from game_reasoning_arena.analysis.statistics.factor_keys import swept_key
from game_reasoning_arena.analysis.statistics.factors import effects, effects_table
from game_reasoning_arena.analysis.statistics.hypotheses import Hypotheses, hypotheses
from game_reasoning_arena.analysis.statistics.intervals import CONFIDENCE
from game_reasoning_arena.analysis.statistics.judged import Judged, judged_of
from game_reasoning_arena.analysis.statistics.judged_tables import judged_sentences, judged_tables
from game_reasoning_arena.analysis.statistics.labels import with_labels
from game_reasoning_arena.analysis.statistics.leaderboard import Leaderboard, leaderboard
from game_reasoning_arena.analysis.statistics.measures import Measure
from game_reasoning_arena.analysis.statistics.pairs import Pair, compare_pairs
from game_reasoning_arena.analysis.statistics.paper_tables import paper_tables
from game_reasoning_arena.analysis.statistics.readings import (
    mendable_failures,
    reading_caveats,
    readings_table,
)
from game_reasoning_arena.analysis.statistics.repeat_tables import prompts_table
from game_reasoning_arena.analysis.statistics.results import (
    copies,
    fits,
    policies_table,
    ratings_table,
    results_table,
)
from game_reasoning_arena.analysis.statistics.standings import POLICIES, Standings, standings
from game_reasoning_arena.analysis.statistics.time_spent import time_table
from game_reasoning_arena.analysis.statistics.verdicts import pairs_table
from game_reasoning_arena.analysis.tables.forms import Column, Table
from game_reasoning_arena.analysis.tables.head import Section
from game_reasoning_arena.errors import UserError, choose_from
from game_reasoning_arena.recording import layout
from game_reasoning_arena.recording.frames import LoadedRuns, rows
from game_reasoning_arena.recording.versions import changed_versions


@dataclass
class Comparison:
    """Runs compared; parts are computed when asked for.

    Attributes:
        loaded: the runs.
        policy: how forfeits count: loss, drop or as-played.
        against: a competitor that all others are compared with; None for all models with each
            other.
        only_pairs: ``A:B,C:D``, the pairs to compare; None for no such choice.
        only: competitors to compare, by label or a part of just one; empty for all.
        measure: score, return or accuracy; auto for what is tested at each game.
        by: a setting that differs between the runs, whose effect is shown; None for none.
        labels: a file of labels that people gave to answers; None for none.

    Raises:
        UserError: no such policy, competitor or pair.
    """

    loaded: LoadedRuns
    policy: str = "loss"
    against: str | None = None
    only_pairs: str | None = None
    only: Sequence[str] = ()
    measure: str = "auto"
    by: str | None = None
    labels: Path | None = None

    def __post_init__(self) -> None:
        if self.policy not in POLICIES:
            raise UserError(
                f"Forfeits cannot count as {self.policy!r}. " + choose_from(self.policy, POLICIES)
            )
        if self.measure not in ("auto", *Measure):
            raise UserError(
                f"--measure={self.measure} is unknown. "
                + choose_from(self.measure, ("auto", *Measure))
            )
        if self.against is not None or self.only_pairs is not None or self.only:
            self.hypotheses  # noqa: B018  a name that is nobody's is refused before anything is shown

    @cached_property
    def hypotheses(self) -> Hypotheses:
        """Which pairs are asked about."""
        return hypotheses(self.standings.competitors, self.against, self.only_pairs, self.only)

    @property
    def chosen_measure(self) -> Measure | None:
        """The measure that was asked for; None for what is tested at each game."""
        return None if self.measure == "auto" else Measure(self.measure)

    @cached_property
    def leaderboard(self) -> Leaderboard:
        """The answer: who leads at each game, and over all."""
        return leaderboard(
            self.standings,
            self.pairs,
            self.policy,
            measure=self.chosen_measure,
            only=self.hypotheses.only,
        )

    @cached_property
    def standings(self) -> Standings:
        """One row per episode and seat."""
        return standings(self.loaded)

    @cached_property
    def responses(self) -> pd.DataFrame:
        """Responses with the competitor's label in ``competitor``."""
        return costs.labelled(self.loaded, self.standings)

    @cached_property
    def answers(self) -> Answers:
        """Answers to prompts that were scored."""
        answers = answers_of(self.loaded, self.standings)
        if self.labels is None:
            return answers
        return with_labels(answers, self.labels, run_names(self.loaded))

    @cached_property
    def judged(self) -> Judged:
        """Decisions and results without luck, of runs that were assessed."""
        return judged_of(self.loaded, self.standings)

    @cached_property
    def judged_tables(self) -> list[Table]:
        """Tables of decisions and of results without luck."""
        return judged_tables(self.judged, self.standings, self.hypotheses)

    @cached_property
    def pairs(self) -> list[Pair]:
        """The pairs that are asked about, tested."""
        return compare_pairs(self.standings, self.policy, self.hypotheses, self.chosen_measure)

    @cached_property
    def ratings(self) -> dict[str, list[Ratings]]:
        """Ratings per game."""
        return fits(self.standings, self.policy)

    @cached_property
    def differences(self) -> Table:
        """Everything that is not equal across the runs, swept or not."""
        return differences.differences_table(self.loaded, self.standings)

    @cached_property
    def tables(self) -> list[Table]:
        """All tables, in the order they are shown."""
        responses = self.responses
        results = results_table(self.standings, self.policy)
        results.notes += confounders.pooled(self.differences, self.standings)
        pairs = pairs_table(self.pairs)
        if any(row["needed"] for row in pairs.rows) and _can_be_longer(self.loaded):
            pairs.notes.append(
                "A run is made longer by `arena resume RUN episodes=N`; p values hold for a number "
                "that was decided before its results were seen."
            )
        return [
            boards_table(self.leaderboard),
            overall_table(self.leaderboard),
            *([self.factors] if self.factors is not None else []),
            runs_table(self.loaded),
            results,
            *answer_tables(self.answers),
            policies_table(self.standings),
            pairs,
            ratings_table(self.ratings),
            *self.judged_tables,
            costs.failures_table(responses),
            costs.latency_table(responses),
            costs.cost_table(responses, self.standings, self.policy),
            costs.judges_table(self.loaded),
            time_table(self.loaded),
            readings_table(responses),
            differences.unexpected(self.differences, self.loaded),
        ]

    @cached_property
    def factors(self) -> Table | None:
        """What the chosen setting does.

        Raises:
            UserError: no such setting differs between the runs.
        """
        if self.by is None:
            return None
        key = swept_key(self.loaded, self.by)
        return effects_table(effects(self.loaded, self.standings, self.policy, key), key)

    @cached_property
    def sections(self) -> list[Section]:
        """The head: a sentence and a leaderboard per game, one over all games, and, of runs that
        were assessed, who decides best."""
        judged = [
            Section(text, (), (), aside=True) for text in judged_sentences(self.judged_tables)
        ]
        return [*sections(self.leaderboard), *judged]

    def chosen(self, keys: Sequence[str]) -> list[Table]:
        """Return the tables of some names.

        Raises:
            UserError: there is no table of one of these names.
        """
        if not keys:
            return []
        by_key = {table.key: table for table in [*self.every_table, *self.tables]}
        for key in keys:
            if key not in by_key:
                raise UserError(f"--table: no table is called {key!r}. {choose_from(key, by_key)}")
        return [by_key[key] for key in keys]

    @property
    def paper_tables(self) -> list[Table]:
        """The tables that a paper prints, narrow, with display names."""
        overall, failures = overall_table(self.leaderboard), costs.failures_table(self.responses)
        return paper_tables(self.leaderboard, self.pairs, overall, failures)

    @property
    def every_table(self) -> list[Table]:
        """All tables whole, and those that are too long to be shown: for files."""
        whole = [self.differences if t.key == "differences" else t for t in self.tables]
        return [*whole, *([prompts_table(self.answers)] if self.answers else [])]

    @cached_property
    def mendable(self) -> list[str]:
        """Failures that a setting would have mended, which results show as weak play."""
        return mendable_failures(self.loaded, self.responses)

    @cached_property
    def caveats(self) -> list[str]:
        """What these runs cannot show, the gravest first."""
        asked = list(dict.fromkeys(c.label for c in self.standings.competitors.values() if c.asked))
        found = []
        met = {(pair.game, pair.a, pair.b) for pair in self.pairs if pair.basis == "met"}
        line = confounders.confounded_line(self.differences, self.loaded, self.standings, met)
        if line:
            found.append(line)
        found += self.mendable
        found += reading_caveats(self.responses, self.standings)
        found += _progress(self.loaded, self.standings)
        found += _changed_on_the_way(self.loaded)
        found += self._sharing(asked)
        found += copies(self.standings)
        found += self.standings.notes
        return found

    def _sharing(self, asked: Sequence[str]) -> list[str]:
        pairs = self.pairs
        if len(self.loaded.readers) == 1 and len(asked) < 2:
            return [
                "One run with one model: its own rates are known, but there is nothing to compare "
                "it with. Name more runs, or a sweep."
            ]
        games = self.standings.table.groupby("game")["run"].nunique()
        if len(self.loaded.readers) > 1 and (games < 2).all():
            return [
                "The runs share no game: each is shown by itself, and no difference between them "
                "can be measured."
            ]
        between = [pair for pair in pairs if pair.a in asked and pair.b in asked]
        if between and all(pair.basis == "nothing shared" for pair in between):
            return [
                "The models share no deals and no opponents and never met: no difference between "
                "them can be measured. Give the runs the same seed and opponents."
            ]
        return []

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON: rates as fractions, times in seconds, money in USD, unknown null."""
        return {
            "confidence": CONFIDENCE,
            "competitors": {c.label: c.as_dict() for c in self.standings.competitors.values()},
            "verdicts": [
                *(board.sentence for board in self.leaderboard.boards),
                *self.leaderboard.unranked,
            ],
            "forfeits": self.policy,
            "caveats": self.caveats,
            "notices": self.loaded.notices,
            "tables": {table.key: table.as_dict() for table in self.every_table},
            "prompt_diffs": differences.prompt_diffs(self.loaded),
        }


def runs_table(loaded: LoadedRuns) -> Table:
    """Return the table of the runs themselves."""
    table = Table(
        "runs",
        "Runs",
        [
            Column("name", "run", names_row=True),
            Column("game", "game"),
            Column("status", "status"),
            Column("planned", "planned", "count"),
            Column("finished", "finished", "count"),
            Column("seed", "seed", "text"),
            Column("duration", "duration s", "number"),
            Column("commit", "commit"),
        ],
    )
    for name, run in zip(run_names(loaded), rows(loaded.runs), strict=True):
        commit = None
        if isinstance(run.commit, str):
            dirty = run.dirty is not pd.NA and bool(run.dirty)
            commit = run.commit[:8] + ("+changes" if dirty else "")
        table.rows.append(
            {
                "name": name,
                "game": _known(run.game),
                "status": _known(run.status),
                "planned": _known(run.planned),
                "finished": int(run.finished),
                "seed": None if run.seed is pd.NA else str(run.seed),
                "duration": _known(run.duration_s),
                "commit": commit,
            }
        )
    return table


def _known(value: Any) -> Any:
    return None if pd.isna(value) else value


def _changed_on_the_way(loaded: LoadedRuns) -> Iterator[str]:
    """Runs whose length or versions were others when a part of them was played."""
    last = loaded.episodes.groupby("run")["episode"].max()
    for number, (name, reader) in enumerate(zip(run_names(loaded), loaded.readers, strict=True)):
        steps = reader.run.extended
        if steps and int(last.get(number, -1)) >= min(step.before for step in steps):
            numbers = [str(step.before) for step in steps] + [str(steps[-1].after)]
            yield (
                f"{name}: was extended ({' -> '.join(numbers)} episodes). If its results decided "
                "that, its p values are too small and its intervals too narrow."
            )
        earlier, now = reader.run.earlier_provenance, reader.run.provenance
        changed = [text for before in earlier for text in changed_versions(before, now)]
        if changed:
            yield (
                f"{name}: was played in parts with different versions "
                f"({', '.join(dict.fromkeys(changed))}), which may make a difference."
            )


def _can_be_longer(loaded: LoadedRuns) -> bool:
    """Whether `arena resume RUN episodes=MORE` would be taken for one of the runs."""
    return any(
        not reader.config.get("shard") and not (reader.path.parent / layout.SWEEP).is_file()
        for reader in loaded.readers
    )


def _progress(loaded: LoadedRuns, seen: Standings) -> list[str]:
    """Runs that are not finished, or hold nothing."""
    found = []
    began = seen.table[["run", "episode"]].drop_duplicates().groupby("run").size()
    for number, (name, run) in enumerate(zip(run_names(loaded), rows(loaded.runs), strict=True)):
        started = int(began.get(number, 0))
        if not started:
            found.append(f"{name}: no episode has begun, so nothing is known of its players.")
        elif run.status == "running":
            planned = f" of {run.planned}" if run.planned is not pd.NA else ""
            found.append(
                f"{name}: in progress (or killed): {run.finished}{planned} episodes are finished. "
                f"What is shown can still change.{_biased(run.finished)}"
            )
        elif run.planned is not pd.NA and run.finished < run.planned:
            found.append(
                f"{name}: {run.finished} of {run.planned} planned episodes are finished "
                f"(status {run.status}); `arena resume` finishes the rest.{_biased(run.finished)}"
            )
    return found


def _biased(finished: int) -> str:
    """What the finished episodes of a run that others began in are not."""
    if not finished:
        return ""
    return " Episodes that end early finish first, so the finished ones are no random sample."
