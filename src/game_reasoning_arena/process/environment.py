"""The environment: ``.env``, whether keys are set, and the environment of child processes."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from game_reasoning_arena.errors import UserError
from game_reasoning_arena.process.secrets import SECRET_NAME, has_credentials


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


def without_keys(variables: Collection[str] = ()) -> dict[str, str]:
    """Return the environment for a child process that needs no key.

    It omits variables with names of secrets, addresses with a password, and every variable with the
    same value as one of these.

    Args:
        variables: further names to leave out, such as ``Provider.api_key_env``.
    """
    secret = {
        value
        for name, value in os.environ.items()
        if name in variables or SECRET_NAME.search(name) or has_credentials(value)
    }
    return {name: value for name, value in os.environ.items() if value not in secret or not value}
