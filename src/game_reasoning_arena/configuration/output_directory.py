"""Where a run or a sweep is written: which directory, whether it can be, and nobody else's."""

from __future__ import annotations

import os
from pathlib import Path

from omegaconf import DictConfig, OmegaConf, read_write

from game_reasoning_arena.errors import UserError
from game_reasoning_arena.process.files import PRIVATE
from game_reasoning_arena.recording.writer import refuse_begun


def chosen_directory(cfg: DictConfig, key: str) -> Path:
    """The directory that ``key`` names, absolute.

    Raises:
        UserError: it is empty, which would be the working directory.
    """
    chosen = str(OmegaConf.select(cfg, key) or "").strip()
    if not chosen:
        raise UserError(
            f"{key} is empty, so the files would lie among those of this directory. Name a "
            "directory for them, or leave it out."
        )
    return Path(chosen).absolute()


def check_directory(directory: Path) -> None:
    """Fail if a run could not be written there; makes nothing.

    Raises:
        UserError: a run is there, or the nearest existing parent is not writable.
    """
    refuse_begun(directory, "hydra.run.dir=...")
    parent = directory
    while not parent.exists() and parent != parent.parent:
        parent = parent.parent
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        what = "is not a directory" if not parent.is_dir() else "is not writable"
        raise UserError(
            f"The output directory {directory} cannot be made: {parent} {what}. "
            "Choose another with hydra.run.dir=... or mend its permissions."
        )


def claim_directory(cfg: DictConfig, key: str, directory: Path) -> Path:
    """Make the directory so that no other run of the same moment has it, and set ``key`` to it.

    A default name carries microseconds; where another process was as fast, the next free
    microsecond is taken. A name that the user chose is taken as it is.

    Raises:
        UserError: it cannot be made.
    """
    chosen = any(word.startswith(key) for word in cfg.hydra.overrides.hydra)
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        while True:
            try:
                directory.mkdir(PRIVATE, exist_ok=chosen)
                break
            except FileExistsError:
                stem, _, micros = directory.name.rpartition("-")
                directory = directory.with_name(f"{stem}-{(int(micros) + 1) % 1_000_000:06d}")
    except OSError as error:
        raise UserError(
            f"The directory {directory} cannot be made: {error.strerror or error}. Choose another "
            f"with {key}=..."
        ) from error
    with read_write(cfg.hydra):
        OmegaConf.update(cfg, key, str(directory))
    return directory
