"""Read catalog entries from YAML and JSON, with the line of every mistake.

A list file holds ``models`` and ``providers``; a file in ``conf/model`` or ``conf/provider`` holds
one entry. Problems are collected, never raised, so that a user sees all of them at once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import yaml
from msgspec import Struct, field

from game_reasoning_arena.catalog.entries import (
    ModelEntry,
    ProviderEntry,
    check_model,
    check_provider,
    kind,
)
from game_reasoning_arena.catalog.prefixes import PREFIXES
from game_reasoning_arena.errors import choose_from
from game_reasoning_arena.process.files import read_text
from game_reasoning_arena.process.yaml_text import check_size

_BASE = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_BASE):  # type: ignore[misc, valid-type]
    """PyYAML's fast safe loader; reads 1e-3 as a number, as YAML 1.2 does."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?[eE][-+]?[0-9]+"),
    list("-+0123456789"),
)


class Contents(Struct):
    """The entries and the problems of one source."""

    models: dict[str, ModelEntry] = field(default_factory=dict)
    providers: dict[str, ProviderEntry] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def read_list(path: Path) -> Contents:
    """Read a list file: ``models: [...]`` and ``providers: {...}``; either may be missing."""
    found = Contents()
    document = _parse(path, found.problems)
    if document is None:
        return found
    lines, data = document
    if not isinstance(data, dict):
        found.problems.append(
            f"{path}: holds {kind(data)}; a list file holds `models: [...]`, `providers: {{...}}`."
        )
        return found
    for key in data:
        if key not in ("models", "providers"):
            found.problems.append(
                f"{path}:{lines.get((key,), 1)}: unknown key {key!r}. "
                f"{choose_from(str(key), ('models', 'providers'))}"
            )
    models, providers = data.get("models"), data.get("providers")
    if isinstance(models, list):
        prefix = _list_prefix(path)
        for index, item in enumerate(models):
            _take_model(found, item, f"{path}:{lines.get(('models', index), 1)}", prefix)
    elif models is not None:
        found.problems.append(
            f"{path}:{lines.get(('models',), 1)}: `models` holds {kind(models)}; "
            "write one `- name` a line."
        )
    if isinstance(providers, dict):
        for name, item in providers.items():
            _take_provider(
                found, str(name), item, f"{path}:{lines.get(('providers', str(name)), 1)}"
            )
    elif providers is not None:
        found.problems.append(
            f"{path}:{lines.get(('providers',), 1)}: `providers` holds {kind(providers)}; "
            "write `name: {api_key_env: NAME_API_KEY}`."
        )
    return found


def read_model_file(path: Path, option: str, folders: Sequence[Path] = ()) -> Contents:
    """Read a file of ``conf/model``; its option (the path in there) names it unless ``name`` does.

    Settings that its ``defaults`` inherit from other files of ``folders`` (the group's folders, the
    last one wins) are merged as Hydra does. The entry is in ``models`` under its option.
    """
    found = Contents()
    document = _parse(path, found.problems)
    if document is None:
        return found
    lines, data = document
    if isinstance(data, dict):
        item = {"name": option, **_inherited(data, folders, found.problems, depth=0)}
        line = lines.get(("name",), 1)
        entry = check_model(item, f"{path}:{line}", found.problems)
        if entry:
            found.models[option] = entry
    else:
        found.problems.append(f"{path}: holds {kind(data)}; a model file holds `name: ...`.")
    return found


def _inherited(
    data: dict[str, Any], folders: Sequence[Path], problems: list[str], depth: int
) -> dict[str, Any]:
    """Merge a file's settings over those of the options in ``defaults`` that precede _self_."""
    own = {key: value for key, value in data.items() if key != "defaults"}
    merged: dict[str, Any] = {}
    for item in data.get("defaults") or []:
        if item == "_self_":
            merged = _over(merged, own)
        elif isinstance(item, str) and not item.startswith("/") and depth < 8:
            paths = [p for f in folders if (p := f / f"{item.partition('@')[0]}.yaml").is_file()]
            document = _parse(paths[-1], problems) if paths else None
            if document is not None and isinstance(document[1], dict):
                merged = _over(merged, _inherited(document[1], folders, problems, depth + 1))
    return merged if "_self_" in (data.get("defaults") or []) else _over(merged, own)


def _over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Merge two mappings; ``above`` wins."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = _over(old, value) if both else value  # type: ignore[arg-type]
    return merged


def read_provider_file(path: Path, option: str) -> Contents:
    """Read a file of ``conf/provider``; its name is the provider's."""
    found = Contents()
    document = _parse(path, found.problems)
    if document is not None:
        data = document[1]
        item = (
            {k: v for k, v in data.items() if k != "defaults"} if isinstance(data, dict) else data
        )
        _take_provider(found, option, item, f"{path}:1")
    return found


def options(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the YAML files of a group's folder as (option, path), sorted; options may have /."""
    for path in sorted(folder.rglob("*.yaml")):
        yield str(PurePosixPath(path.relative_to(folder).with_suffix(""))), path


def _take_model(found: Contents, item: Any, where: str, prefix: str | None) -> None:
    entry = check_model(item, where, found.problems, prefix)
    if entry is None:
        return
    if entry.name in found.models:
        first = found.models[entry.name].where.rpartition(":")[2]
        found.problems.append(
            f"{where}: {entry.name!r} is listed twice (first in line {first}); remove one."
        )
    else:
        found.models[entry.name] = entry


def _take_provider(found: Contents, name: str, item: Any, where: str) -> None:
    entry = check_provider(name, item, where, found.problems)
    if entry is not None:
        found.providers[name] = entry


def _list_prefix(path: Path) -> str | None:
    """Return the backend to which a list's name limits it: ``litellm`` for litellm_models.yaml."""
    stem = path.stem
    prefix = stem.removesuffix("_models")
    return prefix if prefix != stem and prefix in PREFIXES else None


def _parse(path: Path, problems: list[str]) -> tuple[dict[tuple[Any, ...], int], Any] | None:
    """Return the file's data, and the line of every key and item down to two levels."""
    try:
        text = read_text(path)
    except FileNotFoundError:
        problems.append(f"{path}: there is no such file; catalog.files takes paths of lists.")
        return None
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}.")
        return None
    if path.suffix == ".json":
        try:
            json.loads(text)
        except json.JSONDecodeError as error:
            line = text.splitlines()[error.lineno - 1].strip() if text.strip() else ""
            problems.append(f"{path}:{error.lineno}: broken JSON: {error.msg} at {line[:60]!r}.")
            return None
        except (RecursionError, ValueError) as error:  # nested too deep, a number too long
            problems.append(f"{path}: cannot be read: {error}.")
            return None
        # JSON is YAML except for tabs; after the JSON check they stand only between tokens.
        text = text.replace("\t", " ")
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        lines: dict[tuple[Any, ...], int] = {}
        if node is not None:
            _mark(node, (), lines, path, problems)
            _keep_names(node)
        values = loader.construct_document(node) if node is not None else {}
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line_number = mark.line + 1 if mark else 1
        problem = getattr(error, "problem", None) or "not readable"
        all_lines = text.splitlines()
        shown = all_lines[line_number - 1].strip() if line_number <= len(all_lines) else ""
        if "key" in shown.lower():  # may hold a secret
            shown = shown.partition(":")[0]
        problems.append(
            f"{path}:{line_number}: broken YAML: {problem} at {shown[:60]!r}. "
            "Check the indentation, colons and quotes there and on the line above."
        )
        return None
    except RecursionError as error:
        problems.append(f"{path}: cannot be read: {error}.")
        return None
    finally:
        loader.dispose()
    try:
        check_size(values)
    except ValueError as error:
        problems.append(f"{path}: {error}.")
        return None
    return lines, values


def _mark(
    node: yaml.Node,
    place: tuple[Any, ...],
    lines: dict[tuple[Any, ...], int],
    path: Path,
    problems: list[str],
) -> None:
    if len(place) == 3:
        return
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            here = (*place, key.value)
            line = key.start_mark.line + 1
            if here in lines:
                problems.append(
                    f"{path}:{line}: {key.value!r} is written twice (first in line {lines[here]}); "
                    "remove one."
                )
            lines.setdefault(here, line)
            _mark(value, here, lines, path, problems)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            lines[(*place, index)] = item.start_mark.line + 1
            _mark(item, (*place, index), lines, path, problems)


def _keep_names(root: yaml.Node) -> None:
    """Have names read as written: ``no`` and ``007`` are neither a truth value nor a number."""
    if not isinstance(root, yaml.MappingNode):
        return
    for key, value in root.value:
        name = key.value if isinstance(key, yaml.ScalarNode) else None
        if name == "name":
            _as_text(value)
        elif name == "providers" and isinstance(value, yaml.MappingNode):
            for provider, _ in value.value:
                _as_text(provider)
        elif name == "models" and isinstance(value, yaml.SequenceNode):
            for item in value.value:
                _as_text(item)
                _keep_names(item)


def _as_text(node: yaml.Node) -> None:
    if isinstance(node, yaml.ScalarNode) and node.tag in _TAKEN_FOR_OTHERS:
        node.tag = "tag:yaml.org,2002:str"


_TAKEN_FOR_OTHERS = {f"tag:yaml.org,2002:{kind}" for kind in ("bool", "int", "float", "timestamp")}
