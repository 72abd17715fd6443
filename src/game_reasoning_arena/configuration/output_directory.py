"""The output directory of a run or a sweep: its path, its checks, and its exclusive creation."""

from __future__ import annotations

import os
import pwd
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig, OmegaConf, read_write

from game_reasoning_arena.errors import UserError
from game_reasoning_arena.process.files import PRIVATE, read_file
from game_reasoning_arena.recording import layout
from game_reasoning_arena.recording.writer import refuse_begun


def chosen_directory(cfg: DictConfig, key: str) -> Path:
    """Return the absolute directory that ``key`` names.

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
    """Raise if a run or sweep cannot be written there; creates nothing.

    Args:
        directory: absolute.
        key: the setting that names it.

    Raises:
        UserError: it holds a run, or files that would be overwritten; it is the root or a home
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
            f"Choose another with {key}=... or correct its permissions."
        )


def _not_for_files(parent: Path) -> str | None:
    """Return why nothing can be created in an existing place, or None."""
    if not parent.is_dir():
        return "is not a directory"
    return None if os.access(parent, os.W_OK | os.X_OK) else "is not writable"


def _refuse_places(directory: Path, key: str) -> None:
    """Refuse the root, home directories, and paths that Hydra would read otherwise."""
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
    """Refuse a directory with files that a run or sweep would overwrite."""
    if key == "hydra.sweep.dir" and os.path.lexists(directory / layout.SWEEP):
        return  # a sweep of ours; resuming it checks it
    names = {*layout.RECORDS, *_OF_HYDRA}
    found = sorted(name for name in names if os.path.lexists(directory / name))
    if not found or _left_by_a_start(directory, found):
        return
    listed = ", ".join(found)
    raise UserError(
        f"{key}={directory} holds {listed}, which would be written over, and no run of the arena. "
        f"Choose another directory: {key}={directory / 'mine'}"
    )


def _shown(path: Path) -> str:
    text = str(path)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


#: Files that Hydra writes beside ours.
_OF_HYDRA = (".hydra", "multirun.yaml")


def _left_by_a_start(directory: Path, found: Sequence[str]) -> bool:
    """Return whether this is what a run or sweep leaves that ended before it began.

    One that was killed leaves, in this order, Hydra's directory, the log, the lock, line files
    without a line, and config.yaml or the jobs' files; and nothing of anybody else.
    """
    if layout.LOG in found and {*found} <= _BEFORE_THE_LOCK | {layout.LOCK}:
        return True
    there = {name for name in os.listdir(directory) if not name.endswith(".new")}
    if layout.LOCK in there:
        return there <= _BEFORE_A_RUN
    return there <= _BEFORE_THE_LOCK and _is_ours(directory / ".hydra")


def _is_ours(directory: Path) -> bool:
    """Return whether Hydra's directory is of a run of ours, as far as it was written."""
    if not {name.name for name in directory.iterdir()} <= _FILES_OF_HYDRA:
        return False
    try:
        text = read_file(directory / "config.yaml").decode(errors="replace")
    except FileNotFoundError:
        return True
    return not text or "game_reasoning_arena" in text


_BEFORE_THE_LOCK = frozenset({layout.LOG, ".hydra"})
_BEFORE_A_RUN = _BEFORE_THE_LOCK | {
    *(layout.LOCK, layout.RESPONSES, layout.EPISODES, layout.CONFIG, layout.JOBS)
}
_FILES_OF_HYDRA = frozenset({"config.yaml", "hydra.yaml", "overrides.yaml"})

#: The most characters of a path that a message shows.
_LONGEST_SHOWN = 200


def claim_directory(cfg: DictConfig, key: str, directory: Path) -> Path:
    """Create the directory for this run alone, and set ``key`` to it.

    A default name holds microseconds; if another process had the same moment, the next free
    microsecond is taken. A name that the user chose is taken as it is.

    Raises:
        UserError: it cannot be created.
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
