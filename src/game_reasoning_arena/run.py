"""run(experiment, directory): the function behind the command; it reads as the story of a run.

experiment = prepare(cfg)
result = run(experiment, Path("outputs/mine"))
"""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from game_reasoning_arena.agents.base_agent import Agent, Asker
from game_reasoning_arena.agents.factory import make_agent
from game_reasoning_arena.cache import ResponseCache
from game_reasoning_arena.errors import (
    ArenaError,
    Interrupted,
    ReplayMiss,
    RunStorageError,
)
from game_reasoning_arena.event_loop import Rest, run_coroutine
from game_reasoning_arena.experiment import Experiment
from game_reasoning_arena.faults import fault_of
from game_reasoning_arena.meter import Budget, Meter, Recall, Totals
from game_reasoning_arena.opening import open_backends
from game_reasoning_arena.probing import probe_models
from game_reasoning_arena.profiling import LoopLag, Profile, part, profiled
from game_reasoning_arena.progress import Progress, make_progress
from game_reasoning_arena.provenance import new_run_id, provenance
from game_reasoning_arena.recording import layout
from game_reasoning_arena.recording.config_text import as_yaml
from game_reasoning_arena.recording.summary import Summary
from game_reasoning_arena.recording.writer import RunWriter
from game_reasoning_arena.records import (
    FORMAT_VERSION,
    EpisodePlan,
    EpisodeRecord,
    ResponseRecord,
    Status,
)
from game_reasoning_arena.resume import Past, response_of
from game_reasoning_arena.secrets import Redactor
from game_reasoning_arena.stopping import Stop

log = logging.getLogger(__name__)

#: Episodes that begin before the event loop looks at its sockets again.
STARTED_TOGETHER = 4

EXIT_CODES = {
    Status.COMPLETED: 0,
    Status.ERROR: 1,
    Status.BUDGET: 3,
    Status.INTERRUPTED: 130,
}


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """How a run ended."""

    directory: Path
    status: Status
    reason: str | None
    summary: list[dict[str, Any]]
    totals: Mapping[str, Any]
    episodes: Mapping[str, int]
    outages: Mapping[str, int] = field(default_factory=dict)  # what episodes ended by, how often
    profile: Mapping[str, Any] | None = None  # with profile=true
    unpaired: Sequence[str] = ()  # what keeps deals from being paired
    resumable: bool = True  # whether playing on could finish it

    @property
    def exit_code(self) -> int:
        """0 done, 1 something failed, 3 budget reached, 130 interrupted."""
        return EXIT_CODES[self.status]


@dataclass(kw_only=True)
class _Story:
    """What happens in one run, gathered as it happens."""

    experiment: Experiment
    writer: RunWriter
    meter: Meter
    past: Past
    run_id: str
    started_at: float
    sat_down_at: float
    planned: int
    head: Mapping[str, Any]
    summary: Summary
    shown: Progress
    profile: Profile | None
    lag: LoopLag = field(default_factory=LoopLag)
    counts: Counter[str] = field(default_factory=Counter)
    outages: Counter[str] = field(default_factory=Counter)
    played: set[int] = field(default_factory=set)
    probes: list[dict[str, Any]] = field(default_factory=list)
    failure: BaseException | None = None
    agents: dict[str, Agent] = field(default_factory=dict)

    def response(self, record: ResponseRecord) -> None:
        with part("record"):
            self.writer.response(record)
        if self.profile is not None:
            self.profile.answered(record)
        self.summary.response(record)
        self.shown.answered(record, self.meter.totals)

    def episode(self, record: EpisodeRecord) -> None:
        with part("record"):
            self.writer.episode(record)
        self.played.add(record.episode)
        self.summary.episode(record)
        self.counts[record.status] += 1
        if record.error is not None and record.status is Status.ERROR:
            self.outages[record.error] += 1
        self.shown.episode_done(record, self.meter.totals)

    def status(self) -> tuple[Status, str | None]:
        if self.failure is not None:
            return Status.ERROR, str(self.failure)
        if self.meter.fatal is not None:
            return Status.ERROR, str(self.meter.fatal)
        if self.meter.stopping is not None:
            return Status.INTERRUPTED, self.meter.stopping
        if self.meter.budget_note is not None:
            return Status.BUDGET, self.meter.budget_note
        if self.outages:
            (first, _), *_ = self.outages.most_common(1)
            return Status.ERROR, f"{self.counts[Status.ERROR]} episodes ended by an outage: {first}"
        return Status.COMPLETED, None

    def recount(self) -> None:
        """Count what an earlier part of this run played."""
        for episode in self.past.episodes:
            self.summary.episode(episode)
            self.counts[episode.status] += 1
        for response in self.past.responses:
            self.summary.response(response)

    def keep_unplayed(self) -> None:
        """What an earlier part had and this one did not come to stays recorded and counted."""
        for episode in self.past.replaced:
            if episode.episode not in self.played:
                self.episode(episode)
        for key, line in self.past.answers.items():
            if key not in self.past.recalled:
                self.summary.response(response_of(line))

    def totals(self) -> dict[str, Any]:
        """What the run has used, earlier parts included."""
        used = Totals()
        used.merge(self.past.totals)
        used.merge(self.meter.totals)
        return {**used.as_dict(), "failures": dict(self.summary.failures)}

    def write_run(self, status: Status, reason: str | None) -> None:
        finished = None if status is Status.RUNNING else time.time()
        sittings = [*self.past.sittings, (self.sat_down_at, finished)]
        self.writer.run(
            {
                **self.head,
                "players": {
                    name: told | (self.agents[name].facts() if name in self.agents else {})
                    for name, told in self.head["players"].items()
                },
                "status": status,
                "reason": reason,
                "started_at": self.started_at,
                "finished_at": finished,
                "sittings": sittings,
                "duration_s": sum(end - begin for begin, end in sittings if end)
                if finished
                else None,
                "episodes": {"planned": self.planned, **self.counts},
                "totals": self.totals(),
                "probe": self.probes,
                "event_loop_lag_s": self.lag.as_dict(),
            }
        )


def run(
    experiment: Experiment,
    directory: Path,
    *,
    overrides: Sequence[str] = (),
    past: Past | None = None,
    replace_askers: Callable[[Asker], Asker] | None = None,
    quiet: bool = False,
) -> RunResult:
    """Play an experiment and write it down.

    Args:
        experiment: from ``preflight.prepare``.
        directory: where the run directory is; made if missing.
        overrides: the command line's words, for the record.
        past: what an unfinished run in ``directory`` holds already (``arena resume``).
        replace_askers: put something in place of every backend (``arena replay``).
        quiet: show no progress.

    Raises:
        Interrupted: it came to a stop while an engine was loading; nothing was asked.
        UserError: the directory holds another run or cannot be written.
        RunStorageError: writing failed; nothing that was flushed is lost.
    """
    stop = Stop()
    shown = make_progress(experiment, quiet=quiet)

    async def alone() -> RunResult:
        async with AsyncExitStack() as stack:
            backends: Mapping[str, Asker] = experiment.backends
            if replace_askers is not None:
                backends = {name: replace_askers(b) for name, b in experiment.backends.items()}
            with stop.listening(shown.say):
                if replace_askers is None:
                    await open_backends(experiment.served, stack, stop, shown.say)
                with shown:
                    return await run_async(
                        experiment,
                        directory,
                        askers=backends,
                        stop=stop,
                        shown=shown,
                        overrides=overrides,
                        past=past,
                        replayed=replace_askers is not None,
                    )

    return run_coroutine(alone())


async def run_async(
    experiment: Experiment,
    directory: Path,
    *,
    askers: Mapping[str, Asker],
    stop: Stop,
    shown: Progress,
    overrides: Sequence[str] = (),
    past: Past | None = None,
    shared_budgets: Iterable[Budget] = (),
    replayed: bool = False,
) -> RunResult:
    """Play on the running loop, over backends that are open already; see :func:`run`.

    Args:
        experiment: from ``preflight.prepare``.
        directory: where the run directory is; made if missing.
        askers: open backends by prefix.
        stop: stops this run with others.
        shown: where progress is shown.
        overrides: the command line's words, for the record.
        past: what an unfinished run in ``directory`` holds already.
        shared_budgets: budgets of a sweep.
        replayed: the askers answer from a recording: nothing is metered, probed or cached.
    """
    providers = [model.provider for model in experiment.models if model.provider]
    redactor = Redactor(
        variables=[p.api_key_env for p in providers if p.api_key_env],
        urls=[p.api_base for p in providers],
    )
    past = past or Past()
    with RunWriter(
        directory,
        redact=redactor.redact,
        resume=past.run_id is not None,
        known=past.recalled,
        gather=all(player.type == "random" for player in experiment.players),
    ) as writer:
        plans = experiment.plans()
        own = Budget(**experiment.budget, totals=replace(past.totals))  # type: ignore[arg-type]
        meter = Meter(own, *shared_budgets, redact=redactor.redact)
        stop.watch(meter)
        run_id = past.run_id or new_run_id()
        now = time.time()
        story = _Story(
            experiment=experiment,
            writer=writer,
            meter=meter,
            past=past,
            run_id=run_id,
            started_at=past.started_at or now,
            sat_down_at=now,
            planned=len(plans),
            head=_head(experiment, run_id, overrides, past),
            summary=Summary(experiment.players),
            shown=shown,
            profile=Profile() if experiment.profile else None,
        )
        story.recount()
        if past.run_id is None:
            writer.config(as_yaml(experiment.config))
        story.write_run(Status.RUNNING, None)
        done = {record.episode for record in past.episodes}
        todo = [plan for plan in plans if plan.episode not in done]
        shown.expect(len(plans), done=len(done))
        log.info("run %s: %d of %d episodes to play", run_id, len(todo), len(plans))
        story.lag.start()
        # What is loaded by now outlives the run: the collector need not go through it again and
        # again, some 40 ms each time.
        gc.freeze()
        try:
            with profiled(story.profile):
                await _play_all(story, todo, askers, replayed=replayed)
        except RunStorageError:
            raise
        except asyncio.CancelledError:
            if stop.reason is None:
                raise
        except ArenaError as error:
            story.failure = error
            log.error("the run stopped: %s", error)
        except Exception as error:
            log.exception("the run stopped because of a fault")
            story.failure = fault_of(error)
        except BaseException as error:
            log.exception("the run was ended")
            with suppress(RunStorageError):
                story.write_run(Status.ERROR, f"{type(error).__name__}: {error}")
            raise
        finally:
            gc.unfreeze()
            story.lag.stop()
        story.keep_unplayed()
        status, reason = story.status()
        rows = story.summary.rows()
        writer.summary(rows)
        story.write_run(status, reason)
        log.info("run %s: %s%s", run_id, status, f": {reason}" if reason else "")
        profile = story.profile.as_dict() if story.profile is not None else None
        if profile is not None:
            writer.json(layout.PROFILE, profile)
        return RunResult(
            directory=directory,
            status=status,
            reason=redactor.redact(reason) if reason else None,
            summary=rows,
            totals=story.totals(),
            episodes=dict(story.counts),
            outages={redactor.redact(why): n for why, n in story.outages.most_common(3)},
            profile=profile,
            unpaired=tuple(story.head["unpaired"]),
            resumable=not isinstance(story.failure, ReplayMiss),
        )


def _head(
    experiment: Experiment, run_id: str, overrides: Sequence[str], past: Past
) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "format_version": FORMAT_VERSION,
        "identity": experiment.identity,
        "game": experiment.simulation.name,
        "seed": experiment.seed,
        "overrides": [*past.overrides, *overrides],
        "cwd": str(Path.cwd()),  # relative paths of the configuration begin here
        "resumed": past.times_resumed,
        "unpaired": experiment.unpaired,
        "players": {
            player.name: {
                "type": player.type,
                "model": player.model.name if player.model else None,
                "backend": player.model.backend if player.model else None,
            }
            for player in experiment.players
        },
        **provenance(experiment),
    }


async def _play_all(
    story: _Story, todo: Sequence[EpisodePlan], backends: Mapping[str, Asker], *, replayed: bool
) -> None:
    """Seat the players, play the episodes, free everything whatever happens."""
    experiment = story.experiment
    async with AsyncExitStack() as stack:
        askers = dict(backends)
        if not replayed:
            cache = None
            if experiment.cache != "off":
                cache = ResponseCache()
                stack.callback(cache.close)
            for prefix, backend in backends.items():
                asker = story.meter.over(backend)
                if cache is not None:
                    asker = cache.over(asker, reuse=experiment.cache == "reuse")
                askers[prefix] = Recall(asker, story.past.answers, story.past.recalled)
        agents = story.agents
        for player in experiment.players:
            agents[player.name] = make_agent(
                player,
                asker=askers[player.model.backend] if player.model else None,
                record=story.response,
                run_id=story.run_id,
                seed=experiment.seed,
                on_failure=experiment.on_failure,
                simulation=experiment.simulation,
            )
            stack.push_async_callback(agents[player.name].aclose)
        if experiment.probe and not replayed and todo:
            story.probes = await probe_models(experiment.models, backends, story.meter)
        await _workers(story, iter(todo), agents)


async def _workers(story: _Story, todo: Iterator[EpisodePlan], agents: Mapping[str, Agent]) -> None:
    """As many tasks as ``concurrency`` allows take episodes from one list."""
    play = story.experiment.simulation.play
    rest = Rest()

    async def worker() -> None:
        for plan in todo:
            if story.meter.stopping is not None or story.meter.budget_note is not None:
                return
            try:
                story.episode(await play(plan, agents, story.run_id))
            except Interrupted as error:  # by the meter, or by a person who leaves
                story.meter.stop(str(error))
            await rest.if_due()

    tasks: list[asyncio.Task[None]] = []
    try:
        for number in range(min(story.experiment.concurrency, story.planned)):
            tasks.append(asyncio.create_task(worker(), name=f"worker {number}"))
            if number % STARTED_TOGETHER == 0:
                # Else all prompts would be written and all connections opened before the first
                # request is sent.
                await asyncio.sleep(0)
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
