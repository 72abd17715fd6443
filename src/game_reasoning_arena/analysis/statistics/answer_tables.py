"""Tables of how right answers are: by model, by group, against each other, prompt by prompt."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from game_reasoning_arena.analysis.statistics.accuracy import (
    cohen_kappa,
    detectable,
)
from game_reasoning_arena.analysis.statistics.answers import Answers, parts
from game_reasoning_arena.analysis.statistics.intervals import (
    clustered_mean,
    clustered_rate,
    wilson,
)
from game_reasoning_arena.analysis.statistics.power import ALPHA, deals_needed
from game_reasoning_arena.analysis.statistics.repeat_tables import prompts_table, repeats_table
from game_reasoning_arena.analysis.statistics.sign_flips import holm, sign_flip_test
from game_reasoning_arena.analysis.tables.estimates import Estimate
from game_reasoning_arena.analysis.tables.forms import Column, Table, Value

Floats = NDArray[np.float64]

#: Rows of the prompt-by-prompt table that a terminal and a page show.
SHOWN = 20


def answer_tables(answers: Answers) -> list[Table]:
    """Return the tables that are shown, the most telling first; empty without scored answers."""
    if not answers:
        return []
    tables = [
        accuracy_table(answers),
        accuracy_pairs(answers),
        repeats_table(answers),
        groups_table(answers),
        labels_table(answers),
    ]
    every = prompts_table(answers)
    differing = [row for row in every.rows if row["differ"]]
    shown = Table("disagreements", "Prompts answered differently", every.columns)
    shown.rows = differing[:SHOWN]
    if len(differing) > SHOWN:
        shown.notes.append(
            f"{SHOWN} of {len(differing)} prompts; all prompts are in the table `prompts` of --csv "
            "and --json."
        )
    return [table for table in (*tables, shown) if table.rows]


def _accuracy(part: pd.DataFrame) -> Estimate:
    """The mean score: Wilson's interval where each prompt has one answer, else by prompts."""
    scores = part["score"].to_numpy(dtype=np.float64)
    if part["key"].is_unique and set(np.unique(scores)) <= {0.0, 1.0}:
        return wilson(int(scores.sum()), len(scores))
    return clustered_mean(scores, list(part["key"]), limits=(0.0, 1.0))


def accuracy_table(answers: Answers) -> Table:
    """Return the accuracy of each model on each file."""
    table = Table(
        "accuracy",
        "Right answers",
        [
            Column("competitor", "competitor", names_row=True),
            Column("file", "prompts of", names_row=True),
            Column("accuracy", "accuracy % [95 %]", "percent"),
            Column("prompts", "prompts", "count"),
            Column("answers", "answers", "count"),
            Column("missing", "without a score", "count", rare=True),
        ],
        notes=list(answers.notes),
    )
    for (file, competitor), part in parts(answers.table, "file", "competitor"):
        scored = part[part["score"].notna()]
        table.rows.append(
            {
                "competitor": competitor,
                "file": file,
                "accuracy": _accuracy(scored),
                "prompts": int(scored["key"].nunique()),
                "answers": len(scored),
                "missing": len(part) - len(scored),
            }
        )
    table.rows.sort(key=lambda row: (str(row["file"]), -(_value(row["accuracy"]) or 0.0)))
    if any(row["answers"] != row["prompts"] for row in table.rows):
        table.notes.append(
            "Prompts were asked several times: intervals count prompts, not answers."
        )
    if any(row["missing"] for row in table.rows):
        table.notes.append(
            "Without a score: an outage, a spent budget or a judge without a grade. They are in no "
            "rate; refused, empty, cut and unreadable answers are wrong ones."
        )
    if not set(answers.scored["score"].unique()) <= {0.0, 1.0}:
        table.notes.append("Some scores lie between 0 and 1: the accuracy is then their mean.")
    return table


def _value(value: Value) -> float | None:
    return value.value if isinstance(value, Estimate) else None


def groups_table(answers: Answers) -> Table:
    """Return the accuracy of each model in each group of prompts."""
    table = Table(
        "accuracy_by_group",
        "Right answers by group",
        [
            Column("group", "group", names_row=True),
            Column("competitor", "competitor", names_row=True),
            Column("file", "prompts of", names_row=True),
            Column("accuracy", "accuracy % [95 %]", "percent"),
            Column("prompts", "prompts", "count"),
        ],
    )
    for (file, group, competitor), part in parts(answers.scored, "file", "group", "competitor"):
        table.rows.append(
            {
                "group": group,
                "competitor": competitor,
                "file": file,
                "accuracy": _accuracy(part),
                "prompts": int(part["key"].nunique()),
            }
        )
    return table


def accuracy_pairs(answers: Answers) -> Table:
    """Return the differences between each two models on the prompts that both answered."""
    table = Table(
        "accuracy_pairs",
        "Paired differences on the same prompts",
        [
            Column("a", "A", names_row=True),
            Column("b", "B", names_row=True),
            Column("file", "prompts of", names_row=True),
            Column("difference", "A-B points [95 %]", "points"),
            Column("prompts", "prompts", "count"),
            Column("better", "A ahead", "count"),
            Column("equal", "equal", "count"),
            Column("worse", "B ahead", "count"),
            Column("p", "p", "p"),
            Column("adjusted", "p (Holm)", "p"),
            Column("test", "test"),
            Column("detectable", "80 % power from points", "points"),
            Column("needed", "prompts for 80 % power", "count"),
        ],
    )
    gaps_of: list[Floats] = []
    for (file,), part in parts(answers.scored, "file"):
        means = {competitor: _means(one) for (competitor,), one in parts(part, "competitor")}
        repeated = bool(part.duplicated(["competitor", "key"]).any())
        binary = set(part["score"].unique()) <= {0.0, 1.0} and not repeated
        for a, b in combinations(means, 2):
            both = means[a].index.intersection(means[b].index)
            if len(both):
                gaps_of.append((means[a][both] - means[b][both]).to_numpy(dtype=np.float64))
                row = _pair(gaps_of[-1], binary=binary)
                table.rows.append({"a": a, "b": b, "file": file, **row})
    adjusted = holm([sign_flip_test(gaps) for gaps in gaps_of])
    left = max(1, sum(p >= ALPHA for p in adjusted))
    for row, gaps, p in zip(table.rows, gaps_of, adjusted, strict=True):
        row["adjusted"] = p
        row["detectable"] = detectable(gaps, alpha=ALPHA / left)
        row["needed"] = deals_needed(gaps, alpha=ALPHA / left) if p >= ALPHA else None
    if table.rows:
        table.notes.append(
            "The prompt is the unit. McNemar's exact test where each was answered once, right or "
            "wrong, else sign flips of whole prompts; Holm's correction over the rows of this "
            "table. Verdicts, corrected with all that was asked, are in the table `pairs`. `80 % "
            "power from` is the difference that so many prompts resolve, corrected as well."
        )
    return table


def _means(part: pd.DataFrame) -> pd.Series[Any]:
    return part.groupby("key", sort=False)["score"].mean()


def _pair(gaps: Floats, *, binary: bool) -> dict[str, Value]:
    """What is seen of two on the same prompts: one mean difference per prompt."""
    better, worse = int((gaps > 0).sum()), int((gaps < 0).sum())
    return {
        "difference": clustered_mean(gaps, range(len(gaps)), limits=(-1.0, 1.0)),
        "prompts": len(gaps),
        "better": better,
        "equal": len(gaps) - better - worse,
        "worse": worse,
        "p": sign_flip_test(gaps),
        "test": "McNemar, exact" if binary else "sign flips",
    }


def labels_table(answers: Answers) -> Table:
    """Return how scores agree with labels: of a judge's check, or that people gave."""
    table = Table(
        "judge_agreement",
        "Scores and labels",
        [
            Column("competitor", "competitor", names_row=True),
            Column("file", "prompts of", names_row=True),
            Column("answers", "answers", "count"),
            Column("agreement", "agreement % [95 %]", "percent"),
            Column("kappa", "Cohen's kappa", "number"),
            Column("lenient", "right by score alone", "count"),
            Column("strict", "right by label alone", "count"),
        ],
    )
    known = answers.scored[answers.scored["label"].notna()]
    for (file, competitor), part in parts(known, "file", "competitor"):
        judge, check = (part[column] >= 0.5 for column in ("score", "label"))
        table.rows.append(
            {
                "competitor": competitor,
                "file": file,
                "answers": len(part),
                "agreement": clustered_rate(judge == check, list(part["key"])),
                "kappa": cohen_kappa(list(judge), list(check)),
                "lenient": int((judge & ~check).sum()),
                "strict": int((check & ~judge).sum()),
            }
        )
    return table
