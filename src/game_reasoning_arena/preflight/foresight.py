"""Notices before a run that are no reason against it."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from game_reasoning_arena.agents.base_agent import PlayerSpec
from game_reasoning_arena.backends.price_table import entry_of, retirement
from game_reasoning_arena.catalog.prefixes import meaning_of
from game_reasoning_arena.preflight.experiment import Experiment
from game_reasoning_arena.records import Model

#: A model's retirement is reported from so many days before.
_SOON_DAYS = 60


def notes_before(experiment: Experiment) -> list[str]:
    """Return the notices before a run, in sentences."""
    return [*_built_in_prompts(experiment), *foreseen(experiment.players)]


def foreseen(players: Sequence[PlayerSpec], *, today: datetime.date | None = None) -> list[str]:
    """Return the notices on players before a run, in sentences.

    Args:
        players: all players.
        today: the date; the system's by default.
    """
    today = today or datetime.date.today()
    models = list({p.model.name: p.model for p in players if p.model}.values())
    notes = [note for model in models if (note := _retires(model, today)) is not None]
    stand_ins = [model.name for model in models if meaning_of(model.backend).stand_in]
    recorded = [model.name for model in models if meaning_of(model.backend).recorded]
    if len(models) > len(stand_ins) + len(recorded):
        notes += [
            f"agents.{player.name} is {player.model.name}, a stand-in and no language model. To "
            f"have one play there, set agents.{player.name}.model=NAME."
            for player in players
            if player.model and player.model.name in stand_ins
        ]
    return notes


def _built_in_prompts(experiment: Experiment) -> list[str]:
    """Return a note where the shipped prompts are asked, which nobody may have chosen."""
    file = experiment.config["simulation"].get("file")
    if not experiment.simulation.open_ended or not isinstance(file, str):
        return []
    from game_reasoning_arena.simulation.prompts.files import SHIPPED, data_files

    if data_files(file)[0].parent != SHIPPED:
        return []
    return [f"{file} is a small set of built-in prompts; for your own set simulation.file=FILE."]


def _retires(model: Model, today: datetime.date) -> str | None:
    if model.provider is None:
        return None
    entry = entry_of(model.provider.name, model.model_id)
    day = None if entry is None else retirement(entry)
    if day is None or (day - today).days > _SOON_DAYS:
        return None
    when = f"was to be retired on {day}" if day <= today else f"retires on {day}"
    return (
        f"{model.name} {when}, by the table of the installed LiteLLM. `arena models --provider "
        f"{model.provider.name} --all` lists what there is."
    )
