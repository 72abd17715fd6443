"""Check that a game is not played with the rules of another preset.

``simulation.game=chess`` changes the game of the chosen preset but keeps its rules: a language
model would be given the rules of tic-tac-toe and blamed for its bad moves. The same holds for
``connect_four(rows=5)`` with rules that speak of six rows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from game_reasoning_arena.errors import UserError
from game_reasoning_arena.process.paths import conf_dirs
from game_reasoning_arena.process.yaml_text import load_yaml
from game_reasoning_arena.simulation.open_spiel.loading import load_game, short_name


def rules_of_another_game(game_string: str, rules: str | None) -> str | None:
    """Return what is wrong if ``rules`` belong to a preset of another game; None otherwise.

    Rules that no preset holds are the user's own and are not checked.
    """
    if rules is None:
        return None
    name = short_name(game_string)
    files = {path.stem: path for folder in conf_dirs() for path in _presets(folder)}
    first = [files[name]] if name in files else []
    others = []
    for path in [*first, *(path for path in files.values() if path not in first)]:
        preset = _read(path)
        if str(preset.get("rules") or "").strip() != rules.strip():
            continue
        theirs = str(preset.get("game"))
        if short_name(theirs) != name:
            others.append(path.stem)
        elif _parameters(theirs) == _parameters(game_string):
            return None
        else:
            return (
                f"simulation.game={game_string} would be played with the rules of {theirs} shown "
                "to the players. Set simulation.rules to those of this game; null shows none."
            )
    if not others:
        return None
    instead = (
        f"simulation={name}"
        if name in files
        else f"simulation=openspiel simulation.game={game_string}"
    )
    return (
        f"simulation.game={game_string} would be played with the rules of {others[0]} shown to "
        f"the players. Write {instead}, or set simulation.rules to this game's own."
    )


def _parameters(game_string: str) -> list[tuple[str, str]]:
    """Return all parameters of a game, with defaults for those that are not given."""
    try:
        parameters = load_game(game_string).get_parameters()
    except UserError:
        return []  # a preset of the user's own that cannot be played
    return sorted((name, str(value)) for name, value in parameters.items())


def _presets(folder: Path) -> list[Path]:
    return sorted((folder / "simulation").glob("*.yaml"))


def _read(path: Path) -> dict[str, Any]:
    import yaml

    try:
        content = load_yaml(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}  # Hydra reports it when it composes the file
    return content if isinstance(content, dict) else {}
