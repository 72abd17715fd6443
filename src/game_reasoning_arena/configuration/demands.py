"""What a configuration would do that the user must allow: run code, start programs, use keys."""

from __future__ import annotations

import os
import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from game_reasoning_arena.catalog.catalog import Catalog
from game_reasoning_arena.catalog.litellm_providers import KEY_VARIABLES, OPENAI_PROTOCOL
from game_reasoning_arena.catalog.prefixes import PREFIXES, split_name
from game_reasoning_arena.configuration.trust import KEY, Demand, Trust, current_trust, origin
from game_reasoning_arena.process.paths import conf_dirs
from game_reasoning_arena.records import Model

#: Settings of vLLM's engine, at any depth, whose texts name neither code nor files to write nor
#: addresses. All others do, or may in a later version. Numbers and truth values name nothing.
_PLAIN_ENGINE = frozenset(
    {
        *("attention_backend", "code_revision", "config_format", "convert", "device_ids"),
        *("data_parallel_backend", "draft_sample_method", "dtype", "generation_config"),
        *("kv_cache_dtype", "load_format", "logprobs_mode", "method", "model", "model_impl"),
        *("moe_backend", "prefix_caching_hash_algo", "quantization", "reasoning_parser"),
        *("rejection_sample_method", "revision", "runner", "scheduling_policy"),
        *("served_model_name", "tokenizer", "tokenizer_mode", "tokenizer_revision"),
        *("tool_call_parser",),
    }
)
_PLAIN_EXECUTORS = ("mp", "ray", "uni", "external_launcher")

#: The default program of an agent of type uci.
_DEFAULT_ENGINE = "stockfish"


def code_demands(config: Mapping[str, Any]) -> Iterator[Demand]:
    """Yield what starts programs or runs code by a configuration, but for dotted names.

    Those are checked where they are followed, against :meth:`Trust.names`.
    """
    agents = config.get("agents")
    for name, agent in agents.items() if isinstance(agents, Mapping) else ():
        if not isinstance(agent, Mapping) or agent.get("type") != "uci":
            continue
        where = f"agents.{name}"
        path = str(agent.get("path") or _DEFAULT_ENGINE)
        if path != _DEFAULT_ENGINE:
            yield Demand(where=f"{where}.path", item=path, effect=f"{path} would be started")
        options = agent.get("options")
        for key, value in options.items() if isinstance(options, Mapping) else ():
            if any(word in str(key).lower() for word in ("file", "path", "dir", "log")):
                yield Demand(
                    where=f"{where}.options.{key}",
                    item=str(value),
                    effect=f"the engine would use the file {value}",
                )
    backends = config.get("backend")
    for prefix, backend in backends.items() if isinstance(backends, Mapping) else ():
        engine = backend.get("engine") if isinstance(backend, Mapping) else None
        if isinstance(engine, Mapping):
            yield from _engine_demands(f"backend.{prefix}.engine", engine)


def model_demands(
    models: Iterable[Model], known: Container[tuple[str, str | None, str | None]]
) -> Iterator[Demand]:
    """Yield where models would run code of their own, or get a key or a conversation elsewhere.

    Args:
        models: those of the run.
        known: provider, key variable and address of all that is shipped or in the user's own
            ``conf/``.
    """
    for model in models:
        yield from _engine_demands(model.name, model.engine)
        provider = model.provider
        if provider is None:
            continue
        address = provider.api_base
        target = origin(address) if address else provider.name
        for header, variable in provider.headers.items():
            yield Demand(
                where=model.name,
                item=f"{variable}@{target}",
                effect=f"what {variable} holds would be sent to {address or target} as {header}",
            )
        if (provider.name, provider.api_key_env, provider.api_base) in known:
            continue
        key = provider.api_key_env
        if key is not None and os.environ.get(key, "").strip():
            yield Demand(
                where=model.name,
                item=f"{key}@{target}",
                effect=f"the key in {key} would be sent to {address or provider.name}",
            )
        elif address is not None and not _is_loopback(address):
            yield Demand(
                where=model.name,
                item=origin(address),
                effect=f"prompts would be sent to {address}",
            )


def refused_models(models: Sequence[Model], catalog: Catalog, trusted: Sequence[str]) -> list[str]:
    """Return one sentence for each thing that models would do and the user has not allowed.

    A list of ``catalog.files`` may be somebody else's, as may a file that describes the run.

    Args:
        models: those of the run.
        catalog: all that describes them.
        trusted: what the configuration allows, which counts where the user has typed it.
    """
    trust = current_trust()
    if trust.source is not None:
        dirs = conf_dirs(typed=True)
        own = catalog.with_entries() if dirs == conf_dirs() else Catalog.load(dirs=dirs)
        return trust.refused(model_demands(models, _addresses_in(own)))
    if not catalog.files:
        return []
    mine = catalog.without_files()
    engines = {one.name: one.engine for one in mine.models()}
    theirs = [replace(m, engine={}) if engines.get(m.name) == m.engine else m for m in models]
    asking = Trust.of_file(Path(catalog.files[0]), allowed=trusted)
    return asking.refused(model_demands(theirs, _addresses_in(mine)))


def launcher_demands(launcher: Mapping[str, Any]) -> Iterator[Demand]:
    """Yield where a launcher's settings run shell lines, or send jobs elsewhere."""
    for key in ("setup", "additional_parameters", "address", "init", "runtime_env"):
        if launcher.get(key):
            where = f"hydra.launcher.{key}"
            yield Demand(
                where=where, item=where, effect="jobs would run what it says, or where it says"
            )


#: Options of a recorded command that name nothing to obey, and such settings of Hydra's own.
_PLAIN_OPTIONS = ("-m", "--multirun", "--config", "--config-dir", "-cd")
_PLAIN_OF_HYDRA = re.compile(r"hydra(?:/launcher|\.launcher\..*|\.(?:sweep|run)\.\w*dir|\.verbose)")


def command_demands(command: Sequence[str]) -> Iterator[Demand]:
    """Yield what a recorded command would do beyond its settings, which are checked as a file's."""
    for word in command:
        key = word.lstrip("+~").partition("=")[0]
        if word.startswith("-") and key not in _PLAIN_OPTIONS:
            yield Demand(where=key, item=key, effect=f"{word} would be obeyed")
        elif key.startswith("hydra") and not _PLAIN_OF_HYDRA.fullmatch(key.partition("@")[0]):
            yield Demand(where=key, item=key, effect=f"Hydra would obey {word}")


def _engine_demands(where: str, engine: Mapping[str, Any]) -> Iterator[Demand]:
    for key, value in engine.items():
        if _is_plain(key, value):
            continue
        effect = (
            "code that the model brings would run"
            if key == "trust_remote_code"
            else f"the engine would use what {key} names: code, files or addresses"
        )
        yield Demand(where=f"{where}.{key}", item=f"{where}.{key}", effect=effect)


def _is_plain(key: str, value: Any) -> bool:
    """Return whether a setting of an engine can name nothing to run, to write or to connect to."""
    if key == "trust_remote_code":
        return not value
    if isinstance(value, Mapping):
        return all(_is_plain(str(inner), item) for inner, item in value.items())
    if isinstance(value, list | tuple):
        return all(_is_plain(key, item) for item in value)
    if key == "distributed_executor_backend" and value in _PLAIN_EXECUTORS:
        return True
    return not value or isinstance(value, bool | int | float) or key in _PLAIN_ENGINE


def _addresses_in(catalog: Catalog) -> set[tuple[str, str | None, str | None]]:
    """Return provider, key variable and address of all entries of a catalog.

    None as address means the provider's own, as LiteLLM knows it.
    """
    known: set[tuple[str, str | None, str | None]] = set()
    for name, variables in KEY_VARIABLES.items():
        for variable in (*variables, None):
            known |= {(name, variable, None), (name, variable, OPENAI_PROTOCOL.get(name))}
    known |= {(one.name, one.api_key_env, one.api_base) for one in catalog.providers()}
    for entry in catalog.models():
        if entry.api_base is not None:
            prefix, _ = split_name(entry.name, PREFIXES)
            provider = catalog.provider_name(entry.name, PREFIXES) or prefix or ""
            known.add((provider, entry.api_key_env or None, entry.api_base))
    return known


def _is_loopback(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")


def words_to_trust(config: Mapping[str, Any]) -> list[str]:
    """Return the words that let a later command on this run's directory use the same code.

    Args:
        config: of a run; names in the user's own list or ``conf/`` need no word.
    """
    trust = Trust.of_file(Path())
    items = [str(item) for item in config.get(KEY) or () if str(item) not in trust.allowed]
    items += [one.item for one in code_demands(config) if not trust.allows(one)]
    return ["--trust", ",".join(dict.fromkeys(items))] if items else []
