"""Labels that people gave to answers, from a file: what a judge, or any scorer, is held against."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from game_reasoning_arena.analysis.statistics.answers import Answers
from game_reasoning_arena.errors import UserError
from game_reasoning_arena.process.files import read_text

#: What a row of the file may name an answer by, besides its label.
NAMED_BY: Final = ("prompt", "group", "run", "episode", "seat", "competitor", "answer")

_WORDS: Final = {
    **dict.fromkeys(("1", "1.0", "true", "yes", "right", "correct"), 1.0),
    **dict.fromkeys(("0", "0.0", "false", "no", "wrong", "incorrect"), 0.0),
}


def with_labels(answers: Answers, file: Path, runs: list[str]) -> Answers:
    """Return the answers with the labels of a file.

    Args:
        answers: of some runs.
        file: CSV or JSONL, with ``label`` (1 or 0, true or false, right or wrong) and any of
            :data:`NAMED_BY`; a row labels all answers that have its values.
        runs: the short names of the runs.

    Raises:
        UserError: the file cannot be read, or labels none of the answers.
    """
    given = _read(file)
    by = [name for name in NAMED_BY if name in given[0]]
    if "label" not in given[0] or not {"prompt", "episode"} & set(by):
        raise UserError(
            f"--labels {file}: it has the columns {', '.join(given[0])}; it needs label, and "
            f"prompt or episode. Possible beside them: {', '.join(NAMED_BY)}."
        )
    table = answers.table.copy()
    table["run"] = [runs[run] for run in answers.table["run"]]
    keys = list(zip(*(table[name].map(_text) for name in by), strict=True))
    labels = {
        tuple(_text(row.get(name)) for name in by): _label(row, file, number)
        for number, row in enumerate(given, start=1)
    }
    found = [labels.get(key) for key in keys]
    if not any(label is not None for label in found):
        raise UserError(
            f"--labels {file}: none of its {len(labels)} rows names an answer of these runs by "
            f"{', '.join(by)}. The first row says {dict(zip(by, next(iter(labels)), strict=True))}."
        )
    table["run"], table["label"] = answers.table["run"], found
    table["label"] = table["label"].astype("float64")
    unused = len(labels.keys() - set(keys))
    notes = [f"{unused} of {len(labels)} labels are of no answer here."] if unused else []
    return replace(answers, table=table, notes=[*answers.notes, *notes])


def _read(file: Path) -> list[Mapping[str, Any]]:
    try:
        text = read_text(file, encoding="utf-8-sig", pipes=True)
        if file.suffix.lower() == ".csv":
            rows: list[Any] = list(csv.DictReader(text.splitlines()))
        else:
            rows = [json.loads(line) for line in text.splitlines() if line.strip()]
    except (OSError, ValueError, RecursionError, csv.Error) as error:
        raise UserError(f"--labels {file} cannot be read: {error}.") from error
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise UserError(f"--labels {file} holds no rows: give CSV with a header, or JSON lines.")
    return rows


def _text(value: Any) -> str:
    return "" if value is None or value != value else str(value)


def _label(row: Mapping[str, Any], file: Path, number: int) -> float:
    label = _WORDS.get(str(row.get("label")).strip().lower())
    if label is None:
        raise UserError(
            f"--labels {file}, row {number} has the label {row.get('label')!r}. Possible: "
            f"{', '.join(_WORDS)}."
        )
    return label
