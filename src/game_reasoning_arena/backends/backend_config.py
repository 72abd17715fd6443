"""Providers for programs that use the backends without a run.

from game_reasoning_arena.backends.backend_config import config

config.add_provider("custom_ai", "CUSTOM_AI_API_KEY", "Custom AI", api_base="http://...")
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from game_reasoning_arena.catalog.catalog import Catalog
from game_reasoning_arena.process.environment import load_environment


class BackendConfig:
    """The catalog in use, and the providers that were added while the program ran."""

    def __init__(self) -> None:
        self._added: dict[str, dict[str, Any]] = {}
        self._catalog: Catalog | None = None
        self._lock = threading.RLock()

    @property
    def catalog(self) -> Catalog:
        """The catalog, read when first used.

        Raises:
            ConfigProblems: the problems in its files.
        """
        with self._lock:
            return self._catalog or self.load()

    def load(self, files: Sequence[str | Path] = ()) -> Catalog:
        """Read ``.env`` and the catalog again, with further list files; added providers stay.

        Raises:
            UserError: ``.env`` cannot be read.
            ConfigProblems: the problems in its files; the catalog stays as it was.
        """
        load_environment()
        with self._lock:
            self._catalog = Catalog.load(files=files, inline_providers=self._added)
            return self._catalog

    def add_provider(
        self,
        provider_name: str,
        api_key_env: str | None,
        description: str = "",
        api_base: str | None = None,
    ) -> None:
        """Add a provider, or change one, for this process.

        Args:
            provider_name: as in ``litellm_<provider_name>/<model>``.
            api_key_env: the name of the variable that holds the key; None for a keyless server.
            description: for people.
            api_base: its address for the OpenAI protocol; not needed for LiteLLM's own providers.

        Raises:
            ConfigProblems: a name, variable or address is not valid.
        """
        settings = {
            "api_key_env": api_key_env or "",
            "description": description or None,
            "api_base": api_base,
        }
        with self._lock:
            self.catalog.add_provider(provider_name, settings)
            self._added[provider_name] = settings

    def get_api_key(self, provider_name: str) -> str | None:
        """Return the provider's key from the environment; None if unset, blank or not needed.

        Raises:
            UserError: the provider is not known.
        """
        variable = self.catalog.provider(provider_name).api_key_env
        return (os.environ.get(variable, "").strip() or None) if variable else None

    def get_supported_providers(self) -> list[str]:
        """Return the names of all known providers, sorted."""
        return [provider.name for provider in self.catalog.providers()]


#: The configuration of this process.
config = BackendConfig()
