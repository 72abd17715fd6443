"""Compose a run with Hydra and start it: from the words of a command line to ``run``.

The steps of Hydra's own main are called one by one, so that everything is checked before a
directory exists and all problems are reported at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from functools import partial
from typing import NoReturn

from hydra import version
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
from game_reasoning_arena.configuration.hydra_internals import (
    COMPOSITION_ERRORS,
    args_parser,
    group_options,
    run_hydra_itself,
)
from game_reasoning_arena.configuration.trust import Trust, current_trust, trusting
from game_reasoning_arena.errors import ConfigProblems, UserError
from game_reasoning_arena.preflight.session import CONFIG_NAME, Session
from game_reasoning_arena.process.paths import shipped_conf


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
            sys.stdout.write(help_text(COMMANDS, partial(group_options, session.hydra)))
            return 0
        if args.cfg is not None:
            _show_configuration(session, args, config_name, overrides)
            return 0
        try:
            if args.multirun:
                from game_reasoning_arena.sweeping.sweep import run_sweep

                return run_sweep(session, config_name, overrides, words)
            from game_reasoning_arena.commands.single_run import run_once

            return run_once(session, config_name, overrides, line.config_file)
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
        from game_reasoning_arena.configuration.explain import explain_composition

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
