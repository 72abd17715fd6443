"""The state of one run while it plays, for its files, the display and the result."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from game_reasoning_arena.agents.base_agent import Agent
from game_reasoning_arena.errors import BudgetReached
from game_reasoning_arena.metering.budget import Totals
from game_reasoning_arena.metering.meter import Meter
from game_reasoning_arena.preflight.experiment import Experiment
from game_reasoning_arena.process.paths import added_conf_dir
from game_reasoning_arena.process.profiling import LoopLag, Profile, part
from game_reasoning_arena.recording.decoding import response_of
from game_reasoning_arena.recording.run_record import ProbeRecord, Provenance, RunRecord
from game_reasoning_arena.recording.summary import Summary
from game_reasoning_arena.recording.writer import RunWriter
from game_reasoning_arena.records import FORMAT_VERSION, EpisodeRecord, ResponseRecord, Status
from game_reasoning_arena.running.notices import Notices
from game_reasoning_arena.running.past import Past
from game_reasoning_arena.running.progress import Progress
from game_reasoning_arena.running.provenance import determinism, provenance
from game_reasoning_arena.running.verification import last_verification


@dataclass(kw_only=True)
class Ledger:
    """Collects what happens in one run, as it happens."""

    experiment: Experiment
    writer: RunWriter
    meter: Meter
    past: Past
    run_id: str
    started_at: float
    sat_down_at: float  # Unix time
    planned: int
    head: RunRecord
    summary: Summary
    shown: Progress
    profile: Profile | None
    notices: Notices
    lag: LoopLag = field(default_factory=LoopLag)
    counts: Counter[str] = field(default_factory=Counter)
    outages: Counter[str] = field(default_factory=Counter)
    played: set[int] = field(default_factory=set)
    probes: list[ProbeRecord] = field(default_factory=list)
    failure: BaseException | None = None
    agents: dict[str, Agent] = field(default_factory=dict)
    sat_down: float = field(default_factory=time.monotonic)
    left: int = 0  # episodes to play in this sitting

    def response(self, record: ResponseRecord) -> None:
        """Write, count and show one attempt."""
        with part("record"):
            self.writer.response(record)
        if self.profile is not None:
            self.profile.answered(record)
        self.summary.response(record)
        self.notices.answered(record)
        self.shown.answered(record, self.meter.totals)

    def episode(self, record: EpisodeRecord) -> None:
        """Write, count and show one episode that ended."""
        with part("record"):
            self.writer.episode(record)
        self.played.add(record.episode)
        self.summary.episode(record)
        self.counts[record.status] += 1
        if record.error is not None and record.status is Status.ERROR:
            self.outages[record.error] += 1
        self.shown.episode_done(record, self.meter.totals)

    def status(self) -> tuple[Status, str | None]:
        """Return the status of the run if it ended now, and the reason."""
        if isinstance(self.failure, BudgetReached):
            return Status.BUDGET, str(self.failure)
        if self.failure is not None:
            return Status.ERROR, str(self.failure)
        if self.meter.fatal is not None:
            return Status.ERROR, str(self.meter.fatal)
        if self.meter.stopping is not None:
            return Status.INTERRUPTED, self.meter.stopping
        if self.meter.budget_note is not None:
            return Status.BUDGET, self.meter.budget_note
        return ended(self.counts, self.outages)

    @property
    def begun(self) -> bool:
        """Return whether a question was answered or an episode ended without an outage."""
        answered = any(row["calls"] or row["from_cache"] for row in self.summary.rows())
        return answered or any(n for status, n in self.counts.items() if status != Status.ERROR)

    def recount(self) -> None:
        """Count what an earlier sitting of this run played."""
        for episode in self.past.episodes:
            self.summary.episode(episode)
            self.counts[episode.status] += 1
        for response in self.past.responses:
            self.summary.response(response)
            self.notices.answered(response, quiet=True)

    def keep_unplayed(self) -> None:
        """Record and count the episodes of an earlier sitting that this one did not get to."""
        for episode in self.past.replaced:
            if episode.episode not in self.played:
                self.episode(episode)
        for key, line in self.past.answers.items():
            if key not in self.past.recalled:
                self.summary.response(response_of(line))

    def totals(self) -> dict[str, Any]:
        """Return what the run has used, earlier sittings included."""
        used = Totals()
        used.merge(self.past.totals)
        used.merge(self.meter.totals)
        return {**used.as_dict(), "failures": dict(self.summary.failures)}

    def write_run(self, status: Status, reason: str | None) -> None:
        """Replace ``run.json``."""
        finished = None
        if status is not Status.RUNNING:  # never before it began, though the clock be set back
            finished = max(time.time(), self.sat_down_at + time.monotonic() - self.sat_down)
        sittings = [*self.past.sittings, (self.sat_down_at, finished)]
        played = sum(max(end - begin, 0.0) for begin, end in sittings if end)
        self.writer.run(
            replace(
                self.head,
                players={
                    name: facts | (self.agents[name].facts() if name in self.agents else {})
                    for name, facts in self.head.players.items()
                },
                status=status,
                reason=reason,
                started_at=self.started_at,
                finished_at=finished,
                sittings=tuple(sittings),
                duration_s=played if finished else None,
                episodes={"planned": self.planned, **self.counts},
                totals=self.totals(),
                probe=tuple(self.probes),
                notes=tuple(self.notices.notes),
                event_loop_lag_s=self.lag.as_dict(),
            )
        )


def ended(counts: Counter[str], outages: Counter[str]) -> tuple[Status, str | None]:
    """Return the status of a run that was not stopped, and the reason.

    Args:
        counts: episodes by status.
        outages: messages of outages with the number of episodes they ended.
    """
    if counts[Status.INTERRUPTED]:
        return Status.INTERRUPTED, f"{counts[Status.INTERRUPTED]} episodes were interrupted"
    if counts[Status.BUDGET]:
        return Status.BUDGET, f"{counts[Status.BUDGET]} episodes ended because a budget was spent"
    if outages:
        (first, _), *_ = outages.most_common(1)
        return Status.ERROR, f"{counts[Status.ERROR]} episodes ended by an outage: {first}"
    return Status.COMPLETED, None


def run_head(
    experiment: Experiment, run_id: str, overrides: Sequence[str], past: Past
) -> RunRecord:
    """Return the part of ``run.json`` that does not change while the run plays."""
    current = provenance(experiment)
    earlier = [one for one in past.provenances if one not in (Provenance(), current)]
    return RunRecord(
        run_id=run_id,
        format_version=FORMAT_VERSION,
        identity=experiment.identity,
        contents=experiment.contents,
        game=experiment.simulation.name,
        utility=experiment.simulation.utility,
        seed=experiment.seed,
        overrides=(*past.overrides, *overrides),
        cwd=str(Path.cwd()),
        config_dir=added_conf_dir(),
        resumed=past.times_resumed,
        extended=tuple(past.extended),
        earlier_provenance=each_once(earlier),
        unpaired=tuple(experiment.unpaired),
        players={
            player.name: {
                "type": player.type,
                "model": player.model.name if player.model else None,
                "backend": player.model.backend if player.model else None,
            }
            for player in experiment.players
        },
        judges={
            judge.name: {"model": judge.model.name if judge.model else None}
            for judge in experiment.judges
        },
        git=current.git,
        packages=current.packages,
        python=current.python,
        platform=current.platform,
        engines=current.engines,
        determinism=tuple(determinism(experiment)),
        verified=last_verification(),
    )


def each_once(provenances: Iterable[Provenance]) -> tuple[Provenance, ...]:
    """Return provenances without repetitions."""
    found: list[Provenance] = []
    for one in provenances:
        if one not in found:
            found.append(one)
    return tuple(found)
