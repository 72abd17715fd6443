"""Where a run or a sweep is written: which directory, whether it can be, and nobody else's."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from omegaconf import DictConfig, OmegaConf, read_write

from game_reasoning_arena.errors import UserError
from game_reasoning_arena.process.files import PRIVATE
from game_reasoning_arena.recording import layout
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


def check_directory(directory: Path, key: str = "hydra.run.dir") -> None:
    """Fail if a run or sweep could not be written there; makes nothing.

    Args:
        directory: absolute.
        key: the setting that names it.

    Raises:
        UserError: a run is there, or files that it would overwrite; it is the root or a home
            directory; its name is too long; or the nearest existing parent is not writable.
    """
    try:
        _refuse_places(directory, key)
        refuse_begun(directory, f"{key}=...")
        _refuse_files_of_others(directory, key)
        parent = directory
        while not parent.exists() and parent != parent.parent:
            parent = parent.parent
        problem = _not_for_files(parent)
    except OSError as error:
        problem = f"({error.strerror or error})"
        parent = directory
    if problem is not None:
        raise UserError(
            f"The output directory {_shown(directory)} cannot be made: {_shown(parent)} {problem}. "
            f"Choose another with {key}=... or mend its permissions."
        )


def _not_for_files(parent: Path) -> str | None:
    """Why nothing can be made in a place that exists, if so."""
    if not parent.is_dir():
        return "is not a directory"
    return None if os.access(parent, os.W_OK | os.X_OK) else "is not writable"


def _refuse_places(directory: Path, key: str) -> None:
    """Nobody means the root of all files or all that somebody owns; and Hydra reads paths."""
    if "${" in str(directory) and key == "hydra.run.dir":
        raise UserError(
            f"A run cannot be written to {directory}: Hydra takes what begins with ${{ for a "
            f"reference. Work in another directory, or name one: {key}=/some/where/else"
        )
    real = Path(os.path.normpath(directory))
    homes = {Path.home(), Path("/home"), *(Path(user.pw_dir) for user in pwd.getpwall())}
    if real == Path(real.anchor) or real in homes:
        what = "the root of all files" if real == Path(real.anchor) else "a home directory"
        raise UserError(
            f"{key}={directory} is {what}, and a run's files would lie loose in it. Name a "
            f"directory of its own: {key}={real / 'outputs' / 'mine'}"
        )


def _refuse_files_of_others(directory: Path, key: str) -> None:
    """What a run or sweep would write over must not be there."""
    if key == "hydra.sweep.dir" and os.path.lexists(directory / layout.SWEEP):
        return  # a sweep of ours; whoever goes on with it looks into it
    names = {*layout.RECORDS, *_OF_HYDRA}
    found = sorted(name for name in names if os.path.lexists(directory / name))
    if not found or (layout.LOG in found and {*found} <= _LEFT_BY_A_START):
        return
    listed = ", ".join(found)
    raise UserError(
        f"{key}={directory} holds {listed}, which would be written over, and no run of the arena. "
        f"Choose another directory: {key}={directory / 'mine'}"
    )


def _shown(path: Path) -> str:
    text = str(path)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


#: What Hydra writes beside our files.
_OF_HYDRA = (".hydra", "multirun.yaml")

#: What a run leaves that ended before it began, and that the next may write over.
_LEFT_BY_A_START = frozenset({layout.LOG, layout.LOCK, ".hydra"})

#: Characters of a path that a message shows.
_LONGEST_SHOWN = 200


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
