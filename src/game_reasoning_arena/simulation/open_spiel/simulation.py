"""Any game of OpenSpiel, played in episodes: sequential and simultaneous moves, chance at any
depth, hidden information, one player or many."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Any

import pyspiel

from game_reasoning_arena.agents.base_agent import Actor, Agent, Decision, PlayerSpec
from game_reasoning_arena.agents.randomness import Purpose, Stream, derive
from game_reasoning_arena.errors import BackendError, BudgetReached, UserError
from game_reasoning_arena.records import (
    EpisodePlan,
    EpisodeRecord,
    Forfeit,
    Move,
    MoveBy,
    Status,
)
from game_reasoning_arena.simulation.base import Simulation
from game_reasoning_arena.simulation.open_spiel.chance import draw
from game_reasoning_arena.simulation.open_spiel.loading import Game, State, load_game
from game_reasoning_arena.simulation.open_spiel.texts import Texts
from game_reasoning_arena.simulation.open_spiel.turns import SeatTurn
from game_reasoning_arena.simulation.seating import seat_plan

_CHANCE = int(pyspiel.PlayerId.CHANCE)
_SIMULTANEOUS = int(pyspiel.PlayerId.SIMULTANEOUS)
_MOVES_KEPT = 1 << 16


class OpenSpielSimulation(Simulation):
    """A game of OpenSpiel.

    Args:
        game_string: the library's own string, such as ``leduc_poker(players=3)``.
        max_moves: decision nodes after which an episode ends with the returns as they stand;
            None plays to the end.
        rules: the rules as told to a language model; None tells none.
        state: see ``texts.Texts``.
        board: see ``boards``.

    Raises:
        UserError: unknown game, refused parameters, a game that cannot be played here.
    """

    def __init__(
        self,
        game_string: str,
        *,
        max_moves: int | None = None,
        rules: str | None = None,
        state: str = "auto",
        board: str = "auto",
    ) -> None:
        self.game_string = game_string
        self.game: Game = load_game(game_string)
        kind = self.game.get_type()
        self.name = kind.short_name
        if kind.dynamics == pyspiel.GameType.Dynamics.MEAN_FIELD:
            raise UserError(
                f"simulation.game={game_string!r} is a mean-field game, which has populations "
                "in place of players. Choose another game."
            )
        if max_moves is not None and max_moves < 1:
            raise UserError(f"simulation.max_moves={max_moves} is below 1. null is no limit.")
        self.rules = rules
        self.max_moves = max_moves
        self.texts = Texts(self.game, state, board)
        self.players: int = self.game.num_players()
        self._one_best = kind.utility != pyspiel.GameType.Utility.IDENTICAL and self.players > 1
        # Games that draw inside the engine get a seed of their own in each episode, unless the
        # user fixed one.
        self._reseeded = (
            kind.chance_mode == pyspiel.GameType.ChanceMode.SAMPLED_STOCHASTIC
            and "rng_seed" in kind.parameter_specification
            and "rng_seed" not in game_string
        )
        self._moves: dict[tuple[int | None, int, str | None, int, str], Move] = {}

    @classmethod
    def from_conf(cls, conf: Mapping[str, Any]) -> OpenSpielSimulation:
        """From a plain dict in the form of ``schema.OpenSpielConf``."""
        game = conf.get("game")
        if not isinstance(game, str) or not game or game == "???":
            raise UserError(
                "simulation.game is not set. It takes OpenSpiel's own game string, such as "
                'tic_tac_toe or "leduc_poker(players=3)".'
            )
        return cls(
            game,
            max_moves=conf.get("max_moves"),
            rules=conf.get("rules"),
            state=str(conf.get("state") or "auto"),
            board=str(conf.get("board") or "auto"),
        )

    def check(self, players: Sequence[PlayerSpec]) -> list[str]:
        """Everything that can be known wrong about these players here."""
        from game_reasoning_arena.simulation.open_spiel.checks import problems

        return problems(self, players)

    def plan(
        self, *, episodes: int, seed: int, rotate: bool, players: Sequence[str]
    ) -> list[EpisodePlan]:
        """All episodes, see ``seating.seat_plan``."""
        return seat_plan(episodes=episodes, seed=seed, rotate=rotate, players=players)

    def new_state(self, seed: int) -> State:
        """The beginning of an episode with this seed."""
        if not self._reseeded:
            return self.game.new_initial_state()
        parameters = self.game.get_parameters()
        parameters["rng_seed"] = derive(seed, Purpose.ENGINE, bits=31)
        return pyspiel.load_game(self.name, parameters).new_initial_state()

    async def play(
        self, plan: EpisodePlan, agents: Mapping[str, Agent], run_id: str
    ) -> EpisodeRecord:
        """Play one episode; chance depends on the plan's seed only, not on who sits where."""
        started = perf_counter()
        episode = _Episode(self, plan, agents)
        status, error = Status.COMPLETED, None
        try:
            await episode.run()
            if episode.forfeit is not None:
                status = Status.FORFEIT
        except BackendError as failure:
            status, error = Status.ERROR, f"{failure.kind}: {failure.message}"
        except BudgetReached as failure:
            status, error = Status.BUDGET, str(failure)
        returns = tuple(episode.state.returns()) if status is Status.COMPLETED else None
        return EpisodeRecord(
            run_id=run_id,
            episode=plan.episode,
            seed=plan.seed,
            game=self.name,
            seats=plan.seats,
            status=status,
            winner=self._winner(plan, returns, episode.forfeit),
            returns=returns,
            forfeit=episode.forfeit,
            move_limit=episode.limited,
            turns=episode.turns,
            moves=tuple(episode.moves),
            duration_s=perf_counter() - started,
            error=error,
        )

    def _winner(
        self, plan: EpisodePlan, returns: tuple[float, ...] | None, forfeit: Forfeit | None
    ) -> str | None:
        if not self._one_best:
            return None
        if forfeit is not None:
            return plan.seats[1 - forfeit.seat] if self.players == 2 else None
        if returns is None:
            return None
        best = max(returns)
        return plan.seats[returns.index(best)] if returns.count(best) == 1 else None

    def move(self, turn: int | None, seat: int, player: str | None, action: int, text: str) -> Move:
        """A move by its player, or by chance; kept, since most recur in every episode."""
        key = (turn, seat, player, action, text)
        move = self._moves.get(key)
        if move is None:
            by = MoveBy.CHANCE if player is None else MoveBy.PLAYER
            move = Move(turn=turn, seat=seat, player=player, action=action, text=text, by=by)
            if len(self._moves) >= _MOVES_KEPT:
                self._moves.clear()
            self._moves[key] = move
        return move

    def make_player(self, spec: PlayerSpec, *, seed: int) -> Agent:
        """A player backed by the engine: mcts, solver, bot, uci or policy."""
        from game_reasoning_arena.simulation.open_spiel.players import make_player

        return make_player(self, spec, seed=seed)


class _Episode:
    """What happens in one episode."""

    __slots__ = (
        "_actors",
        "_chance",
        "_plan",
        "_simulation",
        "forfeit",
        "limited",
        "moves",
        "state",
        "turns",
    )

    def __init__(
        self, simulation: OpenSpielSimulation, plan: EpisodePlan, agents: Mapping[str, Agent]
    ) -> None:
        self._simulation = simulation
        self._plan = plan
        self._actors: list[Actor] = [
            agents[name].sit(plan, seat) for seat, name in enumerate(plan.seats)
        ]
        self._chance = Stream(plan.seed, Purpose.CHANCE)
        self.state = simulation.new_state(plan.seed)
        self.moves: list[Move] = []
        self.turns = 0
        self.limited = False
        self.forfeit: Forfeit | None = None

    async def run(self) -> None:
        """Play until the end, the move limit or a forfeit."""
        state = self.state
        most = self._simulation.max_moves
        while not state.is_terminal():
            player = state.current_player()
            if player == _CHANCE:
                self._deal()
                continue
            if most is not None and self.turns >= most:
                self.limited = True
                return
            if player >= 0:
                await self._move(player)
            elif player == _SIMULTANEOUS:
                await self._move_together()
            else:
                raise UserError(f"{self._simulation.name} asks for a player of kind {player}.")
            if self.forfeit is not None:
                return
            self.turns += 1

    def _deal(self) -> None:
        state = self.state
        action = draw(state, self._chance)
        text = state.action_to_string(_CHANCE, action)
        self.moves.append(self._simulation.move(None, -1, None, action, text))
        state.apply_action(action)

    async def _move(self, seat: int) -> None:
        state = self.state
        turn = SeatTurn(
            self._simulation.texts, state, seat, self.turns, state.legal_actions(), self.moves
        )
        decision = await self._actors[seat].act(turn)
        action = decision.action
        if action is None:
            self.forfeit = decision.forfeit
            return
        self._write(seat, action, decision)
        state.apply_action(action)

    async def _move_together(self) -> None:
        """Everyone with something to choose is asked at once; the others have nothing to say."""
        state = self.state
        legal = [state.legal_actions(seat) for seat in range(len(self._actors))]
        asked = [seat for seat, actions in enumerate(legal) if actions]
        turns = [
            SeatTurn(self._simulation.texts, state, seat, self.turns, legal[seat], self.moves)
            for seat in asked
        ]
        results = await asyncio.gather(
            *(self._actors[turn.seat].act(turn) for turn in turns), return_exceptions=True
        )
        decisions: dict[int, Decision] = {}
        for seat, result in zip(asked, results, strict=True):
            if isinstance(result, BaseException):
                raise result
            decisions[seat] = result
        for decision in decisions.values():
            if decision.action is None:
                self.forfeit = decision.forfeit
                return
        actions = [0] * len(self._actors)
        for seat, decision in decisions.items():
            if decision.action is not None:
                actions[seat] = decision.action
        texts = {seat: state.action_to_string(seat, actions[seat]) for seat in asked}
        for seat in asked:
            self._write(seat, actions[seat], decisions[seat], texts[seat])
        state.apply_actions(actions)

    def _write(self, seat: int, action: int, decision: Decision, text: str | None = None) -> None:
        if text is None:
            text = self.state.action_to_string(seat, action)
        player = self._plan.seats[seat]
        if decision.by is MoveBy.PLAYER:
            self.moves.append(self._simulation.move(self.turns, seat, player, action, text))
        else:
            self.moves.append(
                Move(
                    turn=self.turns,
                    seat=seat,
                    player=player,
                    action=action,
                    text=text,
                    by=decision.by,
                )
            )
