"""Entries of the catalog: the settings of models and providers, and their checks.

Problems are appended to a list, never raised, so that a user sees all of them at once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from game_reasoning_arena.catalog.prefixes import OF_APIS, meaning_of_name
from game_reasoning_arena.catalog.sampling import parse_sampling
from game_reasoning_arena.errors import choose_from
from game_reasoning_arena.process.secrets import secret_reference
from game_reasoning_arena.records import PRICES, Provider, Sampling
from game_reasoning_arena.schema import ModelConf, ProviderConf

MODEL_KEYS = tuple(f.name for f in fields(ModelConf))
PROVIDER_KEYS = tuple(f.name for f in fields(ProviderConf))
#: Engine arguments that an entry may name beside ``model_path``, as vLLM's own lists do.
ENGINE_KEYS = (
    "dtype",
    "quantization",
    "load_format",
    "revision",
    "trust_remote_code",
    "gpu_memory_utilization",
    "kv_cache_dtype",
    "kv_cache_memory_bytes",
    "swap_space",
    "cpu_offload_gb",
    "tensor_parallel_size",
    "pipeline_parallel_size",
    "data_parallel_size",
    "device_ids",
    "distributed_executor_backend",
    "max_model_len",
    "max_num_seqs",
    "max_num_batched_tokens",
    "enable_prefix_caching",
    "enable_chunked_prefill",
    "enforce_eager",
    "generation_config",
    "hf_overrides",
    "limit_mm_per_prompt",
    "reasoning_parser",
    "speculative_config",
    "seed",
)
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
#: Headers that the protocol or the connection sets itself.
_OWN_HEADERS = frozenset({"host", "content-length", "content-type", "transfer-encoding"})
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class ModelEntry(Struct, frozen=True, kw_only=True):
    """A model as listed: its full name, its settings, and its file and line."""

    name: str
    where: str
    display_name: str | None = None
    description: str = ""
    model_path: str | None = None
    tokenizer_path: str | None = None
    chat_template: str | None = None
    api_base: str | None = None
    api_key_env: str | None = None
    sampling: Sampling = field(default_factory=Sampling)
    engine: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    prices: Mapping[str, float] = field(default_factory=dict)


class ProviderEntry(Struct, frozen=True, kw_only=True):
    """A provider as listed: only the settings that are given, by the fields of ``Provider``."""

    name: str
    where: str
    settings: Mapping[str, Any]


def check_model(
    item: Any, where: str, problems: list[str], prefix: str | None = None
) -> ModelEntry | None:
    """Return a model's entry from a name or a mapping; None if anything in it is wrong."""
    if isinstance(item, str):
        item = {"name": item}
    if not isinstance(item, Mapping):
        problems.append(f"{where}: {kind(item)} is no model; write its name, or `name: ...`.")
        return None
    item = _with_environment(item, where, problems)
    if item is None:
        return None
    before = len(problems)
    name = item.get("name")
    _check_name(name, where, prefix, problems)
    settings, engine = _sorted_settings(item, where, problems)
    _check_settings(settings, where, problems)
    sampling = settings.pop("sampling", {})
    if isinstance(sampling, Mapping):
        parsed, wrong = parse_sampling(sampling, "sampling")
        problems += [f"{where}: {text}" for text in wrong]
    needed = meaning_of_name(name).entry_sets
    if needed and not any(settings.get(key) for key in needed):
        problems.append(
            f"{where}: {name!r} has no {needed[0]}; give the absolute path of the model's folder, "
            f"or the {needed[1]} of a running server."
        )
    if len(problems) > before:
        return None
    engine |= settings.pop("engine", {})
    return ModelEntry(**settings, name=str(name), where=where, sampling=parsed, engine=engine)


def _check_name(name: Any, where: str, prefix: str | None, problems: list[str]) -> None:
    """Check that a model's name begins with a backend's prefix, or with the list's own prefix."""
    if isinstance(name, str) and name.strip() and re.search(r"\s", name):
        problems.append(
            f"{where}: the model name {name!r} holds a space, which is possible only where a "
            f"player names an unlisted model: 'agents.player_0.model={name}'. Else have it served "
            "by another name."
        )
    elif not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*_\S+", name):
        problems.append(
            f"{where}: the model name is {name!r}; a name begins with its backend's prefix, "
            f"such as {_with_prefix(name, prefix)}."
        )
    elif prefix and not name.startswith(prefix + "_"):
        problems.append(
            f"{where}: {name!r} stands in the list of {prefix} models, so it has to begin with "
            f"`{prefix}_`; names of other backends belong in another list, such as "
            f"{name.partition('_')[0]}_models.yaml."
        )


def _sorted_settings(
    item: Mapping[str, Any], where: str, problems: list[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a model's own settings and its engine arguments; unknown keys become problems."""
    name = item.get("name")
    settings: dict[str, Any] = {}
    engine: dict[str, Any] = {}
    for key, value in item.items():
        if value is None or key == "name":
            continue
        if key in ("api_key", "key"):
            problems.append(f"{where}: {_KEY_ADVICE}")
        elif key in ENGINE_KEYS:
            engine[key] = value
        elif key not in MODEL_KEYS:
            choices = choose_from(str(key), (*MODEL_KEYS, *ENGINE_KEYS), limit=len(MODEL_KEYS))
            if engine_of := meaning_of_name(name).engine_of:
                choices += f" Any other engine argument of {engine_of} goes under `engine:`."
            problems.append(f"{where}: model {name!r} has an unknown key {key!r}. {choices}")
        else:
            settings[key] = value
    return settings, engine


def check_provider(name: str, item: Any, where: str, problems: list[str]) -> ProviderEntry | None:
    """Return a provider's entry from a mapping; None if anything in it is wrong.

    An ``api_key_env`` of ``""`` means that the server needs no key.
    """
    if not isinstance(item, Mapping):
        problems.append(
            f"{where}: provider {name!r} holds {kind(item)}; write `api_key_env: NAME_API_KEY`, "
            "`api_base: http://...` or both below it."
        )
        return None
    item = _with_environment(item, where, problems)
    if item is None:
        return None
    before = len(problems)
    if not name or "/" in name or name != name.strip():
        problems.append(f"{where}: {name!r} is no provider name; it may hold no slash or blank.")
    settings: dict[str, Any] = {}
    for key, value in item.items():
        if value is None:
            continue
        if key in ("api_key", "key"):
            problems.append(f"{where}: provider {name!r}: {_KEY_ADVICE}")
        elif key not in PROVIDER_KEYS:
            problems.append(
                f"{where}: provider {name!r} has an unknown key {key!r}. "
                f"{choose_from(str(key), PROVIDER_KEYS)}"
            )
        else:
            settings[key] = value
    _check_settings(settings, where, problems)
    _check_headers(settings, where, problems)
    for key in ("requests_per_minute", "tokens_per_minute", "max_concurrency"):
        value = settings.get(key)
        if value is not None and (
            isinstance(value, bool) or not isinstance(value, int | float) or value <= 0
        ):
            problems.append(f"{where}: {key} is {value!r}; it must be a number above 0.")
    return (
        None if len(problems) > before else ProviderEntry(name=name, where=where, settings=settings)
    )


_KEY_ADVICE = (
    "a key never stands in a configuration. Set it in the environment or in .env and give the "
    "variable's name: `api_key_env: NAME_API_KEY`."
)
_TEXTS = (
    "display_name", "description", "model_path", "tokenizer_path", "chat_template", "api_base",
    "api_key_env",
)  # fmt: skip


def _check_settings(settings: dict[str, Any], where: str, problems: list[str]) -> None:
    """Check the types of settings that models and providers share."""
    for key in _TEXTS:
        value = settings.get(key)
        if value is not None and not isinstance(value, str):
            problems.append(f"{where}: {key} is {value!r}; it must be a text.")
            settings.pop(key)
    if (problem := display_name_problem(settings.get("display_name"))) is not None:
        problems.append(f"{where}: display_name {problem}")
    for key in ("sampling", "engine", "extra", "prices"):
        if key in settings and not isinstance(settings[key], Mapping):
            problems.append(f"{where}: {key} holds {kind(settings[key])}; it must be a mapping.")
            settings[key] = {}
    _check_prices(settings.get("prices") or {}, where, problems)
    variable = settings.get("api_key_env")
    if variable and (not _VARIABLE.fullmatch(variable) or re.match(r"sk[-_]", variable)):
        # The value is not shown: it may be the key itself.
        problems.append(f"{where}: api_key_env holds no variable name; {_KEY_ADVICE}")
    base = settings.get("api_base")
    if base is not None:
        if not re.match(r"https?://[^/\s]", base):
            shown = "" if "@" in base else f" is {base!r}; it"
            problems.append(f"{where}: api_base{shown} must begin with http:// or https://.")
        elif "@" in base.split("//", 1)[1].split("/", 1)[0]:
            problems.append(f"{where}: api_base holds a user name or password. {_KEY_ADVICE}")
    for key in ("model_path", "tokenizer_path"):
        value = settings.get(key)
        if isinstance(value, str) and not Path(value).is_absolute():
            problems.append(
                f"{where}: {key} is {value!r}; it must be an absolute path, such as "
                f"{str(Path.cwd() / value)!r}."
            )


def display_name_problem(name: str | None) -> str | None:
    """Return the problem with a name for tables and plots; None if there is none."""
    if name is None or (name.strip() and all(ord(character) >= 32 for character in name)):
        return None
    return f"is {name!r}; it must be a text of one line, such as 'Atlas 70B'."


def _check_headers(settings: dict[str, Any], where: str, problems: list[str]) -> None:
    """Check further headers: their names, and that values name variables."""
    headers = settings.get("headers")
    if headers is None:
        return
    if not isinstance(headers, Mapping):
        problems.append(
            f"{where}: headers holds {kind(headers)}; write `headers: {{X-Name: A_VARIABLE}}`."
        )
        settings.pop("headers")
        return
    for name, variable in headers.items():
        if not isinstance(name, str) or not _HEADER.fullmatch(name):
            problems.append(f"{where}: headers: {name!r} is no name of a header.")
        elif name.lower() in _OWN_HEADERS:
            problems.append(f"{where}: headers: {name} is set by every request itself.")
        if not isinstance(variable, str) or not _VARIABLE.fullmatch(variable):
            # The value is not shown: it may be a secret.
            problems.append(
                f"{where}: headers: the value of {name!r} is no variable name. A header's value "
                "never stands in a configuration: set it in the environment or in .env and give "
                f"the variable's name, `headers: {{{name}: A_VARIABLE}}`."
            )


def _with_environment(
    item: Mapping[str, Any], where: str, problems: list[str]
) -> Mapping[str, Any] | None:
    """Return the entry with ``${oc.env:NAME}`` replaced; None if that is not possible."""
    if "${" not in repr(item):
        return item
    if variable := secret_reference(repr(item)):
        problems.append(
            f"{where}: ${{oc.env:{variable}}} would write what that variable holds into files and "
            "requests. Give its name alone, as api_key_env."
        )
        return None
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        resolved = OmegaConf.to_container(OmegaConf.create(dict(item)), resolve=True)
    except OmegaConfBaseException as error:
        cause = str(error).splitlines()[0]
        problems.append(f"{where}: {cause}. Only ${{oc.env:NAME}} can be used in a catalog.")
        return None
    assert isinstance(resolved, dict)
    return {str(key): value for key, value in resolved.items()}


def _check_prices(prices: Mapping[str, Any], where: str, problems: list[str]) -> None:
    for key, value in prices.items():
        if key not in PRICES:
            problems.append(
                f"{where}: prices has an unknown key {key!r}. {choose_from(str(key), PRICES)}"
            )
        elif isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
            problems.append(
                f"{where}: prices: {key} is {value!r}; it is USD per million tokens, 0 or more."
            )
    if prices and prices.keys() <= PRICES.keys() and not {"input", "output"} <= prices.keys():
        problems.append(f"{where}: prices: input and output are both needed.")


def provider_from(entry: ProviderEntry, base: Provider | None) -> Provider:
    """Return a provider from an entry's settings over those already known."""
    settings: dict[str, Any] = dict(entry.settings)
    if "api_key_env" in settings:
        settings["api_key_env"] = settings["api_key_env"] or None
    return replace(base or Provider(name=entry.name), **settings)


def _with_prefix(name: Any, prefix: str | None) -> str:
    known = prefix or OF_APIS
    return f"'{known}_{name}'" if isinstance(name, str) and name.strip() else f"'{known}_gpt-4o'"


def kind(value: Any) -> str:
    """Return a name for a value of the wrong type: its kind, or a number itself."""
    names = {dict: "a mapping", list: "a list", str: "a text", type(None): "nothing"}
    return names.get(type(value)) or repr(value)
