"""Hydra's session: initialised once, composes configurations from words."""

from __future__ import annotations

from pathlib import Path

from hydra import version
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import DictConfig

from game_reasoning_arena import schema
from game_reasoning_arena.catalog.catalog import Catalog
from game_reasoning_arena.configuration import hydra_source as catalog_source
from game_reasoning_arena.configuration.command_line import (
    read_command_line,
)
from game_reasoning_arena.configuration.hydra_internals import COMPOSITION_ERRORS, new_hydra
from game_reasoning_arena.errors import UserError
from game_reasoning_arena.process.files import read_file
from game_reasoning_arena.process.paths import conf_dirs, shipped_conf
from game_reasoning_arena.process.yaml_text import load_yaml

CONFIG_NAME = "config"


def compose_words(words: list[str]) -> DictConfig:
    """Return the composed configuration of ``arena WORDS``; ``--config FILE`` may be among the
    words.

    Args:
        words: as on the command line.

    Raises:
        UserError: no run can be made of the words or the file.
    """
    return compose_with_catalog(words)[0]


def compose_with_catalog(words: list[str]) -> tuple[DictConfig, Catalog]:
    """Return the result of :func:`compose_words`, and the catalog that was read for it."""
    from game_reasoning_arena.preflight.composing import without_hydra

    line = read_command_line(words)
    version.setbase("1.3")
    schema.register()
    catalog = catalog_source.register(files=line.catalog_files)
    config_name = line.store_plain_file() or CONFIG_NAME
    with Session(None, catalog) as session:
        return without_hydra(session.compose(config_name, line.words, RunMode.RUN)), catalog


class Session:
    """Hydra, initialised for one command; cleared at the end.

    Args:
        config_dir: a further configuration directory.
        catalog: the catalog registered with Hydra, for checks of composed configurations.

    Raises:
        UserError: there is no such directory.
    """

    def __init__(self, config_dir: str | None = None, catalog: Catalog | None = None) -> None:
        if config_dir is not None and not Path(config_dir).is_dir():
            raise UserError(f"--config-dir {config_dir}: there is no such directory.")
        self.catalog = catalog
        self._config_dir = config_dir

    def __enter__(self) -> Session:
        GlobalHydra.instance().clear()
        _refuse_too_much()
        first = Path(self._config_dir) if self._config_dir is not None else None
        self.hydra = new_hydra(shipped_conf(), first)
        return self

    def __exit__(self, *what: object) -> None:
        GlobalHydra.instance().clear()

    def compose(self, config_name: str, overrides: list[str], mode: RunMode) -> DictConfig:
        """Return the composed configuration with Hydra's own part.

        Raises:
            ConfigProblems: the problems with the words, and with the rest of the configuration.
        """
        words = [*overrides, f"hydra.mode={mode.name}"]
        try:
            return self._compose(config_name, words, mode)
        except COMPOSITION_ERRORS as error:
            from game_reasoning_arena.preflight.composition_problems import composition_problems

            raise composition_problems(
                lambda name, some: self._compose(name, some, mode),
                (config_name, CONFIG_NAME),
                overrides,
                error,
                self.catalog,
            ) from error

    def _compose(self, config_name: str, words: list[str], mode: RunMode) -> DictConfig:
        cfg: DictConfig = self.hydra.compose_config(
            config_name=config_name,
            overrides=words,
            run_mode=mode,
            with_log_configuration=False,
            validate_sweep_overrides=mode is RunMode.RUN,
        )
        return cfg


def _refuse_too_much() -> None:
    """Refuse files of the user's directories whose aliases would fill the memory in Hydra.

    Raises:
        UserError: names the first one.
    """
    import yaml

    for folder in conf_dirs():
        for path in sorted(folder.rglob("*.yaml")) if folder != shipped_conf() else ():
            try:
                content = read_file(path, follow_links=True)
                if b"*" in content:  # else there is no alias
                    load_yaml(content)
            except (OSError, yaml.YAMLError):  # Hydra reports it if it is chosen
                continue
            except ValueError as error:
                raise UserError(f"{path}: {error}.") from error
