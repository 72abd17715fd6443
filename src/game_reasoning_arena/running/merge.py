"""Shards of one run, put together into a run directory like that of the unsplit run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from omegaconf import OmegaConf

from game_reasoning_arena.errors import UserError
from game_reasoning_arena.metering.budget import Totals
from game_reasoning_arena.metering.probe import probe_reply
from game_reasoning_arena.preflight.preparation import prepare
from game_reasoning_arena.recording.config_text import as_yaml
from game_reasoning_arena.recording.decoding import episode_of, response_of
from game_reasoning_arena.recording.reader import RunReader, find_runs
from game_reasoning_arena.recording.summary import Summary
from game_reasoning_arena.recording.versions import PROVENANCE
from game_reasoning_arena.recording.writer import RunWriter, is_locked
from game_reasoning_arena.records import EpisodeRecord, Status
from game_reasoning_arena.running.ledger import ended
from game_reasoning_arena.running.provenance import new_run_id
from game_reasoning_arena.running.runner import RunResult

#: What a merged run.json takes from the first shard's.
_SHARED = (
    *("format_version", "identity", "contents", "game", "seed", "players"),
    *("git", "packages", "python", "platform", "engines", "determinism", "cwd", "config_dir"),
)


def merge(directories: Sequence[Path], output: Path, notices: list[str]) -> RunResult:
    """Write the union of runs that are parts of one run.

    Episodes come in the order of the unsplit run, answers shard by shard. What no shard has played
    is left for `arena resume`. Totals are those of the lines, and of the probes before.

    Args:
        directories: run directories, or sweeps of them.
        output: the new run directory.
        notices: gets what was torn or damaged.

    Raises:
        UserError: the runs are not parts of one run, overlap, or are still being played; or
            ``output`` holds a run.
    """
    parts = find_runs(*directories, notice=notices.append)
    _check_parts(parts)
    config = {**parts[0].config, "shard": None}
    experiment = prepare(OmegaConf.create(config), check_backends=False, played=True)
    run_id = new_run_id()
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
                response = replace(response_of(line), run_id=run_id)
                summary.response(response)
                writer.response(response)
                used.add_line(line)
        probes = [probe for part in parts for probe in part.run.get("probe") or ()]
        for probe in probes:
            used.add(probe_reply(probe))
        rows = summary.rows()
        writer.summary(rows)
        totals = {**used.as_dict(), "failures": dict(summary.failures)}
        unpaired = experiment.unpaired
        writer.run(
            {
                "run_id": run_id,
                **{key: parts[0].run[key] for key in _SHARED if key in parts[0].run},
                "overrides": [],
                "resumed": 0,
                **_history(parts),
                "unpaired": unpaired,
                "merged": [_origin(part) for part in parts],
                "status": status,
                "reason": reason,
                **_times(parts),
                "episodes": {"planned": planned, **counts},
                "totals": totals,
                "probe": probes,
            }
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


def _check_parts(parts: Sequence[RunReader]) -> None:
    by_identity: dict[Any, list[Path]] = {}
    for part in parts:
        by_identity.setdefault(part.run.get("identity"), []).append(part.path)
        if is_locked(part.path):
            raise UserError(f"{part.path} is still being played. Merge when it has ended.")
    if len(by_identity) > 1 or None in by_identity:
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
            record = replace(episode_of(line), run_id=run_id)
            before = seen.get(record.episode)
            if before is not None and before[0] != part.path:
                raise UserError(
                    f"Episode {record.episode} is in {before[0]} and in {part.path}: these are not "
                    "different shards of one run. Leave one of them out."
                )
            seen[record.episode] = (part.path, record)
    return [seen[number][1] for number in sorted(seen)]


def _origin(part: RunReader) -> dict[str, Any]:
    return {
        "run_id": part.run_id,
        "directory": part.path.name,
        "shard": part.config.get("shard"),
        "status": part.status,
    }


def _history(parts: Sequence[RunReader]) -> dict[str, list[Any]]:
    """How the parts were extended, and by what they were played where not as the first one."""
    first = {key: parts[0].run[key] for key in PROVENANCE if key in parts[0].run}
    extended: list[Any] = []
    earlier: list[Any] = []
    for part in parts:
        own = {key: part.run[key] for key in PROVENANCE if key in part.run}
        extended += [s for s in part.run.get("extended") or () if s not in extended]
        others = [*(part.run.get("earlier_provenance") or ()), own]
        earlier += [one for one in others if one and one != first and one not in earlier]
    return {"extended": extended, "earlier_provenance": earlier}


def _times(parts: Sequence[RunReader]) -> dict[str, float | None]:
    began = [part.run["started_at"] for part in parts if part.run.get("started_at")]
    ended = [part.run["finished_at"] for part in parts if part.run.get("finished_at")]
    first, last = min(began, default=None), max(ended, default=None)
    took = None if first is None or last is None else last - first
    return {"started_at": first, "finished_at": last, "duration_s": took}
