"""What the environment says: ``.env``, and whether keys are set."""

from __future__ import annotations

import os
from pathlib import Path

from game_reasoning_arena.errors import UserError


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
