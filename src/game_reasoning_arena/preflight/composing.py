"""Compose many configurations that differ in values: the groups once, the values each time.

Hydra takes 0.2 s for a configuration, mostly to choose and read the groups' files, which jobs of a
sweep usually share.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from game_reasoning_arena.configuration.command_line import drop_settings_of_old_types
from game_reasoning_arena.configuration.hydra_internals import apply_overrides
from game_reasoning_arena.configuration.value_checks import refers_to, unknown_names, written
from game_reasoning_arena.errors import ConfigProblems

#: Composes a configuration from words: ``Session.compose`` with the configuration's name.
Compose = Callable[[list[str], RunMode], DictConfig]


class Composer:
    """Makes the configurations of jobs.

    Args:
        compose: Hydra's composition.
        hydra_words: words about Hydra itself, the same for all jobs.
    """

    def __init__(self, compose: Compose, hydra_words: Sequence[str]) -> None:
        self._compose = compose
        self._hydra_words = list(hydra_words)
        self._loader = GlobalHydra.instance().config_loader()
        self._groups = set(self._loader.list_groups(""))
        self._bases: dict[tuple[str, ...], DictConfig] = {}
        self._hydra = DictConfig({})  # Hydra's own part, the same for all jobs

    def __call__(self, words: Sequence[str]) -> DictConfig:
        """Return a job's configuration, without Hydra's own part.

        Raises:
            ConfigProblems: from ``compose``, which is called again for words that do not work.
        """
        try:
            parsed = OverridesParser.create(self._loader).parse_overrides(list(words))
            chosen = [word for word, o in zip(words, parsed, strict=True) if self._chooses(o)]
            values = [o for o in parsed if not self._chooses(o)]
            cfg = copy.deepcopy(self._base(tuple(chosen)))
            apply_overrides(values, cfg)
            drop_settings_of_old_types(cfg, words)
            _drop_names_for(self._hydra, cfg)
            return cfg
        except (HydraException, OmegaConfBaseException, ValueError, ConfigProblems):
            return without_hydra(self._compose([*self._hydra_words, *words], RunMode.RUN))

    def _base(self, chosen: tuple[str, ...]) -> DictConfig:
        if chosen not in self._bases:
            cfg = self._compose([*self._hydra_words, *chosen], RunMode.RUN)
            self._hydra = cfg.hydra
            self._bases[chosen] = without_hydra(cfg)
        return self._bases[chosen]

    def _chooses(self, override: Any) -> bool:
        """Return whether Hydra would look into files for an override; anything uncommon counts as
        such.
        """
        key = str(override.key_or_group)
        return "/" in key or key in self._groups or override.package is not None


def without_hydra(cfg: DictConfig) -> DictConfig:
    """Return the run's configuration without Hydra's part and the keys that only that refers to."""
    plain = copy.deepcopy(cfg)  # masked_copy would forget the types of the values
    with read_write(plain), open_dict(plain):
        hydra = plain.pop("hydra", None)
    if hydra is not None:
        _drop_names_for(hydra, plain)
    return plain


def _drop_names_for(hydra: DictConfig, cfg: DictConfig) -> None:
    """Remove the keys that nothing but Hydra's own part refers to."""
    if unknown := unknown_names(cfg):
        own, rest = written(hydra), written(cfg)
        with read_write(cfg), open_dict(cfg):
            for key in unknown:
                if refers_to(own, key) and not refers_to(rest, key):
                    cfg.pop(key)
