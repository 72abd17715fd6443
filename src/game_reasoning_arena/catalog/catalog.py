"""The catalog: from names to models and providers, with or without Hydra.

    catalog = Catalog.load()
    model = catalog.resolve("litellm_groq/openai/gpt-oss-20b", backends=["litellm", "vllm"])

Sources, later ones over earlier ones: LiteLLM's own providers, then for the shipped ``conf`` and
after it the user's: the lists in ``catalog/``, ``provider/``, ``model/``; then further list files;
then entries given as mappings. A model replaces an earlier one of its name; a provider adds what it
sets to what is known of it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from game_reasoning_arena.catalog import files as reading
from game_reasoning_arena.catalog.entries import (
    ModelEntry,
    check_model,
    check_provider,
    provider_from,
)
from game_reasoning_arena.catalog.files import Contents
from game_reasoning_arena.catalog.litellm_providers import (
    KEY_VARIABLES,
    OPENAI_PROTOCOL,
    builtin_providers,
)
from game_reasoning_arena.errors import ConfigProblems, UserError, choose_from, near
from game_reasoning_arena.process.paths import conf_dirs
from game_reasoning_arena.records import Model, Provider


class Catalog:
    """Models and providers by name. Immutable but for :meth:`add_provider`."""

    def __init__(
        self,
        models: Mapping[str, ModelEntry],
        providers: Mapping[str, Provider],
        origins: Mapping[str, str],
    ) -> None:
        self._models = dict(models)
        self._providers = dict(providers)
        self._origins = dict(origins)

    @classmethod
    def load(
        cls,
        files: Sequence[str | Path] = (),
        inline_models: Sequence[Mapping[str, Any] | str] = (),
        inline_providers: Mapping[str, Mapping[str, Any]] | None = None,
        dirs: Sequence[Path] | None = None,
        broken: list[str] | None = None,
    ) -> Catalog:
        """Read all sources.

        Args:
            files: list files of the user's, YAML or JSON.
            inline_models: entries from the configuration, in the form of ``ModelConf``.
            inline_providers: the configuration's ``provider`` node, by name.
            dirs: configuration directories, the one that wins last; ``paths.conf_dirs()``.
            broken: gets what is wrong in these directories, and the rest is loaded; None raises.

        Raises:
            ConfigProblems: everything that is wrong in any source, with file and line.
        """
        sources: list[Contents] = []
        folders = conf_dirs() if dirs is None else list(dirs)
        model_folders = [folder / "model" for folder in folders]
        for folder in folders:
            lists = [p for p in sorted((folder / "catalog").glob("*")) if p.suffix in _LIST_TYPES]
            sources += [reading.read_list(path) for path in lists]
            sources += [
                reading.read_provider_file(path, option)
                for option, path in reading.options(folder / "provider")
            ]
            sources += [
                reading.read_model_file(path, option, model_folders)
                for option, path in reading.options(folder / "model")
            ]
        if broken is not None:
            for source in sources:
                broken += source.problems
                source.problems = []
        sources += [reading.read_list(Path(path).expanduser()) for path in files]
        sources.append(_inline(inline_models, inline_providers or {}))

        problems = [problem for source in sources for problem in source.problems]
        if problems:
            raise ConfigProblems(problems)
        models: dict[str, ModelEntry] = {}
        providers = builtin_providers()
        origins = dict.fromkeys(providers, "litellm")
        for source in sources:
            for name, entry in source.models.items():
                models[name] = entry
                if name != entry.name:  # a file's option is another name for what it holds
                    models.setdefault(entry.name, entry)
            for name, item in source.providers.items():
                providers[name] = provider_from(item, providers.get(name))
                origins[name] = item.where
        return cls(models, providers, origins)

    def models(self) -> list[ModelEntry]:
        """All listed models, by name."""
        return [self._models[name] for name in sorted(self._models)]

    def names(self) -> list[str]:
        """The names that the listed models go by, files' options among them, sorted."""
        return sorted(self._models)

    def entry(self, name: str) -> ModelEntry | None:
        """The entry of this name, if it is listed."""
        return self._models.get(name)

    def providers(self) -> list[Provider]:
        """All providers, by name."""
        return [self._providers[name] for name in sorted(self._providers)]

    def provider(self, name: str) -> Provider:
        """One provider.

        Raises:
            UserError: it is not known; names near matches and how to add one.
        """
        found = self._providers.get(name)
        if found is None:
            raise UserError(_unknown_provider(name, self._providers))
        return found

    def origin(self, provider: str) -> str:
        """Where a provider is written down: ``litellm`` or a file and line."""
        return self._origins[provider]

    def provider_name(self, name: str, backends: Collection[str]) -> str | None:
        """The name of the API provider that a model's name says, known or not; None for others."""
        prefix, rest = split_name(name, backends)
        if prefix not in ("litellm", "direct"):
            return None
        provider, slash, _ = rest.partition("/")
        return provider if slash else "openai"

    def add_provider(self, name: str, settings: Mapping[str, Any]) -> Provider:
        """Add to or change a provider, as an entry of a list would.

        Raises:
            ConfigProblems: what is wrong with the settings.
        """
        problems: list[str] = []
        entry = check_provider(name, settings, f"provider {name!r}", problems)
        if entry is None:
            raise ConfigProblems(problems)
        provider = provider_from(entry, self._providers.get(name))
        # New dictionaries, so that other threads can go on reading the old ones.
        self._providers = {**self._providers, name: provider}
        self._origins = {**self._origins, name: "add_provider"}
        return provider

    def resolve(self, name: str, *, backends: Collection[str], check_paths: bool = True) -> Model:
        """The model of a name, ready to be called.

        Args:
            name: a full name such as ``litellm_groq/openai/gpt-oss-20b``, or the option of a
                file in ``conf/model``.
            backends: the prefixes that exist: the keys of the ``backend`` config node.
            check_paths: whether the paths of local models must exist.

        Raises:
            UserError: an unknown prefix, provider or model, or an absent path.
        """
        entry = self._models.get(name)
        full = entry.name if entry else name
        prefix = split_name(full, backends)[0]
        if prefix is None:
            raise UserError(self._unknown_prefix(full, backends))
        rest = full[len(prefix) + 1 :]
        if not rest:
            raise UserError(f"{full!r} names a backend and no model. {self._some(prefix)}")
        builder = _BUILDERS.get(prefix, _local)
        model = builder(self, full, rest, entry)
        if entry is not None:
            model = replace(
                model,
                description=entry.description,
                sampling=entry.sampling,
                model_path=_usable(entry, "model_path", check_paths),
                tokenizer_path=_usable(entry, "tokenizer_path", check_paths),
                chat_template=entry.chat_template,
                engine=entry.engine,
                extra=entry.extra,
                prices=entry.prices,
            )
        return replace(model, backend=prefix)

    def _unknown_prefix(self, name: str, backends: Collection[str]) -> str:
        listed = near(name, self._models)
        hint = f"Did you mean {' or '.join(map(repr, listed))}? " if listed else ""
        head = re.split(r"[_/]", name, maxsplit=1)[0]
        close = near(head, backends)
        if not hint and close:
            hint = f"Did you mean the prefix {close[0]!r}? "
        elif not hint and (name.split("/", 1)[0] in self._providers):
            hint = f"Did you mean 'litellm_{name}'? "
        elif not hint and "_" not in name:
            hint = f"A model of an API is called 'litellm_{name}'. "
        known = ", ".join(f"{prefix}_" for prefix in sorted(backends))
        return (
            f"The model name {name!r} begins with no backend's prefix. {hint}"
            f"Possible prefixes: {known}. `arena models` lists the models."
        )

    def _some(self, prefix: str) -> str:
        names = [name for name in self._models if name.startswith(prefix + "_")]
        return f"Listed: {', '.join(sorted(names)[:6]) or 'none'}. `arena models` lists all."

    def _provider_of(self, full: str, rest: str) -> tuple[Provider, str]:
        """The provider and the name on the wire of ``provider/model`` (no slash: openai)."""
        provider, slash, model_id = rest.partition("/")
        if not slash:
            return self.provider("openai"), rest
        if not model_id or not provider:
            raise UserError(
                f"{full!r} holds a provider or a model, and needs both: provider/model."
            )
        found = self._providers.get(provider)
        if found is None:
            raise UserError(
                f"The model name {full!r} has an unknown provider. "
                + _unknown_provider(provider, self._providers)
            )
        return found, model_id


def split_name(name: str, backends: Collection[str]) -> tuple[str | None, str]:
    """A name's prefix, the longest that is a backend's, and what follows its underscore.

    ``("litellm", "gpt-4o")`` for ``litellm_gpt-4o``; ``(None, name)`` where no prefix fits.
    """
    fitting = [prefix for prefix in backends if name.startswith(prefix + "_")]
    if not fitting:
        return None, name
    prefix = max(fitting, key=len)
    return prefix, name[len(prefix) + 1 :]


_LIST_TYPES = (".yaml", ".yml", ".json")


def _inline(
    models: Sequence[Mapping[str, Any] | str], providers: Mapping[str, Mapping[str, Any]]
) -> Contents:
    found = Contents()
    for model in models:
        label = model.get("name") if isinstance(model, Mapping) else model
        entry = check_model(model, f"model {label!r} in the configuration", found.problems)
        if entry is not None:
            found.models[entry.name] = entry
    for name, item in providers.items():
        provider = check_provider(str(name), item, f"provider.{name}", found.problems)
        if provider is not None:
            found.providers[provider.name] = provider
    return found


def _at(provider: Provider, entry: ModelEntry | None) -> Provider:
    """The provider as one model's entry has it.

    An entry with an address of its own names its own key: the provider's is not sent elsewhere.
    """
    if entry is None:
        return provider
    if entry.api_base is not None:
        return replace(provider, api_base=entry.api_base, api_key_env=entry.api_key_env or None)
    if entry.api_key_env is not None:
        return replace(provider, api_key_env=entry.api_key_env or None)
    return provider


def _litellm(catalog: Catalog, full: str, rest: str, entry: ModelEntry | None) -> Model:
    provider, model_id = catalog._provider_of(full, rest)
    return Model(name=full, backend="", model_id=model_id, provider=_at(provider, entry))


def _direct(catalog: Catalog, full: str, rest: str, entry: ModelEntry | None) -> Model:
    provider, model_id = catalog._provider_of(full, rest)
    provider = _at(provider, entry)
    if provider.api_base is None:
        known = OPENAI_PROTOCOL.get(provider.name)
        if known is None:
            raise UserError(
                f"{full!r} needs the address of {provider.name!r}: set "
                f"`+provider.{provider.name}.api_base=https://...` where the OpenAI protocol is "
                f"spoken, or call it through LiteLLM as 'litellm_{rest}'."
            )
        provider = replace(provider, api_base=known)
    return Model(name=full, backend="", model_id=model_id, provider=provider)


def _vllm(catalog: Catalog, full: str, rest: str, entry: ModelEntry | None) -> Model:
    if entry is None:
        listed = [name for name in catalog.names() if name.startswith("vllm_")]
        choices = choose_from(full, listed) if listed else "No vLLM model is listed yet."
        raise UserError(
            f"The vLLM model {full!r} is not listed. {choices} List it in "
            f"conf/catalog/vllm_models.yaml: `models: [{{name: {full}, model_path: "
            "/absolute/path}]`, or with the api_base of a running `vllm serve`."
        )
    provider = None
    if entry.api_base is not None:
        provider = Provider(
            name="vllm", api_base=entry.api_base, api_key_env=entry.api_key_env or None
        )
    return Model(name=full, backend="", model_id=rest, provider=provider)


def _local(catalog: Catalog, full: str, rest: str, entry: ModelEntry | None) -> Model:
    return Model(name=full, backend="", model_id=rest)


#: How the rest of a name is read, by prefix; users' own prefixes read it themselves.
_BUILDERS = {"litellm": _litellm, "direct": _direct, "vllm": _vllm}


def _usable(entry: ModelEntry, key: str, check: bool) -> str | None:
    path: str | None = getattr(entry, key)
    if path and check and entry.api_base is None and not Path(path).exists():
        raise UserError(
            f"{entry.where}: {key} of {entry.name!r} is {path!r}, which does not exist here. "
            "Correct the path, or download the model to it."
        )
    return path


def _unknown_provider(name: str, providers: Collection[str]) -> str:
    close = near(name, providers)
    hint = f"Did you mean {' or '.join(map(repr, close))}? " if close else ""
    return (
        f"The provider {name!r} is not known. {hint}`arena providers` lists all. A server of your "
        f"own that speaks the OpenAI protocol is added by +provider.{name}.api_base=http://... "
        f"+provider.{name}.api_key_env=NAME_API_KEY, or in conf/catalog/api_providers.yaml."
    )


def own_addresses() -> set[tuple[str, str | None, str | None]]:
    """Return the provider, key variable and address of all that the shipped and own lists hold.

    No address is the provider's own, as LiteLLM knows it.
    """
    catalog = Catalog.load()
    known: set[tuple[str, str | None, str | None]] = set()
    for name, variables in KEY_VARIABLES.items():
        for variable in (*variables, None):
            known |= {(name, variable, None), (name, variable, OPENAI_PROTOCOL.get(name))}
    known |= {(one.name, one.api_key_env, one.api_base) for one in catalog.providers()}
    for entry in catalog.models():
        if entry.api_base is not None:
            provider = catalog.provider_name(entry.name, ()) or "vllm"
            known.add((provider, entry.api_key_env or None, entry.api_base))
    return known
