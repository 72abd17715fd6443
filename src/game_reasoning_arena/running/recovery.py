"""Reconstruct a damaged or lost ``run.json`` or ``config.yaml`` from the rest of the directory."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from pathlib import Path

from msgspec import structs

from game_reasoning_arena.errors import DamagedRecordError, UserError
from game_reasoning_arena.recording import layout
from game_reasoning_arena.recording.lines import read_lines
from game_reasoning_arena.recording.reader import is_run
from game_reasoning_arena.recording.run_record import RunRecord, read_run
from game_reasoning_arena.records import FORMAT_VERSION, Status
from game_reasoning_arena.running.provenance import new_run_id


def recovered_run(directory: Path) -> tuple[RunRecord, list[str]]:
    """Return a run's ``run.json`` with lost keys filled in from its lines, and notes on them.

    A lost ``identity`` stays None; a caller that knows the configuration computes it.

    Raises:
        UserError: the directory holds nothing of a run.
    """
    path = directory / layout.RUN
    notes: list[str] = []
    record = RunRecord()
    try:
        record, problems = read_run(directory)
        notes += [f"{path} is damaged at {one}; that value is made anew" for one in problems]
    except FileNotFoundError:
        if not is_run(directory):
            raise UserError(
                f"{directory} holds no run ({layout.RUN} is missing). Give a run directory, such "
                "as outputs/DATE/TIME."
            ) from None
        notes.append(f"{path} is missing; it is made anew from {layout.CONFIG} and the lines")
    except DamagedRecordError as error:
        notes.append(
            f"{path} is damaged ({error}); it is made anew from {layout.CONFIG} and the lines"
        )
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.") from error
    if record.run_id is None or record.started_at is None:
        record = _from_lines(directory, record)
    return record, notes


def _from_lines(directory: Path, record: RunRecord) -> RunRecord:
    """Fill in the run's id and start."""
    ids: Counter[str] = Counter()
    began: list[float] = []
    for name in (layout.EPISODES, layout.RESPONSES):
        with suppress(OSError):
            for line in read_lines(directory / name, notice=lambda _: None):
                if line.get("run_id"):
                    ids[line["run_id"]] += 1
                if line.get("started_at") is not None:
                    began.append(line["started_at"])
    known = ids.most_common(1)
    return structs.replace(
        record,
        run_id=record.run_id or (known[0][0] if known else new_run_id()),
        format_version=record.format_version or FORMAT_VERSION,
        started_at=record.started_at or min(began, default=None),
        status=record.status or Status.INTERRUPTED,
    )
