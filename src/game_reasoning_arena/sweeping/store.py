"""A sweep's directory: ``sweep.json``, ``sweep.csv``, a hidden file per job, the jobs' directories.

    outputs/multirun/2026-11-22/10-23-45-123456/
      sweep.json  sweep.csv
      0_gpt-4o-mini_seed-1/   a run directory
      arena.log               log lines of no single job, such as a shared engine's start
      .jobs/0.json            the configuration of job 0, resolved and without secrets
      .jobs/0.end.json        the end of its process
      .jobs/stop.json         present while the sweep is being stopped

All of it can be rebuilt from the jobs' directories, so that jobs that ran elsewhere or were killed
are reported correctly.
"""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msgspec import structs

from game_reasoning_arena.errors import DamagedRecordError, UserError
from game_reasoning_arena.preflight.experiment import Experiment
from game_reasoning_arena.process.paths import added_conf_dir, standing
from game_reasoning_arena.process.secrets import Redactor
from game_reasoning_arena.process.text import as_cell
from game_reasoning_arena.recording import layout
from game_reasoning_arena.recording.decoding import read_record
from game_reasoning_arena.records import FAILURES, FORMAT_VERSION, Status
from game_reasoning_arena.sweeping.files import (
    STOP_NAME,
    BudgetEntry,
    JobEntry,
    JobFile,
    SettingsEntry,
    StopFile,
    SweepFile,
    encode_record,
    end_file,
    write_file,
)
from game_reasoning_arena.sweeping.naming import plain_value, slug

PENDING = "pending"


@dataclass(kw_only=True)
class Job:
    """One run of a sweep.

    ``values`` are its values of the swept keys, as typed. ``status`` is ``pending`` or a Status.
    ``experiment`` is set while this process prepares or plays it.
    """

    number: int
    directory: str
    overrides: list[str]
    values: dict[str, str]
    identity: str
    planned: int
    status: str = PENDING
    reason: str | None = None
    experiment: Experiment | None = field(default=None, repr=False, compare=False)

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do for it."""
        return self.status == Status.COMPLETED

    def entry(self) -> JobEntry:
        """Return its entry in ``sweep.json``."""
        return JobEntry(
            number=self.number,
            directory=self.directory,
            overrides=self.overrides,
            values=self.values,
            identity=self.identity,
            episodes=self.planned,
            status=self.status,
            reason=self.reason,
        )


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings for carrying out the sweep, kept so that it can be resumed without its words."""

    parallel_jobs: int
    budget: Mapping[str, Any]
    launcher: Mapping[str, Any]


@dataclass(kw_only=True)
class Sweep:
    """A sweep and its directory."""

    path: Path
    command: list[str]
    settings: Settings
    jobs: list[Job]
    started_at: float = field(default_factory=time.time)
    config_dir: str | None = field(default_factory=added_conf_dir)
    status: str = Status.RUNNING
    reason: str | None = None
    rows: dict[int, list[dict[str, Any]]] = field(default_factory=dict)

    @property
    def axes(self) -> dict[str, list[str]]:
        """The swept keys and their values, in order of appearance."""
        found: dict[str, dict[str, None]] = {}
        for job in self.jobs:
            for key, value in job.values.items():
                found.setdefault(key, {})[value] = None
        return {key: list(values) for key, values in found.items()}

    def run_directory(self, job: Job) -> Path:
        """Return the directory of a job's run."""
        return self.path / job.directory

    def job_file(self, job: Job) -> Path:
        """Return the path of a job's configuration."""
        return self.path / layout.JOBS / f"{job.number}.json"

    def new_number(self) -> int:
        """Return the number of the next job."""
        return max((job.number for job in self.jobs), default=-1) + 1

    def write(self) -> None:
        """Replace ``sweep.json`` and ``sweep.csv``.

        Raises:
            RunStorageError: the disk is full, read-only, or the directory is gone.
        """
        ended = None if self.status == Status.RUNNING else time.time()
        content = SweepFile(
            format_version=FORMAT_VERSION,
            status=self.status,
            reason=self.reason,
            started_at=self.started_at,
            finished_at=ended,
            command=self.command,
            cwd=str(Path.cwd()),
            config_dir=self.config_dir,
            axes=self.axes,
            settings=SettingsEntry(
                parallel_jobs=self.settings.parallel_jobs,
                budget=BudgetEntry(**self.settings.budget),
                launcher=dict(self.settings.launcher),
            ),
            jobs=[job.entry() for job in self.jobs],
        )
        write_file(self.path / layout.SWEEP, Redactor().redact(encode_record(content)))
        write_file(self.path / layout.SWEEP_TABLE, self._table(), durable=False)

    def write_job(self, job: Job) -> None:
        """Write the configuration of a new job, for workers and for resuming."""
        assert job.experiment is not None
        content = JobFile(
            number=job.number,
            directory=str(self.run_directory(job).absolute()),
            overrides=job.overrides,
            cwd=str(Path.cwd()),
            standing=str(standing()),
            config_dir=self.config_dir,
            identity=job.identity,
            config=dict(job.experiment.config),
        )
        text = encode_record(content)
        self.job_file(job).parent.mkdir(exist_ok=True)
        write_file(self.job_file(job), Redactor().redact(text))
        end_file(self.job_file(job)).unlink(missing_ok=True)

    @property
    def stop_file(self) -> Path:
        """The file that exists while workers are to stop."""
        return self.path / layout.JOBS / STOP_NAME

    def ask_to_stop(self, kind: str, reason: str) -> None:
        """Stop every worker on any machine. ``kind`` is ``interrupted`` or ``budget``."""
        if not self.stop_file.exists():
            write_file(self.stop_file, encode_record(StopFile(kind=kind, reason=reason)))

    def _table(self) -> str:
        rows = csv_rows(self)
        out = io.StringIO()
        if rows:
            table = csv.DictWriter(out, fieldnames=list(rows[0]), lineterminator="\n")
            table.writeheader()
            table.writerows({key: as_cell(value) for key, value in row.items()} for row in rows)
        return out.getvalue()


def load_sweep(path: Path) -> Sweep:
    """Read ``sweep.json``; the jobs' states are the stored ones, see ``states.refresh``.

    Raises:
        UserError: there is no sweep, or its file is damaged.
    """
    try:
        content = read_record(path / layout.SWEEP, SweepFile)
    except FileNotFoundError:
        raise UserError(f"{path} holds no sweep ({layout.SWEEP} is missing).") from None
    except DamagedRecordError as error:
        raise DamagedRecordError(
            f"{error}. Its jobs' directories are runs of their own: `arena resume` and `arena "
            "compare` take each of them."
        ) from error
    return Sweep(
        path=path,
        command=content.command,
        settings=Settings(
            parallel_jobs=content.settings.parallel_jobs,
            budget=structs.asdict(content.settings.budget),
            launcher=content.settings.launcher,
        ),
        jobs=[
            Job(
                number=job.number,
                directory=job.directory,
                overrides=job.overrides,
                values=job.values,
                identity=job.identity,
                planned=job.episodes,
                status=job.status,
                reason=job.reason,
            )
            for job in content.jobs
        ],
        started_at=content.started_at,
        config_dir=content.config_dir,
    )


def directory_name(number: int, values: Mapping[str, str]) -> str:
    """Return a name such as ``3_gpt-4o-mini_seed-1``."""
    name = slug(values)
    return f"{number}_{name}" if name else str(number)


#: The columns of a run's summary, in order; see recording.summary.
SUMMARY_COLUMNS = (
    *("player", "seat", "type", "model", "episodes", "wins", "draws", "losses"),
    *("answered", "scored", "mean_score", "forfeits", "errors", "unfinished", "cut_at_limit"),
    *("mean_return", "episodes_with_return"),
    *("moves", "substituted_moves"),
    *("calls", "from_cache", "outages", *(outcome.value for outcome in FAILURES)),
    *("latency_p50_s", "latency_p95_s", "prompt_tokens", "completion_tokens", "cost_usd"),
)


_OWN = ("job", "directory", "status", "reason")


def csv_rows(sweep: Sweep) -> list[dict[str, Any]]:
    """Return one row per job, player and seat; a job without numbers (yet) has one row."""
    columns = {key: _column(key) for key in sweep.axes}
    rows = []
    for job in sweep.jobs:
        head = {
            "job": job.number,
            "directory": job.directory,
            **{c: plain_value(job.values.get(key, "")) for key, c in columns.items()},
            "status": job.status,
            "reason": job.reason,
        }
        empty = dict.fromkeys(SUMMARY_COLUMNS)
        rows += [
            {**head, **empty, **{k: v for k, v in row.items() if k in empty}}
            for row in sweep.rows.get(job.number) or [{}]
        ]
    return rows


def _column(key: str) -> str:
    """Return the column of a swept key: itself unless that name has another meaning."""
    return f"swept_{key}" if key in SUMMARY_COLUMNS or key in _OWN else key
