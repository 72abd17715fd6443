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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from game_reasoning_arena.errors import UserError
from game_reasoning_arena.process.files import read_file
from game_reasoning_arena.process.paths import conf_dirs, shipped_conf
from game_reasoning_arena.process.targets import HOW_TO_TRUST
from game_reasoning_arena.process.yaml_text import load_yaml
from game_reasoning_arena.recording.config_text import flatten

#: The setting through which the words of a command allow something.
KEY = "trusted_targets"

#: How to allow more where a command has :func:`add_trust_option`.
TRUST_OPTION = "--trust '{}'"


class Demand(Struct, frozen=True, kw_only=True):
    """Something in a configuration that the user must allow.

    ``where`` is the setting, ``item`` the text to allow, ``effect`` what it would do.
    """

    where: str
    item: str
    effect: str


class Trust(Struct, frozen=True, kw_only=True):
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
        missing = [one for one in demands if not self.allows(one)]
        if not missing:
            return []
        items = ", ".join(dict.fromkeys(one.item for one in missing))
        found = [f"{one.where}: {one.effect}." for one in missing]
        found[-1] += (
            f" {self.source} may be somebody else's, so it is not done without your word. If you "
            f"trust it, add: {self.option.format(items)}"
        )
        return found

    def allows(self, demand: Demand) -> bool:
        """Return whether the user allows something."""
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


def _covers(allowed: str, item: str) -> bool:
    """Return whether an item is what the user allowed, or lies below it."""
    if allowed == item:
        return True
    if "://" in item:
        variable, at, address = allowed.rpartition("@")
        wanted, wants, target = item.rpartition("@")
        return (at, variable) == (wants, wanted) and origin(address) == origin(target)
    if "/" in allowed and "/" in item:
        return (
            Path(item).expanduser().resolve().is_relative_to(Path(allowed).expanduser().resolve())
        )
    return False


def origin(address: str) -> str:
    """Return scheme, host and port, without credentials."""
    parts = urlsplit(address if "://" in address else f"//{address}")
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}"


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
