"""Match the jobs in a sweep's directory to those that the present words describe."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from game_reasoning_arena.errors import UserError
from game_reasoning_arena.preflight.experiment import NOT_IDENTITY
from game_reasoning_arena.recording import layout
from game_reasoning_arena.recording.config_text import flatten, is_below
from game_reasoning_arena.recording.decoding import record_or_none
from game_reasoning_arena.running.past import UNSEEN_CHANGE
from game_reasoning_arena.sweeping.expansion import Candidate
from game_reasoning_arena.sweeping.files import JobFile, SweepFile
from game_reasoning_arena.sweeping.store import Job, Sweep


def match(
    jobs: Sequence[Job], candidates: Sequence[Candidate]
) -> Iterator[tuple[Job | None, Candidate]]:
    """Yield each candidate with its job, or None for a new one.

    Jobs are matched by their identity, the content hash of their questions. Jobs of one identity,
    which differ in how they are carried out (shards, concurrency), are matched by their swept
    values.
    """
    left = list(jobs)
    taken: dict[int, Job] = {}
    for exact in (True, False):
        for index, candidate in enumerate(candidates):
            if index in taken:
                continue
            for job in left:
                if job.identity != candidate.experiment.identity:
                    continue
                if _alike(job, candidate, exact=exact):
                    left.remove(job)
                    taken[index] = job
                    break
    for index, candidate in enumerate(candidates):
        yield taken.get(index), candidate


def _alike(job: Job, candidate: Candidate, *, exact: bool) -> bool:
    if exact:
        return job.values == candidate.values
    if job.values.get("shard") != candidate.values.get("shard"):
        return False
    return all(candidate.values.get(key, value) == value for key, value in job.values.items())


def refuse_changes(sweep: Sweep, matched: Sequence[tuple[Job | None, Candidate]]) -> None:
    """Allow new values of the sweep's axes, and no other change.

    Args:
        sweep: as it is on disk.
        matched: the jobs of the present words, each with its job on disk.

    Raises:
        UserError: a new job has no place in the sweep's table: it has no value for an axis, or the
            same values as another job with other questions. Names the difference.
    """
    known = [{**job.values, **candidate.values} for job, candidate in matched if job is not None]
    known += [job.values for job in sweep.jobs]
    for job, candidate in matched:
        blank = [key for key in sweep.axes if key not in candidate.values]
        if job is None and (blank or candidate.values in known):
            changes = _changes(sweep, candidate, blank) or [UNSEEN_CHANGE]
            listed = "".join(f"\n  {change}" for change in changes)
            raise UserError(
                f"{sweep.path}: these words change what the sweep asks, so the job would be none "
                f"of its own:{listed}\nTake the changes back, or start a new sweep. A sweep grows "
                "by new values of its axes: give its command again with all values that the axis "
                f"is to have (KEY=a,b,c) and sweep.resume={sweep.path}"
            )


def _changes(sweep: Sweep, candidate: Candidate, blank: Sequence[str]) -> list[str]:
    """Return the settings in which a job differs from the jobs on disk, apart from the axes."""
    now = flatten(candidate.experiment.config)
    found = []
    for key in blank:
        values = ",".join(sweep.axes[key])
        found.append(f"{key}: swept over {values} -> {now.get(key, 'one value')}")
    stored = (record_or_none(sweep.job_file(job), JobFile) for job in sweep.jobs)
    before = next((flatten(job.config) for job in stored if job is not None), {})
    for key in sorted(before.keys() | now.keys()):
        top = key.partition(".")[0]
        swept = any(is_below(key, axis) for axis in (*sweep.axes, *candidate.values))
        asked = top not in NOT_IDENTITY and not key.endswith("display_name")
        if asked and not swept and before.get(key) != now.get(key):
            found.append(f"{key}: {before.get(key, 'not set')} -> {now.get(key, 'not set')}")
    return found


def find_last(directory: Path, identities: Collection[str]) -> Path:
    """Return the newest sweep beside ``directory`` that has one of these jobs.

    Args:
        directory: the directory of a new sweep: ``outputs/multirun/DATE/TIME``.
        identities: of the jobs.

    Raises:
        UserError: there is none.
    """
    if (directory / layout.SWEEP).is_file():
        return directory
    root = directory.parent.parent
    sweeps = sorted(root.glob(f"*/*/{layout.SWEEP}"), key=lambda file: file.stat().st_mtime_ns)
    for file in reversed(sweeps):
        content = record_or_none(file, SweepFile)
        if content is not None and any(job.identity in identities for job in content.jobs):
            return file.parent
    newest = f" The newest sweep is {sweeps[-1].parent}." if sweeps else ""
    raise UserError(
        f"There is no sweep in {root} with any of these jobs.{newest} Name one by "
        "sweep.resume=DIRECTORY, or leave sweep.resume out to begin a new one."
    )
