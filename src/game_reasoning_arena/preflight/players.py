"""From ``agents`` in a configuration to the players, with all problems of all players at once."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from game_reasoning_arena.agents.base_agent import Agent, OnFailure, PlayerSpec
from game_reasoning_arena.agents.checks import option_problems
from game_reasoning_arena.backends.prices import known_to_think
from game_reasoning_arena.catalog.catalog import Catalog
from game_reasoning_arena.catalog.entries import display_name_problem
from game_reasoning_arena.configuration.value_checks import Problems, against_schema, check_sampling
from game_reasoning_arena.errors import UserError, choose_from
from game_reasoning_arena.process.targets import check_target, follow, parameters_of
from game_reasoning_arena.recording.mendable import FOR_THINKING
from game_reasoning_arena.records import DEFAULT_MAX_TOKENS, Model, Reply, Request, Sampling
from game_reasoning_arena.schema import AGENT_TYPES, LLMAgentConf
from game_reasoning_arena.simulation.base import Simulation
from game_reasoning_arena.simulation.players import ASKS, GIVEN, make_agent


def check_players(
    config: Mapping[str, Any],
    catalog: Catalog | None,
    backend_confs: Mapping[str, Any],
    run_sampling: Sampling,
    env_sampling: Sampling,
    problems: Problems,
) -> list[PlayerSpec]:
    """Return all players of a known type, in the order of their numbers.

    A wrong setting is noted in ``problems`` and left at its default (an unavailable model is None),
    so that the rest of the player is checked, too.

    Args:
        config: the whole configuration, plain.
        catalog: resolves models; None if the catalog itself is broken, which skips them.
        backend_confs: the ``backend`` node.
        run_sampling: the run's sampling parameters.
        env_sampling: those of the environment.
        problems: receives the problems.
    """
    agents = config["agents"]
    if not isinstance(agents, Mapping) or not agents:
        problems.add(
            "agents: no player is configured. Choose a preset (agents=llm_vs_random) or add one: "
            "+agents.player_0.type=random"
        )
        return []
    checks = _Checks(config, catalog, backend_confs, run_sampling, env_sampling, problems)
    players = [checks.player(name, agents[name]) for name in sorted(agents, key=_player_order)]
    return [player for player in players if player is not None]


def check_construction(
    players: Sequence[PlayerSpec], simulation: Simulation, seed: int, problems: Problems
) -> None:
    """Construct each player of a user's own class once, since its constructor may refuse."""
    for player in players:
        asks = player.make is not None and ASKS in player.make.parameters
        if player.make is None or (asks and player.model is None):
            continue
        problems.attempt(
            lambda p=player: make_agent(  # type: ignore[misc]
                p,
                asker=_NoModel(),
                record=lambda record: None,
                run_id="",
                seed=seed,
                on_failure=OnFailure(),
                simulation=simulation,
            )
        )


class _NoModel:
    """Stands in for a model while a player is only constructed."""

    async def complete(self, request: Request) -> Reply:
        raise UserError("A player's constructor asked its model; ask in decide or sit.")


@dataclass(frozen=True, slots=True)
class _Checks:
    """The context for the checks of one player."""

    config: Mapping[str, Any]
    catalog: Catalog | None
    backend_confs: Mapping[str, Any]
    run_sampling: Sampling
    env_sampling: Sampling
    problems: Problems

    def player(self, name: str, values: object) -> PlayerSpec | None:
        """Return a player as far as it is valid; None if its type is unknown."""
        where = f"agents.{name}"
        if not isinstance(values, Mapping):
            self.problems.add(f"{where}={values!r}: give {where}.type=... and its settings.")
            return None
        if "_target_" in values:
            return self._of_own_class(name, values)
        kind = values.get("type", "llm")
        if kind not in AGENT_TYPES:
            self.problems.add(
                f"{where}.type={kind} is unknown. {choose_from(str(kind), AGENT_TYPES)}"
                + _own_class_hint(where, kind)
            )
            return None
        options = self._options(AGENT_TYPES[kind], values, where)
        _report_type(where, kind, values, self.problems)
        options.pop("type")
        shown = self._display_name(options.pop("display_name"), where)
        player = PlayerSpec(name=name, type=kind, options=options, display_name=shown)
        if kind == "llm":
            return self._asking(player)
        return player if self._trusts_callable(options.get("callable"), where) else None

    def _of_own_class(self, name: str, values: Mapping[str, Any]) -> PlayerSpec | None:
        """Return a player of a class that ``_target_`` names."""
        where = f"agents.{name}"
        if "type" in values:
            self.problems.add(f"{where}: give either {where}.type or {where}._target_, not both.")
            return None
        make = self.problems.attempt(
            lambda: follow(
                values,
                Agent,
                where=where,
                noun="agent",
                trusted_targets=self.config["trusted_targets"],
                first=1,
                given=GIVEN,
                beside=_beside,
            )
        )
        if make is None:
            return None
        if make.cls.decide is Agent.decide and make.cls.sit is Agent.sit:
            self.problems.add(
                f"{where}._target_={make.target}: {make.cls.__name__} implements neither decide "
                "nor sit, so it cannot choose a move."
            )
            return None
        shown = self._display_name(values.get("display_name"), where)
        player = PlayerSpec(
            name=name, type=make.target, options=make.settings, make=make, display_name=shown
        )
        if ASKS not in make.parameters:
            return player
        asking = _settings_of_models(make.cls)
        given = {"model": self.config["model"].get("name")}
        given |= {key: value for key, value in values.items() if key in asking}
        options = self._options(LLMAgentConf, given, where)
        kept = {key: value for key, value in options.items() if key in asking}
        return self._asking(replace(player, options={**kept, **make.settings}))

    def _display_name(self, name: object, where: str) -> str | None:
        if name is not None and not isinstance(name, str):
            self.problems.add(f"{where}.display_name is {name!r}; it must be a text.")
            return None
        if (problem := display_name_problem(name)) is not None:
            self.problems.add(f"{where}.display_name {problem}")
        return name

    def _options(self, schema: type, values: Mapping[str, Any], where: str) -> dict[str, Any]:
        options, wrong = against_schema(schema, values, where)
        self.problems.add_all(wrong)
        return options

    def _asking(self, player: PlayerSpec) -> PlayerSpec:
        """Return a player with model and sampling taken out of its options and resolved."""
        where = f"agents.{player.name}"
        problems = self.problems
        options = dict(player.options)
        asked = options.pop("model")
        sampling = check_sampling(options.pop("sampling"), f"{where}.sampling", problems)
        sampling = sampling.merged(self.run_sampling)
        model = resolved_model(asked, where, self.catalog, self.backend_confs, problems)
        notes: tuple[str, ...] = ()
        if model is not None:
            sampling = sampling.merged(model.sampling)
            sampling, notes = _room_to_think(player.name, model, sampling)
        player = replace(
            player,
            model=model,
            sampling=sampling.merged(self.env_sampling),
            options=options,
            notes=notes,
        )
        problems.add_all(option_problems(player))
        return player

    def _trusts_callable(self, code: object, where: str) -> bool:
        """Return whether the code that a policy names may be imported."""
        if not code:
            return True
        trusted = self.config["trusted_targets"]  # this package has no policy
        try:
            check_target(str(code).replace(":", "."), trusted, where=f"{where}.callable")
        except UserError as error:
            self.problems.add(str(error))
            return False
        return True


def _beside(cls: type[Agent]) -> Collection[str]:
    """Return the settings of a class's players that are not for its constructor."""
    return {"display_name", *_settings_of_models(cls)}


def _settings_of_models(cls: type[Agent]) -> Collection[str]:
    """Return the settings of language models that such players have beside their class's own."""
    from game_reasoning_arena.agents.llm_agent import LLMAgent

    if issubclass(cls, LLMAgent):
        return {field.name for field in fields(LLMAgentConf)} - {"type", "display_name"}
    return {"model", "sampling"} if ASKS in parameters_of(cls) else ()


def _own_class_hint(where: str, kind: object) -> str:
    """Return a hint if a type looks like a class's name."""
    if "." not in str(kind):
        return ""
    return f" A class of your own is given as {where}._target_={kind}."


def _room_to_think(name: str, model: Model, sampling: Sampling) -> tuple[Sampling, tuple[str, ...]]:
    """Return sampling with a sufficient ``max_tokens`` for a model that is known to think.

    Only if neither the configuration nor the environment sets one; 250 would cut its thinking.
    """
    if sampling.max_tokens is not None or os.environ.get("MAX_TOKENS", "").strip():
        return sampling, ()
    if not known_to_think(model):
        return sampling, ()
    note = (
        f"{name}: {model.name} is known to think before it answers, so max_tokens is "
        f"{FOR_THINKING} and not {DEFAULT_MAX_TOKENS}; sampling.max_tokens=N sets another."
    )
    return replace(sampling, max_tokens=FOR_THINKING), (note,)


def _report_type(where: str, kind: str, values: Mapping[str, Any], problems: Problems) -> None:
    """Report a setting that belongs to another type of agent, with that type."""
    for key in values:
        homes = [
            name
            for name, schema in AGENT_TYPES.items()
            if key in {field.name for field in fields(schema)}
        ]
        if homes and kind not in homes:
            wrong = f"{where}.{key} is no known setting."
            wanted = " or ".join(f"{where}.type={name}" for name in homes)
            problems.replace(
                wrong, f"{where}.{key}: {where} is of type {kind}; to set this, write {wanted} too."
            )


def resolved_model(
    asked: object,
    where: str,
    catalog: Catalog | None,
    backend_confs: Mapping[str, Any],
    problems: Problems,
) -> Model | None:
    """Return the model of a name; None after noting a problem.

    Args:
        asked: the value of ``<where>.model``.
        where: the node that holds it.
        catalog: resolves models; None if the catalog itself is broken.
        backend_confs: the ``backend`` node.
        problems: receives the problems.
    """
    if not isinstance(asked, str) or asked.strip() in ("", "???"):
        problems.add(f"{where}.model is not set: give {where}.model=NAME or model=NAME.")
        return None
    if catalog is None:
        return None
    return problems.attempt(lambda: _resolve(catalog, asked, backend_confs, where))


def _resolve(catalog: Catalog, name: str, backends: Mapping[str, Any], where: str) -> Model:
    try:
        return catalog.resolve(name, backends=backends.keys())
    except UserError as error:
        raise UserError(f"{where}.model={name}: {error}") from error


def _player_order(name: str) -> tuple[int, str]:
    """Return a sort key: player_2 before player_10, other names after them."""
    tail = name.rpartition("_")[2]
    return (int(tail), name) if tail.isdigit() else (1_000_000, name)
