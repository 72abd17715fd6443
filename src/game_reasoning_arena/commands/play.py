"""Compose a run with Hydra and start it: from the words of a command line to ``run``.

The steps of Hydra's own main are called one by one, so that everything is checked before a
directory
exists and all problems are reported at once.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from hydra import version
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, run_job
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from game_reasoning_arena import schema
from game_reasoning_arena.catalog.catalog import Catalog
from game_reasoning_arena.commands.help_text import help_text
from game_reasoning_arena.commands.table_of_commands import COMMANDS
from game_reasoning_arena.configuration import hydra_source as catalog_source
from game_reasoning_arena.configuration.command_line import CommandLine, read_command_line
from game_reasoning_arena.configuration.demands import words_to_trust
from game_reasoning_arena.configuration.explain import explain_composition
from game_reasoning_arena.configuration.hydra_internals import (
    args_parser,
    context,
    run_hydra_itself,
)
from game_reasoning_arena.configuration.output_directory import (
    check_directory,
    chosen_directory,
    claim_directory,
)
from game_reasoning_arena.configuration.trust import Trust, current_trust, trusting
from game_reasoning_arena.errors import ArenaError, ConfigProblems, Fault, UserError
from game_reasoning_arena.preflight.composing import without_hydra
from game_reasoning_arena.preflight.composition_problems import (
    COMPOSITION_ERRORS,
)
from game_reasoning_arena.preflight.session import CONFIG_NAME, Session
from game_reasoning_arena.process.faults import fault_of, nothing_written
from game_reasoning_arena.process.paths import shipped_conf
from game_reasoning_arena.sweeping.presets import sweep_without_m, words_of_the_other_kind

if TYPE_CHECKING:
    from game_reasoning_arena.preflight.experiment import Experiment

log = logging.getLogger(__name__)


def run_hydra(words: list[str]) -> int:
    """Run, sweep or show what the words ask for; return the exit code."""
    if words[:1] in (["-sc"], ["--shell-completion"]) and words[1:2] and "query=" in words[1]:
        return _complete(words[1].partition("=")[2])
    line = read_command_line(words)
    trust = current_trust()
    if trust.source is None and line.config_file is not None:
        trust = Trust.of_file(line.config_file, line.words)
    with trusting(trust):
        return _run_hydra_words(words, line)


def _run_hydra_words(words: list[str], line: CommandLine) -> int:
    version.setbase("1.3")
    schema.register()
    parser = args_parser()
    args = _parse(parser, line.words)
    catalog, broken = _register_catalog(line.catalog_files, args)
    _prefer_our_launchers()
    config_name = line.store_plain_file() or args.config_name or CONFIG_NAME
    if args.hydra_help or args.shell_completion or args.info is not None:
        return _hydra_itself(args, parser, config_name)
    with Session(args.config_dir, catalog) as session:
        overrides = list(args.overrides)
        if args.help:
            options = session.hydra.config_loader.get_group_options
            sys.stdout.write(help_text(COMMANDS, options))
            return 0
        if args.cfg is not None:
            _show_configuration(session, args, config_name, overrides)
            return 0
        try:
            if args.multirun:
                from game_reasoning_arena.sweeping.sweep import run_sweep

                return run_sweep(session, config_name, overrides, words)
            return _run_once(session, config_name, overrides, line.config_file)
        except ConfigProblems as error:
            if not broken:
                raise
            # Unknown models of a broken list are no further mistake.
            others = [p for p in error.problems if not p.startswith("model=")]
            raise ConfigProblems(list(dict.fromkeys([*broken, *others]))) from error


def _register_catalog(
    files: list[str], args: argparse.Namespace
) -> tuple[Catalog, tuple[str, ...]]:
    """Register the catalog with Hydra; return it with the problems in the user's list files.

    Raises:
        ConfigProblems: something is wrong and nothing will be run, or the catalog cannot be used
            even without those files.
    """
    try:
        return catalog_source.register(files=files, config_dir=args.config_dir), ()
    except ConfigProblems as error:
        if args.help or args.cfg is not None:
            raise
        try:
            return catalog_source.register(config_dir=args.config_dir), error.problems
        except ConfigProblems:
            raise error from None


def _complete(shell: str) -> int:
    from game_reasoning_arena.commands.completion import complete

    version.setbase("1.3")
    schema.register()
    try:
        catalog_source.register()
    except UserError:
        return 0  # reported when something is run
    complete(shell, CONFIG_NAME)
    return 0


def _parse(parser: argparse.ArgumentParser, words: list[str]) -> argparse.Namespace:
    """Parse options, which may stand between the overrides.

    Raises:
        UserError: an unknown option, or one without its value.
    """

    def refuse(message: str) -> NoReturn:
        raise UserError(f"{message}. `arena --help` lists what can be given.")

    parser.error = refuse  # type: ignore[method-assign]
    parser.allow_abbrev = False
    args, unknown = parser.parse_known_intermixed_args(words)
    if unknown:
        raise ConfigProblems([_no_option(word, words) for word in dict.fromkeys(unknown)])
    if args.config_path is not None:
        raise UserError(
            f"--config-path={args.config_path}: the arena brings its main configuration along. "
            f"Add a directory of yours with --config-dir {args.config_path}, or run a file with "
            "--config FILE."
        )
    if args.experimental_rerun is not None:
        raise UserError(
            f"--experimental-rerun={args.experimental_rerun}: a run is run again from its own "
            "files: `arena --config DIR/config.yaml`, or `arena replay DIR` without asking anybody."
        )
    return args


def _no_option(word: str, words: list[str]) -> str:
    name, _, value = word.lstrip("-").partition("=")
    after = words[words.index(word) + 1 :]
    if not value:
        value = after[0] if after and "=" not in after[0] and after[0][:1] != "-" else "..."
    return f"{word} is no option. Settings are written KEY=VALUE, without dashes: {name}={value}"


def _show_configuration(
    session: Session, args: argparse.Namespace, config_name: str, overrides: list[str]
) -> None:
    try:
        session.hydra.show_cfg(
            config_name=config_name,
            overrides=overrides,
            cfg_type=args.cfg,
            package=args.package,
            resolve=args.resolve,
        )
    except (HydraException, OmegaConfBaseException):
        session.compose(config_name, overrides, RunMode.RUN)  # raises with all problems
        raise


def _hydra_itself(args: argparse.Namespace, parser: argparse.ArgumentParser, name: str) -> int:
    """Leave help, completion and information to Hydra's own main."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # we report errors, not Hydra
    try:
        run_hydra_itself(args, parser, _no_task, shipped_conf(), name)
    except COMPOSITION_ERRORS as error:
        raise ConfigProblems([explain_composition(error, None, None)]) from error
    return 0


def _no_task(cfg: DictConfig) -> None:
    """Serve as the task function after which Hydra names the application."""


def _prefer_our_launchers() -> None:
    """Remove Hydra's own launcher plugins from its store where ours have the same names.

    They may be installed for another project; Hydra would merge both into one.
    """
    from hydra.core.config_store import ConfigStore

    from game_reasoning_arena.sweeping.launchers.base import KINDS

    theirs = ConfigStore.instance().repo.get("hydra", {}).get("launcher", {})
    for kind in KINDS:
        theirs.pop(f"{kind}.yaml", None)


def _run_once(
    session: Session, config_name: str, overrides: list[str], config_file: Path | None
) -> int:
    """Check everything, create a directory, play; return the exit code."""
    with nothing_written():
        cfg = session.compose(config_name, overrides, RunMode.RUN)
        experiment, directory = _checked(cfg, overrides, config_file, session.catalog)
    if config_file is not None:
        from game_reasoning_arena.preflight.recorded_files import changed_since

        for changed in changed_since(config_file, experiment):
            sys.stderr.write(f"note: {changed}\n")
    from game_reasoning_arena.preflight.foresight import notes_before

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
    from game_reasoning_arena.preflight.preparation import prepare
    from game_reasoning_arena.preflight.recorded_files import files_elsewhere
    from game_reasoning_arena.simulation.prompts import words_for_games

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
