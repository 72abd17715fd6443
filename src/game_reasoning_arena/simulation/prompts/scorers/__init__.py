"""Scorers by the value of ``simulation.scorer``."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from game_reasoning_arena.errors import ConfigProblems, UserError, choose_from
from game_reasoning_arena.simulation.prompts.scorers.base import Scorer
from game_reasoning_arena.simulation.prompts.scorers.choice import MultipleChoice
from game_reasoning_arena.simulation.prompts.scorers.custom import load_scorer
from game_reasoning_arena.simulation.prompts.scorers.json_keys import JsonKeys
from game_reasoning_arena.simulation.prompts.scorers.judge import ModelJudge
from game_reasoning_arena.simulation.prompts.scorers.numeric import Numeric
from game_reasoning_arena.simulation.prompts.scorers.text import (
    Contains,
    Exact,
    OneOf,
    Pattern,
    WordF1,
)

SCORERS: dict[str, type[Scorer]] = {
    kind.name: kind
    for kind in (
        Exact, OneOf, MultipleChoice, Numeric, Pattern, Contains, JsonKeys, WordF1, ModelJudge,
    )
}  # fmt: skip

#: Value of ``simulation.scorer`` for no scoring.
NONE = "none"


def scorer_conf(given: Any) -> dict[str, Any] | None:
    """Return ``simulation.scorer`` as a mapping; None where it is not set.

    Raises:
        UserError: it is neither a word nor a mapping.
    """
    if given is None or given == {}:
        return None
    if given is False:
        return {"type": NONE}
    if isinstance(given, str):
        return {"type": given}
    if isinstance(given, Mapping) and ("type" in given or "_target_" in given):
        return {str(key): value for key, value in given.items()}
    raise UserError(
        f"simulation.scorer={given!r}: give a scorer's name, or its settings with a type: "
        "simulation.scorer={type: numeric, tolerance: 0.01}. "
        + choose_from("", [*SCORERS, NONE], limit=20)
    )


def make_scorer(given: Any, where: str = "simulation.scorer") -> Scorer | None:
    """Return the scorer that a setting asks for; None for ``none``.

    Args:
        given: a name, or a mapping with ``type`` or ``_target_`` and settings.
        where: the setting, for errors.

    Raises:
        UserError: there is no such scorer, or a setting of it is wrong.
    """
    conf = scorer_conf(given) or {"type": NONE}
    target = conf.pop("_target_", None)
    if target is not None:
        conf.pop("type", None)
        return load_scorer(str(target), conf)
    name = str(conf.pop("type"))
    if name == NONE:
        return None
    if name not in SCORERS:
        raise UserError(
            f"{where}={name}: there is no such scorer. "
            + choose_from(name, [*SCORERS, NONE], limit=20)
            + " For one of your own: simulation.scorer._target_=module.function"
        )
    kind = SCORERS[name]
    if kind is ModelJudge and conf.get("check") is not None:
        conf["check"] = make_scorer(conf["check"], f"{where}.check")
    _check_settings(kind, conf, where)
    return kind(**conf)


def _check_settings(kind: type[Scorer], conf: Mapping[str, Any], where: str) -> None:
    taken = inspect.signature(kind, eval_str=True).parameters
    problems = [
        f"{where}.{key} is no setting of the scorer {kind.name}. "
        + choose_from(key, taken, limit=20)
        for key in conf
        if key not in taken
    ]
    for key in conf.keys() & taken.keys():
        types, description = _WANTED.get(str(taken[key].annotation), ((object,), ""))
        fits = isinstance(conf[key], types) and (bool in types or not isinstance(conf[key], bool))
        if description and not fits:
            problems.append(f"{where}.{key}={conf[key]!r}: give {description}.")
    if problems:
        raise ConfigProblems(problems)


#: Types that annotated settings accept, and their name for people.
_WANTED: dict[str, tuple[tuple[type, ...], str]] = {
    str(bool): ((bool,), "true or false"),
    str(float): ((int, float), "a number"),
    str(int): ((int,), "a whole number"),
    str(str): ((str,), "a text"),
}
