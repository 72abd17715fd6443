"""What the environment says: ``.env``, sampling defaults, and whether keys are set."""

from __future__ import annotations

import os
from pathlib import Path

from game_reasoning_arena.errors import ConfigProblems, UserError
from game_reasoning_arena.records import DEFAULT_MAX_TOKENS, DEFAULT_TEMPERATURE, Sampling
from game_reasoning_arena.sampling import parse_sampling

#: Sampling parameters by the variable that sets them.
VARIABLES = {"MAX_TOKENS": "max_tokens", "TEMPERATURE": "temperature"}


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


def sampling_from_environment() -> Sampling:
    """``MAX_TOKENS`` and ``TEMPERATURE``, or 250 and 0.1 where they are unset or blank.

    Raises:
        ConfigProblems: a variable that is no number, or out of range.
    """
    set_ones = {key: os.environ.get(name, "").strip() for name, key in VARIABLES.items()}
    said = {key: text for key, text in set_ones.items() if text}
    sampling, _ = parse_sampling(said, "")
    problems = []
    for name, key in VARIABLES.items():
        if key in said and getattr(sampling, key) is None:
            wanted = "a whole number of at least 1" if key == "max_tokens" else "from 0 to 2"
            problems.append(
                f"The environment variable {name} is {said[key]!r}; it must be {wanted}. "
                f"Correct it in the environment or in .env, or unset it."
            )
    if problems:
        raise ConfigProblems(problems)
    return sampling.merged(Sampling(max_tokens=DEFAULT_MAX_TOKENS, temperature=DEFAULT_TEMPERATURE))


def key_is_set(variable: str | None) -> bool:
    """Whether a key variable holds something other than white space."""
    return bool(variable and os.environ.get(variable, "").strip())
