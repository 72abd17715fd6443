"""Checks of words and players that need no prompts: a run of games makes them, too."""

from __future__ import annotations

from collections.abc import Sequence

from game_reasoning_arena.agents.base_agent import PlayerSpec
from game_reasoning_arena.simulation.base import Simulation

#: Name of the judging agent; it marks the judge's lines in the records.
JUDGE = "judge"


def words_for_games(overrides: Sequence[str], simulations: Sequence[Simulation]) -> list[str]:
    """Return the problems with words that count or seat games when all runs are of prompts.

    Args:
        overrides: the words as Hydra got them.
        simulations: the simulations of all runs that the words make.
    """
    if not simulations or not all(one.open_ended for one in simulations):
        return []
    words = {word.partition("=")[0].lstrip("+~"): word for word in overrides}
    found = []
    if "episodes" in words:
        found.append(
            f"{words['episodes']}: prompts are asked simulation.repeats times each, whatever "
            "episodes says. For the first so many prompts of the file: simulation.limit=N"
        )
    if "seats" in words:
        found.append(f"{words['seats']}: prompts have no seats; every agent answers each.")
    return found


def unfit_players(players: Sequence[PlayerSpec]) -> list[str]:
    """Return why players cannot answer prompts, whichever these are."""
    found = []
    for spec in players:
        where = f"agents.{spec.name}"
        if spec.name == JUDGE:
            found.append(
                f"{where}: 'judge' is what the model of simulation.scorer is called in the "
                "records; give the player another name."
            )
        if spec.type != "llm":
            kind = "type" if spec.make is None else "_target_"
            found.append(
                f"{where}.{kind}={spec.type} cannot answer prompts; only type=llm can. Try "
                "agents=llm."
            )
        if spec.options.get("constrain_to_legal"):
            found.append(f"{where}.constrain_to_legal: prompts have no legal moves.")
        if spec.options.get("template", "line") != "line":
            found.append(
                f"{where}.template: prompts have no moves to show; how a prompt is asked says "
                "simulation.template."
            )
        if spec.options.get("votes", 1) != 1:
            found.append(f"{where}.votes: prompts have no moves to vote on; use repeats.")
    return found
