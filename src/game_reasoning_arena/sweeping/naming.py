"""Names for people: directories of jobs, and columns of swept keys."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

#: The most characters of one value in a directory's name, and of the whole name after its number.
VALUE_LENGTH = 32
SLUG_LENGTH = 80

_UNSAFE = re.compile(r"[^A-Za-z0-9._+]+")


def plain_value(value: str) -> str:
    """Return a value as a person would write it, without Hydra's quotes."""
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    return value


def short_keys(keys: Iterable[str]) -> dict[str, str]:
    """Return each dotted key's shortest unique ending."""
    whole = list(keys)
    short = {}
    for key in whole:
        parts = key.split(".")
        for count in range(1, len(parts) + 1):
            tail = ".".join(parts[-count:])
            if not any(k != key and (k == tail or k.endswith(f".{tail}")) for k in whole):
                break
        short[key] = tail
    return short


def slug(values: Mapping[str, str]) -> str:
    """Return a short name for a directory, safe in any shell and file system.

    A model is named by the part after its last slash; other values follow their key's last part.
    """
    parts = []
    for key, short in short_keys(values).items():
        value = _safe(plain_value(values[key]).rpartition("/")[2] or values[key])
        last = key.rpartition(".")[2]
        named = last in ("model", "simulation", "game", "experiment", "agents")
        if last == "shard":
            value = _safe(values[key].replace("/", "of"))
        parts.append(value if named else f"{_safe(short.replace('.', '_'))}-{value}")
    return "_".join(part for part in parts if part)[:SLUG_LENGTH].rstrip("._-")


def _safe(text: str) -> str:
    return _UNSAFE.sub("-", text).strip("-.")[:VALUE_LENGTH].rstrip("-.")
