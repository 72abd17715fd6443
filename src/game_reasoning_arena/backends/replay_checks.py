"""What keeps a recording from answering in another run, as far as the configurations tell.

A recorded answer belongs to one question, so that whatever changes the questions must be as it was:
the game, the deals, the seats, and how this player is asked. What the other players do cannot be
known before.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from game_reasoning_arena.command_line import read_plain_file
from game_reasoning_arena.errors import UserError
from game_reasoning_arena.recording import layout

#: Settings of an agent that change no question.
_OF_THE_ANSWER = ("model", "sampling", "constrain_to_legal")


def replay_mismatches(config: Mapping[str, Any], player: str, directory: Path) -> list[str]:
    """Why the answers recorded in ``directory`` cannot be those of ``player`` here.

    Args:
        config: the resolved configuration of the run to be.
        player: whose model is ``replay_<directory>``.
        directory: a run directory.

    Returns:
        One sentence with each setting that differs, then and now; empty if all agree.
    """
    where = f"agents.{player}.model=replay_{directory}"
    try:
        then = read_plain_file(directory / layout.CONFIG)
    except UserError as error:
        return [f"{where}: {error}"]
    agents = then.get("agents") or {}
    recorded = [name for name, values in agents.items() if values.get("type") == "llm"]
    if player not in recorded:
        return [
            f"{where}: no answers of {player} were recorded there, only of "
            f"{', '.join(recorded) or 'nobody'}. Give the recording to a player of the same name."
        ]
    was, now = _asked(then, player), _asked(config, player)
    differing = [
        f"{key}={_shown(was.get(key))} there, {_shown(now.get(key))} here"
        for key in sorted(was.keys() | now.keys())
        if was.get(key) != now.get(key)
    ]
    if isinstance(then.get("episodes"), int) and config["episodes"] > then["episodes"]:
        differing.append(f"episodes={then['episodes']} there, {config['episodes']} here")
    if not differing:
        return []
    return [
        f"{where}: its answers are to other questions than this run asks: {'; '.join(differing)}. "
        f"Take the settings of that run with --config {directory / layout.CONFIG}, or choose a "
        "model that can answer."
    ]


def _asked(config: Mapping[str, Any], player: str) -> dict[str, Any]:
    """The settings that decide what a player is asked, flat."""
    agents = config.get("agents") or {}
    simulation = config.get("simulation") or {}
    failure = config.get("on_failure") or {}
    return {
        "seed": config.get("seed"),
        "seats": config.get("seats"),
        "number of players": len(agents),
        "on_failure.feedback": failure.get("feedback"),
        **{f"simulation.{key}": value for key, value in simulation.items() if key != "max_moves"},
        **{
            f"agents.{player}.{key}": value
            for key, value in (agents.get(player) or {}).items()
            if key not in _OF_THE_ANSWER
        },
    }


def _shown(value: Any) -> str:
    text = "null" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
