"""Keys in a configuration: refused before they reach a file, a log or a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from game_reasoning_arena.process.secrets import Redactor, secret_reference
from game_reasoning_arena.recording.config_text import flatten

_INSTEAD = (
    "A key is given by its variable's name alone: provider.NAME.api_key_env=VARIABLE, with the key "
    "in the environment or in .env"
)


def secrets_named(cfg: DictConfig) -> list[str]:
    """Return a sentence for every ``${oc.env:NAME}`` whose variable may hold a secret."""
    raw: Any = OmegaConf.to_container(cfg, resolve=False)
    return [
        f"{key}: ${{oc.env:{variable}}} would write what that variable holds into files and "
        f"requests. {_INSTEAD}."
        for key, text in _texts(raw)
        if (variable := secret_reference(text))
    ]


def secrets_held(config: Mapping[str, Any]) -> list[str]:
    """Return a sentence for every setting that holds the value of a secret variable."""
    redact = Redactor().redact
    return [
        f"{key} holds a key or password of the environment, which would be written into files and "
        f"requests. {_INSTEAD}."
        for key, text in _texts(config)
        if redact(text) != text
    ]


def _texts(config: Any) -> list[tuple[str, str]]:
    """Return all texts of a configuration with their keys; lists as a whole."""
    flat = flatten(config) if isinstance(config, Mapping) else {}
    return [
        (key, value if isinstance(value, str) else repr(value))
        for key, value in flat.items()
        if isinstance(value, str | list)
    ]
