"""Tables of prompts one by one: who got what, and what several answers to each are worth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pandas as pd

from game_reasoning_arena.analysis.statistics.accuracy import majority_at_k, pass_at_k, votes_of
from game_reasoning_arena.analysis.statistics.answers import Answers, parts
from game_reasoning_arena.analysis.statistics.intervals import clustered_mean
from game_reasoning_arena.analysis.tables.forms import Column, Table, Value


def repeats_table(answers: Answers) -> Table:
    """Return pass@k and majority@k where prompts were asked several times."""
    table = Table(
        "repeats",
        "Several answers to a prompt",
        [
            Column("competitor", "competitor", names_row=True),
            Column("file", "prompts of", names_row=True),
            Column("k", "k", "count", names_row=True),
            Column("pass", "pass@k % [95 %]", "percent"),
            Column("majority", "majority@k % [95 %]", "percent"),
            Column("prompts", "prompts", "count"),
            Column("n", "answers each", "text"),
        ],
    )
    for (file, competitor), part in parts(answers.scored, "file", "competitor"):
        if not set(part["score"].unique()) <= {0.0, 1.0}:
            continue
        if part["key"].is_unique:
            continue
        given: dict[Any, tuple[list[float], list[Any]]] = {}
        for key, score, answer in _values(part, "key", "score", "answer"):
            scores, texts = given.setdefault(key, ([], []))
            scores.append(score)
            texts.append(answer)
        prompts = [votes_of(scores, texts) for scores, texts in given.values()]
        sizes = [right + sum(wrong) + silent for right, wrong, silent in prompts]
        votes = bool(part["votes"].all())
        for k in _ks(min(sizes)):
            passed = [pass_at_k(n, one[0], k) for n, one in zip(sizes, prompts, strict=True)]
            voted = [majority_at_k(*one, k) for one in prompts] if votes else []
            keys = list(range(len(prompts)))
            table.rows.append(
                {
                    "competitor": competitor,
                    "file": file,
                    "k": k,
                    "pass": clustered_mean(passed, keys, limits=(0.0, 1.0)),
                    "majority": clustered_mean(voted, keys, limits=(0.0, 1.0)) if voted else None,
                    "prompts": len(prompts),
                    "n": str(min(sizes))
                    if min(sizes) == max(sizes)
                    else f"{min(sizes)} to {max(sizes)}",
                }
            )
    if table.rows:
        table.notes.append(
            "Unbiased estimates from all answers: pass@k by Chen and others (2021), majority@k as "
            "the mean over all choices of k, ties at random, replies without an answer without a "
            "vote. Intervals count prompts."
        )
    return table


def _ks(most: int) -> list[int]:
    """1, 2, 4, ... and the largest."""
    ks = [1 << power for power in range(most.bit_length()) if 1 << power <= most]
    return ks if ks[-1] == most else [*ks, most]


def prompts_table(answers: Answers) -> Table:
    """Return who got what, a row per prompt: the mean score and the answers of each."""
    whos = list(dict.fromkeys(answers.scored["competitor"]))
    columns = [
        Column("prompt", "prompt", names_row=True),
        Column("file", "prompts of", names_row=True),
        Column("group", "group"),
        Column("expected", "expected"),
        Column("differ", "differ", "text"),
    ]
    for competitor in whos:
        columns.append(Column(f"{competitor}: score", competitor, "percent"))
        columns.append(Column(f"{competitor}: answer", f"{competitor}: answer"))
    table = Table("prompts", "Prompt by prompt", columns)
    prompts: dict[tuple[Any, Any], dict[str, Value]] = {}
    answered: dict[tuple[Any, Any], dict[str, tuple[list[float], list[Any]]]] = {}
    names = ("file", "key", "competitor", "score", "answer", "prompt", "group", "expected")
    for file, key, competitor, score, answer, prompt, group, expected in _values(
        answers.scored, *names
    ):
        if (file, key) not in prompts:
            prompts[file, key] = {
                "prompt": str(prompt),
                "file": file,
                "group": group if isinstance(group, str) else None,
                "expected": _cut(expected),
            }
        scores, texts = answered.setdefault((file, key), {}).setdefault(competitor, ([], []))
        scores.append(score)
        texts.append(answer)
    for at, row in prompts.items():
        means = {
            competitor: sum(scores) / len(scores)
            for competitor, (scores, _) in answered[at].items()
        }
        for competitor, (_, texts) in answered[at].items():
            row[f"{competitor}: score"] = means[competitor]
            row[f"{competitor}: answer"] = _cut(_said(texts))
        row["differ"] = "yes" if len(set(means.values())) > 1 else None
        table.rows.append(row)
    return table


def _values(table: pd.DataFrame, *columns: str) -> Iterator[tuple[Any, ...]]:
    """The rows as plain tuples: per row a frame would cost a thousand times as much."""
    return zip(*(table[column].tolist() for column in columns), strict=True)


def _said(answers: list[Any]) -> str | None:
    """The answers, the most frequent first, with their numbers where there are several."""
    counts = Counter(answer for answer in answers if isinstance(answer, str))
    if len(answers) == 1:
        return next(iter(counts), None)
    return ", ".join(f"{answer} x{n}" for answer, n in counts.most_common()) or None


def _cut(text: Any) -> str | None:
    if not isinstance(text, str):
        return None
    return text if len(text) <= 60 else f"{text[:57]}..."
