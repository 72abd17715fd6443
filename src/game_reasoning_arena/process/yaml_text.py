"""Untrusted YAML: plain values only, and no more of them than a person writes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import yaml

#: Values of a configuration, each alias counted as what it stands for. OmegaConf copies aliases, so
#: ten lines of them can fill the memory.
MOST_VALUES = 1_000_000

#: First and last line of a configuration that a run wrote. A disk that lost power may keep only its
#: first lines, which are YAML, too, and would be a run without the settings after them.
HEAD = "# Resolved configuration of a run, whole where it holds the line '# end'.\n"
END = "# end"


def load_yaml(content: bytes | str) -> Any:
    """Return the plain values of a YAML document.

    Raises:
        yaml.YAMLError: it is no YAML.
        ValueError: it is nested too deep, holds itself, or too much by its aliases; or it was cut
            off after a run wrote it.
    """
    import yaml

    check_end(content)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C where PyYAML was built with it
    try:
        values = yaml.load(content, Loader=loader)  # noqa: S506 (both are safe)
        check_size(values)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    return values


def check_end(content: bytes | str) -> None:
    """Check that a configuration that a run wrote still has its last line.

    Raises:
        ValueError: it was cut off.
    """
    text = content.decode(errors="replace") if isinstance(content, bytes) else content
    begun = text.startswith(HEAD) or (text != "" and HEAD.startswith(text))
    if begun and f"\n{END}" not in text:
        raise ValueError(f"it was cut off: its last line, {END!r}, is missing")


def with_names_as_texts(text: str) -> str:
    """Return YAML in which names of models and providers are texts: ``no`` and ``007`` in quotes.

    Raises:
        yaml.YAMLError: it is no YAML.
    """
    import yaml

    found = sorted(_names(yaml.compose(text, Loader=yaml.SafeLoader), set()), reverse=True)
    for begin, end, name in found:
        if text[begin:end] == name and "'" not in name:
            text = f"{text[:begin]}'{name}'{text[end:]}"
    return text


def _names(node: yaml.Node | None, seen: set[int]) -> Iterator[tuple[int, int, str]]:
    """Yield where names stand without quotes: begin, end, and what is written there."""
    import yaml

    if node is None or id(node) in seen or isinstance(node, yaml.ScalarNode):
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _names(item, seen)
        return
    for key, value in node.value:
        names = [value] if key.value in ("model", "name") else []
        if key.value == "provider" and isinstance(value, yaml.MappingNode):
            names += [provider for provider, _ in value.value]
        for name in names:
            plain = isinstance(name, yaml.ScalarNode) and name.style is None
            if plain and name.tag != "tag:yaml.org,2002:null":
                yield name.start_mark.index, name.end_mark.index, name.value
        yield from _names(value, seen)


def check_size(values: Any) -> None:
    """Check that there are no more values than a person writes when every alias is written out.

    Raises:
        ValueError: there are, or one holds itself.
    """
    _size(values, {}, set())


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
