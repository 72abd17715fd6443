"""Every problem of a configuration that does not compose, not only the first.

Hydra stops at the first thing that is wrong. Here what is wrong is left out and told, piece by
piece, until the rest composes and can be checked like any other configuration.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from game_reasoning_arena.catalog.catalog import Catalog
from game_reasoning_arena.configuration.command_line import (
    PLAIN_FILE,
    plain_file_content,
    store_content,
)
from game_reasoning_arena.configuration.explain import (
    explain_composition,
    key_of,
    missing_option,
    no_value_itself,
    unknown_keys,
)
from game_reasoning_arena.errors import ConfigProblems
from game_reasoning_arena.preflight.composing import without_hydra

#: What composing raises; ValueError is what Hydra says to `GROUP=null`.
COMPOSITION_ERRORS = (HydraException, OmegaConfBaseException, ValueError, OSError, YAMLError)

#: Words about who plays what.
_ABOUT_SEATS = re.compile(r"[+~]*(?:agents|simulation)\b")

#: Composes the configuration of a name from words.
ComposeNamed = Callable[[str, list[str]], DictConfig]


@dataclass
class _Told:
    """What was left out so far: the problems, and the words or keys that they are about."""

    problems: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def add(self, problem: str, what: str) -> None:
        if problem not in self.problems:
            self.problems.append(problem)
        self.left_out.append(what)


def composition_problems(
    compose: ComposeNamed,
    names: tuple[str, str],
    overrides: Sequence[str],
    error: Exception,
    catalog: Catalog | None,
) -> ConfigProblems:
    """Find every bad word, and every bad key of a plain file, by composing without them.

    Args:
        compose: composes a configuration, or raises one of ``COMPOSITION_ERRORS``.
        names: the configuration's name, and that of the shipped one.
        overrides: the words.
        error: what composing all of it raised.
        catalog: what was registered with Hydra.
    """
    name, shipped_name = names
    told = _Told()
    base = _composed(compose, name, shipped_name, told)
    if base is None:
        return ConfigProblems(told.problems)
    accepted: list[str] = []
    for word in sorted(overrides, key=lambda w: "." in w.partition("=")[0]):  # group choices first
        try:
            base = compose(name, [*accepted, word])
            accepted.append(word)
        except COMPOSITION_ERRORS as bad:
            told.add(explain_composition(bad, word, base), word)
    if not told.problems:
        return ConfigProblems([explain_composition(error, None, base)])
    from game_reasoning_arena.preflight.preparation import prepare

    try:
        seats = not any(_ABOUT_SEATS.match(what) for what in told.left_out)
        prepare(without_hydra(base), check_seats=seats, catalog=catalog)
    except ConfigProblems as more:
        told.problems += [problem for problem in more.problems if problem not in told.problems]
    return ConfigProblems(told.problems)


def _composed(
    compose: ComposeNamed, name: str, shipped_name: str, told: _Told
) -> DictConfig | None:
    """The configuration without words, a plain file without what is wrong in it; or None."""
    try:
        return compose(name, [])
    except COMPOSITION_ERRORS as error:
        broken: Exception = error
    content = plain_file_content() if name == PLAIN_FILE else None
    shipped = None if name == shipped_name else compose(shipped_name, [])
    if content is None or shipped is None:
        told.add(explain_composition(broken, None, shipped), "")
        return None
    while True:
        left_out = _left_out(content, broken, shipped)
        for problem, key in left_out:
            told.add(problem, key)
        if not left_out:
            told.add(explain_composition(broken, None, shipped), "")
            told.problems += [p for p in unknown_keys(content, shipped) if p not in told.problems]
            return None
        store_content(content)
        try:
            return compose(name, [])
        except COMPOSITION_ERRORS as error:
            broken = error


def _left_out(
    content: dict[str, Any], error: Exception, shipped: DictConfig
) -> list[tuple[str, str]]:
    """Take out of a plain file what composing stumbled over: what is told, and the keys."""
    groups = [
        key
        for key, value in content.items()
        if not isinstance(value, Mapping)
        and isinstance(OmegaConf.select(shipped, key), DictConfig)
        and key != "hydra"
    ]
    if groups:
        return [
            (f"{key}={content.pop(key)}: {no_value_itself(key, shipped)}", key) for key in groups
        ]
    problem = explain_composition(error, None, shipped)
    if (option := missing_option(error)) is not None:
        group, _, chosen = option.partition("/")
        for entry in content.get("defaults", []):
            if isinstance(entry, dict) and entry.get(f"override /{group}") == chosen:
                content["defaults"].remove(entry)
                return [(problem, group)]
        return []
    key = key_of(error)
    *above, last = key.split(".")
    node: Any = content
    for part in above:
        node = node.get(part) if isinstance(node, dict) else None
    if key and isinstance(node, dict) and last in node:
        del node[last]
        return [(problem, key)]
    return []
