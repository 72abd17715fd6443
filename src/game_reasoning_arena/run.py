"""run(experiment, directory): the function behind the command; it reads as the story of a run.

experiment = prepare(cfg)
result = run(experiment, Path("outputs/mine"))
"""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from game_reasoning_arena.agents.base_agent import Agent, Asker
from game_reasoning_arena.agents.factory import make_agent
from game_reasoning_arena.errors import (
    ArenaError,
    Interrupted,
    RunStorageError,
)
from game_reasoning_arena.event_loop import run_coroutine
from game_reasoning_arena.meter import Budget, Meter, Recall
from game_reasoning_arena.preflight import Experiment
from game_reasoning_arena.probing import probe_models
from game_reasoning_arena.progress import Progress, make_progress
from game_reasoning_arena.provenance import new_run_id, provenance
from game_reasoning_arena.recording.summary import Summary
from game_reasoning_arena.recording.writer import RunWriter
from game_reasoning_arena.records import (
    FORMAT_VERSION,
    EpisodePlan,
    EpisodeRecord,
    ResponseRecord,
    Status,
)
from game_reasoning_arena.resume import Past
from game_reasoning_arena.secrets import Redactor

log = logging.getLogger(__name__)

#: Seconds that calls in flight get to finish after the first Ctrl-C.
GRACE_S = 10.0

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

    @property
    def exit_code(self) -> int:
        """0 done, 1 something failed, 3 budget reached, 130 interrupted."""
        if self.status is Status.COMPLETED and self.episodes.get("error"):
            return 1
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
    head: Mapping[str, Any]
    summary: Summary
    shown: Progress
    counts: dict[str, int] = field(default_factory=dict)
    failure: BaseException | None = None

    def response(self, record: ResponseRecord) -> None:
        self.writer.response(record)
        self.summary.response(record)
        self.shown.answered(record, self.meter.totals)

    def episode(self, record: EpisodeRecord) -> None:
        self.writer.episode(record)
        self.summary.episode(record)
        self.counts[record.status] = self.counts.get(record.status, 0) + 1
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
        return Status.COMPLETED, None

    def write_run(self, status: Status, reason: str | None, planned: int) -> None:
        finished = None if status is Status.RUNNING else time.time()
        self.writer.run(
            {
                **self.head,
                "status": status,
                "reason": reason,
                "started_at": self.started_at,
                "finished_at": finished,
                "duration_s": finished - self.started_at if finished else None,
                "episodes": {"planned": planned, **self.counts},
                "totals": {
                    **self.meter.totals.as_dict(),
                    "failures": dict(self.summary.failures),
                },
            }
        )


def run(
    experiment: Experiment,
    directory: Path,
    *,
    overrides: Sequence[str] = (),
    past: Past | None = None,
    replace_askers: Callable[[Asker], Asker] | None = None,
    shared_budgets: Iterable[Budget] = (),
    quiet: bool = False,
) -> RunResult:
    """Play an experiment and write it down.

    Args:
        experiment: from ``preflight.prepare``.
        directory: where the run directory is; made if missing.
        overrides: the command line's words, for the record.
        past: what an unfinished run in ``directory`` holds already (``arena resume``).
        replace_askers: put something in place of every backend (``arena replay``).
        shared_budgets: budgets of a sweep.
        quiet: show no progress.

    Raises:
        UserError: the directory holds another run or cannot be written.
        RunStorageError: writing failed; nothing that was flushed is lost.
    """
    redactor = Redactor.from_environment(
        p.model.provider.api_key_env
        for p in experiment.players
        if p.model and p.model.provider and p.model.provider.api_key_env
    )
    past = past or Past()
    with RunWriter(
        directory,
        redact=redactor.redact if redactor else None,
        resume=past.run_id is not None,
        known=past.recalled,
    ) as writer:
        plans = experiment.simulation.plan(
            episodes=experiment.episodes,
            seed=experiment.seed,
            rotate=experiment.rotate,
            players=[player.name for player in experiment.players],
        )
        run_id = past.run_id or new_run_id()
        own = Budget(**experiment.budget, totals=past.totals)  # type: ignore[arg-type]
        meter = Meter(own, *shared_budgets)
        meter.totals = past.totals
        story = _Story(
            experiment=experiment,
            writer=writer,
            meter=meter,
            past=past,
            run_id=run_id,
            started_at=past.started_at or time.time(),
            head=_head(experiment, run_id, overrides, past),
            summary=Summary(experiment.players),
            shown=make_progress(experiment, len(plans), quiet=quiet),
        )
        for record in past.episodes:
            story.summary.episode(record)
            story.counts[record.status] = story.counts.get(record.status, 0) + 1
        for record_ in past.responses:
            story.summary.response(record_)
        if past.run_id is None:
            text = OmegaConf.to_yaml(OmegaConf.create(dict(experiment.config)))
            writer.config(text)
        story.write_run(Status.RUNNING, None, len(plans))
        done = {record.episode for record in past.episodes}
        todo = [plan for plan in plans if plan.episode not in done]
        try:
            with story.shown:
                run_coroutine(_play_all(story, todo, replace_askers))
        except RunStorageError:
            raise
        except ArenaError as error:
            story.failure = error
            log.error("the run stopped: %s", error)
        except BaseException as error:
            story.failure = error
            log.exception("the run stopped because of a fault in the program")
            with suppress(RunStorageError):
                story.write_run(Status.ERROR, f"{type(error).__name__}: {error}", len(plans))
            raise
        status, reason = story.status()
        rows = story.summary.rows()
        writer.summary(rows)
        story.write_run(status, reason, len(plans))
        return RunResult(
            directory=directory,
            status=status,
            reason=redactor.redact(reason) if reason else None,
            summary=rows,
            totals=meter.totals.as_dict(),
            episodes=dict(story.counts),
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
        "overrides": list(overrides),
        "resumed": past.times_resumed,
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
    story: _Story, todo: Sequence[EpisodePlan], replace_askers: Callable[[Asker], Asker] | None
) -> None:
    """Open what the players need, play the episodes, close everything whatever happens."""
    experiment = story.experiment
    async with AsyncExitStack() as stack:
        askers: dict[str, Asker] = {}
        for prefix, backend in experiment.backends.items():
            if replace_askers is not None:
                askers[prefix] = replace_askers(backend)
                continue
            await stack.enter_async_context(backend)
            models = [model for model in experiment.models if model.backend == prefix]
            await backend.start(models)
            askers[prefix] = Recall(
                story.meter.over(backend), story.past.answers, story.past.recalled
            )
        agents: dict[str, Agent] = {}
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
        await stack.enter_async_context(_stoppable(story))
        if experiment.probe and replace_askers is None and todo:
            await probe_models(experiment, story.meter)
        await _workers(story, iter(todo), agents)


async def _workers(story: _Story, todo: Iterator[EpisodePlan], agents: Mapping[str, Agent]) -> None:
    """As many tasks as ``concurrency`` allows take episodes from one list."""
    play = story.experiment.simulation.play

    async def worker() -> None:
        for number, plan in enumerate(todo, start=1):
            if story.meter.stopping is not None or story.meter.budget_note is not None:
                return
            with suppress(Interrupted):
                story.episode(await play(plan, agents, story.run_id))
            if number % 64 == 0:
                await asyncio.sleep(0)  # players that never wait must not starve the rest

    tasks = [
        asyncio.create_task(worker(), name=f"worker {i}")
        for i in range(story.experiment.concurrency)
    ]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def _stoppable(story: _Story) -> AsyncIterator[None]:
    """First Ctrl-C or SIGTERM: ask nothing new, finish what is in flight. Second: stop at once."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None
    grace: asyncio.TimerHandle | None = None

    def stop(name: str) -> None:
        nonlocal grace
        if story.meter.stopping is None:
            story.meter.stop(f"stopped by {name}")
            story.shown.say(
                f"Stopping: waiting up to {GRACE_S:.0f} s for {story.meter.in_flight} calls in "
                "flight. Once more stops at once."
            )
            grace = loop.call_later(GRACE_S, task.cancel)
        else:
            task.cancel()

    with _signals(loop, stop):
        try:
            yield
        except asyncio.CancelledError:
            if story.meter.stopping is None:
                raise
            while task.uncancel():
                pass
        finally:
            if grace is not None:
                grace.cancel()


@contextmanager
def _signals(loop: asyncio.AbstractEventLoop, stop: Callable[[str], None]) -> Iterator[None]:
    """Route SIGINT and SIGTERM; where that is impossible (threads, Windows) leave them alone."""
    routed = []
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError, RuntimeError, ValueError):
            before = signal.getsignal(number)
            loop.add_signal_handler(number, stop, number.name)
            routed.append((number, before))
    try:
        yield
    finally:
        for number, before in routed:
            loop.remove_signal_handler(number)
            signal.signal(number, before)
