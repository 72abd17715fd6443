"""Merge the shards of one run into a run directory like that of the unsplit run."""

from __future__ import annotations

import dataclasses
import glob
import os
import secrets
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec import structs

from game_reasoning_arena.configuration.value_checks import with_types
from game_reasoning_arena.errors import ConfigProblems, DamagedRecordError, UserError
from game_reasoning_arena.metering.budget import Totals
from game_reasoning_arena.metering.probe import probe_reply
from game_reasoning_arena.preflight.experiment import Experiment
from game_reasoning_arena.preflight.preparation import prepare
from game_reasoning_arena.process.files import sync_directory
from game_reasoning_arena.recording import layout
from game_reasoning_arena.recording.config_text import as_yaml
from game_reasoning_arena.recording.decoding import episode_of, response_of
from game_reasoning_arena.recording.reader import RunReader, find_runs
from game_reasoning_arena.recording.run_record import Extension, Part, Provenance
from game_reasoning_arena.recording.summary import Summary
from game_reasoning_arena.recording.writer import RunWriter, is_locked, refuse_begun
from game_reasoning_arena.records import FINAL, FORMAT_VERSION, EpisodeRecord, Status
from game_reasoning_arena.running.ledger import each_once, ended
from game_reasoning_arena.running.past import check_answered_once, check_plans, incomplete
from game_reasoning_arena.running.provenance import new_run_id
from game_reasoning_arena.running.runner import RunResult


def merge(directories: Sequence[Path], output: Path, notices: list[str]) -> RunResult:
    """Write the union of runs that are parts of one run.

    Episodes are in the order of the unsplit run, answers shard by shard. Episodes that no shard has
    played are left for `arena resume`. Totals are those of the lines, and of the probes before.

    Args:
        directories: run directories, or sweeps of them.
        output: the new run directory.
        notices: receives sentences about torn or damaged lines.

    Raises:
        UserError: the runs are not parts of one run, overlap, or are still being played; or
            ``output`` holds a run.
    """
    parts = find_runs(*directories, notice=notices.append)
    for part in parts:
        if not part.config:
            raise UserError(
                f"{part.path}: its config.yaml is missing or cannot be read. Restore it, or see "
                f"what `arena resume {part.path}` can make anew, and merge again."
            )
    _check_parts(parts)
    with _beside(output) as fresh:
        result = _write(parts, fresh)
    return dataclasses.replace(result, directory=output)


@contextmanager
def _beside(output: Path) -> Iterator[Path]:
    """Yield a new directory beside ``output`` that replaces it when it is complete.

    Raises:
        UserError: ``output`` is not empty, or cannot be created.
    """
    refuse_begun(output, "--output DIR")
    if output.is_dir() and any(output.iterdir()):
        raise UserError(f"--output {output} is not empty. Choose another directory.")
    fresh = output.with_name(f".{output.name}.{os.getpid()}-{secrets.token_hex(3)}.merging")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        for left in output.parent.glob(f".{glob.escape(output.name)}.*.merging"):
            if not is_locked(left):
                shutil.rmtree(left)  # left by a merge that was killed
        yield fresh
        os.replace(fresh, output)
        sync_directory(output.parent)
    except OSError as error:
        raise UserError(f"--output {output} cannot be made: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _write(parts: Sequence[RunReader], output: Path) -> RunResult:
    experiment = _unsplit(parts[0])
    run_id = new_run_id()
    for part in parts:
        _check_lines(part, experiment)
    episodes = _episodes(parts, run_id)
    planned = len(experiment.plans())
    counts = Counter(str(record.status) for record in episodes)
    outages = Counter(str(r.error) for r in episodes if r.status is Status.ERROR)
    status, reason = ended(counts, outages)
    if len(episodes) < planned:
        status = Status.INTERRUPTED
        reason = f"{planned - len(episodes)} of {planned} episodes were in none of the parts"
    summary = Summary(experiment.asked)
    used = Totals()
    with RunWriter(output, option="--output DIR") as writer:
        writer.config(as_yaml(experiment.config))
        for episode in episodes:
            summary.episode(episode)
            writer.episode(episode)
        for part in parts:
            for line in part.responses():
                response = structs.replace(response_of(line), run_id=run_id)
                summary.response(response)
                writer.response(response)
                used.add_line(line)
        probes = [probe for part in parts for probe in part.run.probe]
        for probe in probes:
            used.add(probe_reply(probe))
        rows = summary.rows()
        writer.summary(rows)
        totals = {**used.as_dict(), "failures": dict(summary.failures)}
        unpaired = experiment.unpaired
        writer.run(
            structs.replace(
                parts[0].run,
                run_id=run_id,
                format_version=FORMAT_VERSION,
                overrides=(),
                resumed=0,
                sittings=(),
                event_loop_lag_s={},
                verified=None,
                unpaired=tuple(unpaired),
                merged=tuple(map(_origin, parts)),
                status=status,
                reason=reason,
                episodes={"planned": planned, **counts},
                totals=totals,
                probe=tuple(probes),
                **_history(parts),
                **_times(parts),
            )
        )
    return RunResult(
        directory=output,
        status=status,
        reason=reason,
        summary=rows,
        totals=totals,
        episodes=counts,
        outages=dict(outages.most_common(3)),
        unpaired=unpaired,
    )


def _unsplit(part: RunReader) -> Experiment:
    """Return the experiment of the run that a part is one of.

    Raises:
        UserError: the part's configuration is not the one that it was played with.
    """
    path = part.path / layout.CONFIG
    try:
        config = with_types({**part.config, "shard": None})
        experiment = prepare(config, check_backends=False, played=True)
    except ConfigProblems as error:
        raise ConfigProblems([f"{path} cannot be used:", *error.problems]) from error
    if experiment.identity != part.run.identity:
        raise UserError(
            f"{path} asks something else than what {part.path} was begun with (identity): it was "
            "changed or damaged, or a file that it names was. Take that back, or name another "
            "shard first: the configuration of the first one is used."
        )
    return experiment


def _check_parts(parts: Sequence[RunReader]) -> None:
    by_identity: dict[Any, list[Path]] = {}
    for part in parts:
        by_identity.setdefault(part.run.identity, []).append(part.path)
        if is_locked(part.path):
            raise UserError(f"{part.path} is still being played. Merge when it has ended.")
    if unknown := by_identity.get(None):
        raise UserError(
            f"{unknown[0] / layout.RUN} does not say what was asked (identity): it is missing or "
            f"damaged. `arena resume {unknown[0]}` makes it anew; then merge."
        )
    if len(by_identity) > 1:
        groups = "\n".join(
            f"  {identity}: {', '.join(map(str, paths))}" for identity, paths in by_identity.items()
        )
        raise UserError(
            "These runs are not parts of one run: they asked different questions (identities).\n"
            f"{groups}\nTo set different runs side by side use `arena compare`."
        )


def _episodes(parts: Sequence[RunReader], run_id: str) -> list[EpisodeRecord]:
    seen: dict[int, tuple[Path, EpisodeRecord]] = {}
    for part in parts:
        for line in part.episodes():
            record = structs.replace(episode_of(line), run_id=run_id)
            before = seen.get(record.episode)
            if before is not None and before[0] != part.path:
                raise UserError(
                    f"Episode {record.episode} is in {before[0]} and in {part.path}: these are not "
                    "different shards of one run. Leave one of them out."
                )
            seen[record.episode] = (part.path, record)
    return [seen[number][1] for number in sorted(seen)]


def _check_lines(part: RunReader, experiment: Experiment) -> None:
    """Refuse a part that would not be resumed as it is: a merged run is not checked again.

    Raises:
        DamagedRecordError: it holds lines of another run, or lines that contradict each other.
        UserError: answers of its episodes are missing.
    """
    number = 0
    try:
        episodes: dict[int, EpisodeRecord] = {}
        for number, line in enumerate(part.episodes(), 1):  # noqa: B007 (named in the error)
            episode = episode_of(line)
            before = episodes.get(episode.episode)
            if before is not None and before.status in FINAL and episode.status in FINAL:
                raise DamagedRecordError(
                    f"episode {episode.episode} came to its end twice, and differently"
                )
            episodes[episode.episode] = episode
        check_plans(part.path, experiment, episodes.values(), map(response_of, part.responses()))
        check_answered_once(part.path, map(response_of, part.responses()))
    except DamagedRecordError as error:
        if str(part.path) in str(error):
            raise
        where = part.path / layout.EPISODES
        raise DamagedRecordError(
            f"{where}, line {number} is damaged: {error}. Correct or delete the line, then "
            f"`arena resume {part.path}`."
        ) from error
    answers = map(response_of, part.responses())
    if lost := incomplete(experiment, [*episodes.values()], answers):
        raise UserError(
            f"{part.path}: answers or moves of {len(lost)} finished episodes are missing in "
            f"{layout.RESPONSES} or {layout.EPISODES}, the first of them episode {min(lost)}. "
            f"`arena resume {part.path}` plays them again; then merge."
        )


def _origin(part: RunReader) -> Part:
    shard = part.config.get("shard")
    return Part(
        run_id=part.run_id,
        directory=part.path.name,
        shard=None if shard is None else str(shard),
        status=part.status,
    )


def _history(parts: Sequence[RunReader]) -> dict[str, Any]:
    """Return how the parts were extended, and the provenances that differ from the first part's."""
    first = parts[0].run.provenance
    extended: list[Extension] = []
    earlier: list[Provenance] = []
    for part in parts:
        extended += [step for step in part.run.extended if step not in extended]
        earlier += [*part.run.earlier_provenance, part.run.provenance]
    others = [one for one in earlier if one not in (first, Provenance())]
    return {"extended": tuple(extended), "earlier_provenance": each_once(others)}


def _times(parts: Sequence[RunReader]) -> dict[str, float | None]:
    began = [t for part in parts if isinstance(t := part.run.started_at, float | int)]
    ended = [t for part in parts if isinstance(t := part.run.finished_at, float | int)]
    first, last = min(began, default=None), max(ended, default=None)
    took = None if first is None or last is None else max(last - first, 0.0)
    return {"started_at": first, "finished_at": last, "duration_s": took}
