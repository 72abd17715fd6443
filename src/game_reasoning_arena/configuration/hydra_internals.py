"""The private parts of Hydra that are used here, and nowhere else.

Hydra's own main writes a directory before anything is checked, so its steps are called one by one.
They are private in Hydra 1.3; tests/configuration/test_hydra_internals.py names what a new version
changed.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hydra._internal.callbacks import Callbacks
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.hydra import Hydra
from hydra._internal.utils import _run_hydra, create_config_search_path, get_args_parser
from hydra.errors import HydraException
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from game_reasoning_arena.configuration.command_line import drop_settings_of_old_types

__all__ = [
    "BASIC_LAUNCHER",
    "BASIC_SWEEPER",
    "COMPOSITION_ERRORS",
    "Hydra",
    "apply_overrides",
    "args_parser",
    "completions",
    "context",
    "group_options",
    "new_hydra",
    "run_hydra_itself",
]

#: Hydra's default ``_target_``.
BASIC_LAUNCHER = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"
BASIC_SWEEPER = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"
#: Exceptions of composing; Hydra raises ValueError for `GROUP=null`.
COMPOSITION_ERRORS = (HydraException, OmegaConfBaseException, ValueError, OSError, YAMLError)


def new_hydra(shipped: Path, first: Path | None) -> Hydra:
    """Return Hydra over the shipped configuration and a directory that takes precedence."""
    search_path = create_config_search_path(str(shipped))
    if first is not None:
        search_path.prepend("command-line", f"file://{first.resolve()}")
    return _Hydra.create_main_hydra2(task_name="arena", config_search_path=search_path)


class _Hydra(Hydra):
    """Hydra whose configurations have only settings of the types that the words choose."""

    def compose_config(
        self,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        *more: Any,
        **how: Any,
    ) -> DictConfig:
        """Return the configuration to run, or to show with ``--cfg``."""
        cfg: DictConfig = super().compose_config(config_name, overrides, run_mode, *more, **how)
        if run_mode is RunMode.RUN:
            drop_settings_of_old_types(cfg, overrides)
        return cfg


def args_parser() -> argparse.ArgumentParser:
    """Return the parser of Hydra's own options."""
    parser: argparse.ArgumentParser = get_args_parser()
    return parser


def context(hydra: Hydra, cfg: DictConfig) -> HydraContext:
    """Return the task function's parameters for Hydra's ``run_job``."""
    return HydraContext(config_loader=hydra.config_loader, callbacks=Callbacks(cfg))


def apply_overrides(overrides: Sequence[Any], cfg: DictConfig) -> None:
    """Apply parsed overrides of values: the last step of Hydra's composition, after all files."""
    ConfigLoaderImpl._apply_overrides_to_config(list(overrides), cfg)


def group_options(hydra: Hydra, group: str) -> list[str]:
    """Return the options of a group.

    Hydra's own ``get_group_options`` copies the whole store of schemas for each group.
    """
    loader = hydra.config_loader
    assert isinstance(loader, ConfigLoaderImpl)
    options: list[str] = loader.repository.get_group_options(group)
    return options


def run_hydra_itself(
    args: argparse.Namespace,
    parser: argparse.ArgumentParser,
    task: Callable[[Any], Any],
    shipped: Path,
    config_name: str,
) -> None:
    """Let Hydra's own main handle its help, completion and information."""
    _run_hydra(
        args=args,
        args_parser=parser,
        task_function=task,
        config_path=str(shipped),
        config_name=config_name,
    )


def completions(hydra: Hydra, config_name: str, line: str) -> list[str]:
    """Return Hydra's completions for the last word of a line."""
    from hydra._internal.core_plugins.bash_completion import BashCompletion

    found: list[str] = BashCompletion(hydra.config_loader)._query(config_name, line)
    return found
