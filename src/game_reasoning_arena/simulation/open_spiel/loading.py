"""Load games of OpenSpiel by the library's own strings, with errors for people."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyspiel

from game_reasoning_arena.errors import UserError, choose_from, near

Game = Any
State = Any


@contextmanager
def quiet_engine() -> Iterator[None]:
    """Keep the library from printing exceptions to standard error."""
    sys.stderr.flush()
    saved = os.dup(2)
    sink = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(sink)


def short_name(game_string: str) -> str:
    """Return the game's name without its parameters."""
    return game_string.split("(", 1)[0].strip()


def game_names() -> list[str]:
    """Return all games of the library."""
    return sorted(pyspiel.registered_names())


def load_game(game_string: str) -> Game:
    """Load a game by its string, such as ``leduc_poker(players=3)``.

    Raises:
        UserError: unknown game, or parameters that it refuses.
    """
    name = short_name(game_string)
    if name.startswith("python_") and name not in pyspiel.registered_names():
        import open_spiel.python.games  # noqa: F401  registers the games written in Python
    if name not in pyspiel.registered_names():
        shown = near(name, pyspiel.registered_names())
        raise UserError(
            f"simulation.game={game_string!r}: OpenSpiel has no game {name!r}. "
            + choose_from(name, shown or pyspiel.registered_names(), limit=8)
            + " docs/games.md lists all."
        )
    try:
        with quiet_engine():
            return pyspiel.load_game(game_string)
    except (pyspiel.SpielError, IndexError, ValueError, TypeError, RuntimeError) as error:
        raise UserError(
            f"simulation.game={game_string!r} is refused by OpenSpiel: {_reason(error, name)}"
        ) from error


def _reason(error: Exception, name: str) -> str:
    if "filename" in _parameters(name):
        return f"it needs a file that can be read: {name}(filename=...)."
    if not isinstance(error, pyspiel.SpielError):
        return "it needs parameters that are not given or have no such value."
    text = engine_message(error)
    if found := re.search(r"Unknown parameter '(\w+)'. Available parameters are: (.*)", text):
        parameters = [part.strip() for part in found[2].replace(",", " ").split()]
        return f"{name} has no parameter {found[1]!r}. " + choose_from(found[1], parameters)
    return text if text.endswith((".", ")")) else f"{text}."


def engine_message(error: Exception) -> str:
    """Return the library's message on one line, without its place in the source."""
    return re.sub(r"^\S+\.(cc|h):\d+\s*", "", " ".join(str(error).split()))


def _parameters(name: str) -> list[str]:
    for kind in pyspiel.registered_games():
        if kind.short_name == name:
            return list(kind.parameter_specification)
    return []
