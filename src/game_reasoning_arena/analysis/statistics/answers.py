"""One row per scored answer of some runs: to which prompt, by whom, and what it is worth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pandas as pd

from game_reasoning_arena.analysis.statistics.competitors import run_names
from game_reasoning_arena.analysis.statistics.episode_rows import prompts_file
from game_reasoning_arena.analysis.statistics.standings import Standings
from game_reasoning_arena.recording.frames import LoadedRuns, rows

#: Scorers whose wrong answers have a plainest form, so that they can vote.
VOTING: Final = frozenset({"exact", "one_of", "choice", "numeric", "json"})


@dataclass(slots=True)
class Answers:
    """The table, and what is known beside it.

    ``table`` has a row per answer: run, episode, seed, seat, competitor, file, prompt (its id), key
    (file, id and expected answer, which is the same prompt in every run), group, expected, score
    (NaN where there is none), answer, label, votes (whether answers can vote).
    """

    table: pd.DataFrame
    notes: list[str] = field(default_factory=list)

    @property
    def scored(self) -> pd.DataFrame:
        """Only those with a score."""
        return self.table[self.table["score"].notna()]

    def __bool__(self) -> bool:
        return bool(self.table["score"].notna().any())


_COLUMNS = [
    "run", "episode", "seed", "seat", "competitor", "file", "prompt", "key", "group", "expected",
    "score",
    "answer", "label", "votes",
]  # fmt: skip


def answers_of(loaded: LoadedRuns, standings: Standings) -> Answers:
    """Return the answers of all runs of prompts that were scored."""
    found = loaded.episodes[loaded.episodes["scores"].notna()]
    table = pd.DataFrame(list(_rows(loaded, found, standings)), columns=_COLUMNS)
    table["score"] = table["score"].astype("float64")
    table["label"] = table["label"].astype("float64")
    if table.empty:
        return Answers(table)
    notes = _told_apart(table, run_names(loaded))
    return Answers(table, notes)


def _rows(
    loaded: LoadedRuns, episodes: pd.DataFrame, standings: Standings
) -> Iterator[dict[str, Any]]:
    files = [prompts_file(reader.config) or "prompts" for reader in loaded.readers]
    votes = [_votes(_simulation(loaded, run)) for run in range(len(loaded.readers))]
    for line in rows(episodes):
        key = (files[line.run], line.prompt, line.expected)
        for seat, name in enumerate(line.seats):
            yield {
                "run": line.run,
                "episode": line.episode,
                "seed": line.seed,
                "seat": seat,
                "competitor": standings.competitors[line.run, name].unsplit,
                "file": files[line.run],
                "prompt": line.prompt,
                "key": key,
                "group": line.group if isinstance(line.group, str) else None,
                "expected": line.expected,
                "score": line.scores[seat],
                "answer": line.answers[seat] if line.answers else None,
                "label": line.labels[seat] if line.labels else None,
                "votes": votes[line.run],
            }


def _simulation(loaded: LoadedRuns, run: int) -> Mapping[str, Any]:
    node = loaded.readers[run].config.get("simulation")
    return node if isinstance(node, Mapping) else {}


def _votes(simulation: Mapping[str, Any]) -> bool:
    scorer = simulation.get("scorer")
    return isinstance(scorer, Mapping) and scorer.get("type") in VOTING


def _told_apart(table: pd.DataFrame, names: list[str]) -> list[str]:
    """Tell equal settings apart by run where they answered the very same prompts with equal seeds.

    Other runs of equal settings (another seed, another part of the file) are more answers.
    """
    deals = table[["competitor", "key", "seed", "run"]].drop_duplicates(
        ["competitor", "key", "seed", "run"]
    )
    again = deals.duplicated(["competitor", "key", "seed"], keep=False)
    doubled = {
        (str(competitor), int(run))
        for competitor, run in deals.loc[again, ["competitor", "run"]].to_numpy()
    }
    if not doubled:
        return []
    tails = {(competitor, run): f"{competitor} [{names[run]}]" for competitor, run in doubled}
    table["competitor"] = [
        tails.get((competitor, run), competitor)
        for competitor, run in zip(table["competitor"], table["run"], strict=True)
    ]
    named = ", ".join(sorted({competitor for competitor, _ in doubled}))
    return [f"Asked the same prompts with the same settings and seed in several runs: {named}."]


def parts(table: pd.DataFrame, *keys: str) -> Iterator[tuple[list[str], pd.DataFrame]]:
    """Yield the rows under each combination of values, in order of appearance."""
    for names, part in table.groupby(list(keys), sort=False, dropna=True):
        yield [str(name) for name in (names if isinstance(names, tuple) else (names,))], part
