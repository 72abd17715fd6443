"""Which jobs of a sweep's directory are those that the words of today describe."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from game_reasoning_arena.errors import UserError
from game_reasoning_arena.recording import layout
from game_reasoning_arena.sweeping.expansion import Candidate
from game_reasoning_arena.sweeping.store import Job, read_json


def match(
    jobs: Sequence[Job], candidates: Sequence[Candidate]
) -> Iterator[tuple[Job | None, Candidate]]:
    """Each candidate with its job, or None for a new one.

    Jobs are known by their identity, the content hash of what they ask. Jobs of one identity, which
    differ in how they are carried out (shards, concurrency), are told apart by their swept values.
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


def find_last(directory: Path, identities: Collection[str]) -> Path:
    """The newest sweep beside ``directory`` that has one of these jobs.

    Args:
        directory: where a new sweep would be: ``outputs/multirun/DATE/TIME``.
        identities: of the jobs.

    Raises:
        UserError: there is none.
    """
    if (directory / layout.SWEEP).is_file():
        return directory
    root = directory.parent.parent
    sweeps = sorted(root.glob(f"*/*/{layout.SWEEP}"), key=lambda file: file.stat().st_mtime_ns)
    for file in reversed(sweeps):
        content = read_json(file) or {}
        if any(job.get("identity") in identities for job in content.get("jobs", ())):
            return file.parent
    newest = f" The newest sweep is {sweeps[-1].parent}." if sweeps else ""
    raise UserError(
        f"There is no sweep in {root} with any of these jobs.{newest} Name one by "
        "sweep.resume=DIRECTORY, or leave sweep.resume out to begin a new one."
    )
