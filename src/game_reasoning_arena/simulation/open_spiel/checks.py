"""Checks of the players of an OpenSpiel game, before anything is spent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from game_reasoning_arena.agents.base_agent import PlayerSpec
from game_reasoning_arena.agents.checks import seat_problems
from game_reasoning_arena.simulation.open_spiel.players import player_problems

if TYPE_CHECKING:
    from game_reasoning_arena.simulation.open_spiel.task import Task


def problems(task: Task, players: Sequence[PlayerSpec], *, everybody: bool = True) -> list[str]:
    """Return all problems; each names its configuration key.

    Args:
        task: the game.
        players: the players.
        everybody: whether the list is complete, so that its length is checked, too.
    """
    found: list[str] = []
    if everybody:
        n = task.players
        found += seat_problems(players, n, n, task.game_string)
    kind = task.game.get_type()
    if found and kind.min_num_players <= len(players) <= kind.max_num_players:
        found[0] += (
            f' Or choose the number with simulation.game="{task.name}(players={len(players)})".'
        )
    readers = [spec for spec in players if spec.type in ("llm", "human")]
    if readers and (unseen := task.texts.problem()):
        found.append(f"simulation.game={task.game_string}: {unseen}")
    for spec in players:
        found += player_problems(task, spec)
    return found
