"""YAML that may come from anybody: plain values only, and no more of them than a person writes."""

from __future__ import annotations

from typing import Any

#: Values of a configuration, each alias counted as what it stands for. OmegaConf copies aliases, so
#: ten lines of them can fill the memory.
MOST_VALUES = 1_000_000


def load_yaml(content: bytes | str) -> Any:
    """Return the plain values of a YAML document.

    Raises:
        yaml.YAMLError: it is no YAML.
        ValueError: it is nested too deep, holds itself, or too much by its aliases.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C where PyYAML was built with it
    try:
        values = yaml.load(content, Loader=loader)  # noqa: S506 (both are safe)
        _size(values, {}, set())
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    return values


def _size(value: Any, known: dict[int, int], above: set[int]) -> int:
    """Return how many values there are when every alias is written out."""
    if not isinstance(value, dict | list | tuple | set):
        return 1
    mark = id(value)
    if mark in above:
        raise ValueError("it holds itself by an alias")
    if mark not in known:
        above.add(mark)
        below = value.values() if isinstance(value, dict) else value
        known[mark] = 1 + sum(_size(item, known, above) for item in below)
        above.discard(mark)
        if known[mark] > MOST_VALUES:
            raise ValueError(f"its aliases stand for more than {MOST_VALUES:,} values")
    return known[mark]
