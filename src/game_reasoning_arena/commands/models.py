"""`arena models [FILTER]`: the listed models, and whether they can be called from here.

arena models groq
arena models --provider groq --all
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from game_reasoning_arena.backends.factory import default_backend_confs
from game_reasoning_arena.backends.price_table import ListedModel, chat_models
from game_reasoning_arena.catalog.catalog import Catalog
from game_reasoning_arena.commands.tables import print_line, show_table
from game_reasoning_arena.errors import UserError, near
from game_reasoning_arena.process.environment import key_is_set
from game_reasoning_arena.process.paths import user_conf
from game_reasoning_arena.records import Model

HELP = """List the models of the catalog: the shipped lists, those in conf/ where you work, and
those given here. Other models of a known provider can be called without being listed; --all
lists every chat model that the installed LiteLLM's table has, with prices, contexts and dates."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("filter", nargs="?", default="", help="show only what contains this text")
    parser.add_argument("--provider", metavar="NAME", help="only this provider's models")
    parser.add_argument(
        "--all", action="store_true", help="every chat model of LiteLLM's table; asks no network"
    )
    add_files(parser)


def add_files(parser: argparse.ArgumentParser) -> None:
    """Add the option for further list files."""
    parser.add_argument("--files", nargs="+", default=[], metavar="FILE", help="further list files")


def load_what_can_be(files: Sequence[Path]) -> tuple[Catalog, dict[str, dict[str, Any]]]:
    """Return the catalog and the backends without broken entries of a ``conf/``, noted on stderr.

    Raises:
        ConfigProblems: the problems in ``files``.
    """
    broken: list[str] = []
    catalog = Catalog.load(files=files, broken=broken)
    backends = default_backend_confs(broken)
    for problem in broken:
        sys.stderr.write(f"note: left out: {problem}\n")
    own = user_conf()
    if broken and own is not None:
        sys.stderr.write(
            f"note: {own} is read because it is in the working directory. Correct it for runs; if "
            "it belongs to another program, work in another directory.\n"
        )
    return catalog, backends


def run(args: argparse.Namespace) -> int:
    """Print the table; return 1 if nothing matches.

    Raises:
        ConfigProblems: the problems in the catalog's files.
        UserError: there is no such provider.
    """
    catalog, backends = load_what_can_be([Path(word) for word in args.files])
    if args.provider is not None:
        catalog.provider(args.provider)  # raises with near names
    if args.all:
        return _show_all(args.provider, args.filter)
    names = catalog.names()
    if args.provider is not None:
        names = [
            name
            for name in names
            if (entry := catalog.entry(name)) is not None
            and catalog.provider_name(entry.name, backends) == args.provider
        ]
    rows = [_row(catalog, name, backends.keys()) for name in names]
    wanted = args.filter.lower()
    shown = [row for row in rows if any(wanted in cell.lower() for cell in (row[0], *row[2:]))]
    if not shown:
        close = near(args.filter, catalog.names())
        hint = f" Near: {', '.join(close)}." if close else ""
        if "=" in args.filter:
            hint = " It takes a word to look for, and lists of your own by --files FILE."
        print_line(f"No listed model contains {args.filter!r}.{hint} `arena models` lists all.")
        return 1
    show_table(("model", "ready", "description", "listed in"), shown)
    print_line(f"\n{len(shown)} of {len(rows)} listed models. Use one: arena model=NAME")
    return 0


def _show_all(provider: str | None, wanted: str) -> int:
    """Print the table of LiteLLM's models; return 1 if nothing matches."""
    models = [m for m in chat_models(provider) if wanted.lower() in m.name.lower()]
    if not models:
        suffix = f" of {provider!r}" if provider else ""
        print_line(f"LiteLLM's table has no chat model{suffix} that contains {wanted!r}.")
        return 1
    head = ("model", "USD per M in", "out", "context", "thinks", "retires")
    show_table(head, [_figures(model) for model in models])
    print_line(
        f"\n{len(models)} chat models in the installed LiteLLM's table. Use one: arena model=NAME; "
        "direct_ in the place of litellm_ where the provider speaks the OpenAI protocol."
    )
    return 0


def _figures(model: ListedModel) -> tuple[str, ...]:
    return (
        model.name,
        "" if model.input_usd is None else f"{model.input_usd:g}",
        "" if model.output_usd is None else f"{model.output_usd:g}",
        "" if model.context is None else f"{model.context:,}",
        "yes" if model.thinks else "",
        "" if model.retires is None else model.retires.isoformat(),
    )


def _row(catalog: Catalog, name: str, backends: Collection[str]) -> tuple[str, str, str, str]:
    entry = catalog.entry(name)
    assert entry is not None
    description = entry.description
    if name != entry.name:
        description = f"{entry.name}; {description}" if description else entry.name
    try:
        model = catalog.resolve(name, backends=backends)
        ready = _ready(model)
    except UserError as error:
        ready = f"no: {str(error).partition('. ')[0]}"
    return name, ready, description, _short(entry.where)


def _ready(model: Model) -> str:
    variable = model.provider.api_key_env if model.provider else None
    if variable is None:
        return "yes"
    return "yes" if key_is_set(variable) else f"no: {variable} is not set"


def _short(where: str) -> str:
    """Return a file below the working directory as a relative path."""
    path = Path(where)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else where
