"""`arena providers [FILTER]`: the API providers and whether their keys are set, never the keys.

arena providers --all
"""

from __future__ import annotations

import argparse
from pathlib import Path

from game_reasoning_arena.commands.models import add_files, load_what_can_be
from game_reasoning_arena.commands.tables import print_line, show_table
from game_reasoning_arena.errors import near
from game_reasoning_arena.process.environment import key_is_set
from game_reasoning_arena.records import Provider

HELP = """List API providers: the variable that holds each key, and whether it is set. Shown are
the listed providers and those whose key is set; --all and FILTER show all that LiteLLM knows."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("filter", nargs="?", default="", help="show only what contains this text")
    parser.add_argument("--all", action="store_true", help="also the ones that are not listed")
    add_files(parser)


def run(args: argparse.Namespace) -> int:
    """Print the table; return 1 if nothing matches.

    Raises:
        ConfigProblems: the problems in the catalog's files.
    """
    catalog, _ = load_what_can_be([Path(word) for word in args.files])
    every = catalog.providers()
    wanted = args.filter.lower()
    shown = [
        provider
        for provider in every
        if wanted in f"{provider.name} {provider.description}".lower()
        and (
            wanted
            or args.all
            or catalog.origin(provider.name) != "litellm"
            or key_is_set(provider.api_key_env)
        )
    ]
    if not shown:
        close = near(args.filter, [provider.name for provider in every])
        hint = f" Near: {', '.join(close)}." if close else ""
        print_line(
            f"No provider contains {args.filter!r}.{hint} `arena providers --all` lists all."
        )
        return 1
    show_table(
        ("provider", "key", "variable", "address", "description"),
        [
            (p.name, key_state(p), p.api_key_env or "", p.api_base or "", p.description)
            for p in shown
        ],
    )
    print_line(
        f"\n{len(shown)} of {len(every)} providers. Keys are read from the environment or .env."
    )
    return 0


def key_state(provider: Provider) -> str:
    """Return ``set``, ``missing``, or ``none needed`` if the provider names no variable."""
    if provider.api_key_env is None:
        return "none needed" if provider.api_base else "no single key"
    return "set" if key_is_set(provider.api_key_env) else "missing"
