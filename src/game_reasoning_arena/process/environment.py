"""The environment: ``.env``, whether keys are set, and the environment of child processes."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from game_reasoning_arena.errors import UserError
from game_reasoning_arena.process.secrets import SHORT, has_credentials, is_secret


def load_environment() -> Path | None:
    """Read ``.env`` of the working directory or the nearest one above it.

    Variables of the real environment take precedence.

    Returns:
        The file that was read, or None.

    Raises:
        UserError: the file cannot be read.
    """
    here = Path.cwd()
    if not any((folder / ".env").is_file() for folder in (here, *here.parents)):
        return None  # importing dotenv takes longer than this whole check
    from dotenv import find_dotenv, load_dotenv

    found = find_dotenv(usecwd=True)
    try:
        load_dotenv(found)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or getattr(error, "reason", "")
        raise UserError(f"{found}: cannot be read: {reason}.") from error
    return Path(found)


def key_is_set(variable: str | None) -> bool:
    """Return whether a key variable holds something other than white space."""
    return bool(variable and os.environ.get(variable, "").strip())


def union_of_keys(needed: Iterable[Collection[str] | None]) -> Collection[str] | None:
    """Return all keys that some need, by their variables; None, any key, if one may need any."""
    found: set[str] = set()
    for keys in needed:
        if keys is None:
            return None
        found.update(keys)
    return found


def without_keys(keep: Collection[str] | None = ()) -> dict[str, str]:
    """Return the environment for a child process that needs few keys or none.

    It omits secret variables, addresses with a password, and every variable with the same value as
    one of these, unless it is too short for a key.

    Args:
        keep: the keys that it needs; None keeps everything.
    """
    if keep is None:
        return dict(os.environ)
    secret = {
        name: value
        for name, value in os.environ.items()
        if is_secret(name) or has_credentials(value)
    }
    values = {value for value in secret.values() if len(value) >= SHORT}
    return {
        name: value
        for name, value in os.environ.items()
        if name in keep or not (name in secret or value in values)
    }


@contextmanager
def keys_set_aside(keep: Collection[str] | None = ()) -> Iterator[None]:
    """Leave out keys as :func:`without_keys` does, where a library starts processes by itself.

    Nothing else of this process may look for a key meanwhile.
    """
    kept = without_keys(keep)
    aside = {name: value for name, value in os.environ.items() if name not in kept}
    for name in aside:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(aside)
