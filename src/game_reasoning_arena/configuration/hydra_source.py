"""The catalog as a configuration source of Hydra: every model is an option of group ``model``.

Hydra's own store copies all its content for every group that it lists, which is slow with hundreds
of models; this source answers from a dictionary. It also has the option ``backend/all`` (every
backend file), and it puts the user's ``conf`` before the shipped one, so that it adds to and
replaces what is shipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, Self

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigLoadError, ConfigResult, ConfigSource
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import OmegaConf

from game_reasoning_arena.catalog.catalog import Catalog
from game_reasoning_arena.catalog.entries import ModelEntry
from game_reasoning_arena.catalog.files import options
from game_reasoning_arena.configuration.trust import current_trust
from game_reasoning_arena.process.paths import add_conf_dir, conf_dirs, user_conf
from game_reasoning_arena.records import Sampling

#: The option of group ``backend`` that holds all of them.
ALL = "all"


def register(files: Sequence[str] = (), config_dir: str | None = None) -> Catalog:
    """Register the catalog with Hydra, and return it. May be called again.

    Args:
        files: further lists.
        config_dir: a further configuration directory, Hydra's ``--config-dir``.

    Raises:
        ConfigProblems: all problems in the catalog's files.
    """
    typed = not current_trust().recorded
    add_conf_dir(Path(config_dir) if config_dir else None, typed=typed)
    catalog = Catalog.load(files=files)
    CatalogSource.models = {
        name: entry for name in catalog.names() if (entry := catalog.entry(name)) is not None
    }
    CatalogSource.catalog = catalog
    CatalogSource.backends = sorted(
        {option for folder in conf_dirs() for option, _ in options(folder / "backend")} - {ALL}
    )
    for plugin in (CatalogSource, CatalogSearchPath):
        Plugins.instance().register(plugin)
    return catalog


class CatalogSource(ConfigSource):
    """Answers Hydra's questions about groups ``model`` and ``backend`` from the catalog."""

    # Hydra makes these objects itself, several a run, so their data is kept in the class.
    models: ClassVar[dict[str, ModelEntry]] = {}
    backends: ClassVar[list[str]] = []
    catalog: ClassVar[Catalog | None] = None

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self  # Hydra copies its sources for every listed group

    @staticmethod
    def scheme() -> str:
        """Return the prefix of its entry in the search path."""
        return "arena"

    def available(self) -> bool:
        """Return True: the source needs no path."""
        return True

    def load_config(self, config_path: str) -> ConfigResult:
        """Return the configuration of ``model/NAME`` or ``backend/all``."""
        group, _, option = _trimmed(config_path).partition("/")
        if group == "model" and (body := self._model(option)) is not None:
            content: dict[str, Any] = {"defaults": ["/schema/model/base@_here_", "_self_"], **body}
        elif group == "backend" and option == ALL:
            # Each under its own name, whether or not its file has the line `# @package
            # backend.NAME`.
            content = {"defaults": [f"{name}@{name}" for name in self.backends]}
        else:
            raise ConfigLoadError(f"The catalog has no {config_path!r}.")
        return ConfigResult(
            config=OmegaConf.create(content),
            path=f"{self.scheme()}://{self.path}",
            provider=self.provider,
            header={"package": None},
        )

    def is_group(self, config_path: str) -> bool:
        """Return whether options lie below a path; slashes in names make groups of their parts."""
        group, _, rest = config_path.strip("/").partition("/")
        if group == "backend":
            return not rest
        if group != "model":
            return not group
        return not rest or any(name.startswith(rest + "/") for name in self.models)

    def is_config(self, config_path: str) -> bool:
        """Return whether this is a listed model, one of a known provider, or ``backend/all``."""
        group, _, option = _trimmed(config_path).partition("/")
        if group == "model":
            return self._model(option) is not None
        return group == "backend" and option == ALL

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        """Return the options of a group (all models, slash names too), or the groups at the top."""
        path = config_path.strip("/")
        if results_filter is ObjectType.GROUP:
            return ["backend", "model"] if not path else []
        if path == "backend":
            return [ALL]
        if path == "model":
            return sorted(self.models)
        if path.startswith("model/"):
            below = path.removeprefix("model/") + "/"
            return sorted(n.removeprefix(below) for n in self.models if n.startswith(below))
        return []

    def _model(self, option: str) -> dict[str, Any] | None:
        entry = self.models.get(option)
        if entry is not None:
            return _as_conf(entry)
        if self.catalog is not None and self.catalog.can_be_called(option):
            return {"name": option}
        return None


class CatalogSearchPath(SearchPathPlugin):
    """Puts the user's ``conf`` before the shipped one, and the catalog behind both."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Edit the search path; Hydra calls this whenever it makes one."""
        mine = user_conf()
        if mine is not None:
            search_path.prepend(provider="working directory", path=str(mine))
        search_path.append(provider="catalog", path=f"{CatalogSource.scheme()}://")


def _trimmed(config_path: str) -> str:
    path = config_path.strip("/")
    return str(PurePosixPath(path).with_suffix("")) if path.endswith(".yaml") else path


def _as_conf(entry: ModelEntry) -> dict[str, Any]:
    """Return an entry in the form of ``ModelConf``, with only its own settings."""
    body: dict[str, Any] = {"name": entry.name}
    for key in entry.__struct_fields__:
        value = getattr(entry, key)
        if key in ("name", "where", "sampling") or not value:
            continue
        body[key] = value
    if entry.sampling != Sampling():
        body["sampling"] = entry.sampling.as_config()
    return body
