"""Carry out a sweep: words to jobs, jobs to a directory, play, one table.

arena -m agents.player_0.model=a,b sampling.temperature=0,0.7 seed=1,2,3
arena resume outputs/multirun/2026-11-22/10-23-45-123456
"""

from __future__ import annotations

import logging
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from game_reasoning_arena.catalog.catalog import Catalog
from game_reasoning_arena.configuration.demands import command_demands
from game_reasoning_arena.configuration.output_directory import (
    check_directory,
    chosen_directory,
    claim_directory,
)
from game_reasoning_arena.configuration.trust import current_trust
from game_reasoning_arena.errors import ConfigProblems, UserError, problems_of
from game_reasoning_arena.preflight.foresight import notes_before
from game_reasoning_arena.process.faults import nothing_written
from game_reasoning_arena.process.paths import add_conf_dir, added_conf_dir
from game_reasoning_arena.recording import layout
from game_reasoning_arena.recording.decoding import read_record
from game_reasoning_arena.recording.writer import DirectoryLock
from game_reasoning_arena.records import EXIT_CODES, Status
from game_reasoning_arena.running.progress import Progress, make_progress
from game_reasoning_arena.simulation.prompts.checks import words_for_games
from game_reasoning_arena.sweeping.checks import given_twice, not_elsewhere, on_the_same_gpus
from game_reasoning_arena.sweeping.expansion import Candidate, expand, master_config
from game_reasoning_arena.sweeping.files import JobFile
from game_reasoning_arena.sweeping.matching import find_last, match, refuse_changes
from game_reasoning_arena.sweeping.presets import words_of_the_other_kind
from game_reasoning_arena.sweeping.states import refresh
from game_reasoning_arena.sweeping.store import (
    PENDING,
    Job,
    Settings,
    Sweep,
    directory_name,
    load_sweep,
)
from game_reasoning_arena.sweeping.stored import stored_experiment
from game_reasoning_arena.sweeping.table import show_sweep, worst

if TYPE_CHECKING:
    from game_reasoning_arena.preflight.session import Session
    from game_reasoning_arena.sweeping.launchers import Launcher

log = logging.getLogger(__name__)


def run_sweep(
    session: Session, config_name: str, overrides: list[str], command: Sequence[str]
) -> int:
    """Run all jobs that the words describe; return the exit code.

    Args:
        session: Hydra, initialised.
        config_name: the configuration to compose.
        overrides: the words for Hydra.
        command: the words as typed, for resuming.

    Raises:
        ConfigProblems: all problems of all jobs; nothing was run or written.
    """
    words = ["sweep.resume=last" if word == "sweep=resume" else word for word in overrides]

    def compose(some: list[str], mode: Any) -> DictConfig:
        return session.compose(config_name, some, mode)

    with nothing_written():
        cfg, words, problems = master_config(compose, words)
        candidates, launcher, directory = _checked(compose, cfg, words, problems, session.catalog)
    notes = [note for one in candidates for note in notes_before(one.experiment)]
    for note in dict.fromkeys(notes):
        sys.stderr.write(f"note: {note}\n")
    first = candidates[0].experiment.config["sweep"]
    if candidates[0].experiment.estimate:
        return _estimate(candidates)
    settings = Settings(
        parallel_jobs=first["parallel_jobs"],
        budget=first["budget"],
        launcher={} if launcher is None else _plain(cfg.hydra.launcher),
    )
    going_on = _resumed(_resume_word(words), directory, candidates)
    sweep = (
        _begun(cfg, directory, command, settings)
        if going_on is None
        else _gone_on_with(going_on, command, settings)
    )
    with DirectoryLock(sweep.path):
        refresh(sweep)
        matched = list(match(sweep.jobs, candidates))
        if going_on is not None:
            refuse_changes(sweep, matched)
        for job, candidate in matched:
            _take_in(sweep, job, candidate)
        return _finish(sweep, launcher)


def _checked(
    compose: Callable[[list[str], Any], DictConfig],
    cfg: DictConfig,
    words: list[str],
    problems: list[str],
    catalog: Catalog | None,
) -> tuple[list[Candidate], Launcher | None, Path]:
    """Return the jobs, their launcher and the sweep's directory.

    Raises:
        ConfigProblems: ``problems`` and all others of any job.
    """
    from game_reasoning_arena.sweeping.launchers import make_launcher

    launcher = None
    try:
        launcher = make_launcher(_plain(cfg.hydra.launcher))
    except UserError as error:
        problems += problems_of(error)
    candidates: list[Candidate] = []
    try:
        candidates = expand(
            compose,
            words,
            cfg,
            check_backends=launcher is None or launcher.same_machine,
            catalog=catalog,
        )
    except ConfigProblems as error:
        problems += error.problems
    problems += words_of_the_other_kind(words, sweeping=True)
    problems += words_for_games(words, [one.experiment.simulation for one in candidates])
    problems += given_twice(candidates)
    directory = _directory(cfg)
    try:
        check_directory(directory, "hydra.sweep.dir")
    except UserError as error:
        problems.append(str(error))
    if launcher is not None:
        problems += not_elsewhere(candidates)
        problems += on_the_same_gpus(candidates, launcher)
    if problems:
        raise ConfigProblems(problems)
    return candidates, launcher, directory


def _begun(cfg: DictConfig, directory: Path, command: Sequence[str], settings: Settings) -> Sweep:
    """Return a new sweep in a directory of its own.

    Raises:
        UserError: the directory holds a sweep already.
    """
    if (directory / layout.SWEEP).exists():
        raise UserError(
            f"{directory} holds a sweep already. Go on with it by sweep.resume={directory}, or "
            "choose another directory (hydra.sweep.dir=...)."
        )
    path = claim_directory(cfg, "hydra.sweep.dir", directory)
    shutil.rmtree(path / layout.JOBS, ignore_errors=True)  # of a sweep that was killed as it began
    return Sweep(path=path, command=list(command), settings=settings, jobs=[])


def _gone_on_with(directory: Path, command: Sequence[str], settings: Settings) -> Sweep:
    """Return a sweep from its directory, with the present words and settings."""
    sweep = load_sweep(directory)
    sweep.settings, sweep.command = settings, list(command)
    sweep.config_dir = added_conf_dir()
    return sweep


def words_to_resume(directory: Path, words: Sequence[str]) -> list[str]:
    """Return the command line that continues a sweep with further words.

    The words add values to the sweep's axes or change how it is carried out; they replace the words
    of the sweep's own command for the same keys.

    Raises:
        UserError: the directory holds no sweep.
    """
    command = load_sweep(directory).command
    if refused := current_trust().refused(command_demands(command)):
        raise ConfigProblems(refused)
    kept = _without_keys(command, [*words, "sweep.resume=", "hydra.sweep.dir="])
    return [*kept, *words, f"sweep.resume={directory.resolve()}"]


def resume_sweep(directory: Path) -> int:
    """Finish a sweep as it is; return its exit code.

    Raises:
        UserError: the directory holds no sweep, or a job of it cannot be prepared.
    """
    from game_reasoning_arena.sweeping.launchers import make_launcher

    sweep = load_sweep(directory)
    add_conf_dir(Path(sweep.config_dir) if sweep.config_dir is not None else None, typed=False)
    launcher = make_launcher(sweep.settings.launcher)
    with DirectoryLock(sweep.path):
        refresh(sweep)
        return _finish(sweep, launcher)


def _finish(sweep: Sweep, launcher: Launcher | None) -> int:
    """Play the unfinished jobs, and print the result."""
    todo = [job for job in sweep.jobs if not job.finished]
    _prepare_stored(sweep, todo, check_backends=launcher is None or launcher.same_machine)
    finished = len(sweep.jobs) - len(todo)
    if finished:
        sys.stderr.write(f"{finished} of {len(sweep.jobs)} jobs are finished already\n")
    for job in todo:
        job.status, job.reason = PENDING, None
        sweep.write_job(job)
    sweep.stop_file.unlink(missing_ok=True)
    sweep.status = Status.RUNNING
    sweep.write()
    shown = _display(todo)
    stopped = None
    if todo:
        if launcher is None:
            from game_reasoning_arena.sweeping.in_process import play_here

            stopped = play_here(sweep, todo, shown)
        else:
            from game_reasoning_arena.sweeping.elsewhere import play_elsewhere

            stopped = play_elsewhere(sweep, todo, launcher, shown)
    sweep.status, sweep.reason = worst(sweep.jobs)
    if stopped is not None:
        sweep.status, sweep.reason = Status.INTERRUPTED, stopped
    sweep.write()
    show_sweep(sweep)
    return EXIT_CODES[Status(sweep.status)]


def _take_in(sweep: Sweep, job: Job | None, candidate: Candidate) -> None:
    """Add a new job, or update an unfinished one to the present words."""
    if job is None:
        number = sweep.new_number()
        job = Job(
            number=number,
            directory=directory_name(number, candidate.values),
            overrides=candidate.overrides,
            values=candidate.values,
            identity=candidate.experiment.identity,
            planned=len(candidate.experiment.plans()),
        )
        sweep.jobs.append(job)
    elif not job.finished:
        job.overrides = candidate.overrides
    job.values = {**job.values, **candidate.values}
    if not job.finished:
        job.experiment = candidate.experiment


def _prepare_stored(sweep: Sweep, jobs: Sequence[Job], *, check_backends: bool) -> None:
    """Make the experiments of jobs that the present words do not describe.

    Raises:
        ConfigProblems: a job's file is missing, a file that it names was changed, or this machine
            cannot run it.
    """
    problems: list[str] = []
    catalog: Catalog | None = None
    for job in jobs:
        if job.experiment is not None:
            continue
        catalog = catalog or Catalog.load()
        file = sweep.job_file(job)
        try:
            stored = read_record(file, JobFile)
            job.experiment = stored_experiment(
                stored, check_backends=check_backends, catalog=catalog
            )
        except FileNotFoundError:
            problems.append(f"{file} is missing, so what job {job.number} asks is unknown.")
        except ConfigProblems as error:
            problems += [problem for problem in error.problems if problem not in problems]
        except UserError as error:
            problems.append(str(error))
    if problems:
        raise ConfigProblems(problems)


def _display(jobs: Sequence[Job]) -> Progress:
    """Return one display for all; none if a person sits at the terminal."""
    experiments = [job.experiment for job in jobs if job.experiment is not None]
    people = [e for e in experiments if any(p.type == "human" for p in e.players)]
    if not experiments:
        return Progress()
    shown = make_progress((people or experiments)[0], quiet=False)
    shown.expect(sum(job.planned for job in jobs))
    return shown


def _resume_word(words: Sequence[str]) -> str | None:
    asked = [w.partition("=")[2] for w in words if w.lstrip("+").startswith("sweep.resume=")]
    return asked[-1] if asked and asked[-1] not in ("", "null") else None


def _resumed(asked: str | None, default: Path, candidates: Sequence[Candidate]) -> Path | None:
    """Return the directory of the sweep to resume, if one was asked for."""
    if asked is None:
        return None
    if asked != "last":
        load_sweep(Path(asked.strip("'\"")))
        return Path(asked.strip("'\""))
    return find_last(default, {candidate.experiment.identity for candidate in candidates})


def _without_keys(command: Sequence[str], words: Sequence[str]) -> list[str]:
    """Return the command without the keys that the new words set."""
    anew = {word.partition("=")[0].lstrip("+~") for word in words}
    return [word for word in command if word.partition("=")[0].lstrip("+~") not in anew]


def _estimate(candidates: Sequence[Candidate]) -> int:
    from game_reasoning_arena.running.estimate import print_estimate

    return print_estimate(
        {
            "  ".join(f"{key}={value}" for key, value in candidate.values.items()): (
                candidate.experiment
            )
            for candidate in candidates
        }
    )


def _directory(cfg: DictConfig) -> Path:
    from hydra.core.hydra_config import HydraConfig

    HydraConfig.instance().set_config(cfg)
    return chosen_directory(cfg, "hydra.sweep.dir")


def _plain(node: Any) -> Mapping[str, Any]:
    plain = OmegaConf.to_container(node, resolve=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}
