"""Which settings can be factors: those that differ between runs and follow from nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from game_reasoning_arena.errors import UserError, choose_from
from game_reasoning_arena.recording.config_text import flatten, frozen
from game_reasoning_arena.recording.frames import LoadedRuns


def swept_key(loaded: LoadedRuns, key: str) -> str:
    """Return the whole dotted key of a setting that differs between runs, from its last parts.

    Raises:
        UserError: no such setting differs, several do, or it is none whose effect could be shown.
    """
    configs = [flatten(reader.config) for reader in loaded.readers]
    varying = [
        name
        for name in dict.fromkeys(name for config in configs for name in config)
        if len({frozen(config.get(name)) for config in configs}) > 1
    ]
    refused = {name: reason for name in varying if (reason := _refusal(configs, name))}
    fitting = [name for name in varying if name == key or name.endswith(f".{key}")]
    chosen = [name for name in fitting if name not in refused]
    chosen = [name for name in chosen if not name.startswith("agents.")] or chosen
    if key in chosen or (chosen and _go_together(configs, chosen)):
        return key if key in chosen else chosen[0]
    if chosen:
        raise UserError(f"--by {key}: several settings are called so: {', '.join(chosen)}.")
    offered = _offered(configs, [name for name in varying if name not in refused])
    reason = refused[fitting[0]] if fitting else _named_refusal(key)
    raise UserError(
        f"--by {key}: {reason or 'no such setting differs between the runs'}. "
        + (
            choose_from(key, offered)
            if offered
            else "The runs differ in no setting whose effect could be shown: sweep one, such as "
            "sampling.temperature=0,0.7."
        )
    )


_PLAYERS: Final = "what is compared: see the leaderboards and --table pairs"

#: Keys that are no factors, by the end of their name, and why.
_NO_FACTORS: Final = (
    (re.compile(r"(agents\..+\.)?model|model\.name"), f"models are {_PLAYERS}"),
    (re.compile(r"(agents\..+\.)?(type|_target_)"), f"kinds of players are {_PLAYERS}"),
    (re.compile(r"(.+\.)?(display_name|description)"), "a name changes no result"),
    (
        re.compile(r"(simulation\.)?(game|type|file)"),
        "each game and each file of prompts has a leaderboard of its own: see --games",
    ),
    (
        re.compile(r"seed"),
        "a seed is averaged over: the episodes of all seeds are deals of one comparison",
    ),
    (re.compile(r"episodes|shard"), "it says how much is played, not how"),
)


def _named_refusal(name: str) -> str | None:
    """Why a setting of some name is no factor, whatever the runs hold."""
    return next((reason for which, reason in _NO_FACTORS if which.fullmatch(name)), None)


def _refusal(configs: Sequence[Mapping[str, Any]], name: str) -> str | None:
    """Why a key that differs between runs is no factor; None where it is one."""
    if (reason := _named_refusal(name)) is not None:
        return reason
    for what, of in (("game", _game_of), ("models", _models_of), ("seed", _seed_of)):
        by_cause: dict[bytes, set[bytes]] = {}
        for config in configs:
            by_cause.setdefault(frozen(of(config)), set()).add(frozen(config.get(name)))
        if all(len(found) == 1 for found in by_cause.values()):
            return f"it follows from the {what}: runs that agree in that have one value of it"
    return None


def _game_of(config: Mapping[str, Any]) -> Any:
    return config.get("simulation.game"), config.get("simulation.file")


def _models_of(config: Mapping[str, Any]) -> Any:
    return {
        name: value
        for name, value in config.items()
        if name.startswith("agents.") and name.endswith((".model", ".type"))
    }


def _seed_of(config: Mapping[str, Any]) -> Any:
    return config.get("seed")


def _offered(configs: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[str]:
    """The shortest names by which factors can be given."""
    by_end: dict[str, list[str]] = {}
    for name in names:
        by_end.setdefault(name.rpartition(".")[2], []).append(name)
    found = []
    for end, group in by_end.items():
        chosen = [name for name in group if not name.startswith("agents.")] or group
        found += [end] if _go_together(configs, chosen) else chosen
    return sorted(found)


def _go_together(configs: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> bool:
    """Whether several settings have the same values in every run, as a sweep of all has them."""
    return all(len({frozen(config.get(key)) for key in keys}) == 1 for config in configs)
