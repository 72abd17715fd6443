"""One tiny call to a model, and everything that was sent and received."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from game_reasoning_arena.backends.base_backend import BaseLLMBackend
from game_reasoning_arena.backends.factory import default_backend_confs, make_backend
from game_reasoning_arena.catalog.catalog import Catalog
from game_reasoning_arena.catalog.sampling import sampling_from_environment
from game_reasoning_arena.commands.tables import print_line, show_table
from game_reasoning_arena.configuration.command_line import read_command_line
from game_reasoning_arena.configuration.demands import refused_models
from game_reasoning_arena.configuration.secret_values import secrets_held, secrets_named
from game_reasoning_arena.configuration.trust import Trust, current_trust, trusting
from game_reasoning_arena.errors import ArenaError, BackendError, ConfigProblems, Fault
from game_reasoning_arena.metering.probe import probe_request
from game_reasoning_arena.preflight.reachability import unreachable
from game_reasoning_arena.process.event_loop import run_coroutine
from game_reasoning_arena.process.faults import describe_fault
from game_reasoning_arena.process.targets import look_in_working_directory
from game_reasoning_arena.records import Model, Reply, Sampling

#: The most tokens of an answer if no setting limits them.
PING_TOKENS = 16


def ping(name: str, *, files: Sequence[Path] = (), overrides: Sequence[str] = ()) -> int:
    """Ask a model once with the settings of the configuration; return 1 if it gives no answer.

    Args:
        name: the model's name.
        files: further lists of models and providers.
        overrides: ``KEY=VALUE`` words, as for a run.

    Raises:
        UserError: the model is not known, or cannot be called, for example without its key.
    """
    with trusting(_trust(overrides)):
        settings = _composed(files, overrides) if overrides else _shipped(files)
        catalog, confs, trusted, run_sampling = settings
        model = catalog.resolve(name, backends=confs)
        if refused := refused_models([model], catalog, trusted):
            raise ConfigProblems(refused)
    small = Sampling(max_tokens=PING_TOKENS).merged(sampling_from_environment())
    sampling = run_sampling.merged(model.sampling).merged(small)
    backend = make_backend(model.backend, confs[model.backend], trusted_targets=trusted)
    if problems := [*backend.check([model]), *unreachable([model])]:
        raise ConfigProblems(problems)
    try:
        reply, choices = run_coroutine(_ask(backend, model, sampling))
    except BackendError as error:
        tried = f" after {error.retries + 1} tries" if error.retries else ""
        sys.stderr.write(f"{model.name}: no answer{tried}: {error.kind}: {error}\n")
        return 1
    except ArenaError:
        raise
    except Exception as error:
        raise Fault(f"{model.name}: a fault in the program: {describe_fault(error)}.") from error
    show_table(("ping", model.name), list(_rows(model, reply).items()))
    if choices:
        print_line()
        chosen = [(name, _shown(value)) for name, value in choices.items()]
        show_table(("what the engine chose", ""), chosen)
    return 0


def _trust(overrides: Sequence[str]) -> Trust:
    line = read_command_line(list(overrides))
    return Trust() if line.config_file is None else Trust.of_file(line.config_file, line.words)


#: The catalog, the backends' settings by prefix, the trusted dotted prefixes, the run's sampling.
_Settings = tuple[Catalog, Mapping[str, Any], Sequence[str], Sampling]


def _shipped(files: Sequence[Path]) -> _Settings:
    return Catalog.load(files=files), default_backend_confs(), (), Sampling()


def _composed(files: Sequence[Path], overrides: Sequence[str]) -> _Settings:
    from omegaconf import OmegaConf

    from game_reasoning_arena.configuration.value_checks import (
        Problems,
        check_providers,
        check_sampling,
    )
    from game_reasoning_arena.preflight.session import compose_with_catalog

    cfg, catalog = compose_with_catalog(list(overrides))
    if named := secrets_named(cfg):
        raise ConfigProblems(named)
    config: Any = OmegaConf.to_container(cfg, resolve=True)
    if held := secrets_held(config):
        raise ConfigProblems(held)
    problems = Problems()
    providers = check_providers(config["provider"] or {}, problems)
    sampling = check_sampling(config["sampling"], "sampling", problems)
    if problems.found:
        raise ConfigProblems(problems.found)
    names = current_trust().names(config)
    look_in_working_directory(names)
    catalog = catalog.with_entries(
        files=[*config["catalog"]["files"], *files],
        inline_models=[*config["catalog"]["models"], config["model"]],
        inline_providers=providers,
    )
    return catalog, config["backend"] or {}, names, sampling


async def _ask(
    backend: BaseLLMBackend, model: Model, sampling: Sampling
) -> tuple[Reply, Mapping[str, Any]]:
    async with backend:
        await backend.start([model])
        reply = await backend.complete(probe_request(model, sampling))
        return reply, backend.choices([model]).get(model.name, {})


def _rows(model: Model, reply: Reply) -> dict[str, str]:
    provider = model.provider
    where = "this process"
    if provider is not None:
        where = provider.api_base or f"{provider.name}'s own address"
    rows = {
        "backend": model.backend,
        "address": where,
        "key from": (provider.api_key_env if provider else None) or "no key",
        "latency": _seconds(reply.latency_s),
        "first token": _seconds(reply.ttft_s),
        "client's own time": _seconds(reply.client_s),
        "retries": str(reply.retries),
        "answer": json.dumps(reply.text, ensure_ascii=False),
        "finish reason": reply.finish_reason or "unknown",
        "served model": reply.served_model or "unknown",
        "tokens": f"{_shown(reply.prompt_tokens)} in, {_shown(reply.completion_tokens)} out",
        "cost": f"{reply.cost_usd:.6f} USD" if reply.cost_usd is not None else "unknown",
        "sent": json.dumps(dict(reply.sent), ensure_ascii=False, default=str),
    }
    if reply.dropped:
        rows["not sent"] = ", ".join(reply.dropped)
    return rows


def _seconds(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f} s"


def _shown(value: Any) -> str:
    return "unknown" if value is None else str(value)
