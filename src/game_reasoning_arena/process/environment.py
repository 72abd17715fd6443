"""The environment: ``.env``, whether keys are set, and what children see of it."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from game_reasoning_arena.errors import UserError
from game_reasoning_arena.process.secrets import SECRET_NAME, has_credentials


def load_environment() -> Path | None:
    """Read ``.env`` of the working directory or the nearest one above it.

    What the real environment sets wins.

    Returns:
        The file that was read, if any.

    Raises:
        UserError: the file cannot be read.
    """
    here = Path.cwd()
    if not any((folder / ".env").is_file() for folder in (here, *here.parents)):
        return None  # importing dotenv takes longer than all of this
    from dotenv import find_dotenv, load_dotenv

    found = find_dotenv(usecwd=True)
    try:
        load_dotenv(found)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or getattr(error, "reason", "")
        raise UserError(f"{found}: cannot be read: {reason}.") from error
    return Path(found)


def key_is_set(variable: str | None) -> bool:
    """Whether a key variable holds something other than white space."""
    return bool(variable and os.environ.get(variable, "").strip())


def without_keys(variables: Collection[str] = ()) -> dict[str, str]:
    """Return the environment for a child process that needs no key.

    Left out are variables whose names are those of secrets, addresses with a password in them, and
    whatever holds the same value as one of these.

    Args:
        variables: further names to leave out, such as ``Provider.api_key_env``.
    """
    secret = {
        value
        for name, value in os.environ.items()
        if name in variables or SECRET_NAME.search(name) or has_credentials(value)
    }
    return {name: value for name, value in os.environ.items() if value not in secret or not value}
