"""Trust: what may run code, start programs or get keys is decided by the user, never by a file.

A run directory or a configuration file may be somebody else's. What it names is allowed only if it
is also among the words of the command, in the user's own ``conf/``, or in the list ``trusted`` of
the user's configuration directory: one dotted name of a module, path of a program or
``VARIABLE@ADDRESS`` a line.

    with trusting(Trust.of_file(Path("config.yaml"), words)):
        prepare(cfg)
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from game_reasoning_arena.catalog.catalog import Catalog, addresses_in
from game_reasoning_arena.errors import UserError
from game_reasoning_arena.process.files import read_file
from game_reasoning_arena.process.paths import conf_dirs, shipped_conf
from game_reasoning_arena.process.targets import HOW_TO_TRUST
from game_reasoning_arena.process.yaml_text import load_yaml
from game_reasoning_arena.recording.config_text import flatten
from game_reasoning_arena.records import Model

#: The setting through which the words of a command allow something.
KEY = "trusted_targets"

#: Settings of vLLM's engine that name code, or let a model bring its own.
_ENGINE_CODE = (
    *("trust_remote_code", "worker_cls", "worker_extension_cls", "scheduler_cls", "middleware"),
    *("logits_processors", "logits_processor_pattern", "tool_parser_plugin", "kv_transfer_config"),
    *("reasoning_parser_plugin", "io_processor_plugin", "additional_config", "compilation_config"),
    *("executor_class", "distributed_executor_backend", "ec_transfer_config", "hf_overrides"),
)
#: Values of these settings that name no code.
_PLAIN_EXECUTORS: tuple[Any, ...] = (
    "mp",
    "ray",
    "uni",
    "external_launcher",
    None,
    "",
    False,
    {},
    [],
    (),
)

#: How to allow more where a command has :func:`add_trust_option`.
TRUST_OPTION = "--trust '{}'"

#: The default program of an agent of type uci.
_DEFAULT_ENGINE = "stockfish"


@dataclass(frozen=True, kw_only=True)
class Demand:
    """Something in a configuration that the user must allow.

    ``where`` is the setting, ``item`` the text to allow, ``effect`` what it would do.
    """

    where: str
    item: str
    effect: str


@dataclass(frozen=True, kw_only=True)
class Trust:
    """The things that the user allows.

    Attributes:
        source: the file that describes the run; None for the user's words and own files.
        allowed: names of modules, paths of programs, ``VARIABLE@ADDRESS``.
        settings: the settings that the user typed now, by dotted key.
        option: how to allow more in this command.
    """

    source: Path | None = None
    allowed: tuple[str, ...] = ()
    settings: Mapping[str, Any] | None = None
    option: str = f"'{KEY}=[{{}}]'"

    @classmethod
    def of_file(
        cls,
        source: Path,
        words: Sequence[str] = (),
        allowed: Sequence[str] = (),
        option: str = f"'{KEY}=[{{}}]'",
    ) -> Trust:
        """Return what is allowed where a file describes the run.

        Args:
            source: the file.
            words: the overrides that the user typed.
            allowed: further items that the user typed.
            option: how to allow more in this command.
        """
        typed = typed_settings(words)
        asked = typed.get(KEY)
        mine = [str(item) for item in asked] if isinstance(asked, list) else []
        return cls(
            source=source,
            allowed=(*allowed, *mine, *_listed(), *_of_own_conf()),
            settings=typed,
            option=option,
        )

    @property
    def recorded(self) -> bool:
        """Whether a run directory holds the words of the command, too."""
        return self.option == TRUST_OPTION

    def names(self, config: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the dotted names whose code may run under this configuration."""
        if self.source is None:
            return tuple(str(item) for item in (*(config.get(KEY) or ()), *_listed()))
        return self.allowed

    def refused(self, demands: Iterable[Demand]) -> list[str]:
        """Return one sentence for everything that the user has not allowed, and how it is."""
        if self.source is None:
            return []
        missing = [one for one in demands if not self._allows(one)]
        if not missing:
            return []
        items = ", ".join(dict.fromkeys(one.item for one in missing))
        found = [f"{one.where}: {one.effect}." for one in missing]
        found[-1] += (
            f" {self.source} may be somebody else's, so it is not done without your word. If you "
            f"trust it, add: {self.option.format(items)}"
        )
        return found

    def _allows(self, demand: Demand) -> bool:
        typed = self.settings or {}
        if demand.where in typed and (
            demand.item == demand.where or str(typed[demand.where]) == demand.item
        ):
            return True
        return any(_covers(item, demand.item) for item in self.allowed)


_current: ContextVar[Trust] = ContextVar("trust", default=Trust())  # noqa: B039 (it is frozen)


def current_trust() -> Trust:
    """Return what the user allows in this command."""
    return _current.get()


@contextmanager
def trusting(trust: Trust) -> Iterator[None]:
    """Let this be what the user allows."""
    token, how = _current.set(trust), HOW_TO_TRUST.set(trust.option)
    try:
        yield
    finally:
        _current.reset(token)
        HOW_TO_TRUST.reset(how)


def trust_file() -> Path:
    """Return the path of the user's own list."""
    base = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(base).expanduser() / "game_reasoning_arena" / "trusted"


def code_demands(config: Mapping[str, Any]) -> Iterator[Demand]:
    """Yield what starts programs or runs code by a configuration, but for dotted names.

    Those are checked where they are followed, against :meth:`Trust.names`.
    """
    agents = config.get("agents")
    for name, agent in agents.items() if isinstance(agents, Mapping) else ():
        if not isinstance(agent, Mapping) or agent.get("type") != "uci":
            continue
        where = f"agents.{name}"
        path = str(agent.get("path") or _DEFAULT_ENGINE)
        if path != _DEFAULT_ENGINE:
            yield Demand(where=f"{where}.path", item=path, effect=f"{path} would be started")
        options = agent.get("options")
        for key, value in options.items() if isinstance(options, Mapping) else ():
            if any(word in str(key).lower() for word in ("file", "path", "dir", "log")):
                yield Demand(
                    where=f"{where}.options.{key}",
                    item=str(value),
                    effect=f"the engine would use the file {value}",
                )
    backends = config.get("backend")
    for prefix, backend in backends.items() if isinstance(backends, Mapping) else ():
        engine = backend.get("engine") if isinstance(backend, Mapping) else None
        if isinstance(engine, Mapping):
            yield from _engine_demands(f"backend.{prefix}.engine", engine)


def model_demands(
    models: Iterable[Model], known: Container[tuple[str, str | None, str | None]]
) -> Iterator[Demand]:
    """Yield where models would run code of their own, or get a key or a conversation elsewhere.

    Args:
        models: those of the run.
        known: provider, key variable and address of all that is shipped or in the user's own
            ``conf/``.
    """
    for model in models:
        yield from _engine_demands(model.name, model.engine)
        provider = model.provider
        if provider is None:
            continue
        address = provider.api_base
        target = _origin(address) if address else provider.name
        for header, variable in provider.headers.items():
            yield Demand(
                where=model.name,
                item=f"{variable}@{target}",
                effect=f"what {variable} holds would be sent to {address or target} as {header}",
            )
        if (provider.name, provider.api_key_env, provider.api_base) in known:
            continue
        key = provider.api_key_env
        if key is not None and os.environ.get(key, "").strip():
            yield Demand(
                where=model.name,
                item=f"{key}@{target}",
                effect=f"the key in {key} would be sent to {address or provider.name}",
            )
        elif address is not None and not _is_loopback(address):
            yield Demand(
                where=model.name,
                item=_origin(address),
                effect=f"prompts would be sent to {address}",
            )


def refused_models(models: Sequence[Model], catalog: Catalog, trusted: Sequence[str]) -> list[str]:
    """Return one sentence for each thing that models would do and the user has not allowed.

    A list of ``catalog.files`` may be somebody else's, as may a file that describes the run.

    Args:
        models: those of the run.
        catalog: all that describes them.
        trusted: what the configuration allows, which counts where the user has typed it.
    """
    trust = current_trust()
    if trust.source is not None:
        dirs = conf_dirs(typed=True)
        own = catalog.with_entries() if dirs == conf_dirs() else Catalog.load(dirs=dirs)
        return trust.refused(model_demands(models, addresses_in(own)))
    if not catalog.files:
        return []
    mine = catalog.without_files()
    engines = {one.name: one.engine for one in mine.models()}
    theirs = [replace(m, engine={}) if engines.get(m.name) == m.engine else m for m in models]
    asking = Trust.of_file(Path(catalog.files[0]), allowed=trusted)
    return asking.refused(model_demands(theirs, addresses_in(mine)))


def launcher_demands(launcher: Mapping[str, Any]) -> Iterator[Demand]:
    """Yield where a launcher's settings run shell lines, or send jobs elsewhere."""
    for key in ("setup", "additional_parameters", "address", "init", "runtime_env"):
        if launcher.get(key):
            where = f"hydra.launcher.{key}"
            yield Demand(
                where=where, item=where, effect="jobs would run what it says, or where it says"
            )


#: Options of a recorded command that name nothing to obey, and such settings of Hydra's own.
_PLAIN_OPTIONS = ("-m", "--multirun", "--config", "--config-dir", "-cd")
_PLAIN_OF_HYDRA = re.compile(r"hydra(?:/launcher|\.launcher\..*|\.(?:sweep|run)\.\w*dir|\.verbose)")


def command_demands(command: Sequence[str]) -> Iterator[Demand]:
    """Yield what a recorded command would do beyond its settings, which are checked as a file's."""
    for word in command:
        key = word.lstrip("+~").partition("=")[0]
        if word.startswith("-") and key not in _PLAIN_OPTIONS:
            yield Demand(where=key, item=key, effect=f"{word} would be obeyed")
        elif key.startswith("hydra") and not _PLAIN_OF_HYDRA.fullmatch(key.partition("@")[0]):
            yield Demand(where=key, item=key, effect=f"Hydra would obey {word}")


def _engine_demands(where: str, engine: Mapping[str, Any]) -> Iterator[Demand]:
    for key in _ENGINE_CODE:
        if engine.get(key) not in _PLAIN_EXECUTORS:
            yield Demand(
                where=f"{where}.{key}",
                item=f"{where}.{key}",
                effect=f"code that {key} names, or that a model brings, would run",
            )


def _covers(allowed: str, item: str) -> bool:
    """Return whether an item is what the user allowed, or lies below it."""
    if allowed == item:
        return True
    if "://" in item:
        variable, at, address = allowed.rpartition("@")
        wanted, wants, target = item.rpartition("@")
        return (at, variable) == (wants, wanted) and _origin(address) == _origin(target)
    if "/" in allowed and "/" in item:
        return (
            Path(item).expanduser().resolve().is_relative_to(Path(allowed).expanduser().resolve())
        )
    return False


def _origin(address: str) -> str:
    """Return scheme, host and port, without credentials."""
    parts = urlsplit(address if "://" in address else f"//{address}")
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}"


def _is_loopback(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")


def typed_settings(words: Sequence[str]) -> dict[str, Any]:
    """Return the settings that words set, by dotted key."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    found: dict[str, Any] = {}
    for word in words:
        try:
            override = OverridesParser.create().parse_override(word)
            value = override.value()
        except HydraException:
            continue  # Hydra reports it when it composes
        key = str(override.key_or_group)
        found |= flatten(value, key) if isinstance(value, Mapping) else {key: value}
    return found


def _listed() -> list[str]:
    """Return the lines of the user's own list, comments left out."""
    try:
        text = read_file(trust_file(), follow_links=True).decode()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{trust_file()} cannot be read: {error}.") from error
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


def _of_own_conf() -> list[str]:
    """Return the modules and programs that the user's own configuration directories name."""
    import yaml

    found: list[str] = []
    for folder in conf_dirs():
        if folder == shipped_conf():
            continue
        for path in sorted(folder.rglob("*.yaml")):
            try:
                content = load_yaml(read_file(path, follow_links=True))
            except (OSError, ValueError, yaml.YAMLError):  # Hydra reports it when it composes
                continue
            found += _named_in(content)
    return found


def _named_in(content: Any) -> Iterator[str]:
    for key, value in flatten(content).items() if isinstance(content, Mapping) else ():
        last = key.rpartition(".")[2]
        if last == KEY and isinstance(value, list):
            yield from map(str, value)
        elif last in ("path", "callable", "_target_") and isinstance(value, str):
            yield value.replace(":", ".") if last == "callable" else value


def words_to_trust(config: Mapping[str, Any]) -> list[str]:
    """Return the words that let a later command on this run's directory use the same code.

    Args:
        config: of a run; names in the user's own list or ``conf/`` need no word.
    """
    trust = Trust.of_file(Path())
    items = [str(item) for item in config.get(KEY) or () if str(item) not in trust.allowed]
    items += [one.item for one in code_demands(config) if not trust._allows(one)]
    return ["--trust", ",".join(dict.fromkeys(items))] if items else []


def add_trust_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--trust NAME[,NAME]`` to a command that works on a run directory."""
    parser.add_argument(
        "--trust",
        action="extend",
        type=lambda text: [item.strip() for item in text.split(",") if item.strip()],
        default=[],
        metavar="NAME",
        help="let what the directory names run code, start programs or get keys: a module, a "
        "program's path, VARIABLE@ADDRESS; several separated by commas",
    )
