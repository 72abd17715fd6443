"""What a new version of Hydra changed of its private parts that are used here."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

import pytest
from hydra._internal.callbacks import Callbacks
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins.bash_completion import BashCompletion
from hydra._internal.hydra import Hydra
from hydra._internal.utils import _run_hydra, create_config_search_path, get_args_parser
from hydra.core.utils import run_job

from game_reasoning_arena.configuration import hydra_internals
from game_reasoning_arena.preflight.session import Session


@pytest.mark.parametrize(
    ("function", "takes"),
    [
        (create_config_search_path, {"search_path_dir"}),
        (get_args_parser, set()),
        (
            _run_hydra,
            {"args", "args_parser", "task_function", "config_path", "config_name"},
        ),
        (Hydra.create_main_hydra2, {"task_name", "config_search_path"}),
        (
            Hydra.compose_config,
            {
                "config_name",
                "overrides",
                "run_mode",
                "with_log_configuration",
                "validate_sweep_overrides",
            },
        ),
        (Hydra.show_cfg, {"config_name", "overrides", "cfg_type", "package", "resolve"}),
        (ConfigLoaderImpl._apply_overrides_to_config, {"overrides", "cfg"}),
        (Callbacks.__init__, {"config"}),
        (BashCompletion._query, {"config_name", "line"}),
        (
            run_job,
            {"task_function", "config", "job_dir_key", "job_subdir_key", "hydra_context"},
        ),
    ],
)
def test_takes_what_is_given(function: Any, takes: set[str]) -> None:
    assert callable(function)
    missing = takes - set(inspect.signature(function).parameters)
    assert not missing, f"Hydra's {function.__qualname__} no longer takes {sorted(missing)}"


def test_options_of_a_group_are_those_that_hydra_lists() -> None:
    with Session() as session:
        for group in ("agents", "model", "hydra/launcher"):
            known = session.hydra.config_loader.get_group_options(group)
            assert known
            assert hydra_internals.group_options(session.hydra, group) == known


@pytest.mark.parametrize("target", [hydra_internals.BASIC_LAUNCHER, hydra_internals.BASIC_SWEEPER])
def test_hydras_own_plugins_are_where_they_were(target: str) -> None:
    module, _, name = target.rpartition(".")
    assert hasattr(import_module(module), name), f"Hydra's {name} has moved from {module}"
