"""The catalog: from names to models and providers, with or without Hydra.

catalog = Catalog.load()
model = catalog.resolve("litellm_groq/openai/gpt-oss-20b", backends=["litellm", "vllm"])

Sources, later ones over earlier ones: LiteLLM's own providers; the lists in ``catalog/``,
``provider/`` and ``model/`` of the shipped ``conf``, then of the user's; further list files;
entries given as mappings. A model replaces an earlier one of the same name; a provider's settings
are added to those already known.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from game_reasoning_arena.catalog.entries import (
    ModelEntry,
    check_model,
    check_provider,
    provider_from,
)
from game_reasoning_arena.catalog.files import Contents
from game_reasoning_arena.catalog.litellm_providers import (
    OPENAI_PROTOCOL,
    builtin_providers,
)
from game_reasoning_arena.catalog.prefixes import (
    OF_APIS,
    meaning_of,
    provider_and_model,
    split_name,
)
from game_reasoning_arena.catalog.sources import Sources
from game_reasoning_arena.errors import ConfigProblems, UserError, choose_from, did_you_mean, near
from game_reasoning_arena.process.paths import conf_dirs
from game_reasoning_arena.process.secrets import remember_key_variables
from game_reasoning_arena.records import Model, Provider


class Catalog:
    """Models and providers by name. Immutable except for :meth:`add_provider`."""

    def __init__(self, sources: Sources, contents: Sequence[Contents]) -> None:
        if problems := [problem for content in contents for problem in content.problems]:
            raise ConfigProblems(problems)
        self._sources = sources
        #: The lists that lie in none of the directories.
        self.files: tuple[str | Path, ...] = ()
        self._inline = Contents()
        self._models: dict[str, ModelEntry] = {}
        self._providers = builtin_providers()
        self._origins = dict.fromkeys(self._providers, "litellm")
        for content in contents:
            for name, entry in content.models.items():
                self._models[name] = entry
                if name != entry.name:  # a file's option is another name for its model
                    self._models.setdefault(entry.name, entry)
            for name, item in content.providers.items():
                self._providers[name] = provider_from(item, self._providers.get(name))
                self._origins[name] = item.where
        for provider in self._providers.values():
            remember_key_variables(provider.variables)
        for entry in self._models.values():
            remember_key_variables([entry.api_key_env] if entry.api_key_env else ())

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
            files: the user's list files, YAML or JSON.
            inline_models: entries from the configuration, in the form of ``ModelConf``.
            inline_providers: the configuration's ``provider`` node, by name.
            dirs: configuration directories, the last one wins; default ``paths.conf_dirs()``.
            broken: receives the problems in these directories, and the rest is loaded; None raises.

        Raises:
            ConfigProblems: all problems in all sources, with file and line.
        """
        sources = Sources.read(conf_dirs() if dirs is None else list(dirs))
        if broken is not None:
            for source in sources.of_dirs:
                broken += source.problems
                source.problems = []
        return cls._of(sources, files, inline_models, inline_providers)

    def with_entries(
        self,
        files: Sequence[str | Path] = (),
        inline_models: Sequence[Mapping[str, Any] | str] = (),
        inline_providers: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Catalog:
        """Return the catalog of the same directories with these files and entries, see ``load``.

        Directories and files that this catalog has read are not read again.

        Raises:
            ConfigProblems: all problems in all sources, with file and line.
        """
        return self._of(self._sources, files, inline_models, inline_providers)

    @classmethod
    def _of(
        cls,
        sources: Sources,
        files: Sequence[str | Path],
        inline_models: Sequence[Mapping[str, Any] | str],
        inline_providers: Mapping[str, Mapping[str, Any]] | None,
    ) -> Catalog:
        listed = [sources.file(name) for name in files]
        inline = _inline(inline_models, inline_providers or {})
        made = cls(sources, [*sources.of_dirs, *listed, inline])
        made.files = tuple(files)
        made._inline = inline
        return made

    def without_files(self) -> Catalog:
        """Return the catalog of the same directories and inline entries, without further lists."""
        return Catalog(self._sources, [*self._sources.of_dirs, self._inline])

    def models(self) -> list[ModelEntry]:
        """Return all listed models, by name."""
        return [self._models[name] for name in sorted(self._models)]

    def names(self) -> list[str]:
        """Return the names of the listed models, options of files included, sorted."""
        return sorted(self._models)

    def entry(self, name: str) -> ModelEntry | None:
        """Return the entry of this name, or None."""
        return self._models.get(name)

    def providers(self) -> list[Provider]:
        """Return all providers, by name."""
        return [self._providers[name] for name in sorted(self._providers)]

    def provider(self, name: str) -> Provider:
        """Return a provider by name.

        Raises:
            UserError: it is not known; the message names near matches and how to add one.
        """
        found = self._providers.get(name)
        if found is None:
            raise UserError(_unknown_provider(name, self._providers))
        return found

    def origin(self, provider: str) -> str:
        """Return where a provider is defined: ``litellm`` or a file and line."""
        return self._origins[provider]

    def provider_name(self, name: str, backends: Collection[str]) -> str | None:
        """Return the name of the API provider in a model's name, known or not; None for others."""
        prefix, rest = split_name(name, backends)
        if not meaning_of(prefix).of_provider:
            return None
        provider, slash, _ = rest.partition("/")
        return provider if slash else "openai"

    def add_provider(self, name: str, settings: Mapping[str, Any]) -> Provider:
        """Add or change a provider, as an entry of a list would.

        Raises:
            ConfigProblems: the problems with the settings.
        """
        problems: list[str] = []
        entry = check_provider(name, settings, f"provider {name!r}", problems)
        if entry is None:
            raise ConfigProblems(problems)
        provider = provider_from(entry, self._providers.get(name))
        # New dictionaries, so that other threads can still read the old ones.
        self._providers = {**self._providers, name: provider}
        self._origins = {**self._origins, name: "add_provider"}
        return provider

    def resolve(self, name: str, *, backends: Collection[str]) -> Model:
        """Return the model of a name, ready to be called.

        Args:
            name: a full name such as ``litellm_groq/openai/gpt-oss-20b``, or the option of a
                file in ``conf/model``.
            backends: the existing prefixes: the keys of the ``backend`` config node.

        Raises:
            UserError: an unknown prefix, provider or model, or a missing path.
        """
        entry = self._models.get(name)
        full = entry.name if entry else name
        prefix, rest = split_name(full, backends)
        if prefix is None:
            raise UserError(self._unknown_prefix(full, backends))
        if not rest:
            raise UserError(f"{full!r} names a backend and no model. {self._some(prefix)}")
        provider, model_id = self._reached(prefix, full, rest, entry)
        return Model(
            name=full,
            backend=prefix,
            model_id=model_id,
            provider=provider,
            **_settings(entry),
        )

    def can_be_called(self, name: str) -> bool:
        """Return whether a name suffices for a call: it is listed, or of a known provider."""
        named = provider_and_model(name)
        return name in self._models or (named is not None and named[0] in self._providers)

    def _reached(
        self, prefix: str, full: str, rest: str, entry: ModelEntry | None
    ) -> tuple[Provider | None, str]:
        """Return the provider of a model (None for this process) and the model's name there."""
        meaning = meaning_of(prefix)
        if meaning.of_provider:
            provider, model_id = self._provider_of(full, rest)
            provider = _at(provider, entry)
            return (_with_address(provider, full) if meaning.needs_address else provider), model_id
        if meaning.needs_entry and entry is None:
            raise UserError(self._not_listed(prefix, full))
        if entry is not None and "api_base" in meaning.entry_sets and entry.api_base is not None:
            server = Provider(
                name=prefix, api_base=entry.api_base, api_key_env=entry.api_key_env or None
            )
            return server, rest
        return None, rest

    def _not_listed(self, prefix: str, full: str) -> str:
        meaning = meaning_of(prefix)
        kind = meaning.engine_of or prefix
        listed = [name for name in self.names() if name.startswith(f"{prefix}_")]
        choices = choose_from(full, listed) if listed else f"No {kind} model is listed yet."
        how = meaning.how_to_list.format(name=full)
        return f"The {kind} model {full!r} is not listed. {choices} {how}"

    def _unknown_prefix(self, name: str, backends: Collection[str]) -> str:
        if (entry := self._models.get(name)) is not None:
            hint = f"It is listed in {entry.where}, and its backend is not in conf/backend. "
        else:
            hint = did_you_mean(near(name, self._models))
        head = re.split(r"[_/]", name, maxsplit=1)[0]
        close = near(head, backends)
        if not hint and close:
            hint = f"Did you mean the prefix {close[0]!r}? "
        elif not hint and (name.split("/", 1)[0] in self._providers):
            hint = f"Did you mean '{OF_APIS}_{name}'? "
        elif name in ("True", "False"):
            hint = "YAML reads yes, no, on and off so: put the name in quotes. "
        elif not hint and "_" not in name:
            hint = f"A model of an API is called '{OF_APIS}_{name}'. "
        known = ", ".join(f"{prefix}_" for prefix in sorted(backends))
        return (
            f"The model name {name!r} begins with no backend's prefix. {hint}"
            f"Possible prefixes: {known}. `arena models` lists the models."
        )

    def _some(self, prefix: str) -> str:
        names = [name for name in self._models if name.startswith(prefix + "_")]
        return f"Listed: {', '.join(sorted(names)[:6]) or 'none'}. `arena models` lists all."

    def _provider_of(self, full: str, rest: str) -> tuple[Provider, str]:
        """Return the provider and the model name of ``provider/model`` (no slash: openai)."""
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
    """Return the provider as one model's entry changes it.

    An entry with its own address names its own key: the provider's key and headers are not sent
    elsewhere.
    """
    if entry is None:
        return provider
    if entry.api_base is not None:
        key = entry.api_key_env or None
        return replace(provider, api_base=entry.api_base, api_key_env=key, headers={})
    if entry.api_key_env is not None:
        return replace(provider, api_key_env=entry.api_key_env or None)
    return provider


def _with_address(provider: Provider, full: str) -> Provider:
    """Return the provider with its well-known address if it has none of its own.

    Raises:
        UserError: no address is known.
    """
    if provider.api_base is not None:
        return provider
    known = OPENAI_PROTOCOL.get(provider.name)
    if known is None:
        rest = full.partition("_")[2]
        raise UserError(
            f"{full!r} needs the address of {provider.name!r}: set "
            f"`+provider.{provider.name}.api_base=https://...` where the OpenAI protocol is "
            f"spoken, or call it through LiteLLM as '{OF_APIS}_{rest}'."
        )
    return replace(provider, api_base=known)


def _settings(entry: ModelEntry | None) -> dict[str, Any]:
    """Return the settings that a model takes from its entry."""
    if entry is None:
        return {}
    return {
        "display_name": entry.display_name,
        "description": entry.description,
        "sampling": entry.sampling,
        "model_path": _usable(entry, "model_path"),
        "tokenizer_path": _usable(entry, "tokenizer_path"),
        "chat_template": entry.chat_template,
        "engine": entry.engine,
        "extra": entry.extra,
        "prices": entry.prices,
    }


def _usable(entry: ModelEntry, key: str) -> str | None:
    path: str | None = getattr(entry, key)
    if path and entry.api_base is None and not Path(path).exists():
        raise UserError(
            f"{entry.where}: {key} of {entry.name!r} is {path!r}, which does not exist here. "
            "Correct the path, or download the model to it."
        )
    return path


def _unknown_provider(name: str, providers: Collection[str]) -> str:
    hint = did_you_mean(near(name, providers))
    return (
        f"The provider {name!r} is not known. {hint}`arena providers` lists all. A server of your "
        f"own that speaks the OpenAI protocol is added by +provider.{name}.api_base=http://... "
        f"+provider.{name}.api_key_env=NAME_API_KEY, or in conf/catalog/api_providers.yaml."
    )
