"""`arena`: Hydra overrides run an experiment; a bare first word is a command.

arena simulation=kuhn_poker agents.player_0.model=litellm_openai/gpt-4o-mini
arena compare outputs/2026-11-22/*
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TextIO

from game_reasoning_arena.commands.table_of_commands import COMMANDS
from game_reasoning_arena.errors import ArenaError, Interrupted, UserError, choose_from, near
from game_reasoning_arena.process.environment import load_environment
from game_reasoning_arena.process.open_files import raise_limit
from game_reasoning_arena.process.output import make_writable, outlived
from game_reasoning_arena.process.paths import add_conf_dir
from game_reasoning_arena.process.text import plain

#: Characters of a file's name that a message shows.
LONGEST_NAME = 200


def main(argv: Sequence[str] | None = None) -> None:
    """Run the program and end the process with the exit code."""
    make_writable()
    _show_warnings_as_notes()
    sys.exit(run_command(list(sys.argv[1:] if argv is None else argv)))


def run_command(words: list[str]) -> int:
    """Run the command line; return the exit code: 0, 1, 2, 3 or 130."""
    code = 0
    add_conf_dir(None)  # an earlier command line of this process named its own
    with outlived() as problems:
        code = _done(words)
    for problem in problems:
        sys.stderr.write(f"arena: {problem}\n")
    return 1 if problems and code == 0 else code


def _done(words: list[str]) -> int:
    try:
        _refuse_nowhere()
        raise_limit()
        load_environment()
        if words and _is_command(words[0]):
            return _command(words[0], words[1:])
        if words == ["--version"]:
            from game_reasoning_arena import __version__

            sys.stdout.write(f"arena {__version__}\n")
            return 0
        from game_reasoning_arena.commands.play import run_hydra

        return run_hydra(words)
    except ArenaError as error:
        show_error(error)
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return Interrupted.exit_code
    except OSError as error:
        if error.filename is None or isinstance(error, BrokenPipeError):
            raise
        name = str(error.filename)
        shown = name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}..."
        sys.stderr.write(f"arena: {shown}: {error.strerror}.\n")
        return UserError.exit_code


def _refuse_nowhere() -> None:
    try:
        Path.cwd()
    except FileNotFoundError:
        raise UserError(
            "The working directory does not exist any more. Go to another one, then try again."
        ) from None


def _show_warnings_as_notes() -> None:
    """Show warnings about a run's files as notes for people, not as warnings about code."""
    usual = warnings.showwarning
    shown_messages: set[str] = set()

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if category.__name__ == "RunDataWarning":
            if str(message) not in shown_messages:
                sys.stderr.write(f"note: {message}\n")
            shown_messages.add(str(message))
        else:
            usual(message, category, filename, lineno, file, line)

    warnings.showwarning = show


def show_error(error: ArenaError) -> None:
    """Print an error for people: no traceback, a number before each of several problems."""
    problems = getattr(error, "problems", None)
    if problems and len(problems) > 1:
        sys.stderr.write(f"arena: {len(problems)} problems, nothing was run:\n")
        for number, problem in enumerate(problems, start=1):
            indented = plain(problem).replace("\n", "\n     ")
            sys.stderr.write(f"  {number}. {indented}\n")
        return
    sys.stderr.write(f"arena: {plain(str(problems[0] if problems else error))}\n")


def _is_command(word: str) -> bool:
    return not word.startswith(("-", "+", "~")) and "=" not in word


def _command(name: str, words: list[str]) -> int:
    if name not in COMMANDS:
        overrides = (
            f" An override is written KEY=VALUE: {name}=..." if not near(name, COMMANDS) else ""
        )
        raise UserError(f"{name} is no command. {choose_from(name, COMMANDS)}{overrides}")
    module = import_module(f"game_reasoning_arena.commands.{name}")
    parser = argparse.ArgumentParser(
        prog=f"arena {name}",
        description=module.HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.configure(parser)
    code: int = module.run(parser.parse_intermixed_args(words))  # words may follow an option
    return code
