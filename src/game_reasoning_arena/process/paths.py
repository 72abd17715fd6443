"""Directories of configuration: the shipped ``conf``, then the user's in the working directory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
_added: list[Path] = []
_typed: list[bool] = [True]
_standing: list[Path] = []


def shipped_conf() -> Path:
    """Return the shipped ``conf``: inside the package in a wheel, beside ``src`` in a checkout."""
    inside = _PACKAGE / "conf"
    return inside if inside.is_dir() else _PACKAGE.parents[1] / "conf"


def standing() -> Path:
    """Return the directory in which the user called the command, wherever it works by now."""
    return _standing[-1] if _standing else Path.cwd()


@contextmanager
def working_in(directory: Path) -> Iterator[None]:
    """Work in a directory that a file names; the user's own ``conf/`` stays where the user is."""
    _standing.append(standing())
    try:
        with chdir(directory):
            yield
    finally:
        _standing.pop()


def user_conf() -> Path | None:
    """Return the ``conf`` where the user stands, if there is one that is not the shipped one."""
    candidate = standing() / "conf"
    if candidate.is_dir() and candidate.resolve() != shipped_conf().resolve():
        return candidate.resolve()
    return None


def add_conf_dir(directory: Path | None, *, typed: bool = True) -> None:
    """Let a further directory (``--config-dir``) win over the others; None takes it back.

    Args:
        directory: the directory.
        typed: whether the user has named it in this command, and not only a file.
    """
    _typed[:] = [typed]
    _added[:] = [] if directory is None else [directory.resolve()]


def added_conf_dir() -> str | None:
    """Return the directory of :func:`add_conf_dir`, to be recorded for a resume elsewhere."""
    return str(_added[0]) if _added else None


def conf_dirs(*, typed: bool = False) -> list[Path]:
    """Return all configuration directories, the one that wins last.

    Args:
        typed: leave out one that only a file names.
    """
    mine = user_conf()
    added = _added if _typed[-1] or not typed else []
    return [shipped_conf(), *([mine] if mine else []), *added]


def listable(folder: Path, problems: list[str]) -> bool:
    """Return whether there is a folder to look through; ``problems`` gets why it may not be."""
    try:
        os.scandir(folder).close()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        problems.append(f"{folder}: cannot be read: {error.strerror}.")
        return False
    return True


def cache_directory() -> Path:
    """Return the folder for things that can be made again: ``$XDG_CACHE_HOME`` or ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "game_reasoning_arena"
