"""An experiment: a configuration after all checks, ready to be played."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson

from game_reasoning_arena.agents.base_agent import OnFailure, PlayerSpec
from game_reasoning_arena.backends.base_backend import BaseLLMBackend
from game_reasoning_arena.preflight.sharding import Shard
from game_reasoning_arena.process.environment import union_of_keys
from game_reasoning_arena.process.files import read_file
from game_reasoning_arena.process.targets import PACKAGE
from game_reasoning_arena.recording.config_text import flatten
from game_reasoning_arena.records import EpisodePlan, Model
from game_reasoning_arena.simulation.base import Simulation

#: Top-level keys that change how a run is carried out, not what it asks. They are no part of a
#: run's identity, and may differ between a run and its resumption.
NOT_IDENTITY = frozenset(
    {
        "assess",
        "budget",
        "cache",
        "concurrency",
        "estimate",
        "probe",
        "profile",
        "provider",
        "shard",
        "sweep",
        "trusted_targets",
    }
)
#: The same for the keys of a backend.
BACKEND_NOT_IDENTITY = frozenset(
    {
        "backoff_max_s",
        "backoff_s",
        "client_share",
        "deadline_s",
        "latency_s",
        "max_concurrency",
        "max_retries",
        "most_bytes",
        "timeout_s",
        "workers",
    }
)


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A run, ready to be played: ``config`` is resolved, holds no secret, and loads back."""

    seed: int
    episodes: int
    concurrency: int
    rotate: bool
    on_failure: OnFailure
    budget: Mapping[str, float | int | None]
    probe: bool
    cache: str
    estimate: bool
    profile: bool
    assess: bool
    players: tuple[PlayerSpec, ...]
    judges: tuple[PlayerSpec, ...] = ()  # grade answers; they have no seat
    simulation: Simulation
    backends: Mapping[str, BaseLLMBackend]
    config: Mapping[str, Any]
    shard: Shard | None = None

    def plans(self) -> Sequence[EpisodePlan]:
        """Return the episodes to play: all of the run, or those of its shard."""
        return self._plans

    @cached_property
    def _plans(self) -> Sequence[EpisodePlan]:
        whole = self.simulation.plan(
            episodes=self.episodes,
            seed=self.seed,
            rotate=self.rotate,
            players=[player.name for player in self.players],
        )
        return whole if self.shard is None else self.shard.take(whole)

    def begins_like(self, episodes: int) -> bool:
        """Return whether this run and one of ``episodes`` episodes begin with the same episodes."""
        if self.shard is not None:
            return False
        other = self.simulation.plan(
            episodes=episodes,
            seed=self.seed,
            rotate=self.rotate,
            players=[player.name for player in self.players],
        )
        shared = min(len(other), len(self.plans()))
        return list(other[:shared]) == list(self.plans()[:shared])

    @property
    def unpaired(self) -> list[str]:
        """Return the reasons why players do not have every seat in the same deals."""
        return self.simulation.unpaired(self.plans(), rotate=self.rotate)

    @property
    def models(self) -> list[Model]:
        """Return the distinct models, in the order of the players, then of the judges."""
        return list({p.model.name: p.model for p in self.asked if p.model}.values())

    @property
    def asked(self) -> tuple[PlayerSpec, ...]:
        """Return the players, and the judges beside them."""
        return (*self.players, *self.judges)

    @property
    def served(self) -> list[tuple[BaseLLMBackend, list[Model]]]:
        """Return the backends, each with the models that it is to serve."""
        return [
            (backend, [model for model in self.models if model.backend == prefix])
            for prefix, backend in self.backends.items()
        ]

    @property
    def keys(self) -> Collection[str] | None:
        """The variables of all keys that playing it needs; None if any may be."""
        for key, value in flatten(self.config).items():
            code = key.rpartition(".")[2] in ("_target_", "callable") and value is not None
            if code and not str(value).startswith(f"{PACKAGE}."):
                return None  # a user's own code may look for keys of its own
        needed = [backend.keys_of(models) for backend, models in self.served]
        return union_of_keys(needed)

    @property
    def identity(self) -> str:
        """Return a short hash of the questions: runs with the same identity asked the same ones."""
        return self.identity_of(self.episodes)

    def identity_of(self, episodes: int, contents: Mapping[str, str] | None = None) -> str:
        """Return the identity of the same run with ``episodes`` episodes.

        Args:
            episodes: their number.
            contents: hashes of the files in place of :attr:`contents`.
        """
        contents = self.contents if contents is None else contents
        kept = {key: value for key, value in self.config.items() if key not in NOT_IDENTITY}
        kept["episodes"] = episodes
        kept = _without_default_seeds(kept)
        if isinstance(kept.get("model"), Mapping):
            kept["model"] = _without_default_seeds(kept["model"])
        kept["backend"] = {prefix: self.asked_through(prefix) for prefix in self.config["backend"]}
        kept["model"] = _asked_of(kept["model"])
        kept["agents"] = {name: _asked_of(agent) for name, agent in kept["agents"].items()}
        kept["catalog"] = {
            **kept["catalog"],
            "models": [
                _asked_of(entry, "prices")
                for entry in kept["catalog"]["models"]
                if entry.keys() != {"name", "display_name"}  # as a model without an entry
            ],
        }
        if contents:
            kept["contents"] = contents
        text = orjson.dumps(kept, option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(text).hexdigest()[:12]

    def asked_through(self, prefix: str) -> dict[str, Any]:
        """Return the settings of a backend that may change its answers."""
        conf = self.config["backend"][prefix]
        return {key: value for key, value in conf.items() if key not in BACKEND_NOT_IDENTITY}

    @cached_property
    def contents(self) -> dict[str, str]:
        """Return hashes of the files that the configuration names, by the key that names them."""
        return dict(self._contents())

    def _contents(self) -> Iterator[tuple[str, str]]:
        """Yield the same one by one, as a path alone does not identify a file's content."""
        for player in self.players:
            if player.make is not None and (source := player.make.source) is not None:
                yield f"{player.name}._target_", hashlib.sha256(source.read_bytes()).hexdigest()
            template, table = player.options.get("template"), player.options.get("table")
            if template and player.type == "llm":
                from game_reasoning_arena.agents.prompting import is_file, load_template

                if is_file(template):
                    yield f"{player.name}.template", _digest(load_template(template).sources)
            if table and player.type == "policy":
                table_bytes = read_file(Path(table).expanduser(), follow_links=True)
                yield f"{player.name}.table", hashlib.sha256(table_bytes).hexdigest()
        yield from self.simulation.contents().items()


def changed_files(
    then: Mapping[str, str], now: Mapping[str, str], config: Mapping[str, Any]
) -> list[str]:
    """Return the settings that name files whose content has changed, as ``KEY=PATH``.

    Args:
        then: ``contents`` of a run, from its ``run.json``.
        now: ``contents`` of an experiment.
        config: the experiment's.
    """
    found = []
    for key in sorted(then.keys() & now.keys()):
        if then[key] != now[key]:
            player, _, option = key.rpartition(".")
            node = config["agents"][player] if player else config["simulation"]
            name = f"agents.{key}" if player else "simulation.file"
            found.append(f"{name}={node[option if player else 'file']}")
    return found


def _digest(content: object) -> str:
    return hashlib.sha256(orjson.dumps(content)).hexdigest()


def _asked_of(node: Any, *more: str) -> Any:
    """Return a node without the keys that change no question, such as its name in tables."""
    if not isinstance(node, Mapping):
        return node
    return {key: value for key, value in node.items() if key not in ("display_name", *more)}


def _without_default_seeds(node: Mapping[str, Any]) -> dict[str, Any]:
    """Return a node without ``sampling.seed: auto``, as runs did before this key existed."""
    sampling = node.get("sampling")
    if not isinstance(sampling, Mapping) or sampling.get("seed") != "auto":
        return dict(node)
    return {**node, "sampling": {k: v for k, v in sampling.items() if k != "seed"}}
