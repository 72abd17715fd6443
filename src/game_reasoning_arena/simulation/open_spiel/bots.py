"""Players from OpenSpiel's registry of bots, and policies from a table or a Python callable."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pyspiel

from game_reasoning_arena.agents.base_agent import PlayerSpec
from game_reasoning_arena.agents.naming import Names
from game_reasoning_arena.agents.reading.dressing import which_action
from game_reasoning_arena.errors import UserError, choose_from
from game_reasoning_arena.process.files import read_text
from game_reasoning_arena.process.targets import import_named
from game_reasoning_arena.records import EpisodePlan
from game_reasoning_arena.simulation.open_spiel.engine_agent import EngineAgent, pick
from game_reasoning_arena.simulation.open_spiel.turns import SeatTurn

if TYPE_CHECKING:
    from game_reasoning_arena.simulation.open_spiel.task import Task

#: A policy as a callable: takes the state as text and the names of the legal moves, returns one of
#: these names or a dict from names to probabilities.
PolicyCallable = Callable[[str, list[str]], str | Mapping[str, float]]


def bot_problems(task: Task, spec: PlayerSpec) -> list[str]:
    """Return the reasons why this bot cannot play."""
    where = f"agents.{spec.name}.bot"
    name = spec.options.get("bot")
    known = pyspiel.registered_bots()
    if name in (None, "???"):
        return [f"{where} is not set. {choose_from('', known)}"]
    if not isinstance(name, str) or name not in known:
        return [f"{where}={name!r} is no bot of OpenSpiel. {choose_from(str(name), known)}"]
    if name not in pyspiel.bots_that_can_play_game(task.game):
        return [f"{where}={name} cannot play {task.name}."]
    return []


class BotAgent(EngineAgent):
    """A bot of OpenSpiel. Options: ``bot``, a registered name, and ``params``."""

    def __init__(self, task: Task, spec: PlayerSpec, *, seed: int) -> None:
        super().__init__(spec, seed=seed)
        self._game = task.game

    async def choose(self, turn: SeatTurn, plan: EpisodePlan) -> int:
        """Return the bot's move. The bot is made for this turn and runs in a thread.

        Raises:
            UserError: the bot fails, for example because of its ``params``.
        """
        try:
            return int(await asyncio.to_thread(self._step, turn, self.number(turn, plan)))
        except pyspiel.SpielError as error:
            raise UserError(
                f"agents.{self.name}.bot={self.spec.options['bot']} failed in turn {turn.turn} of "
                f"{turn.game}: {error}"
            ) from error

    def _step(self, turn: SeatTurn, number: int) -> int:
        name = str(self.spec.options["bot"])
        if name == "uniform_random":
            bot = pyspiel.make_uniform_random_bot(turn.seat, number)
        else:
            params = dict(self.spec.options.get("params") or {})
            bot = pyspiel.load_bot(name, self._game, turn.seat, params)
        return int(bot.step(turn.state))


def policy_problems(task: Task, spec: PlayerSpec) -> list[str]:
    """Return the reasons why this table or callable cannot be used."""
    table, target = spec.options.get("table"), spec.options.get("callable")
    where = f"agents.{spec.name}"
    if (table is None) == (target is None):
        return [
            f"{where}.type=policy needs either {where}.table=FILE or {where}.callable=MODULE:NAME."
        ]
    found = []
    try:
        if table is not None:
            read_table(str(table))
        else:
            _load_callable(str(target), f"{where}.callable")
    except UserError as error:
        found.append(f"{where}: {error}" if table is not None else str(error))
    if unseen := task.texts.problem():
        found.append(f"{where}.type=policy: {unseen}")
    return found


class PolicyAgent(EngineAgent):
    """A policy from a table or a callable. Options: ``table`` or ``callable``.

    A table is a JSON object that maps a state as text to probabilities by move name. The text is
    the one that this seat sees under ``simulation.state`` and ``simulation.board``.
    """

    def __init__(self, task: Task, spec: PlayerSpec, *, seed: int) -> None:
        super().__init__(spec, seed=seed)
        table = spec.options.get("table")
        self._table = read_table(str(table)) if table is not None else None
        self._callable = (
            None
            if table is not None
            else _load_callable(str(spec.options["callable"]), f"agents.{spec.name}.callable")
        )

    async def choose(self, turn: SeatTurn, plan: EpisodePlan) -> int:
        """Draw a move by the policy's probabilities.

        Raises:
            UserError: the policy does not know the state, or names no legal move.
        """
        if self._table is not None:
            weighted = table_weights(self._table, turn, f"agents.{self.name}.table")
        else:
            assert self._callable is not None
            names, state = Names.of(turn), turn.state_text()
            chosen = await asyncio.to_thread(self._callable, state, list(names.labels))
            row = {chosen: 1.0} if isinstance(chosen, str) else chosen
            weighted = _weighted(row, names, state, f"agents.{self.name}.callable")
        return pick(weighted, self.stream(turn, plan))


def table_weights(
    table: Mapping[str, Mapping[str, float]], turn: SeatTurn, where: str
) -> list[tuple[int, float]]:
    """Return the actions of a turn and their weights by a policy table.

    Args:
        table: weights by move name, by the state as the turn's seat sees it.
        turn: the turn.
        where: the name of the table, for errors.

    Raises:
        UserError: the table does not know the state, or names no legal move.
    """
    state = turn.state_text()
    if state not in table:
        raise UserError(f"{where} has no entry for the state {state!r}.")
    return _weighted(table[state], Names.of(turn), state, where)


def _weighted(
    row: Mapping[str, float], names: Names, state: str, where: str
) -> list[tuple[int, float]]:
    weighted: list[tuple[int, float]] = []
    for text, weight in row.items():
        actions, _ = which_action(str(text), names)
        if len(actions) != 1:
            raise UserError(
                f"{where} chose {text!r} in the state {state!r}, which is no legal move. "
                f"Possible: {', '.join(names.labels[:12])}."
            )
        weighted.append((next(iter(actions)), float(weight)))
    if not weighted or min(w for _, w in weighted) < 0 or sum(w for _, w in weighted) <= 0:
        raise UserError(f"{where} gives no probabilities for the state {state!r}.")
    return weighted


def read_table(file: str) -> dict[str, dict[str, float]]:
    """Read a policy table from a JSON file.

    Raises:
        UserError: the file cannot be read, or is no object of objects.
    """
    try:
        table = json.loads(read_text(Path(file).expanduser()))
    except OSError as error:
        raise UserError(f"the table {file!r} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"the table {file!r} is no JSON: {error}.") from error
    if not isinstance(table, dict) or not all(isinstance(row, dict) for row in table.values()):
        raise UserError(
            f"the table {file!r} must be an object of objects: "
            '{"state": {"move": probability}}.'
        )
    return table


def _load_callable(target: str, where: str) -> PolicyCallable:
    if ":" not in target.strip(":"):
        raise UserError(f"{where}={target!r} must be MODULE:NAME.")
    found = import_named(target, where=where)
    if not callable(found) or inspect.iscoroutinefunction(found):
        raise UserError(f"{where}={target!r} must be a plain function of state and move names.")
    loaded: PolicyCallable = found
    return loaded
