"""Complete a command line: commands, settings, options, names of models.

The shell asks while the user types, so only the words may be printed, even after an error.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys

from game_reasoning_arena.errors import ArenaError

_MODEL = re.compile(r"(\+{0,2}agents\.\w+\.model=)(.*)")
_OPTIONS = ("--cfg", "--config", "--config-dir", "--help", "--hydra-help", "--multirun")


def complete(shell: str, config_name: str) -> None:
    """Print the possible words for ``COMP_LINE`` in the form that the shell expects."""
    line = os.environ.get("COMP_LINE", "")
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        found = completions(line, config_name)
    sys.stdout.write(("\n" if shell == "fish" else " ").join(found) + "\n")


def completions(line: str, config_name: str) -> list[str]:
    """Return the words to which the last one of the line can be completed.

    Args:
        line: from the program's name on.
        config_name: the configuration whose settings are offered.
    """
    from game_reasoning_arena.commands.table_of_commands import COMMANDS

    before = line.split()[1:]
    word = before.pop() if before and not line[-1:].isspace() else ""
    if before and before[0] in COMMANDS:
        return []  # the shell completes files and directories
    if word.startswith("-"):
        return [option for option in _OPTIONS if option.startswith(word)]
    if model := _MODEL.fullmatch(word):
        return [f"{model.group(1)}{name}" for name in _models() if name.startswith(model.group(2))]
    commands = [name for name in COMMANDS if name.startswith(word)] if not before else []
    settings = [other for other in before if "=" in other]
    return commands + _of_hydra(" ".join([*settings, word or " "]), config_name)


def _models() -> list[str]:
    from game_reasoning_arena.configuration.hydra_source import CatalogSource

    return sorted(CatalogSource.models)


def _of_hydra(line: str, config_name: str) -> list[str]:
    from game_reasoning_arena.configuration.hydra_internals import COMPOSITION_ERRORS, completions
    from game_reasoning_arena.preflight.session import Session

    try:
        with Session() as session:
            return completions(session.hydra, config_name, line)
    except (*COMPOSITION_ERRORS, ArenaError, AssertionError, SystemExit):
        return []  # half a line may be invalid
