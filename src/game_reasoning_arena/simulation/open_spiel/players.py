"""Players that need OpenSpiel's engine, by ``agents.player_N.type``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from game_reasoning_arena.agents.base_agent import Agent, PlayerSpec
from game_reasoning_arena.errors import UserError, choose_from
from game_reasoning_arena.simulation.open_spiel import bots, search, solver, uci

if TYPE_CHECKING:
    from game_reasoning_arena.simulation.open_spiel.task import Task


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of player: its checks and its constructor."""

    problems: Callable[[Task, PlayerSpec], list[str]]
    make: Callable[..., Agent]


KINDS: dict[str, Kind] = {
    "mcts": Kind(search.problems, search.MCTSAgent),
    "solver": Kind(solver.problems, solver.SolverAgent),
    "bot": Kind(bots.bot_problems, bots.BotAgent),
    "policy": Kind(bots.policy_problems, bots.PolicyAgent),
    "uci": Kind(uci.problems, uci.UCIAgent),
}


def player_problems(task: Task, spec: PlayerSpec) -> list[str]:
    """Return the problems of an engine-backed player; none for other kinds."""
    kind = KINDS.get(spec.type)
    return kind.problems(task, spec) if kind is not None else []


def make_player(task: Task, spec: PlayerSpec, *, seed: int) -> Agent:
    """Return a player by ``agents.player_N.type``.

    Raises:
        UserError: there is no such type, or its files cannot be used.
    """
    kind = KINDS.get(spec.type)
    if kind is None:
        raise UserError(
            f"agents.{spec.name}.type={spec.type!r} is unknown. "
            + choose_from(spec.type, [*KINDS, "human", "llm", "random"])
        )
    return kind.make(task, spec, seed=seed)
