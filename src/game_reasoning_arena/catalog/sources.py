"""The files of the catalog, each read once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct, field

from game_reasoning_arena.catalog.files import (
    Contents,
    options,
    read_list,
    read_model_file,
    read_provider_file,
)
from game_reasoning_arena.process.paths import listable

_LIST_TYPES = (".yaml", ".yml", ".json")


class Sources(Struct, frozen=True):
    """The contents of configuration directories and list files, each read once."""

    of_dirs: Sequence[Contents]
    of_files: dict[Path, Contents] = field(default_factory=dict)

    @classmethod
    def read(cls, folders: Sequence[Path]) -> Sources:
        """Read the catalog's groups of configuration directories; the last one wins."""
        sources: list[Contents] = []
        model_folders = [folder / "model" for folder in folders]
        for folder in folders:
            sources.append(looked := Contents())
            if not listable(folder, looked.problems):
                continue
            if listable(lists := folder / "catalog", looked.problems):
                paths = [path for path in sorted(lists.iterdir()) if path.suffix in _LIST_TYPES]
                sources += [read_list(path) for path in paths]
            if listable(group := folder / "provider", looked.problems):
                found = options(group)
                sources += [read_provider_file(path, option) for option, path in found]
            if listable(group := folder / "model", looked.problems):
                found = options(group)
                sources += [read_model_file(path, option, model_folders) for option, path in found]
        return cls(sources)

    def file(self, name: str | Path) -> Contents:
        """Return the contents of a list file."""
        path = Path(name).expanduser()
        if path not in self.of_files:
            self.of_files[path] = read_list(path)
        return self.of_files[path]
