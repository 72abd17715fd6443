"""Make a backend from its configuration.

litellm = make_backend("litellm", {"_target_": "...LiteLLMBackend", "timeout_s": 60})
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from game_reasoning_arena.backends.base_backend import BaseLLMBackend
from game_reasoning_arena.errors import ConfigProblems, UserError
from game_reasoning_arena.process.paths import conf_dirs, listable
from game_reasoning_arena.process.targets import follow
from game_reasoning_arena.process.yaml_text import load_yaml


def make_backend(
    prefix: str, conf: Mapping[str, Any], *, trusted_targets: Sequence[str] = ()
) -> BaseLLMBackend:
    """Make the backend of a prefix.

    Args:
        prefix: its key in the ``backend`` config node.
        conf: ``_target_`` and the keyword arguments of that class, as plain values.
        trusted_targets: dotted prefixes outside this package that the user allows.

    Raises:
        UserError: a target is not trusted or no backend, or the backend refuses an argument.
    """
    where = f"backend.{prefix}"
    make = follow(
        conf,
        BaseLLMBackend,  # type: ignore[type-abstract]
        where=where,
        noun="backend",
        trusted_targets=trusted_targets,
    )
    backend = make()
    if not hasattr(backend, "_lanes"):
        raise UserError(
            f"{where}: {make.cls.__name__}.__init__ must call super().__init__(...), which keeps "
            "limits and retries."
        )
    return backend


def default_backend_confs(broken: list[str] | None = None) -> dict[str, dict[str, Any]]:
    """Return the settings of every backend file in the configuration directories, by prefix.

    For use without Hydra: a user's file replaces the shipped one of the same name.

    Args:
        broken: gets what cannot be read as a mapping, and the rest is returned; None raises.

    Raises:
        ConfigProblems: files that cannot be read as a mapping.
    """
    import yaml

    found: dict[str, dict[str, Any]] = {}
    problems: list[str] = [] if broken is None else broken
    for folder in conf_dirs():
        backends = folder / "backend"
        for path in sorted(backends.glob("*.yaml")) if listable(backends, problems) else ():
            try:
                data = load_yaml(path.read_text(encoding="utf-8"))
            except (OSError, ValueError, yaml.YAMLError) as error:
                why = getattr(error, "strerror", None) or " ".join(str(error).split())
                problems.append(f"{path}: cannot be read: {why}.")
                continue
            if not isinstance(data, dict):
                problems.append(f"{path}: a backend file holds `_target_` and its settings.")
                continue
            data.pop("defaults", None)
            found[path.stem] = data
    if problems and broken is None:
        raise ConfigProblems(problems)
    return found
