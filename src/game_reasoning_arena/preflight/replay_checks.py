"""Check by the configurations whether a recording can answer in another run.

A recorded answer belongs to one question, so everything that changes the questions must be equal:
the game, the deals, the seats, and how this player is asked. What the other players will do cannot
be known in advance.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from game_reasoning_arena.configuration.command_line import read_plain_file
from game_reasoning_arena.errors import UserError
from game_reasoning_arena.recording import layout
from game_reasoning_arena.recording.reader import RunReader
from game_reasoning_arena.records import FINAL

if TYPE_CHECKING:
    from game_reasoning_arena.preflight.experiment import Experiment

#: Settings of an agent that change no question.
_OF_THE_ANSWER = ("model", "sampling", "constrain_to_legal", "display_name")


def recording_problems(experiment: Experiment) -> list[str]:
    """Return a sentence for each player whose recording cannot answer in a run."""
    problems: list[str] = []
    for player in experiment.players:
        if player.model is None:
            continue
        recording = experiment.backends[player.model.backend].recording(player.model)
        if recording is not None:
            problems += replay_mismatches(experiment, player.name, recording)
    return problems


def replay_mismatches(experiment: Experiment, player: str, directory: Path) -> list[str]:
    """Return why the answers recorded in ``directory`` cannot be those of ``player`` here.

    Args:
        experiment: the new run.
        player: a player with the model ``replay_<directory>``.
        directory: a run directory.

    Returns:
        One sentence with each setting that differs, then and now; empty if all agree.
    """
    config = experiment.config
    where = f"agents.{player}.model=replay_{directory}"
    try:
        then = read_plain_file(directory / layout.CONFIG)
    except UserError as error:
        return [f"{where}: {error}"]
    agents = then.get("agents") or {}
    recorded = [name for name, values in agents.items() if values.get("model") is not None]
    if player not in recorded:
        return [
            f"{where}: no answers of {player} were recorded there, only of "
            f"{', '.join(recorded) or 'nobody'}. Give the recording to a player of the same name."
        ]
    was, now = _asked(then, player), _asked(config, player)
    contents = RunReader(directory).run.contents
    files = {"prompts": "simulation.file", f"{player}.template": f"agents.{player}.template"}
    differing = []
    for file, key in files.items():
        if file in contents and file in experiment.contents:
            before, after = was.pop(key, None), now.pop(key, None)
            if contents[file] == experiment.contents[file]:
                continue  # paths may differ
            differing.append(
                f"{key}={_shown(after)} has another content here"
                if before == after
                else f"{key}={_shown(before)} there, {_shown(after)} here"
            )
    differing += [
        f"{key}={_shown(was.get(key))} there, {_shown(now.get(key))} here"
        for key in sorted(was.keys() | now.keys())
        if was.get(key) != now.get(key)
    ]
    differing += _unanswered(experiment, then, directory)
    if not differing:
        return []
    return [
        f"{where}: its answers are to other questions than this run asks: {'; '.join(differing)}. "
        f"Take the settings of that run with --config {directory / layout.CONFIG}, or choose a "
        "model that can answer."
    ]


def _unanswered(experiment: Experiment, then: Mapping[str, Any], directory: Path) -> list[str]:
    """Return which episodes of the run were not played to their end there."""
    ended = {e["episode"] for e in RunReader(directory).episodes() if e["status"] in FINAL}
    missing = [plan.episode for plan in experiment.plans() if plan.episode not in ended]
    there, here = then.get("episodes"), experiment.config["episodes"]
    if missing and there != here and not experiment.simulation.open_ended:  # prompts: not used
        return [f"episodes={there} there, {here} here"]
    if missing:
        numbers = ", ".join(map(str, missing[:8])) + (", ..." if len(missing) > 8 else "")
        return [f"{len(missing)} episodes were not played to their end there ({numbers})"]
    return []


def _asked(config: Mapping[str, Any], player: str) -> dict[str, Any]:
    """Return the settings that decide what a player is asked, flat."""
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
