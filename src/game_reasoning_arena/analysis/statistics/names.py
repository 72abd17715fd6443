"""Names of competitors as tables, plots and papers show them: given, or else short."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from game_reasoning_arena.catalog.prefixes import PREFIXES, meaning_of, split_name

_SHORT_KEYS: Final = {"temperature": "T", "max_tokens": "max"}
_PARTS: Final = re.compile(
    r"^(?P<base>.*?)(?: \((?P<settings>[^()]*=.*)\))?(?P<tail> as .+| \[.+\])?$", re.DOTALL
)


def short_names(
    labels: Iterable[str],
    given: Mapping[str, str] | None = None,
    models: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return a name of its own per label.

    ``direct_lab/atlas-70b (temperature=0.0)`` is ``atlas-70b T=0``. The backend and the provider
    are left out where the rest of the name is nobody else's. Of names that several would share each
    is followed by what tells it from the others: the short name, else the label.

    Args:
        labels: model or type, and in parentheses the settings that differ.
        given: names that people gave to labels.
        models: names that people gave to models, which take the model's place in short names.
    """
    every = list(dict.fromkeys(labels))
    bases = {label: _split(label)[0] for label in every}
    short = {base: _without_provider(base) for base in bases.values()}
    often = Counter(short.values())
    ways: dict[str, list[str]] = {}
    for label in every:
        base, settings, tail = _split(label)
        rest = f" {_shortened(settings)}" if settings else ""
        model = short[base] if often[short[base]] == 1 else base
        automatic = [model + rest + tail, label]
        if (shown := (models or {}).get(base)) is not None:
            automatic = [shown + rest + tail, f"{shown} ({model}){rest}{tail}", label]
        name = (given or {}).get(label)
        own = [] if name is None else [name, f"{name} ({automatic[0]})", f"{name} ({label})"]
        ways[label] = [*own, *automatic]
    return apart(ways)


def apart(ways: Mapping[str, list[str]]) -> dict[str, str]:
    """Return a name for each label that no other has: the first such of the ways to call it.

    Args:
        ways: by label; the last one holds the label.
    """
    level = dict.fromkeys(ways, 0)
    while True:
        names = {label: ways[label][at] for label, at in level.items()}
        often = Counter(names.values())
        same = [
            label
            for label, name in names.items()
            if often[name] > 1 and level[label] < len(ways[label]) - 1
        ]
        if not same:
            return names
        for label in same:
            level[label] += 1


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
    prefix, rest = split_name(base, PREFIXES)
    meaning = meaning_of(prefix)
    return (rest if meaning.of_provider or meaning.needs_entry else "") or base


def _shortened(settings: str) -> str:
    parts = []
    for part in filter(None, settings.split(", ")):
        key, equals, value = part.partition("=")
        if equals and re.fullmatch(r"-?\d+\.0", value):
            value = value[:-2]
        parts.append(f"{_SHORT_KEYS.get(key, key)}{equals}{value}")
    return " ".join(parts)
