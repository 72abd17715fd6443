"""Find every problem of a configuration that does not compose, not only the first.

Hydra stops at the first problem. Here the wrong word or key is removed and reported, piece by
piece, until the rest composes and can be checked like any other configuration.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from omegaconf import DictConfig, OmegaConf

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
from game_reasoning_arena.configuration.hydra_internals import COMPOSITION_ERRORS
from game_reasoning_arena.errors import ConfigProblems
from game_reasoning_arena.preflight.composing import without_hydra

#: Words about players and their game.
_ABOUT_SEATS = re.compile(r"[+~]*(?:agents|simulation)\b")

#: Composes the configuration of a name from words.
ComposeNamed = Callable[[str, list[str]], DictConfig]


@dataclass
class _Removed:
    """What was removed so far: the problems, and their words or keys."""

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
        error: the exception of composing all of it.
        catalog: the catalog registered with Hydra.
    """
    name, shipped_name = names
    removed = _Removed()
    base = _composed(compose, name, shipped_name, removed)
    if base is None:
        return ConfigProblems(removed.problems)
    accepted: list[str] = []
    for word in sorted(overrides, key=lambda w: "." in w.partition("=")[0]):  # group choices first
        try:
            base = compose(name, [*accepted, word])
            accepted.append(word)
        except COMPOSITION_ERRORS as bad:
            removed.add(explain_composition(bad, word, base), word)
    if not removed.problems:
        return ConfigProblems([explain_composition(error, None, base)])
    from game_reasoning_arena.preflight.preparation import prepare

    try:
        seats = not any(_ABOUT_SEATS.match(what) for what in removed.left_out)
        prepare(without_hydra(base), check_seats=seats, catalog=catalog)
    except ConfigProblems as more:
        removed.problems += [
            problem for problem in more.problems if problem not in removed.problems
        ]
    return ConfigProblems(removed.problems)


def _composed(
    compose: ComposeNamed, name: str, shipped_name: str, removed: _Removed
) -> DictConfig | None:
    """Return the configuration without words and without a plain file's mistakes; or None."""
    try:
        return compose(name, [])
    except COMPOSITION_ERRORS as error:
        broken: Exception = error
    content = plain_file_content() if name == PLAIN_FILE else None
    shipped = None if name == shipped_name else compose(shipped_name, [])
    if content is None or shipped is None:
        removed.add(explain_composition(broken, None, shipped), "")
        return None
    while True:
        left_out = _left_out(content, broken, shipped)
        for problem, key in left_out:
            removed.add(problem, key)
        if not left_out:
            removed.add(explain_composition(broken, None, shipped), "")
            removed.problems += [
                p for p in unknown_keys(content, shipped) if p not in removed.problems
            ]
            return None
        store_content(content)
        try:
            return compose(name, [])
        except COMPOSITION_ERRORS as error:
            broken = error


def _left_out(
    content: dict[str, Any], error: Exception, shipped: DictConfig
) -> list[tuple[str, str]]:
    """Remove from a plain file what did not compose; return the problems with their keys."""
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
