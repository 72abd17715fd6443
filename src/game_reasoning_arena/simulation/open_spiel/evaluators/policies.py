"""Policies of a run's players where they are known: probabilities of legal moves.

Known are random players, policy tables and the solver. Not known are language models, people,
searches and engines; their moves are taken as played.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from game_reasoning_arena.errors import UserError
from game_reasoning_arena.process.files import read_file
from game_reasoning_arena.records import Move
from game_reasoning_arena.simulation.open_spiel.bots import read_table, table_weights
from game_reasoning_arena.simulation.open_spiel.loading import State
from game_reasoning_arena.simulation.open_spiel.solver import method_for, solution
from game_reasoning_arena.simulation.open_spiel.solving import Policy as Solved
from game_reasoning_arena.simulation.open_spiel.solving import knowledge, position
from game_reasoning_arena.simulation.open_spiel.task import Task
from game_reasoning_arena.simulation.open_spiel.texts import Texts
from game_reasoning_arena.simulation.open_spiel.turns import SeatTurn

Weights = list[tuple[int, float]]


class KnownPolicy(Protocol):
    """A player whose probabilities are known."""

    @property
    def label(self) -> str:
        """Identifies this policy in caches and in the record."""
        ...

    def weights(self, state: State, seat: int) -> Weights:
        """Return legal actions with probabilities that sum to 1, at a state in which ``seat``
        moves.

        Raises:
            UserError: the policy has no probabilities for this state.
        """
        ...


@dataclass(frozen=True, slots=True)
class UniformPolicy:
    """Every legal move is equally likely."""

    label: str = "random"

    def weights(self, state: State, seat: int) -> Weights:
        """Return the legal actions, equally likely."""
        legal = state.legal_actions()
        return [(action, 1 / len(legal)) for action in legal]


@dataclass(frozen=True, slots=True)
class SolvedPolicy:
    """Optimal play as the solver plays it, by position or, with hidden information, by state."""

    label: str
    policy: Solved
    hidden: bool

    def weights(self, state: State, seat: int) -> Weights:
        """Return the solution's probabilities."""
        key = (
            knowledge(seat, state.information_state_string(seat))
            if self.hidden
            else position(state)
        )
        return [(action, weight) for action, weight in self.policy[key]]


@dataclass(frozen=True, slots=True)
class TablePolicy:
    """A table from what a seat sees to probabilities by names of moves."""

    label: str
    table: Mapping[str, Mapping[str, float]]
    texts: Texts

    def weights(self, state: State, seat: int) -> Weights:
        """Return the table's row, normalised to a sum of 1."""
        turn = SeatTurn(_At(state, self.texts), seat, state.legal_actions())
        found = table_weights(self.table, turn, self.label)
        total = sum(weight for _, weight in found)
        merged: dict[int, float] = {}
        for action, weight in found:
            merged[action] = merged.get(action, 0.0) + weight / total
        return list(merged.items())


class _At:
    """The part of a turn that names of moves need, for a state of a recorded episode."""

    def __init__(self, state: State, texts: Texts) -> None:
        self.state = state
        self.texts = texts
        self.moves: list[Move] = []
        self.turns = 0


def known_policy(
    task: Task, agent: Mapping[str, Any], home: Path, digest: str | None
) -> KnownPolicy | str | None:
    """Return a player's policy; None if it cannot be known, a sentence if it cannot be read.

    Args:
        task: the game.
        agent: the player's part of the run's configuration.
        home: folder from which relative paths of the run start.
        digest: SHA-256 of the player's table as the run recorded it; None if it did not.
    """
    kind = agent.get("type")
    if kind == "random" or (kind == "bot" and agent.get("bot") == "uniform_random"):
        return UniformPolicy()
    if kind == "solver":
        return solved_policy(
            task, int(agent.get("iterations", 1000)), int(agent.get("max_states", 2_000_000))
        )
    if kind == "policy" and agent.get("table"):
        return _table(task, home / Path(str(agent["table"])).expanduser(), digest)
    return None


def solved_policy(task: Task, iterations: int, most: int) -> SolvedPolicy:
    """Return the solver's policy, from the cache or computed now.

    Raises:
        UserError: the game cannot be solved.
    """
    method = method_for(task)
    found = asyncio.run(solution(task.game_string, method, iterations, most))
    label = f"solver({method}{f', {iterations} iterations' if method == 'cfr' else ''})"
    return SolvedPolicy(label, found.policy, task.texts.hidden)


def _table(task: Task, path: Path, digest: str | None) -> TablePolicy | str | None:
    try:
        found = hashlib.sha256(read_file(path, follow_links=True)).hexdigest()
        table = read_table(str(path))
    except OSError as error:
        return f"its policy table {path} cannot be read ({error.strerror})"
    except UserError as error:
        return str(error).rstrip(".")
    if digest is not None and found != digest:
        return f"its policy table {path} was changed since"
    if not task.texts.hidden and task.texts.kind == "information_state":
        return "its policy table depends on the order of moves, not on the position alone"
    return TablePolicy(f"table({found[:12]})", table, task.texts)
