"""Play one run: check everything, claim its directory, play, show the result."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, run_job
from hydra.types import RunMode
from omegaconf import DictConfig

from game_reasoning_arena.catalog.catalog import Catalog
from game_reasoning_arena.configuration.demands import words_to_trust
from game_reasoning_arena.configuration.hydra_internals import context
from game_reasoning_arena.configuration.output_directory import (
    check_directory,
    chosen_directory,
    claim_directory,
)
from game_reasoning_arena.errors import ArenaError, ConfigProblems, Fault, UserError
from game_reasoning_arena.preflight.composing import without_hydra
from game_reasoning_arena.preflight.experiment import Experiment
from game_reasoning_arena.preflight.foresight import notes_before
from game_reasoning_arena.preflight.preparation import prepare
from game_reasoning_arena.preflight.recorded_files import changed_since, files_elsewhere
from game_reasoning_arena.preflight.session import Session
from game_reasoning_arena.process.faults import fault_of, nothing_written
from game_reasoning_arena.simulation.prompts.checks import words_for_games
from game_reasoning_arena.sweeping.presets import sweep_without_m, words_of_the_other_kind

log = logging.getLogger(__name__)


def run_once(
    session: Session, config_name: str, overrides: list[str], config_file: Path | None
) -> int:
    """Check everything, create a directory, play; return the exit code."""
    with nothing_written():
        cfg = session.compose(config_name, overrides, RunMode.RUN)
        experiment, directory = _checked(cfg, overrides, config_file, session.catalog)
    if config_file is not None:
        for changed in changed_since(config_file, experiment):
            sys.stderr.write(f"note: {changed}\n")
    for note in notes_before(experiment):
        sys.stderr.write(f"note: {note}\n")
    if experiment.estimate:
        from game_reasoning_arena.running.estimate import print_estimate

        return print_estimate({"": experiment})
    directory = claim_directory(cfg, "hydra.run.dir", directory)
    return _play(session, cfg, experiment, overrides, directory)


def _checked(
    cfg: DictConfig, overrides: list[str], config_file: Path | None, catalog: Catalog | None
) -> tuple[Experiment, Path]:
    """Return the experiment and its output directory.

    Raises:
        ConfigProblems: all problems with the words, the files and the directory.
    """
    problems: list[str] = []
    experiment = None
    try:
        experiment = prepare(without_hydra(cfg), catalog=catalog)
    except ConfigProblems as error:
        problems += error.problems
        if config_file is not None:
            problems += files_elsewhere(config_file)
    problems += sweep_without_m(cfg, overrides)
    problems += words_of_the_other_kind(overrides, sweeping=False)
    if experiment is not None:
        problems += words_for_games(overrides, [experiment.simulation])
    directory = Path()
    try:
        directory = _select_directory(cfg)
        check_directory(directory)
    except UserError as error:
        problems.append(str(error))
    if problems or experiment is None:
        raise ConfigProblems(problems)
    return experiment, directory


def _play(
    session: Session,
    cfg: DictConfig,
    experiment: Experiment,
    overrides: list[str],
    directory: Path,
) -> int:
    """Play as a job of Hydra, which writes its own files beside the run's; return the exit code.

    Raises:
        ArenaError: the error that ended the run; Hydra would print it in its own way.
    """
    from game_reasoning_arena.running.result_table import show_result
    from game_reasoning_arena.running.runner import run

    failure: list[ArenaError] = []

    def task(_: DictConfig) -> int:
        output_dir = Path(HydraConfig.get().runtime.output_dir)
        try:
            result = run(experiment, output_dir, overrides=overrides)
        except ArenaError as error:
            failure.append(error)
            return 1
        except Exception as error:
            log.exception("a fault outside the episodes")
            failure.append(fault_of(error))
            return 1
        show_result(result, words=words_to_trust(experiment.config))
        return result.exit_code

    returned: JobReturn = run_job(
        task_function=task,
        config=cfg,
        job_dir_key="hydra.run.dir",
        job_subdir_key=None,
        hydra_context=context(session.hydra, cfg),
    )
    if failure and isinstance(failure[0], Fault):
        raise Fault(f"{failure[0]}\ndirectory: {directory}") from failure[0]
    if failure:
        raise failure[0]
    code: int = returned.return_value
    return code


def _select_directory(cfg: DictConfig) -> Path:
    HydraConfig.instance().set_config(cfg)
    return chosen_directory(cfg, "hydra.run.dir")
