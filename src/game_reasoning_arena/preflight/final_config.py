"""The configuration as a run records it: every value final, so that it runs again by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from game_reasoning_arena.agents.base_agent import PlayerSpec
from game_reasoning_arena.catalog.catalog import Catalog
from game_reasoning_arena.records import Model, Sampling
from game_reasoning_arena.schema import ArenaConf, ProviderConf


def final_config(
    config: Mapping[str, Any],
    confs: Mapping[str, Any],
    players: Sequence[PlayerSpec],
    models: Sequence[Model],
    catalog: Catalog,
) -> dict[str, Any]:
    """Return the configuration with every value as it will be used, helping keys left out."""
    final = {field.name: config[field.name] for field in fields(ArenaConf)}
    final["backend"] = {prefix: confs[prefix] for prefix in sorted({m.backend for m in models})}
    final["agents"] = {player.name: _player_config(player) for player in players}
    _add_catalog_entries(final, models, catalog)
    return final


def _player_config(player: PlayerSpec) -> dict[str, Any]:
    """Return a player's configuration as it is recorded: all values final."""
    conf: dict[str, Any] = {"type" if player.make is None else "_target_": player.type}
    if player.display_name is not None:
        conf["display_name"] = player.display_name
    if player.model is not None:
        conf["model"] = player.model.name
        conf["sampling"] = player.sampling.as_config()
    return conf | dict(player.options)


def _add_catalog_entries(config: dict[str, Any], models: Sequence[Model], catalog: Catalog) -> None:
    """Put the catalog's entries into the configuration, so that it needs no catalog."""
    entries = []
    providers: dict[str, Any] = dict(config["provider"] or {})
    for model in models:
        entry: dict[str, Any] = {"name": model.name}
        for key in (
            "display_name", "description", "model_path", "tokenizer_path", "chat_template",
        ):  # fmt: skip
            if getattr(model, key):
                entry[key] = getattr(model, key)
        if model.engine:
            entry["engine"] = dict(model.engine)
        if model.extra:
            entry["extra"] = dict(model.extra)
        if model.prices:
            entry["prices"] = dict(model.prices)
        if model.sampling != Sampling():
            entry["sampling"] = model.sampling.as_config()
        if provider := model.provider:
            listed = None if provider.name == model.backend else catalog.provider(provider.name)
            if provider != listed:  # an address or key of this model's own
                entry["api_base"] = provider.api_base
                entry["api_key_env"] = provider.api_key_env or ""
            if listed is not None:
                settings = {f.name: getattr(listed, f.name) for f in fields(ProviderConf)}
                settings = {k: v for k, v in settings.items() if v not in (None, "", {})}
                # "" keeps a keyless provider keyless, or LiteLLM's own variable would apply.
                providers[listed.name] = settings | {"api_key_env": listed.api_key_env or ""}
        if len(entry) > 1:
            entries.append(entry)
    config["catalog"] = {"files": [], "models": entries}
    config["provider"] = providers
