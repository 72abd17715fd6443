"""The names of the files in a run directory; nothing else knows them."""

from __future__ import annotations

from typing import Final

CONFIG: Final = "config.yaml"
RUN: Final = "run.json"
RESPONSES: Final = "responses.jsonl"
EPISODES: Final = "episodes.jsonl"
SUMMARY: Final = "summary.csv"
LOG: Final = "arena.log"
PROFILE: Final = "profile.json"
SWEEP: Final = "sweep.json"
SWEEP_TABLE: Final = "sweep.csv"
JOBS: Final = ".jobs"
LOCK: Final = ".lock"
DECISIONS: Final = "decisions.jsonl"
LUCK: Final = "luck.jsonl"
ASSESSMENT: Final = "assessment.json"

#: All of them: nothing else is written over one.
RECORDS: Final = frozenset(
    {
        CONFIG, RUN, RESPONSES, EPISODES, SUMMARY, LOG, PROFILE, SWEEP, SWEEP_TABLE, LOCK,
        DECISIONS, LUCK, ASSESSMENT,
    }
)  # fmt: skip
