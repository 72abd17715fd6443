"""run(experiment, directory): play an experiment from its first file to its last.

experiment = prepare(cfg)
result = run(experiment, Path("outputs/mine"))
"""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from game_reasoning_arena.errors import ArenaError, RunStorageError
from game_reasoning_arena.metering.budget import Budget
from game_reasoning_arena.metering.cache import ResponseCache
from game_reasoning_arena.metering.meter import Meter
from game_reasoning_arena.metering.probe import Claims, RunClaims, learned_by, probe, probes_of
from game_reasoning_arena.metering.recall import Recall
from game_reasoning_arena.preflight.experiment import Experiment
from game_reasoning_arena.process.event_loop import run_coroutine
from game_reasoning_arena.process.faults import fault_of
from game_reasoning_arena.process.profiling import Profile, profiled
from game_reasoning_arena.process.secrets import Redactor
from game_reasoning_arena.recording import layout
from game_reasoning_arena.recording.config_text import as_yaml
from game_reasoning_arena.recording.summary import Summary
from game_reasoning_arena.recording.writer import RunWriter
from game_reasoning_arena.records import EXIT_CODES, FINAL, Asker, EpisodePlan, Status
from game_reasoning_arena.running.ledger import Ledger, run_head
from game_reasoning_arena.running.notices import Notices
from game_reasoning_arena.running.open_backends import open_backends
from game_reasoning_arena.running.past import Past
from game_reasoning_arena.running.progress import Progress, make_progress
from game_reasoning_arena.running.provenance import new_run_id
from game_reasoning_arena.running.stopping import Stop
from game_reasoning_arena.running.workers import play_episodes
from game_reasoning_arena.simulation.players import make_agent

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """The result of a run."""

    directory: Path
    status: Status
    reason: str | None
    summary: list[dict[str, Any]]
    totals: Mapping[str, Any]
    episodes: Mapping[str, int]
    outages: Mapping[str, int] = field(default_factory=dict)  # messages of outages, with numbers
    profile: Mapping[str, Any] | None = None  # with profile=true
    unpaired: Sequence[str] = ()  # reasons why deals are not paired
    cause: BaseException | None = None  # the exception that ended it, if any
    assessed: Sequence[str] = ()  # with assess=true: sentences on the result
    begun: bool = True  # whether there is anything to resume
    quicker: Sequence[str] = ()  # settings with which more calls a second are possible

    @property
    def exit_code(self) -> int:
        """0 done, 1 something failed, 3 budget reached, 130 interrupted."""
        return EXIT_CODES[self.status]


def run(
    experiment: Experiment,
    directory: Path,
    *,
    overrides: Sequence[str] = (),
    past: Past | None = None,
    replace_askers: Callable[[Asker], Asker] | None = None,
    quiet: bool = False,
) -> RunResult:
    """Play an experiment and record it.

    Args:
        experiment: from ``preflight.prepare``.
        directory: the run directory; created if missing.
        overrides: the command line's words, for the record.
        past: the contents of an unfinished run in ``directory`` (``arena resume``).
        replace_askers: replaces every backend (``arena replay``).
        quiet: show no progress.

    Raises:
        Interrupted: the run was stopped while an engine was loading; nothing was asked.
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
            with stop.listening(shown.show_message):
                if replace_askers is None:
                    await open_backends(experiment.served, stack, stop, shown.show_message)
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
    claims: Claims | None = None,
) -> RunResult:
    """Play on the running loop with open backends; see :func:`run`.

    Args:
        experiment: from ``preflight.prepare``.
        directory: the run directory; created if missing.
        askers: open backends by prefix.
        stop: stops this run together with others.
        shown: the display of progress.
        overrides: the command line's words, for the record.
        past: the contents of an unfinished run in ``directory``.
        shared_budgets: budgets of a sweep.
        replayed: whether the askers answer from a recording: then nothing is metered, probed or
            cached.
        claims: assigns the probes in a sweep.
    """
    redactor = _redactor(experiment)
    past = past or Past()
    claims = claims or RunClaims(one.question for one in past.probes if one.question)
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
        for backend in experiment.backends.values():
            shown.watch(backend.waits)
        run_id = past.run_id or new_run_id()
        now = time.time()
        ledger = Ledger(
            experiment=experiment,
            writer=writer,
            meter=meter,
            past=past,
            run_id=run_id,
            started_at=past.started_at or now,
            sat_down_at=now,
            planned=len(plans),
            head=run_head(experiment, run_id, overrides, past),
            summary=Summary(experiment.asked),
            shown=shown,
            profile=Profile() if experiment.profile else None,
            notices=Notices(
                {player.name: player.options for player in experiment.asked},
                experiment.config["simulation"],
            ),
            probes=list(past.probes),
        )
        todo = _begin(ledger, plans)
        await _play_to_the_end(ledger, todo, askers, stop, claims, replayed=replayed)
        result = _close(ledger, redactor)
        if experiment.assess and not replayed and any(ledger.counts[kind] for kind in FINAL):
            from game_reasoning_arena.running.assessing import assess_played

            sentences = await assess_played(writer.directory, stop, shown)
            result = replace(result, assessed=tuple(map(redactor.redact, sentences)))
        return result


def _redactor(experiment: Experiment) -> Redactor:
    """Return the redactor of the keys of the run's providers."""
    providers = [model.provider for model in experiment.models if model.provider]
    return Redactor(
        variables=[variable for p in providers for variable in p.variables],
        urls=[p.api_base for p in providers],
    )


def _begin(ledger: Ledger, plans: Sequence[EpisodePlan]) -> Iterator[EpisodePlan]:
    """Write the first files, count what is already there; return the episodes to play.

    They are planned as they are taken, so that memory does not grow with their number.
    """
    past = ledger.past
    ledger.recount()
    if past.run_id is None:
        ledger.writer.config(as_yaml(ledger.experiment.config))
    ledger.write_run(Status.RUNNING, None)
    done = {record.episode for record in past.episodes}
    left = sum(plan.episode not in done for plan in plans) if done else len(plans)
    ledger.left = left
    ledger.shown.expect(len(plans), done=len(done))
    if past.run_id is not None:
        log.info("resumed (%d): %s", past.times_resumed, past)
    ledger.notices.keep(past.earlier_notices)
    for player in ledger.experiment.asked:
        for note in player.notes:
            ledger.notices.add(note)
    for note in past.notes:
        log.info("%s", note)  # the terminal has it from the command that resumes
    log.info("run %s: %d of %d episodes to play", ledger.run_id, left, len(plans))
    return (plan for plan in plans if plan.episode not in done) if done else iter(plans)


async def _play_to_the_end(
    ledger: Ledger,
    todo: Iterator[EpisodePlan],
    askers: Mapping[str, Asker],
    stop: Stop,
    claims: Claims,
    *,
    replayed: bool,
) -> None:
    """Play; an exception that stops the run is recorded in the ledger as its failure.

    Raises:
        RunStorageError: writing failed.
        BaseException: the process is to end; ``run.json`` names the cause.
    """
    ledger.lag.start()
    # Objects loaded by now outlive the run, so the garbage collector need not scan them repeatedly,
    # about 40 ms each time.
    gc.freeze()
    try:
        with profiled(ledger.profile):
            await _play_all(ledger, todo, askers, claims, replayed=replayed)
    except RunStorageError:
        raise
    except asyncio.CancelledError:
        if stop.reason is None:
            raise
    except ArenaError as error:
        ledger.failure = error
        log.error("the run stopped: %s", error)
    except Exception as error:
        log.exception("the run stopped because of a fault")
        ledger.failure = fault_of(error)
    except BaseException as error:
        log.exception("the run was ended")
        with suppress(RunStorageError):
            ledger.write_run(Status.ERROR, f"{type(error).__name__}: {error}")
        raise
    finally:
        gc.unfreeze()
        ledger.lag.stop()


def _close(ledger: Ledger, redactor: Redactor) -> RunResult:
    """Write the last files; return the result."""
    ledger.keep_unplayed()
    ledger.notices.ended()
    status, reason = ledger.status()
    rows = ledger.summary.rows()
    ledger.writer.summary(rows)
    ledger.write_run(status, reason)
    log.info("run %s: %s%s", ledger.run_id, status, f": {reason}" if reason else "")
    profile = ledger.profile.as_dict() if ledger.profile is not None else None
    if profile is not None:
        ledger.writer.json(layout.PROFILE, profile)
    backends = ledger.experiment.backends.values()
    return RunResult(
        directory=ledger.writer.directory,
        status=status,
        reason=redactor.redact(reason) if reason else None,
        summary=rows,
        totals=ledger.totals(),
        episodes=dict(ledger.counts),
        outages={redactor.redact(why): n for why, n in ledger.outages.most_common(3)},
        profile=profile,
        unpaired=tuple(ledger.head.unpaired),
        cause=ledger.failure or ledger.meter.fatal,
        begun=ledger.begun,
        quicker=_each_once(backend.quicker for backend in backends),
    )


def _each_once(notes: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(note for note in notes if note is not None))


async def _play_all(
    ledger: Ledger,
    todo: Iterator[EpisodePlan],
    backends: Mapping[str, Asker],
    claims: Claims,
    *,
    replayed: bool,
) -> None:
    """Seat the players, play the episodes, and free everything in any case."""
    experiment = ledger.experiment
    async with AsyncExitStack() as stack:
        askers = dict(backends)
        if not replayed:
            cache = None
            if experiment.cache != "off":
                cache = ResponseCache()
                stack.callback(cache.close)
            for prefix, backend in backends.items():
                asker = ledger.meter.wrap(backend)
                if cache is not None:
                    settings = experiment.asked_through(prefix)
                    asker = cache.wrap(asker, settings, reuse=experiment.cache == "reuse")
                askers[prefix] = Recall(asker, ledger.past.answers, ledger.past.recalled)
        agents = ledger.agents
        for player in experiment.asked:
            agents[player.name] = make_agent(
                player,
                asker=askers[player.model.backend] if player.model else None,
                record=ledger.response,
                run_id=ledger.run_id,
                seed=experiment.seed,
                on_failure=experiment.on_failure,
                simulation=experiment.simulation,
            )
            stack.push_async_callback(agents[player.name].aclose)
            await agents[player.name].start()
        if experiment.probe and not replayed and ledger.left:
            in_game = experiment.config["simulation"]["type"] != "prompts"
            requests = probes_of(experiment.asked, in_game=in_game)
            probed = await probe(requests, backends, ledger.meter, claims)
            ledger.probes += probed
            for note in learned_by(probed):
                ledger.notices.add(note)
            ledger.write_run(Status.RUNNING, None)  # a kill must not lose the probes
        await play_episodes(ledger, todo, agents)
