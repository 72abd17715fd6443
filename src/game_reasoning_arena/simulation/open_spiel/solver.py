"""Optimal play where it can be computed, cached on disk between runs.

Perfect information: backward induction, uniform over all optimal moves. Hidden information: the
average policy of CFR+, whose exploitability is computed with it. Method and quality are written to
the log and to ``run.json``. A process of its own solves, so that the event loop never waits.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pyspiel

from game_reasoning_arena.agents.base_agent import PlayerSpec
from game_reasoning_arena.agents.randomness import Stream
from game_reasoning_arena.errors import UserError
from game_reasoning_arena.process.environment import without_keys
from game_reasoning_arena.process.files import make_directory, read_json
from game_reasoning_arena.process.paths import cache_directory
from game_reasoning_arena.records import EpisodePlan
from game_reasoning_arena.simulation.open_spiel.engine_agent import EngineAgent, pick
from game_reasoning_arena.simulation.open_spiel.loading import Game
from game_reasoning_arena.simulation.open_spiel.solving import Policy, knowledge, position
from game_reasoning_arena.simulation.open_spiel.turns import SeatTurn

if TYPE_CHECKING:
    from game_reasoning_arena.simulation.open_spiel.task import Task

log = logging.getLogger(__name__)

#: Version of cached solutions; raise it when older ones must not be used.
_CACHE_VERSION = 2
_EXPLORED = 20_000
_PROBES = 200


def method_for(task: Task) -> str:
    """Return ``minimax`` or ``cfr``."""
    return "cfr" if task.texts.hidden else "minimax"


def problems(task: Task, spec: PlayerSpec) -> list[str]:
    """Return the reasons why this game cannot be solved.

    Explores up to 20,000 positions, which takes about a second.
    """
    where = f"agents.{spec.name}.type=solver"
    if spec.options.get("iterations", 1) < 1:
        return [f"agents.{spec.name}.iterations={spec.options['iterations']} must be at least 1."]
    if unfit := unsolvable_reason(task):
        return [f"{where}: {unfit}. Use mcts, random or llm."]
    limit = int(spec.options.get("max_states", 2_000_000))
    about = estimated_size(task.game, hidden=task.texts.hidden)
    if about > limit:
        return [
            f"{where}: {task.game_string} is too big to be solved: about {about:.0e} "
            f"positions, and agents.{spec.name}.max_states is {limit:,}. Use mcts, or a smaller "
            "game."
        ]
    return []


def unsolvable_reason(task: Task) -> str | None:
    """Return why optimal play is not defined or not computed for a kind of game; None if it is."""
    kind = task.game.get_type()
    zero_sum = kind.utility in (
        pyspiel.GameType.Utility.ZERO_SUM,
        pyspiel.GameType.Utility.CONSTANT_SUM,
    )
    if kind.dynamics != pyspiel.GameType.Dynamics.SEQUENTIAL:
        return f"in {task.name} players move at the same time"
    if kind.chance_mode == pyspiel.GameType.ChanceMode.SAMPLED_STOCHASTIC:
        return f"{task.name} hides its chance, so it cannot be solved"
    two = task.players == 2 and zero_sum
    if not two and (task.players != 1 or task.texts.hidden):
        return (
            "optimal play is defined here for two players with opposite interests, which "
            f"{task.game_string} has not"
        )
    if task.texts.hidden and not kind.provides_information_state_string:
        return f"{task.name} does not name its information states"
    return None


def estimated_size(game: Game, *, hidden: bool) -> float:
    """Return about how many nodes must be visited: histories with hidden information, else
    positions.

    Histories are estimated by random probes (Knuth 1975, "Estimating the Efficiency of Backtrack
    Programs"). Positions are counted ply by ply up to 20,000; beyond that the last ply's growth is
    assumed to continue for half of the rest of an average random game.
    """
    stream = Stream(_CACHE_VERSION)
    sizes, lengths = [], []
    for _ in range(_PROBES):
        state = game.new_initial_state()
        size, weight, length = 1.0, 1.0, 0
        while not state.is_terminal() and length < 1000:
            actions = state.legal_actions()
            weight *= len(actions)
            size += weight
            state.apply_action(actions[stream.below(len(actions))])
            length += 1
        sizes.append(size)
        lengths.append(length)
    if hidden:
        return sum(sizes) / len(sizes)
    average_length = sum(lengths) / len(lengths)
    level = [game.new_initial_state()]
    seen: set[str] = set()
    depth = 0
    while level:
        following: dict[str, Any] = {}
        for state in level:
            if state.is_terminal():
                continue
            for action in state.legal_actions():
                child = state.child(action)
                following.setdefault(position(child), child)
            if len(seen) + len(following) > _EXPLORED:
                growth = max(1.0, len(following) / max(1, len(level)))
                left = max(0.0, average_length - depth - 1)
                return float(len(seen) + len(following) * growth ** (left / 2))
        fresh = {key: child for key, child in following.items() if key not in seen}
        seen.update(fresh)
        level = list(fresh.values())
        depth += 1
    return len(seen)


#: Size of a solution's file in bytes.
MOST_SOLUTION = 4 << 30


@dataclass(frozen=True, slots=True)
class Solution:
    """A policy and its quality.

    ``value`` is player 0's return when both follow it, ``exploitability`` what a best response
    gains beyond the value of the game (mean over the seats); ``iterations`` is None for minimax.
    """

    policy: Policy
    method: str
    iterations: int | None
    value: float
    exploitability: float

    def facts(self) -> dict[str, Any]:
        """Return everything but the policy, for the record."""
        return {
            "method": self.method,
            "iterations": self.iterations,
            "value": self.value,
            "exploitability": self.exploitability,
        }


async def solution(game_string: str, method: str, iterations: int, max_states: int) -> Solution:
    """Return a solution, from the cache or computed now.

    Raises:
        UserError: the game is too big, or cannot be solved.
    """
    wanted = [game_string, method, iterations if method == "cfr" else 0, _CACHE_VERSION]
    wanted.append(version("open_spiel"))
    name = hashlib.sha256(orjson.dumps(wanted)).hexdigest()[:24] + ".json"
    path = cache_directory() / "solutions" / name
    found = await asyncio.to_thread(read_json, path, most=MOST_SOLUTION)
    if found is None:
        log.info("solving %s by %s; the solution is kept for later runs", game_string, method)
        with tempfile.TemporaryDirectory() as scratch:
            out = path if _writable(path.parent) else Path(scratch) / name
            await _solve(game_string, method, iterations, max_states, out)
            found = await asyncio.to_thread(read_json, out, most=MOST_SOLUTION)
        if found is None:
            raise UserError(f"solving {game_string} left no solution.")
    if problem := found.get("problem"):
        path.unlink(missing_ok=True)
        more = ", or raise max_states" if "more than" in problem else ""
        raise UserError(
            f"{game_string} cannot be solved: {problem}. Use type=mcts or random{more}."
        )
    solved = Solution(**{name: found[name] for name in Solution.__dataclass_fields__})
    log.info(
        "%s by %s: value %.6f for player 0, exploitability %.1e",
        game_string,
        method,
        solved.value,
        solved.exploitability,
    )
    return solved


async def _solve(
    game_string: str, method: str, iterations: int, max_states: int, out: Path
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "game_reasoning_arena.simulation.open_spiel.solving",
        game_string,
        method,
        str(iterations),
        str(max_states),
        str(out),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=without_keys(),
    )
    try:
        _, output = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode != 0:
        last = output.decode(errors="replace").strip().splitlines()[-1:] or ["no message"]
        raise UserError(f"solving {game_string} failed: {last[0]}")


def _writable(folder: Path) -> bool:
    try:
        make_directory(folder)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


class SolverAgent(EngineAgent):
    """Plays the optimal policy. Options: ``iterations`` of CFR+, ``max_states``."""

    def __init__(self, task: Task, spec: PlayerSpec, *, seed: int) -> None:
        super().__init__(spec, seed=seed)
        self._task = task
        self._solved: asyncio.Task[Solution] | None = None

    async def choose(self, turn: SeatTurn, plan: EpisodePlan) -> int:
        """Draw a move of the optimal policy; the first call starts the solving."""
        if self._solved is None:
            self._solved = asyncio.create_task(
                solution(
                    self._task.game_string,
                    method_for(self._task),
                    int(self.spec.options.get("iterations", 1000)),
                    int(self.spec.options.get("max_states", 2_000_000)),
                )
            )
        policy = (await asyncio.shield(self._solved)).policy
        if self._task.texts.hidden:
            key = knowledge(turn.seat, turn.state.information_state_string(turn.seat))
        else:
            key = position(turn.state)
        return pick(policy[key], self.stream(turn, plan))

    def facts(self) -> dict[str, Any]:
        """Return method, value and exploitability; nothing before the first move."""
        task = self._solved
        if task is None or not task.done() or task.cancelled() or task.exception() is not None:
            return {}
        return {"solution": task.result().facts()}

    async def aclose(self) -> None:
        """Stop solving if it still runs."""
        if self._solved is not None and not self._solved.done():
            self._solved.cancel()
            await asyncio.gather(self._solved, return_exceptions=True)
