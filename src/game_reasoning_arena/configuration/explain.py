"""Explain composition errors of Hydra and OmegaConf to people: value, options, next step."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from yaml import MarkedYAMLError

from game_reasoning_arena import schema
from game_reasoning_arena.catalog.prefixes import provider_and_model
from game_reasoning_arena.configuration.command_line import as_typed
from game_reasoning_arena.errors import choose_from
from game_reasoning_arena.process.paths import conf_dirs

# Patterns are compiled at the first error; `re` keeps them.
_NO_OPTION = r"Could not find '([^']+)/([^'/]+(?:/[^']*)?)'"
_OPTIONS = r"Available options in '([^']+)':\n((?:\t.*\n?)+)"
_NO_KEY = r"(?:Key '([^']+)' (?:is not in struct|not in '\w+'))|Could not override '([^']+)'"
_NO_GROUP_VALUE = r"Invalid type assigned: \w+ is not a subclass of \w+Conf\b"
_KEY = r"[+~]{0,2}[\w./@:-]*\w"
_SPACED = r"([\w./@+~-]+)(?:\s+=\s*|=\s+)(.*)"
_NO_NUMBER = r"Value '(.*)' of type '\w+' could not be converted to (Integer|Float)"
_NO_BOOL = r"Value '(.*)' is not a valid bool"
_NO_CHOICE = r"Invalid value '(.*)', expected one of \[(.*)\]"
_NO_ENUM = r"Value (.*) \(\w+\) is not a valid input for <enum '(\w+)'>"
_NO_LIST = r"Invalid value assigned: (\w+) is not a ListConfig"
_NO_TEXT = r"Cannot convert 'list' to string: '(\[.*\])'"
_NO_GRAMMAR = r"no viable alternative|LexerNoViableAlt|mismatched input|extraneous input"
_NO_NULL = r"Incompatible value 'None'|field '\w+' is not Optional|is not Optional"
_PACKAGE = r"[ \t]*#[ \t]*@package\s"
_FULL_KEY = r"full_key: (\S+)"


def explain_composition(error: Exception, word: str | None, cfg: DictConfig | None) -> str:
    """Return a paragraph on why a configuration could not be composed.

    Args:
        error: the exception of Hydra or OmegaConf.
        word: the override that caused it, if known.
        cfg: a configuration that composes, in which to look for similar keys.
    """
    text = _chain(error)
    at_word = f"{as_typed(word)}: " if word else ""
    reason = _broken_file(error)
    if reason is None and word:
        reason = _several_values(text, word) or _value_of_a_group(text, word, cfg)
    reason = reason or _missing_option(text) or _missing_key(text, word, cfg)
    if reason is None and word:
        reason = _unreadable_word(text, word)
    if reason is not None:
        return f"{at_word}{reason}"
    return _refused_value(text, at_word, word)


def _several_values(text: str, word: str) -> str | None:
    """Explain a comma where one value is wanted: a sweep without -m, or a text without quotes."""
    if "Ambiguous value for argument" not in text:
        return None
    key, _, value = as_typed(word).partition("=")
    one_text = f" A comma in one text: {quoted(key, value)}" if ", " in value else ""
    return f"several values: add -m for a sweep (arena -m {as_typed(word)}).{one_text}"


def _value_of_a_group(text: str, word: str, cfg: DictConfig | None) -> str | None:
    """Explain a value given to a group of settings."""
    if cfg is None or not re.search(_NO_GROUP_VALUE, text):
        return None
    key = word.partition("=")[0].lstrip("+")
    return no_value_itself(key, cfg) if isinstance(OmegaConf.select(cfg, key), DictConfig) else None


def _missing_option(text: str) -> str | None:
    """Explain an option that its group does not have, or a group that does not exist."""
    missing = re.search(_NO_OPTION, text)
    options = re.search(_OPTIONS, text)
    if options is None:
        if missing is None:
            return None
        group, name = missing.group(1), missing.group(2)
        return f"there is no {group} called {name!r}, and no such group of options."
    group, names = options.group(1), options.group(2).split()
    asked = missing.group(0).split("'")[1].removeprefix(f"{group}/") if missing else ""
    more = ""
    if group == "simulation":
        more = f" Any game of OpenSpiel: simulation=openspiel simulation.game={asked or 'NAME'}."
    elif group == "model" and provider_and_model(asked) is not None:
        more = (
            " A model of a provider that words add (+provider.NAME.api_base=...) is given to a "
            f"player: agents.player_0.model={asked}"
        )
    return f"there is no {group} called {asked!r}. {choose_from(asked, names)}{more}"


def _missing_key(text: str, word: str | None, cfg: DictConfig | None) -> str | None:
    """Explain a setting that does not exist, in a word or in the file that a word chooses."""
    found = re.search(_NO_KEY, text)
    if found is None or cfg is None:
        return None
    missing = found.group(1) or found.group(2)
    full_key = re.search(_FULL_KEY, text)
    key = full_key.group(1) if full_key else missing
    if word:
        typed, _, value = word.lstrip("+~").partition("=")
        if typed == "experiment" and (file := _without_package(value)) is not None:
            return f"{file} has to begin with the line: # @package _global_"
        if missing.rpartition(".")[2] in typed.split("."):
            key = typed
        elif not key.startswith(f"{typed}.") and typed in cfg:  # in the file that it chooses
            key = f"{typed}.{key}"
    return _unknown_key(key.lstrip("+~"), cfg)


def _unreadable_word(text: str, word: str) -> str | None:
    """Explain a word that is no KEY=VALUE in Hydra's grammar, or no list where one is wanted."""
    if spaced := re.fullmatch(_SPACED, word):
        return f"write no spaces around the = sign: {spaced.group(1)}={spaced.group(2)}"
    if "=" in word and re.search(_NO_GRAMMAR, text):
        return _grammar(word)
    if "=" in word and "Unknown function" in text:
        return f"Hydra reads parentheses as a function. {quoted(*as_typed(word).split('=', 1))}"
    if "Error parsing override" in text:
        detail = [line for line in text.splitlines() if line and "Error parsing" not in line]
        return (
            f"cannot be read as KEY=VALUE ({detail[0] if detail else 'syntax'}). Quote a "
            "value with special characters twice: 'key=\"a, b\"'"
        )
    if re.search(_NO_LIST, text):
        key, _, value = as_typed(word).partition("=")
        return f"give a list: {key}=[{value}]"
    return None


def _refused_value(text: str, at_word: str, word: str | None) -> str:
    """Explain a value of a wrong type, or return the first informative line."""
    full_key = re.search(_FULL_KEY, text)
    if (wanted := wanted_value(text)) is not None:
        value, wish = wanted
        if not word and full_key:
            at_word = f"{full_key.group(1)}={value}: "
        return f"{at_word}{wish}"
    first = next((line for line in text.splitlines() if _tells(line)), text.strip())
    if full_key and full_key.group(1) not in at_word:
        return f"{at_word}{full_key.group(1)}: {first}"
    return f"{at_word}{first}"


def _grammar(word: str) -> str:
    """Explain why Hydra probably cannot read a word, and how to write it."""
    key, _, value = as_typed(word).partition("=")
    if not re.fullmatch(_KEY, key):
        return f"{key!r} is no name of a setting. Write KEY=VALUE, as in episodes=5."
    for opening, closing in ("[]", "{}", "()"):
        if value.count(opening) != value.count(closing):
            missing = closing if value.count(opening) > value.count(closing) else opening
            return f"the value lacks a {missing}. If it is a text: {quoted(key, value)}"
    for quote in ("'", '"'):
        if value.count(quote) % 2:
            return f"the value holds one {quote} without its pair. {quoted(key, value)}"
    return f"the value cannot be read. {quoted(key, value)}"


def quoted(key: str, value: str) -> str:
    """Return advice on quoting a word so that Hydra takes its value literally."""
    # Backslashes count for Hydra only before a quote.
    inner = re.sub(r'(\\*)"', r'\1\1\\"', value)
    inner = re.sub(r"(\\+)$", r"\1\1", inner)
    word = f'{key}="{inner}"'
    if "'" not in word:
        word = f"'{word}'"
    elif any(sign in word for sign in "$`\\!"):
        word = shlex.quote(word)
    else:
        word = '"' + word.replace('"', '\\"') + '"'
    return f"Quote it for Hydra, and the whole word for the shell: {word}"


def no_value_itself(key: str, cfg: DictConfig) -> str:
    """Return the message for a group of settings that was given a value."""
    settings = ", ".join(f"{key}.{name}" for name in map(str, OmegaConf.select(cfg, key)))
    return f"{key} is a group of settings and takes no value itself. Set {settings}."


def key_of(error: Exception) -> str:
    """Return the key that a composition error names, or an empty text."""
    found = re.search(_FULL_KEY, _chain(error))
    return found.group(1) if found else ""


def missing_option(error: Exception) -> str | None:
    """Return ``GROUP/OPTION`` of an option that does not exist; None for other errors."""
    found = re.search(_NO_OPTION, _chain(error))
    return found.group(0).split("'")[1] if found else None


def wanted_value(text: str) -> tuple[str, str] | None:
    """Return the value that OmegaConf refused, and possible ones; None for other errors."""
    if found := re.search(_NO_NUMBER, text):
        kind = "a whole number" if found.group(2) == "Integer" else "a number"
        return found.group(1), f"give {kind}."
    if found := re.search(_NO_BOOL, text):
        return found.group(1), "give true or false."
    if found := re.search(_NO_CHOICE, text):
        value = found.group(1)
        return value, f"there is no such choice. {choose_from(value, found.group(2).split(', '))}"
    if found := re.search(_NO_ENUM, text):
        options = ", ".join(member.name for member in getattr(schema, found.group(2)))
        return found.group(1), f"give one of: {options}."
    if found := re.search(_NO_TEXT, text):
        return found.group(1), "give one value. A sweep is written without brackets: -m KEY=a,b"
    if re.search(_NO_NULL, text):
        return "null", "this has no null; leave it out to have its default."
    return None


def unknown_keys(content: Mapping[str, Any], cfg: DictConfig, where: str = "") -> list[str]:
    """Return why keys of a file have no place in the configuration.

    Only where keys are fixed: not below nodes that a choice in the file may fill.
    """
    found = []
    for key, value in content.items():
        path = f"{where}.{key}" if where else str(key)
        if path in ("defaults", "hydra"):
            continue
        node = OmegaConf.select(cfg, where) if where else cfg
        if key not in node:
            found.append(_unknown_key(path, cfg))
        elif (
            isinstance(value, Mapping)
            and is_dataclass(OmegaConf.get_type(node, str(key)))
            and path not in ("model", "simulation")
        ):
            found += unknown_keys(value, cfg, path)
    return found


def _without_package(option: str) -> Path | None:
    """Return the file of an experiment that lacks the package line for settings at the top."""
    for folder in reversed(conf_dirs()):
        file = folder / "experiment" / f"{option}.yaml"
        if file.is_file():
            return None if re.match(_PACKAGE, file.read_text(encoding="utf-8")) else file
    return None


def _broken_file(error: BaseException | None) -> str | None:
    """Explain a configuration file that is no YAML or cannot be read: file, line and cause."""
    while error is not None:
        if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
            mark = error.problem_mark
            return f"{mark.name}, line {mark.line + 1}: {error.problem or 'no valid YAML'}."
        if isinstance(error, OSError) and error.filename:
            return f"{error.filename}: cannot be read: {error.strerror or error}."
        error = error.__cause__
    return None


def _tells(line: str) -> bool:
    return bool(line.strip()) and not line.startswith(("Error merging override", "In '"))


def _chain(error: BaseException) -> str:
    texts: list[str] = []
    current: BaseException | None = error
    while current is not None:
        text = str(current)
        if text not in texts:
            texts.append(text)
        current = current.__cause__
    return "\n".join(texts)


def _unknown_key(key: str, cfg: DictConfig) -> str:
    """Return where the path leaves the configuration, and what exists there."""
    node: object = cfg
    walked: list[str] = []
    for part in key.split("."):
        if not isinstance(node, DictConfig) or part not in node:
            break
        walked.append(part)
        node = OmegaConf.select(node, part)
    where = ".".join(walked)
    rest = key[len(where) :].lstrip(".").partition(".")[0]
    if not isinstance(node, DictConfig):
        return f"{where} holds a value, so {key} cannot be set below it."
    names = [str(name) for name in node if name != "hydra"]
    inside = f" in {where}" if where else ""
    for name in names:
        if isinstance(below := node.get(name), DictConfig) and rest in below:
            there = ".".join(filter(None, (where, name, key[len(where) :].lstrip("."))))
            return f"there is no setting {rest!r}{inside}. Did you mean {there}?"
    if where in ("agents", "provider"):
        return (
            f"there is no {rest!r}{inside}. {choose_from(rest, names)} To add one, write +{key}=..."
        )
    return f"there is no setting {rest!r}{inside}. {choose_from(rest, names, limit=30)}"
