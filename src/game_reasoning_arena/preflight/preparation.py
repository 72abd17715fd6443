"""Check everything before a token is spent, and report all problems at once.

``prepare(cfg)`` turns a composed configuration into an :class:`Experiment` in which every value is
final, or raises ConfigProblems with the whole list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from omegaconf import DictConfig, OmegaConf

from game_reasoning_arena.agents.base_agent import OnFailure, PlayerSpec
from game_reasoning_arena.backends.base_backend import BaseLLMBackend
from game_reasoning_arena.backends.factory import make_backend
from game_reasoning_arena.backends.openai.protocol import no_constraint
from game_reasoning_arena.catalog.catalog import Catalog
from game_reasoning_arena.catalog.sampling import sampling_from_environment
from game_reasoning_arena.configuration.demands import code_demands, refused_models
from game_reasoning_arena.configuration.secret_values import secrets_held, secrets_named
from game_reasoning_arena.configuration.trust import current_trust
from game_reasoning_arena.configuration.value_checks import (
    Problems,
    against_schema,
    check_completeness,
    check_names,
    check_providers,
    check_ranges,
    check_sampling,
)
from game_reasoning_arena.errors import ConfigProblems, UserError
from game_reasoning_arena.metering.cache import check_cache
from game_reasoning_arena.preflight.backend_checks import Serving
from game_reasoning_arena.preflight.experiment import Experiment
from game_reasoning_arena.preflight.final_config import final_config
from game_reasoning_arena.preflight.players import check_construction, check_players
from game_reasoning_arena.preflight.reachability import unreachable
from game_reasoning_arena.preflight.replay_checks import recording_problems
from game_reasoning_arena.preflight.scoring import judge_config, judging_player, trusted_scorer
from game_reasoning_arena.preflight.sharding import Shard
from game_reasoning_arena.process.targets import look_in_working_directory
from game_reasoning_arena.records import Model, Sampling
from game_reasoning_arena.schema import SIMULATION_TYPES
from game_reasoning_arena.simulation.base import Simulation
from game_reasoning_arena.simulation.factory import make_simulation
from game_reasoning_arena.simulation.prompts.checks import unfit_players


def prepare(
    cfg: DictConfig,
    *,
    check_backends: bool = True,
    check_seats: bool = True,
    played: bool = False,
    begun: bool = False,
    serving: Serving | None = None,
    catalog: Catalog | None = None,
) -> Experiment:
    """Check and resolve a composed configuration.

    Args:
        cfg: composed; a ``hydra`` node in it is ignored.
        check_backends: whether to ask the backends if they can serve (keys, engines).
        check_seats: ask the simulation whether these players fit; not where one is left out
            because a word about it is wrong.
        played: it was played already, so that what misleads its players is left as it was.
        begun: whether it continues a run, with the rules under which that began.
        serving: caches the backends' checks, for configurations that share them.
        catalog: a catalog already read; the configuration's own entries are added to it.

    Raises:
        ConfigProblems: all problems.
    """
    problems = Problems()
    config = _plain(cfg, problems)

    check_completeness(config)
    if not played:
        check_names(cfg, problems)
    check_ranges(config, problems)
    trust = current_trust()
    config["trusted_targets"] = list(trust.names(config))
    refused = trust.refused(code_demands(config))
    problems.add_all(refused)
    look_in_working_directory(config["trusted_targets"])
    shard = problems.attempt(lambda: Shard.parse(config["shard"]))
    catalog = _whole_catalog(config, catalog, problems)
    confs: dict[str, Any] = dict(config["backend"] or {})
    players = _players(config, catalog, confs, problems)
    simulation, judges = _simulation(config, catalog, confs, problems)
    if simulation is None and config["simulation"].get("type") == "prompts":
        problems.add_all(unfit_players(players))
    if simulation is not None and check_seats:
        _check_seats(config, players, simulation, problems, played=played or begun)
    if simulation is not None and config["assess"] and not played:
        from game_reasoning_arena.assessment import check_assessable

        problems.attempt(partial(check_assessable, simulation))
    asked = [*players, *judges]
    models = list({p.model.name: p.model for p in asked if p.model}.values())
    _check_address(config["model"], models, problems)
    if catalog is not None and models:
        refused += refused_models(models, catalog, config["trusted_targets"])
        problems.add_all(refused)
    if refused:
        problems.raise_found()  # before anything is loaded or connected
    backends = _backends(asked, confs, config, problems)
    if check_backends and not config["estimate"]:
        _check_serving(config, confs, backends, models, serving or Serving(), problems)
    if config["budget"]["usd"] is not None:
        _check_prices(models, problems)
    problems.raise_found()
    assert simulation is not None
    assert catalog is not None

    config = final_config(config, confs, players, models, catalog)
    if found_itself := simulation.settings():
        config["simulation"] = {**config["simulation"], **found_itself}
        config["simulation"]["scorer"] = judge_config(config["simulation"]["scorer"], judges)
    experiment = _experiment(config, players, judges, simulation, backends, shard)
    _refuse_empty_shards(experiment)
    if check_backends:
        _refuse_other_recordings(experiment)
    return experiment


def _simulation(
    config: dict[str, Any],
    catalog: Catalog | None,
    confs: Mapping[str, Any],
    problems: Problems,
) -> tuple[Simulation | None, list[PlayerSpec]]:
    """Return the simulation, None if it cannot be made, and the models that judge its answers."""
    node = _filled_simulation(config, problems)
    node = trusted_scorer(node, list(config["trusted_targets"]), problems)
    judges = judging_player(node, catalog, confs, problems)
    return problems.attempt(lambda: make_simulation(node)), judges


def _refuse_other_recordings(experiment: Experiment) -> None:
    """Refuse to answer from a recording of another experiment.

    Raises:
        ConfigProblems: where the recording and the experiment differ.
    """
    if mismatches := recording_problems(experiment):
        raise ConfigProblems(mismatches)


def _plain(cfg: DictConfig, problems: Problems) -> dict[str, Any]:
    """Return the resolved configuration without Hydra's own node.

    Raises:
        ConfigProblems: a value cannot be resolved, so that nothing else can be checked; or it holds
            a key.
    """
    if named := secrets_named(cfg):
        raise ConfigProblems(named)
    plain = problems.attempt(lambda: OmegaConf.to_container(cfg, resolve=True, enum_to_str=True))
    if plain is None:
        raise ConfigProblems(problems.found)
    assert isinstance(plain, dict)
    config = {str(key): value for key, value in plain.items() if key != "hydra"}
    if held := secrets_held(config):
        raise ConfigProblems(held)
    return config


def _whole_catalog(
    config: Mapping[str, Any], catalog: Catalog | None, problems: Problems
) -> Catalog | None:
    """Return the catalog with the configuration's own entries; None if any source is broken."""
    providers = check_providers(config["provider"] or {}, problems)
    load = Catalog.load if catalog is None else catalog.with_entries
    return problems.attempt(
        lambda: load(
            files=config["catalog"]["files"],
            inline_models=[*config["catalog"]["models"], config["model"]],
            inline_providers=providers,
        )
    )


def _players(
    config: Mapping[str, Any],
    catalog: Catalog | None,
    confs: Mapping[str, Any],
    problems: Problems,
) -> list[PlayerSpec]:
    """Return the players with models and sampling resolved, as far as they can be."""
    run_sampling = check_sampling(config["sampling"], "sampling", problems)
    env_sampling = problems.attempt(sampling_from_environment) or Sampling()
    return check_players(config, catalog, confs, run_sampling, env_sampling, problems)


def _check_seats(
    config: Mapping[str, Any],
    players: Sequence[PlayerSpec],
    simulation: Simulation,
    problems: Problems,
    *,
    played: bool,
) -> None:
    """Check that these players fit the simulation, and that its rules are those of its game."""
    reads_rules = any(player.type in ("llm", "human") for player in players)
    if not played and reads_rules and (wrong := simulation.rules_problem()) is not None:
        problems.add(wrong)
    everybody = bool(players) and len(players) == len(config["agents"])
    problems.add_all(simulation.check(players, everybody=everybody))
    check_construction(players, simulation, config["seed"], problems)


def _check_address(node: Mapping[str, Any], models: Sequence[Model], problems: Problems) -> None:
    """Check that ``model.api_base`` belongs to a model that a player uses."""
    if not isinstance(node, Mapping) or not node.get("api_base"):
        return
    name = node.get("name")
    used = [model for model in models if model.name == name]
    word = f"model.api_base={node['api_base']}"
    if not used:
        asked = ", ".join(model.name for model in models) or "no model"
        problems.add(
            f"{word} is the address of {name}, which nobody plays ({asked} is asked). Name the "
            "model by model=NAME, or set provider.NAME.api_base=..."
        )
    elif used[0].provider is None:
        problems.add(
            f"{word} would change nothing: {name} answers in this process. Name a model behind an "
            "address: model=direct_<provider>/<model>."
        )


def _check_serving(
    config: Mapping[str, Any],
    confs: Mapping[str, Any],
    backends: Mapping[str, BaseLLMBackend],
    models: Sequence[Model],
    serving: Serving,
    problems: Problems,
) -> None:
    """Check that the backends could serve the models here and now."""
    found: list[str] = []
    for prefix, backend in backends.items():
        served = [model for model in models if model.backend == prefix]
        found += serving.problems(prefix, confs[prefix], backend, served)
    if config["probe"] is not False:
        found += unreachable(models)
    problems.add_all(found)
    if config["cache"] != "off":
        problems.attempt(check_cache)


def _experiment(
    config: dict[str, Any],
    players: Sequence[PlayerSpec],
    judges: Sequence[PlayerSpec],
    simulation: Simulation,
    backends: Mapping[str, BaseLLMBackend],
    shard: Shard | None,
) -> Experiment:
    """Return the experiment that a checked configuration describes."""
    probe = config["probe"]
    if probe is None:
        providers = [one.model.provider for one in (*players, *judges) if one.model]
        probe = any(p and (p.api_key_env or p.api_base) for p in providers)
    return Experiment(
        seed=config["seed"],
        episodes=config["episodes"],
        concurrency=config["concurrency"],
        rotate=config["seats"] == "rotate",
        on_failure=OnFailure(**config["on_failure"]),
        budget=config["budget"],
        probe=probe,
        cache=config["cache"],
        estimate=config["estimate"],
        profile=config["profile"],
        assess=config["assess"],
        players=tuple(players),
        judges=tuple(judges),
        simulation=simulation,
        backends=backends,
        config=config,
        shard=shard,
    )


def _refuse_empty_shards(experiment: Experiment) -> None:
    """Refuse a split of a run into more parts than it has deals.

    Raises:
        ConfigProblems: this part has no episode.
    """
    shard = experiment.shard
    if shard is None or experiment.plans():
        return
    deals = len({plan.seed for plan in replace(experiment, shard=None).plans()})
    raise ConfigProblems(
        [
            f"shard=.../{shard.count} leaves parts without episodes: a run is split by deals, "
            f"and {deals} of them make at most {deals} parts."
        ]
    )


def _filled_simulation(config: dict[str, Any], problems: Problems) -> dict[str, Any]:
    """Return the ``simulation`` node with all its settings; a user's own preset may lack some."""
    node: dict[str, Any] = config["simulation"]
    kind = SIMULATION_TYPES.get(str(node.get("type", "openspiel")))
    if kind is not None:
        node, wrong = against_schema(kind, node, "simulation")
        problems.add_all(wrong)
        config["simulation"] = node
    return node


def _check_prices(models: Sequence[Model], problems: Problems) -> None:
    """Check that prices are known if there is a budget in USD."""
    from game_reasoning_arena.backends.prices import prices_of

    for model in models:
        if model.provider and prices_of(model) is None:
            problems.add(
                f"budget.usd: the price of {model.name} is unknown, so a budget in USD could not "
                "be kept. Give its entry `prices: {input: ..., output: ...}` (USD per million "
                "tokens), or use budget.tokens or budget.calls."
            )


def _backends(
    players: Sequence[PlayerSpec],
    confs: Mapping[str, Any],
    config: Mapping[str, Any],
    problems: Problems,
) -> dict[str, BaseLLMBackend]:
    """Return the backends of the players' models by prefix, as far as they can be made."""
    backends: dict[str, BaseLLMBackend] = {}
    for prefix in sorted({player.model.backend for player in players if player.model}):
        made = problems.attempt(
            lambda p=prefix: make_backend(p, confs[p], trusted_targets=config["trusted_targets"])  # type: ignore[misc]
        )
        if made is None:
            continue
        backends[prefix] = made
        for player in players:
            if player.model is not None and player.model.backend == prefix:
                problems.attempt(lambda p=player, m=made: _check_constraint(p, m))  # type: ignore[misc]
    return backends


def _check_constraint(player: PlayerSpec, backend: BaseLLMBackend) -> None:
    """Check that the backend can constrain answers in this form."""
    if not player.options.get("constrain_to_legal"):
        return
    assert player.model is not None
    where = f"agents.{player.name}.constrain_to_legal=true"
    if not backend.constrains:
        raise UserError(
            f"{where}: {player.model.backend}_ models are asked through {type(backend).__name__}, "
            "which cannot constrain an answer. Leave it out, or choose a vllm_, direct_ or "
            "litellm_ model."
        )
    from game_reasoning_arena.agents.prompting import load_template

    form = load_template(str(player.options.get("template") or "line")).answer_form
    if form not in backend.constrains:
        raise UserError(f"{where}: {no_constraint(player.model)}")
