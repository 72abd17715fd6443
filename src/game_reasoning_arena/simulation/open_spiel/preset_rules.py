"""Rules that ship with one game are told of no other.

``simulation.game=chess`` changes the game of the preset that is chosen, and would keep its rules: a
language model would be told how tic-tac-toe is played, and its bad moves would be its fault.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from game_reasoning_arena.paths import conf_dirs
from game_reasoning_arena.simulation.open_spiel.loading import short_name


def rules_of_another_game(game_string: str, rules: str | None) -> str | None:
    """What is wrong when ``rules`` are those of a preset for another game; None if nothing is.

    Rules that no preset holds are the user's own, and theirs to answer for.
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
        if short_name(str(preset.get("game"))) == name:
            return None
        others.append(path.stem)
    if not others:
        return None
    instead = (
        f"simulation={name}"
        if name in files
        else f"simulation=openspiel simulation.game={game_string}"
    )
    return (
        f"simulation.game={game_string} would be played with the rules of {others[0]} told to the "
        f"players. Write {instead}, or set simulation.rules to this game's own."
    )


def _presets(folder: Path) -> list[Path]:
    return sorted((folder / "simulation").glob("*.yaml"))


def _read(path: Path) -> dict[str, Any]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), loader)  # noqa: S506  a safe one
    except (OSError, ValueError, yaml.YAMLError):
        return {}  # told by whoever composes it
    return content if isinstance(content, dict) else {}
