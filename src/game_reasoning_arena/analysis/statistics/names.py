"""Short names of competitors, for tables, plots and pages."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

_SHORT_KEYS = {"temperature": "T", "max_tokens": "max"}
_PARTS = re.compile(
    r"^(?P<base>.*?)(?: \((?P<settings>[^()]*=.*)\))?(?P<tail> as .+| \[.+\])?$", re.DOTALL
)


def short_names(labels: Iterable[str]) -> dict[str, str]:
    """Return a short name per label.

    ``direct_lab/atlas-70b (temperature=0.0)`` is ``atlas-70b T=0``. The backend and the provider
    are left out where the rest of the name is nobody else's.
    """
    every = list(dict.fromkeys(labels))
    bases = {label: _split(label)[0] for label in every}
    short = {base: _without_provider(base) for base in bases.values()}
    often = Counter(short.values())
    names = {}
    for label in every:
        base, settings, tail = _split(label)
        name = short[base] if often[short[base]] == 1 else base
        names[label] = " ".join(filter(None, [name, _shortened(settings)])) + tail
    again = Counter(names.values())
    return {label: name if again[name] == 1 else label for label, name in names.items()}


def _split(label: str) -> tuple[str, str, str]:
    """The model or type, the settings that differ, and what tells players or runs apart."""
    found = _PARTS.match(label)
    assert found is not None  # the pattern matches any text
    return found["base"], found["settings"] or "", found["tail"] or ""


def _without_provider(base: str) -> str:
    """A model's own name: what follows its last slash, or its prefix where it has no slash."""
    head, slash, tail = base.rpartition("/")
    if slash:
        return tail or head
    prefix, _, rest = base.partition("_")
    return rest if prefix in ("litellm", "direct", "vllm") and rest else base


def _shortened(settings: str) -> str:
    parts = []
    for part in filter(None, settings.split(", ")):
        key, equals, value = part.partition("=")
        if equals and re.fullmatch(r"-?\d+\.0", value):
            value = value[:-2]
        parts.append(f"{_SHORT_KEYS.get(key, key)}{equals}{value}")
    return " ".join(parts)
