"""The table of models that comes with LiteLLM (prices, contexts, dates), without importing it."""

from __future__ import annotations

import datetime
import functools
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

_FILE = "model_prices_and_context_window_backup.json"

#: What may follow a provider's name in the table's own names for its parts.
_PARTS = ("_chat", "_converse", "_text")


@functools.cache
def table() -> Mapping[str, Mapping[str, Any]]:
    """Return the whole table, read once; empty if LiteLLM is not installed or ships none."""
    spec = importlib.util.find_spec("litellm")  # finds the package without importing it
    if spec is None or spec.origin is None:
        return {}
    path = Path(spec.origin).with_name(_FILE)
    if not path.is_file():
        return {}
    loaded: dict[str, dict[str, Any]] = orjson.loads(path.read_bytes())
    return loaded


@functools.cache
def entry_of(provider: str, model_id: str) -> Mapping[str, Any] | None:
    """Return the entry of a provider's model, or None."""
    entry = table().get(f"{provider}/{model_id}")
    if entry is None:
        entry = table().get(model_id)
        if entry is not None and not _belongs(entry, provider):
            return None  # another provider's model of the same name
    return entry


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedModel:
    """A chat model of the table. Prices are USD per million tokens; None if unknown."""

    name: str  # as it is called: litellm_<provider>/<model>
    input_usd: float | None
    output_usd: float | None
    context: int | None  # tokens of a prompt
    thinks: bool
    retires: datetime.date | None


def chat_models(provider: str | None = None) -> list[ListedModel]:
    """Return all chat models of the table, or one provider's, by name.

    Args:
        provider: its name in model names; None for all.
    """
    from game_reasoning_arena.catalog.litellm_providers import KEY_VARIABLES

    found: dict[str, ListedModel] = {}
    for key, entry in table().items():
        if entry.get("mode") != "chat":
            continue
        owner = provider or _owner(entry, KEY_VARIABLES)
        if owner is None or not _belongs(entry, owner):
            continue
        name = f"litellm_{owner}/{key.removeprefix(owner + '/')}"
        found[name] = _listed(name, entry)
    return [found[name] for name in sorted(found)]


def retirement(entry: Mapping[str, Any]) -> datetime.date | None:
    """Return the day from which a provider no longer serves a model, or None if unknown."""
    try:
        return datetime.date.fromisoformat(str(entry.get("deprecation_date")))
    except ValueError:
        return None


def _listed(name: str, entry: Mapping[str, Any]) -> ListedModel:
    return ListedModel(
        name=name,
        input_usd=_per_million(entry.get("input_cost_per_token")),
        output_usd=_per_million(entry.get("output_cost_per_token")),
        context=_whole(entry.get("max_input_tokens")) or _whole(entry.get("max_tokens")),
        thinks=entry.get("supports_reasoning") is True,
        retires=retirement(entry),
    )


def _belongs(entry: Mapping[str, Any], provider: str) -> bool:
    """Return whether an entry is a provider's; the table splits some (cohere_chat, ...)."""
    owner = str(entry.get("litellm_provider"))
    rest = owner.removeprefix(provider)
    return owner.startswith(provider) and (not rest or rest in _PARTS or rest.startswith("-"))


def _owner(entry: Mapping[str, Any], known: Mapping[str, Any]) -> str | None:
    """Return an entry's provider by the name that is used in model names."""
    owner = str(entry.get("litellm_provider"))
    if owner in known and not any(owner.endswith(part) for part in _PARTS):
        return owner
    return next((name for name in known if _belongs(entry, name) and name != owner), None)


def _per_million(price: object) -> float | None:
    return price * 1e6 if isinstance(price, int | float) and not isinstance(price, bool) else None


def _whole(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) and value else None
