"""From ``agents`` in a configuration to the players: every problem of every player at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from game_reasoning_arena.agents.base_agent import PlayerSpec
from game_reasoning_arena.agents.checks import option_problems
from game_reasoning_arena.backends.factory import check_target
from game_reasoning_arena.catalog.catalog import Catalog
from game_reasoning_arena.configuration.value_checks import Problems, against_schema, check_sampling
from game_reasoning_arena.errors import UserError, choose_from
from game_reasoning_arena.records import Model, Sampling
from game_reasoning_arena.schema import AGENT_TYPES


def check_players(
    config: Mapping[str, Any],
    catalog: Catalog | None,
    backend_confs: Mapping[str, Any],
    run_sampling: Sampling,
    env_sampling: Sampling,
    problems: Problems,
) -> list[PlayerSpec]:
    """All players of a known type, in the order of their numbers.

    What is wrong with a player is noted in ``problems`` and left at its default (a model that
    cannot be had is None), so that the rest of the player can be checked as well.

    Args:
        config: the whole configuration, plain.
        catalog: resolves models; None where the catalog itself is broken, which leaves them out.
        backend_confs: the ``backend`` node.
        run_sampling: the run's sampling parameters.
        env_sampling: those of the environment.
        problems: gets what is wrong.
    """
    agents = config["agents"]
    if not isinstance(agents, Mapping) or not agents:
        problems.add(
            "agents: no player is configured. Choose a preset (agents=llm_vs_random) or add one: "
            "+agents.player_0.type=random"
        )
        return []
    players: list[PlayerSpec] = []
    for name in sorted(agents, key=_player_order):
        values = agents[name]
        where = f"agents.{name}"
        if not isinstance(values, Mapping):
            problems.add(f"{where}={values!r}: give {where}.type=... and its settings.")
            continue
        kind = values.get("type", "llm")
        if kind not in AGENT_TYPES:
            problems.add(f"{where}.type={kind} is unknown. {choose_from(str(kind), AGENT_TYPES)}")
            continue
        options, wrong = against_schema(AGENT_TYPES[kind], values, where)
        for problem in wrong:
            problems.add(problem)
        _say_type(where, kind, values, problems)
        options.pop("type")
        if kind != "llm":
            _check_callable(options.get("callable"), where, config, problems)
            players.append(PlayerSpec(name=name, type=kind, options=options))
            continue
        asked = options.pop("model")
        sampling = check_sampling(options.pop("sampling"), f"{where}.sampling", problems)
        sampling = sampling.merged(run_sampling)
        model = resolved_model(asked, where, catalog, backend_confs, problems)
        if model is not None:
            sampling = sampling.merged(model.sampling)
        player = PlayerSpec(
            name=name,
            type=kind,
            model=model,
            sampling=sampling.merged(env_sampling),
            options=options,
        )
        for problem in option_problems(player):
            problems.add(problem)
        players.append(player)
    return players


def _check_callable(
    code: object, where: str, config: Mapping[str, Any], problems: Problems
) -> None:
    if code:
        trusted = ("game_reasoning_arena", *config["trusted_targets"])
        target = str(code).replace(":", ".")
        problems.attempt(lambda: check_target(target, trusted, where=f"{where}.callable"))


def _say_type(where: str, kind: str, values: Mapping[str, Any], problems: Problems) -> None:
    """Where a setting belongs to another type of agent, say to which."""
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
    """Return the model of a name; None after noting that there is none.

    Args:
        asked: the value of ``<where>.model``.
        where: the node it stands in.
        catalog: resolves models; None where the catalog itself is broken.
        backend_confs: the ``backend`` node.
        problems: gets what is wrong.
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
    """player_2 before player_10, other names after them."""
    tail = name.rpartition("_")[2]
    return (int(tail), name) if tail.isdigit() else (1_000_000, name)
