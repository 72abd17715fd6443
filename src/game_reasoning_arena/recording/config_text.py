"""A resolved configuration as YAML that OmegaConf reads back to the same values.

OmegaConf's own writer makes nodes of everything first and uses the emitter in Python: 10 ms for
a small run, a good part of what that takes. libyaml's takes less than one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
import yaml

from game_reasoning_arena.process.yaml_text import END, HEAD

_Base: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Dumper(_Base):  # type: ignore[misc]
    pass


def _text(dumper: Any, text: str) -> Any:
    try:
        float(text)
    except ValueError:
        quotes = None
    else:
        quotes = "'"  # OmegaConf reads 1e3 as a number, YAML 1.1 and so the emitter does not
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=quotes)


_Dumper.add_representer(str, _text)


def as_yaml(config: Mapping[str, Any]) -> str:
    """Return the configuration, keys in their order, between lines by which a cut file is known.

    Args:
        config: plain mappings, lists and scalars, as ``OmegaConf.to_container`` makes them.
    """
    text = yaml.dump(dict(config), Dumper=_Dumper, sort_keys=False, allow_unicode=True)
    return f"{HEAD}{text}{END}\n"


def frozen(value: Any) -> bytes:
    """Return a setting's value as bytes that only equal values share."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS, default=str)


def is_below(key: str, above: str) -> bool:
    """Return whether a dotted key is another one, or lies below it."""
    return key == above or key.startswith(f"{above}.")


def flatten(node: Any, prefix: str = "") -> dict[str, Any]:
    """Return nested mappings as one, with dotted keys; an empty mapping inside stands for itself.

    Tuples become lists, as they are when read back.
    """
    if not (isinstance(node, Mapping) and node):
        value = list(node) if isinstance(node, tuple) else node
        return {prefix: value} if prefix else {}
    flat: dict[str, Any] = {}
    for key, value in node.items():
        flat |= flatten(value, f"{prefix}.{key}" if prefix else str(key))
    return flat
