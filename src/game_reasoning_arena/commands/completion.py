"""Words that complete a command line: commands, settings, options, names of models.

The shell asks while somebody types, so nothing but the words may be printed, whatever is wrong.
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
    """Print what could come, in the form that the shell wants, for its ``COMP_LINE``."""
    line = os.environ.get("COMP_LINE", "")
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        found = completions(line, config_name)
    sys.stdout.write(("\n" if shell == "fish" else " ").join(found) + "\n")


def completions(line: str, config_name: str) -> list[str]:
    """The words that the last one of the line could become.

    Args:
        line: from the program's name on.
        config_name: the configuration whose settings are offered.
    """
    from game_reasoning_arena.commands.table_of_commands import COMMANDS

    before = line.split()[1:]
    word = before.pop() if before and not line[-1:].isspace() else ""
    if before and before[0] in COMMANDS:
        return []  # files and directories: the shell knows them
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
    from game_reasoning_arena.configuration.hydra_internals import completions
    from game_reasoning_arena.preflight.composition_problems import COMPOSITION_ERRORS
    from game_reasoning_arena.preflight.session import Session

    try:
        with Session() as session:
            return completions(session.hydra, config_name, line)
    except (*COMPOSITION_ERRORS, ArenaError, AssertionError, SystemExit):
        return []  # half a line may well be wrong
