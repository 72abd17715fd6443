"""Monte-Carlo tree search; on information sets where information is hidden.

Sources: Kocsis and Szepesvári 2006, "Bandit based Monte-Carlo Planning"; Cowling, Powley and
Whitehouse 2012, "Information Set Monte Carlo Tree Search". The searches are OpenSpiel's own and run
in threads. Games with perfect information use the one in C++, which releases Python's lock. Games
with hidden information use the one in Python, since the one in C++ deals hidden cards by an
unseeded
generator, so that equal seeds give different games.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pyspiel

from game_reasoning_arena.agents.base_agent import PlayerSpec
from game_reasoning_arena.records import EpisodePlan
from game_reasoning_arena.simulation.open_spiel.engine_agent import EngineAgent
from game_reasoning_arena.simulation.open_spiel.loading import Game
from game_reasoning_arena.simulation.open_spiel.turns import SeatTurn

if TYPE_CHECKING:
    from game_reasoning_arena.simulation.open_spiel.task import Task

#: Hidden-information games in which OpenSpiel can deal again what a seat cannot see. Bridge is left
#: out: it needs a second for each deal.
DEALS_AGAIN = frozenset(
    {
        "bargaining",
        "blackjack",
        "colored_trails",
        "euchre",
        "hearts",
        "kuhn_poker",
        "leduc_poker",
        "oh_hell",
        "universal_poker",
    }
)
_MEMORY_MB = 1000


def problems(task: Task, spec: PlayerSpec) -> list[str]:
    """Return the reasons why this game cannot be searched with these options."""
    where = f"agents.{spec.name}"
    found = []
    for key in ("simulations", "rollouts"):
        value = spec.options.get(key, 1)
        if value < 1:
            found.append(f"{where}.{key}={value} must be at least 1.")
    if spec.options.get("uct_c", 2.0) < 0:
        found.append(f"{where}.uct_c={spec.options['uct_c']} must be at least 0.")
    kind = task.game.get_type()
    if kind.dynamics != pyspiel.GameType.Dynamics.SEQUENTIAL:
        found.append(
            f"{where}.type=mcts searches games in which players move in turn; in "
            f"{task.name} they move at the same time. Use type=random or llm."
        )
    elif kind.chance_mode == pyspiel.GameType.ChanceMode.SAMPLED_STOCHASTIC:
        found.append(f"{where}.type=mcts cannot search {task.name}: its chance is hidden.")
    elif task.texts.hidden and task.name not in DEALS_AGAIN:
        found.append(
            f"{where}.type=mcts: OpenSpiel cannot deal the hidden information of "
            f"{task.name} again, so there is no honest search. Hidden-information games "
            f"with one: {', '.join(sorted(DEALS_AGAIN))}."
        )
    return found


class MCTSAgent(EngineAgent):
    """Options: ``simulations`` per move, ``rollouts`` per leaf, ``uct_c``, ``solve``."""

    def __init__(self, task: Task, spec: PlayerSpec, *, seed: int) -> None:
        super().__init__(spec, seed=seed)
        self._game = task.game
        self._hidden = task.texts.hidden

    async def choose(self, turn: SeatTurn, plan: EpisodePlan) -> int:
        """Return the search's move; the same for the same run seed, episode, seat and turn."""
        return await asyncio.to_thread(self._search, turn, self.number(turn, plan))

    def _search(self, turn: SeatTurn, seed: int) -> int:
        """Make the bot and search. Runs in a thread: the first bot imports much of the library."""
        return int(self._bot(seed).step(turn.state))

    def _bot(self, seed: int) -> Any:
        options = self.spec.options
        simulations = int(options.get("simulations", 100))
        uct_c = float(options.get("uct_c", 2.0))
        rollouts = int(options.get("rollouts", 1))
        if self._hidden:
            return _information_set_search(self._game, rollouts, uct_c, simulations, seed)
        evaluator = pyspiel.RandomRolloutEvaluator(rollouts, seed)
        solve = bool(options.get("solve", True))
        return pyspiel.MCTSBot(
            self._game, evaluator, uct_c, simulations, _MEMORY_MB, solve, seed, False
        )


def _information_set_search(
    game: Game, rollouts: int, uct_c: float, simulations: int, seed: int
) -> Any:
    import numpy as np  # imported here, as it takes a tenth of a short run's start
    from open_spiel.python.algorithms import ismcts, mcts

    numbers = np.random.RandomState(seed)
    evaluator = mcts.RandomRolloutEvaluator(rollouts, numbers)
    bot = ismcts.ISMCTSBot(game, evaluator, uct_c, simulations, random_state=numbers)
    bot.set_resampler(lambda state, seat: state.resample_from_infostate(seat, numbers.uniform))
    return bot
