"""Checks of players before a run: a language model's options, and the number of players."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from game_reasoning_arena.agents.base_agent import PlayerSpec
from game_reasoning_arena.errors import UserError


def option_problems(spec: PlayerSpec) -> list[str]:
    """Return the wrong values in an ``llm`` player's options; each names its configuration key."""
    where = f"agents.{spec.name}"
    options = spec.options
    found: list[str] = []
    votes = options.get("votes", 1)
    if isinstance(votes, bool) or not isinstance(votes, int) or votes < 1:
        found.append(f"{where}.votes={votes!r} must be a whole number of at least 1.")
    elif votes > 1 and spec.sampling.temperature == 0:
        found.append(
            f"{where}.votes={votes} with sampling.temperature=0 asks for {votes} times the same "
            "answer. Raise the temperature, or take votes=1."
        )
    for key in ("memory", "constrain_to_legal", "show_legal_moves"):
        value = options.get(key)
        if value is not None and not isinstance(value, bool):
            found.append(f"{where}.{key}={value!r} must be true or false.")
    prompt = options.get("system_prompt")
    if prompt is not None and not isinstance(prompt, str):
        found.append(f"{where}.system_prompt={prompt!r} must be a text.")
    elif prompt is not None and _is_file(prompt):
        found.append(
            f"{where}.system_prompt={prompt}: there is a file of that name, but system_prompt "
            f"takes the text itself. Give it in a YAML file (agents: {{{spec.name}: "
            "{system_prompt: ...}}) with --config, or in a template of yours (template=mine.j2)."
        )
    template = options.get("template", "line")
    if not isinstance(template, str) or not template:
        found.append(f"{where}.template={template!r} must be a template's name or path.")
        return found
    from game_reasoning_arena.agents.prompting import load_template

    try:
        load_template(template)
    except UserError as error:
        found.append(f"{where}.template: {error}")
    return found


def _is_file(text: str) -> bool:
    """Return whether a text is one word that names a file."""
    if len(text.split()) != 1:
        return False
    try:
        return Path(text).expanduser().is_file()
    except (OSError, RuntimeError):  # too long for a name, or an unknown home
        return False


def seat_problems(players: Sequence[PlayerSpec], least: int, most: int, game: str) -> list[str]:
    """Return the problem with the number of players, if any."""
    n = len(players)
    if least <= n <= most:
        return []
    wanted = str(least) if least == most else f"{least} to {most}"
    names = ", ".join(f"agents.{spec.name}" for spec in players) or "none"
    advice = (
        f"Add +agents.player_{n}.type=random for an empty seat"
        if n < least
        else f"Remove one with ~agents.{players[-1].name}"
    )
    return [
        f"{game} has {wanted} player{'s' if most > 1 else ''}, but {n} "
        f"{'is' if n == 1 else 'are'} configured ({names}). {advice}."
    ]
