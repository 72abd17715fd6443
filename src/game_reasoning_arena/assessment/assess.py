"""Assess runs: from a run directory to the three files of its assessment."""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from game_reasoning_arena.assessment.assessment_files import AssessmentFiles
from game_reasoning_arena.assessment.pool import JudgePool, Lines, chunks_of
from game_reasoning_arena.assessment.recorded_run import RecordedRun, game_of, read_run
from game_reasoning_arena.errors import ConfigProblems, UserError, problems_of
from game_reasoning_arena.recording import layout
from game_reasoning_arena.recording.config_text import flatten
from game_reasoning_arena.recording.lines import read_lines
from game_reasoning_arena.recording.reader import RunReader, find_runs
from game_reasoning_arena.recording.writer import DirectoryLock
from game_reasoning_arena.simulation.open_spiel.evaluators.settings import EvaluatorSettings

if TYPE_CHECKING:
    from game_reasoning_arena.simulation.open_spiel.simulation import OpenSpielSimulation

log = logging.getLogger(__name__)

#: Version of the lines; raise it when older lines must not be mixed with new ones.
FORMAT_VERSION = 1
_COMPARED = ("by", "settings", "evaluator", "known_policies", "versions", "format_version")
#: The number of episodes from which further processes are worth their start.
_ALONE = 20_000
_CHUNK = 200

#: Called with the run, the number of judged episodes and the number of all.
ProgressCallback = Callable[[Path, int, int], None]


def _nothing() -> None:
    """Do nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Assessed:
    """The result of assessing a run.

    ``judged`` counts the episodes judged this time, ``episodes`` all; ``facts`` is the content of
    ``assessment.json``.
    """

    directory: Path
    judged: int
    episodes: int
    facts: Mapping[str, Any]


@dataclass(slots=True)
class Outcome:
    """The results of assessing several runs, and the reasons why others were left out."""

    assessed: list[Assessed] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def assess_runs(
    paths: Sequence[str | Path],
    settings: EvaluatorSettings,
    *,
    again: bool = False,
    progress: ProgressCallback = lambda run, done, total: None,
    workers: int | None = None,
) -> Outcome:
    """Assess every run in ``paths`` (runs, sweeps, glob patterns), one after the other.

    paths: as for ``find_runs``.
    settings: the evaluator and its settings.
    again: whether to replace an assessment by another evaluator.
    progress: called with the progress.
    workers: processes; by default as many as processors, where they are worth it.

    Raises:
        UserError: there is no run, or none of them can be assessed.
    """
    outcome = Outcome()
    for reader in find_runs(*paths, notice=lambda _: None):
        try:
            done = assess_run(
                reader.path, settings, again=again, progress=progress, workers=workers
            )
        except UserError as error:
            outcome.left_out += problems_of(error)
        else:
            outcome.assessed.append(done)
    if not outcome.assessed:
        raise ConfigProblems(outcome.left_out)
    return outcome


def assess_run(
    directory: Path,
    settings: EvaluatorSettings,
    *,
    again: bool = False,
    progress: ProgressCallback = lambda run, done, total: None,
    workers: int | None = None,
    locked: bool = False,
    stopping: Callable[[], None] = _nothing,
) -> Assessed:
    """Assess one run; finished parts of an interrupted assessment stay.

    directory: the run.
    settings: the evaluator and its settings.
    again: whether to replace an assessment by another evaluator.
    progress: called with the progress.
    workers: processes; 0 judges in this one.
    locked: whether the caller holds the directory's lock.
    stopping: called now and then; may raise, and written lines stay.

    Raises:
        UserError: the run cannot be assessed; nothing is left of an assessment that began now.
    """
    files = AssessmentFiles(directory)
    files.check_writable()
    with ExitStack() as stack:
        if not locked:
            stack.enter_context(_lock(directory))
        reader = RunReader(directory, notice=lambda _: None)
        simulation = game_of(reader)
        by = _chosen(directory, simulation, settings)
        run = read_run(reader, simulation)
        assessment = _begun(run, by, settings, simulation, files)
        stack.callback(assessment.close)
        return assessment.carry_out(again, progress, workers, stopping)


def _chosen(directory: Path, simulation: OpenSpielSimulation, settings: EvaluatorSettings) -> str:
    from game_reasoning_arena.simulation.open_spiel.evaluators.choosing import choose

    try:
        return choose(simulation, settings)
    except UserError as error:
        raise UserError(f"{directory} cannot be assessed: {error}") from error


def _begun(
    run: RecordedRun,
    by: str,
    settings: EvaluatorSettings,
    simulation: OpenSpielSimulation,
    files: AssessmentFiles,
) -> _Assessment:
    """Make the judge; a game that cannot be solved is searched, unless the solver was requested."""
    try:
        try:
            return _Assessment(run, by, settings, simulation.players, files)
        except UserError as error:
            if settings.by != "auto" or by != "solver" or simulation.texts.hidden:
                raise
            log.info("%s, so it is searched", str(error).rstrip("."))
            return _Assessment(run, "mcts", settings, simulation.players, files)
    except UserError as error:
        raise UserError(f"{run.directory} cannot be assessed: {error}") from error


def _lock(directory: Path) -> DirectoryLock:
    try:
        return DirectoryLock(directory)
    except UserError as error:
        raise UserError(f"{directory} is in progress: assess it when it has ended.") from error


class _Assessment:
    """One assessment of one run."""

    def __init__(
        self,
        run: RecordedRun,
        by: str,
        settings: EvaluatorSettings,
        players: int,
        files: AssessmentFiles,
    ) -> None:
        from game_reasoning_arena.assessment.worker import judge_from

        self._run = run
        self._files = files
        self._players = players
        self._setup = {
            "simulation": run.simulation_conf,
            "by": by,
            "settings": asdict(settings),
            "agents": run.agents,
            "home": str(run.home),
            "contents": run.contents,
            "seating": run.seating,
        }
        prepared = judge_from(self._setup)
        self._judge = prepared.judge
        self._exact = by in ("solver", "connect_four")
        self._cheap = by == "solver"
        judged = {
            "format_version": FORMAT_VERSION,
            "by": by,
            "settings": settings.used(by),
            "evaluator": self._judge.facts(),
            "known_policies": prepared.known,
            "versions": _versions(),
        }
        # Derived numbers may differ in their last digits between machines.
        facts = {k: v for k, v in self._judge.facts().items() if not isinstance(v, float)}
        settled = {**judged, "evaluator": facts}
        identity = hashlib.sha256(orjson.dumps(settled, option=orjson.OPT_SORT_KEYS)).hexdigest()
        self._head = {
            "run_id": run.run_id,
            **judged,
            "python": platform.python_version(),
            "identity": identity[:12],
            "exact": self._exact,
            "notes": prepared.notes,
        }

    def close(self) -> None:
        """Free the judge."""
        self._judge.close()

    def carry_out(
        self,
        again: bool,
        progress: ProgressCallback,
        workers: int | None,
        stopping: Callable[[], None],
    ) -> Assessed:
        """Judge the remaining episodes and write their lines."""
        directory, found = self._run.directory, self._files.found()
        fresh = found is None
        if found is not None and not self._same(found):
            if not again:
                raise UserError(
                    f"{directory} was assessed otherwise ({_difference(found, self._head)}), and "
                    "judgements of different evaluators are not mixed. --again assesses it anew."
                )
            fresh = True
        if fresh:
            self._files.remove()
        run = self._run
        done = self._files.repair({n: (run.decisions[n], self._players) for n in run.offsets})
        todo = [number for number in self._run.offsets if number not in done]
        total, began = len(self._run.offsets), time.time()
        progress(directory, len(done), total)
        if todo or fresh or found is None or found.get("status") != "completed":
            self._write_state("unfinished", len(done), began)
            try:
                self._judge_all(todo, len(done), progress, workers, stopping)
            except UserError as error:
                if fresh:
                    self._files.remove()
                raise UserError(f"{directory} cannot be assessed: {error}") from error
            self._write_state("completed", total, began)
        return Assessed(
            directory=directory,
            judged=len(todo),
            episodes=total,
            facts=self._files.found() or {},
        )

    def _judge_all(
        self,
        todo: Sequence[int],
        done: int,
        progress: ProgressCallback,
        workers: int | None,
        stopping: Callable[[], None],
    ) -> None:
        total = done + len(todo)
        for episodes, (decisions, luck) in self._lines(todo, workers, stopping):
            self._files.append(decisions, luck)
            done += episodes
            progress(self._run.directory, done, total)

    def _lines(
        self, todo: Sequence[int], workers: int | None, stopping: Callable[[], None]
    ) -> Iterator[tuple[int, Lines]]:
        """Yield the lines of episodes, chunk by chunk, from this process or from several."""
        from game_reasoning_arena.assessment.worker import judged_lines

        size = _CHUNK if self._cheap else 1
        if workers is None:
            alone = len(todo) <= (_ALONE if self._cheap else 1)
            workers = 0 if alone else os.cpu_count() or 1
        workers = min(workers, -(-len(todo) // size))
        chunks = chunks_of(todo, size)
        if workers == 0:
            for numbers in chunks:
                stopping()
                yield len(numbers), judged_lines(self._judge, self._run.episodes(numbers))
            return
        with closing(JudgePool(self._setup, workers)) as pool:
            asked = (list(self._run.episodes(numbers)) for numbers in chunks)
            yield from pool.lines(asked, stopping)

    def _same(self, found: Mapping[str, Any]) -> bool:
        return (found.get("identity"), found.get("run_id")) == (
            self._head["identity"],
            self._head["run_id"],
        )

    def _write_state(self, status: str, done: int, began: float) -> None:
        self._files.write_assessment(
            {
                **self._head,
                "status": status,
                "assessed_at": began,
                "duration_s": time.time() - began,
                "episodes": {"assessed": done, "ended": len(self._run.offsets)},
                "counts": _counts(self._run.directory / layout.DECISIONS),
            }
        )


def _counts(path: Path) -> dict[str, int]:
    """Return the number of decisions by their maker."""
    if not path.is_file():
        return {}
    made = Counter(line["by"] for line in read_lines(path, notice=lambda _: None))
    return {"decisions": sum(made.values()), **made}


def _versions() -> dict[str, str]:
    return {
        "game-reasoning-arena": metadata.version("game-reasoning-arena"),
        "open-spiel": metadata.version("open-spiel"),
    }


def _difference(found: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return the differences between an earlier assessment's settings and these."""
    earlier, current = flatten(found), flatten(now)
    names = [
        key for key in sorted(earlier.keys() | current.keys()) if key.split(".")[0] in _COMPARED
    ]
    changed = [
        f"{name}: {earlier.get(name, 'not set')} then, {current.get(name, 'not set')} now"
        for name in names
        if earlier.get(name) != current.get(name)
    ]
    return "; ".join(changed[:3]) or "another format or run"
