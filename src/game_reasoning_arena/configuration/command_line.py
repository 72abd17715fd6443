"""The command line before Hydra reads it: plain files, catalog files, and keys typed by mistake."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from game_reasoning_arena.errors import UserError
from game_reasoning_arena.process.files import read_text
from game_reasoning_arena.process.paths import conf_dirs
from game_reasoning_arena.process.secrets import Redactor, secret_reference
from game_reasoning_arena.process.yaml_text import load_yaml, with_names_as_texts
from game_reasoning_arena.recording import layout
from game_reasoning_arena.schema import AGENT_TYPES

PLAIN_FILE = "plain_file"
#: The deepest nesting of mappings and lists; OmegaConf takes about 90 before Python's stack ends.
DEEPEST = 50
_TOO_DEEP = f"it is nested more than {DEEPEST} levels deep, which no setting is"
_GROUPS = ("model", "agents", "simulation", "experiment")

# Patterns are compiled at the first word; `re` keeps them.

#: Dictionaries whose keys the user chooses and whose entries have settings that a preset need not
#: name; missing ones are added, and checked in preflight.
_OPEN = (
    r"(?:agents\.player_\d+=\{|agents\.player_\d+\.[\w.]+="
    r"|(?:provider\.[\w-]+|backend\.\w+\.(?:engine|chat_template_kwargs))\.[\w.]+=)"
)
_PLAYER = r"\+{0,2}agents\.([\w-]+)(?:\.(\w+)[\w.]*)?="
_GAME = r"(?s)(\+{0,2}simulation\.game=)([^'\"].*\(.*)"
_MODEL = r"(\+{0,2}(?:model|model\.name|agents\.[\w-]+\.model)=)([^'\"\[\](){}]+)"
#: Texts that Hydra would read as a truth value or a number where a model is named.
_NO_NAME = r"(?i:true|false|nan|[+-]?inf|[+-]?[\d_.]+(?:e[+-]?\d+)?)"

#: Keys as providers issue them; only the beginning is ever shown.
_LOOKS_LIKE_A_KEY = (
    r"(?:sk-|gsk_|pplx-|xai-|hf_|AIza|AKIA|ghp_|Bearer\s)[A-Za-z0-9_\-]{12,}|://[^/\s:@]+:[^/\s@]+@"
)
_KEY_SETTING = r"(?i)(?:^|[._+])(?:api_?key|api_?token|(?<!max_)token|secret|password)=(.*)"

#: Endings of files that hold rows of prompts, never a configuration.
_ROWS = (".jsonl", ".csv", ".tsv", ".txt")


@dataclass
class CommandLine:
    """The parsed command line: words for Hydra, a plain configuration file, more catalog files."""

    words: list[str]
    config_file: Path | None = None
    catalog_files: list[str] = field(default_factory=list)

    def store_plain_file(self) -> str | None:
        """Make the plain file a configuration that Hydra can compose; return its name, or None.

        Raises:
            UserError: the file cannot be read, or is no mapping.
        """
        if self.config_file is None:
            return None
        store_content(as_primary_config(read_plain_file(self.config_file)))
        return PLAIN_FILE


def read_command_line(words: list[str]) -> CommandLine:
    """Split the words.

    Raises:
        UserError: a key was typed, or ``--config`` has no file.
    """
    refuse_keys(words)
    _refuse_spaced_lists(words)
    line = CommandLine(words=[])
    rest = iter(words)
    for word in rest:
        if word == "--config" or word.startswith("--config="):
            name = word.partition("=")[2] or next(rest, "")
            if not name:
                raise UserError("--config needs a file: arena --config config.json")
            line.config_file = Path(name).expanduser()
        else:
            line.words.append(_for_hydra(word))
            if word.lstrip("+").startswith("catalog.files="):
                line.catalog_files = _file_list(word)
    return line


def _refuse_spaced_lists(words: Sequence[str]) -> None:
    """Refuse the pieces of a sweep's list that a space has split.

    Raises:
        UserError: shows the list without it.
    """
    if not {"-m", "--multirun"} & {*words}:
        return
    for word, following in pairwise(words):
        if "=" in word and word.endswith(",") and re.fullmatch(r"[^-+~=][^=]*", following):
            raise UserError(f"{word} {following}: no space after the comma: {word}{following}")


def _for_hydra(word: str) -> str:
    """Return a word in Hydra's grammar, for forms that people type and Hydra does not know."""
    if named := re.fullmatch(_MODEL, word):
        names = [f"'{n}'" if re.fullmatch(_NO_NAME, n) else n for n in named.group(2).split(",")]
        word = named.group(1) + ",".join(names)
    if re.match(_OPEN, word):
        return f"++{word}"
    if game := re.fullmatch(_GAME, word):  # Hydra would read parentheses as a function
        return game.group(1) + ",".join(f"'{name}'" for name in _split_games(game.group(2)))
    return word


def as_typed(word: str) -> str:
    """Return a word without the ``++`` that was added for Hydra."""
    return word[2:] if word.startswith("++") and re.match(_OPEN, word[2:]) else word


def drop_settings_of_old_types(cfg: DictConfig, words: Sequence[str]) -> None:
    """Drop a preset's settings of the old class where the words change an agent's type or class.

    Settings in the words themselves stay; preflight reports wrong ones.
    """
    typed: dict[str, set[str]] = {}
    for word in words:
        if found := re.match(_PLAYER, word):
            keys = {found.group(2)} if found.group(2) else _keys_in(word)
            typed.setdefault(found.group(1), set()).update(keys)
    for player, keys in typed.items():
        agents = cfg.get("agents")
        node = agents.get(player) if isinstance(agents, DictConfig) else None
        if not isinstance(node, DictConfig):
            continue
        schema = AGENT_TYPES.get(str(node.get("type")))
        if "_target_" in keys:
            known = keys
        elif "type" in keys and schema is not None:
            known = {field.name for field in fields(schema)} | keys
        else:
            continue
        with open_dict(node):
            for key in [key for key in node if key not in known]:
                del node[key]


def _keys_in(word: str) -> set[str]:
    """Return the keys of a dictionary that is set as a whole."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    value = OverridesParser.create().parse_override(word).value()
    return {str(key) for key in value} if isinstance(value, dict) else set()


def _split_games(text: str) -> list[str]:
    """Split at commas outside parentheses."""
    parts = [""]
    depth = 0
    for character in text:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def refuse_keys(words: list[str]) -> None:
    """Refuse a key on the command line before it reaches a file, a log or another process.

    Raises:
        UserError: explains what to do instead; never shows the key.
    """
    redact = Redactor().redact
    for word in words:
        setting = re.search(_KEY_SETTING, word)
        typed = setting is not None and setting.group(1) not in ("", "null")
        name = word.partition("=")[0]
        if variable := secret_reference(word):
            raise UserError(
                f"{name}=...: ${{oc.env:{variable}}} would write what that variable holds into "
                "files and requests. Nothing was run or written. A key is given by its variable's "
                "name alone, in api_key_env."
            )
        if typed or re.search(_LOOKS_LIKE_A_KEY, word) or redact(word) != word:
            raise UserError(
                f"{name}=...: a key or password was typed on the command line, where it would end "
                "in files and in the shell's history. Nothing was run or written. Put it into an "
                "environment variable (export OPENAI_API_KEY=..., or a line in .env) and, for a "
                "provider of your own, name the variable: +provider.my_lab.api_key_env=MY_LAB_KEY"
            )


def read_plain_file(path: Path) -> dict[str, Any]:
    """Return a JSON or YAML file as a mapping.

    Raises:
        UserError: with the file, the line and the cause.
    """
    if path.is_dir():
        inside = path / layout.CONFIG
        what = f"--config {inside}" if inside.is_file() else "--config FILE"
        raise UserError(f"--config {path} is a directory; give a file: {what}")
    try:
        text = read_text(path, pipes=True)
    except OSError as error:
        raise UserError(f"--config {path}: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise UserError(f"--config {path}: is no text file ({error.reason}).") from error
    try:
        if path.suffix == ".json":
            content = json.loads(text, object_pairs_hook=_each_once)
        else:
            load_yaml(text)  # refuses aliases that expand too far
            # Hydra's own reading of YAML, which refuses repeated keys.
            content = OmegaConf.to_container(OmegaConf.create(with_names_as_texts(text)))
        _check_depth(content)
    except RecursionError:
        raise UserError(f"--config {path}: {_TOO_DEEP}.") from None
    except UserError as error:
        raise UserError(f"--config {path}: {error}.") from None
    except json.JSONDecodeError as error:
        raise UserError(f"--config {path}, line {error.lineno}: {error.msg}.") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "no valid YAML"
        rows = (
            f" It is no configuration in YAML or JSON. Rows to ask: simulation.file={path}"
            if path.suffix in _ROWS
            else ""
        )
        raise UserError(f"--config {path}{where}: {problem}.{rows}") from error
    except (OmegaConfBaseException, ValueError) as error:
        raise UserError(f"--config {path}: {str(error).splitlines()[0]}") from error
    if not isinstance(content, dict) or not content:
        raise UserError(
            f"--config {path}: holds no {'setting' if content == {} else 'mapping'}. Write e.g. "
            '{"agents": {"player_0": {"type": "llm", "model": "scripted_random"}}}'
        )
    if "run_id" in content and "status" in content:
        beside = path.with_name(layout.CONFIG)
        raise UserError(
            f"--config {path} is what a run wrote of itself. Its configuration lies beside it: "
            f"--config {beside}"
        )
    content.pop("hydra", None)
    return content


def _check_depth(content: object) -> None:
    """Refuse content that is too deep for OmegaConf, which is recursive.

    Raises:
        UserError: mappings and lists are nested deeper than ``DEEPEST``.
    """
    level = [content]
    for _ in range(DEEPEST + 1):
        level = [
            value
            for node in level
            if isinstance(node, dict | list)
            for value in (node.values() if isinstance(node, dict) else node)
        ]
        if not level:
            return
    raise UserError(_TOO_DEEP)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object; raise for repeated keys."""
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise UserError(f"the key {twice!r} stands there twice")
    return content


def store_content(content: Mapping[str, Any]) -> None:
    """Register a plain file's content, with its defaults, as ``PLAIN_FILE``."""
    from hydra.core.config_store import ConfigStore

    ConfigStore.instance().store(name=PLAIN_FILE, node=dict(content))


def plain_file_content() -> dict[str, Any] | None:
    """Return the content that :func:`store_content` stored last."""
    from hydra.core.config_store import ConfigStore

    stored = ConfigStore.instance().repo.get(f"{PLAIN_FILE}.yaml")
    if stored is None:
        return None
    content = OmegaConf.to_container(stored.node)
    return {str(k): v for k, v in content.items()} if isinstance(content, dict) else None


def as_primary_config(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the file's content on top of the shipped defaults.

    A word in place of a group chooses an option (``simulation: kuhn_poker``), as does an entry of
    ``defaults`` if the file has no content for that group. ``agents`` are exactly those of the
    file, and a game without parameters brings its preset's rules with it.
    """
    body = dict(content)
    options = _options_chosen(body.get("defaults"))
    if options is not None:
        del body["defaults"]
    words = {group: body.pop(group) for group in _GROUPS if isinstance(body.get(group), str)}
    options = (options or {}) | words
    if "agents" in body:
        options.setdefault("agents", "none")
    simulation = body.get("simulation")
    if isinstance(simulation, Mapping):
        options.setdefault("simulation", _preset_for(simulation))
    chosen = ["config", *({f"override /{group}": name} for group, name in options.items())]
    if isinstance(body.get("backend"), Mapping):
        body.pop("defaults", None)
    return {"defaults": [*chosen, "_self_"], **body}


def _options_chosen(defaults: object) -> dict[str, str] | None:
    """Return the options that a defaults list chooses; None for one of a whole configuration."""
    if not isinstance(defaults, list):
        return None
    chosen: dict[str, str] = {}
    for entry in defaults:
        if entry in ("_self_", "config"):
            continue
        pairs = entry.items() if isinstance(entry, Mapping) else ()
        groups = {str(key).removeprefix("override ").lstrip("/"): value for key, value in pairs}
        if not groups or not groups.keys() <= set(_GROUPS):
            return None
        chosen |= groups
    return chosen


def _preset_for(simulation: Mapping[str, Any]) -> str:
    if simulation.get("type") == "prompts" or "file" in simulation:
        return "prompts"
    game = str(simulation.get("game", ""))
    for directory in conf_dirs():  # rules hold for their own parameters only
        if game and "(" not in game and (directory / "simulation" / f"{game}.yaml").is_file():
            return game
    return "openspiel" if game else "tic_tac_toe"


def _file_list(word: str) -> list[str]:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        value = OverridesParser.create().parse_override(word).value()
    except HydraException:
        return []  # Hydra will report it
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]
