"""Check sampling parameters, wherever they are given."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from game_reasoning_arena.errors import ConfigProblems, choose_from
from game_reasoning_arena.records import DEFAULT_MAX_TOKENS, DEFAULT_TEMPERATURE, NO_SEED, Sampling

_NAMES = tuple(f.name for f in fields(Sampling))
#: Inclusive bounds and their description, by parameter.
_NUMBERS: dict[str, tuple[type, float, float, str]] = {
    "temperature": (float, 0.0, 2.0, "a number from 0 to 2"),
    "max_tokens": (int, 1, float("inf"), "a whole number of at least 1"),
    "top_p": (float, 0.0, 1.0, "a number from 0 to 1"),
    "top_k": (int, -1, float("inf"), "a whole number (-1 for all tokens)"),
}


def parse_sampling(values: Mapping[str, Any], where: str) -> tuple[Sampling, list[str]]:
    """Return sampling from a mapping; null is not set.

    Args:
        values: any of temperature (0 to 2), max_tokens (1 or more), top_p (0 to 1), top_k, stop
            (a text or a list of texts), seed (null to send none, "auto" is not set). Numbers may
            be written as text.
        where: what to call the mapping in a message, such as ``agents.player_0.sampling``.

    Returns:
        The sampling with all good values, and one sentence per bad one.
    """
    good: dict[str, Any] = {}
    problems: list[str] = []
    for key, value in values.items():
        if key == "seed":
            if value is None:
                good[key] = NO_SEED
            elif value != "auto":
                problems.append(
                    f"{where}.seed is {value!r}; it must be auto (each request has a seed of its "
                    "own, derived from the run's seed=...) or null (none is sent)."
                )
            continue
        if value is None:
            continue
        if key not in _NAMES:
            problems.append(f"{where}.{key} is no sampling parameter. {choose_from(key, _NAMES)}")
        elif key == "stop":
            texts = [value] if isinstance(value, str) else value
            if isinstance(texts, list | tuple) and texts and all(isinstance(t, str) for t in texts):
                good[key] = tuple(texts)
            else:
                problems.append(f"{where}.stop is {value!r}; it must be a text or a list of texts.")
        else:
            kind, low, high, wanted = _NUMBERS[key]
            number = _number(value, kind)
            if number is None or not low <= number <= high:
                problems.append(f"{where}.{key} is {value!r}; it must be {wanted}.")
            else:
                good[key] = number
    return Sampling(**good), problems


def _number(value: Any, kind: type) -> float | int | None:
    """Return ``value`` as ``kind``, or None if that would change it."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    if kind is int:
        return int(number) if number.is_integer() else None
    return number


#: Sampling parameters by the variable that sets them.
VARIABLES = {"MAX_TOKENS": "max_tokens", "TEMPERATURE": "temperature"}


def sampling_from_environment() -> Sampling:
    """Return ``MAX_TOKENS`` and ``TEMPERATURE``, or 250 and 0.1 where they are unset or blank.

    Raises:
        ConfigProblems: a variable is no number, or out of range.
    """
    set_ones = {key: os.environ.get(name, "").strip() for name, key in VARIABLES.items()}
    given = {key: text for key, text in set_ones.items() if text}
    sampling, _ = parse_sampling(given, "")
    problems = []
    for name, key in VARIABLES.items():
        if key in given and getattr(sampling, key) is None:
            wanted = "a whole number of at least 1" if key == "max_tokens" else "from 0 to 2"
            problems.append(
                f"The environment variable {name} is {given[key]!r}; it must be {wanted}. "
                f"Correct it in the environment or in .env, or unset it."
            )
    if problems:
        raise ConfigProblems(problems)
    return sampling.merged(Sampling(max_tokens=DEFAULT_MAX_TOKENS, temperature=DEFAULT_TEMPERATURE))
