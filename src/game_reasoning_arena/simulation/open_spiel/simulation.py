"""Any game of OpenSpiel, played in episodes: sequential and simultaneous moves, chance, hidden
information, one player or many."""

from __future__ import annotations

import asyncio
import math
import reprlib
from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Any, cast

import pyspiel
from msgspec.structs import replace

from game_reasoning_arena.agents.base_agent import Actor, Agent, PlayerSpec
from game_reasoning_arena.agents.randomness import Purpose, Stream, derive
from game_reasoning_arena.errors import (
    BackendError,
    BudgetReached,
    ConfigProblems,
    Fault,
    UserError,
    problems_of,
)
from game_reasoning_arena.process.profiling import part
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
from game_reasoning_arena.simulation.open_spiel.dice_play import (
    Dice,
    DicePlay,
    chance_move,
    no_such_player,
)
from game_reasoning_arena.simulation.open_spiel.loading import Game, State, load_game
from game_reasoning_arena.simulation.open_spiel.playable import no_moves, require_moves
from game_reasoning_arena.simulation.open_spiel.texts import Texts, unknown_texts
from game_reasoning_arena.simulation.open_spiel.turns import SeatTurn
from game_reasoning_arena.simulation.seating import incomplete_deals, seat_plan

_TERMINAL = int(pyspiel.PlayerId.TERMINAL)
_CHANCE = int(pyspiel.PlayerId.CHANCE)
_SIMULTANEOUS = int(pyspiel.PlayerId.SIMULTANEOUS)
_COMPLETED = Status.COMPLETED  # looking up an enumeration's member takes 0.1 µs


class OpenSpielSimulation(Simulation):
    """A game of OpenSpiel.

    Args:
        game_string: the library's own string, such as ``leduc_poker(players=3)``.
        max_moves: decision nodes after which an episode ends with the returns as they stand;
            None plays to the end.
        rules: the rules that language models are shown; None for none.
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
        if wrong := _limit_problems(max_moves):
            raise ConfigProblems(wrong)
        self.rules = rules
        self.max_moves = max_moves
        self.texts = Texts(self.game, state, board)
        self.players: int = self.game.num_players()
        bounds = float(self.game.min_utility()), float(self.game.max_utility())
        self.utility = bounds if all(map(math.isfinite, bounds)) else None
        require_moves(self.game, game_string)
        self._one_best = kind.utility != pyspiel.GameType.Utility.IDENTICAL and self.players > 1
        # Games that draw inside the engine get a seed of their own in each episode, unless the user
        # set one.
        self._draws_inside = kind.chance_mode == pyspiel.GameType.ChanceMode.SAMPLED_STOCHASTIC
        self._reseeded = (
            self._draws_inside
            and "rng_seed" in kind.parameter_specification
            and "rng_seed" not in game_string
        )
        self._dice_play = DicePlay(self.name, max_moves, game_string)

    @classmethod
    def from_conf(cls, conf: Mapping[str, Any]) -> OpenSpielSimulation:
        """Make it from a plain dict in the form of ``schema.OpenSpielConf``."""
        game = conf.get("game")
        if not isinstance(game, str) or not game or game == "???":
            raise UserError(
                "simulation.game is not set. It takes OpenSpiel's own game string, such as "
                'tic_tac_toe or "leduc_poker(players=3)".'
            )
        max_moves = conf.get("max_moves")
        state, board = str(conf.get("state") or "auto"), str(conf.get("board") or "auto")
        try:
            return cls(game, max_moves=max_moves, rules=conf.get("rules"), state=state, board=board)
        except UserError as error:
            found = [*problems_of(error), *_limit_problems(max_moves), *unknown_texts(state, board)]
            raise ConfigProblems(list(dict.fromkeys(found))) from error

    def check(self, players: Sequence[PlayerSpec], *, everybody: bool = True) -> list[str]:
        """Return every problem with these players that can be known before the run."""
        from game_reasoning_arena.simulation.open_spiel.checks import problems

        return problems(self, players, everybody=everybody)

    def plan(
        self, *, episodes: int, seed: int, rotate: bool, players: Sequence[str]
    ) -> list[EpisodePlan]:
        """Return all episodes; see ``seating.seat_plan``."""
        return seat_plan(episodes=episodes, seed=seed, rotate=rotate, players=players)

    def unpaired(self, plans: Sequence[EpisodePlan], *, rotate: bool) -> list[str]:
        """Return the reasons why players do not have every seat in the same deals."""
        if self.players < 2:
            return []
        if not rotate:
            return ["seats=fixed: nobody changes seats, so a seat's advantage is in the results."]
        found = []
        if lacking := incomplete_deals(plans):
            found.append(
                f"{lacking} of {len({plan.seed for plan in plans})} deals lack a seat order, since "
                f"{len(plans)} episodes are no multiple of {self.players}."
            )
        if self._draws_inside and not self._reseeded:
            found.append(
                f"{self.game_string} draws inside the engine from a seed that no episode can set, "
                "so the seat orders of a deal need not meet the same chance."
            )
        return found

    def rules_problem(self) -> str | None:
        """Return why the rules in the prompt belong to another game; None if they do not."""
        from game_reasoning_arena.simulation.open_spiel.preset_rules import rules_of_another_game

        return rules_of_another_game(self.game_string, self.rules)

    def new_state(self, seed: int) -> State:
        """Return the start of an episode with this seed."""
        if not self._reseeded:
            return self.game.new_initial_state()
        parameters = self.game.get_parameters()
        parameters["rng_seed"] = derive(seed, Purpose.ENGINE, bits=31)
        return pyspiel.load_game(self.name, parameters).new_initial_state()

    async def play(
        self, plan: EpisodePlan, agents: Mapping[str, Agent], run_id: str
    ) -> EpisodeRecord:
        """Play one episode; chance depends on the plan's seed only, not on the seating."""
        started = perf_counter()
        dice = [agents[name].dice(plan, seat) for seat, name in enumerate(plan.seats)]
        if None not in dice:
            return self._rolled(plan, cast("Dice", dice), run_id, started)
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
        record = EpisodeRecord(
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
        for seat, actor in enumerate(episode.actors):
            if actor.watches:
                actor.ended(SeatTurn(episode, seat, []), record)
        return record

    def _rolled(self, plan: EpisodePlan, dice: Dice, run_id: str, started: float) -> EpisodeRecord:
        """Play an episode whose players are all dice."""
        with part("engine"):
            state = self.new_state(plan.seed)
            moves, turns, limited = self._dice_play.play(state, plan, dice)
            returns = tuple(state.returns())
        return EpisodeRecord(
            run_id=run_id,
            episode=plan.episode,
            seed=plan.seed,
            game=self.name,
            seats=plan.seats,
            status=_COMPLETED,
            winner=self._winner(plan, returns, None),
            returns=returns,
            forfeit=None,
            move_limit=limited,
            turns=turns,
            moves=tuple(moves),
            duration_s=perf_counter() - started,
        )

    def _winner(
        self, plan: EpisodePlan, returns: tuple[float, ...] | None, forfeit: Forfeit | None
    ) -> str | None:
        if not self._one_best:
            return None
        if forfeit is not None:
            only_one = self.players == 2 and not forfeit.also
            return plan.seats[1 - forfeit.seat] if only_one else None
        if returns is None:
            return None
        best = max(returns)
        if returns.count(best) > 1:
            return None
        return plan.seats[returns.index(best)]

    def make_player(self, spec: PlayerSpec, *, seed: int) -> Agent:
        """Return a player backed by the engine: mcts, solver, bot, uci or policy."""
        from game_reasoning_arena.simulation.open_spiel.players import make_player

        return make_player(self, spec, seed=seed)


def _limit_problems(max_moves: int | None) -> list[str]:
    if max_moves is None or max_moves >= 1:
        return []
    return [f"simulation.max_moves={max_moves} is below 1. null is no limit."]


class _Episode:
    """The state of one episode while it is played."""

    __slots__ = (
        "_chance",
        "_plan",
        "_simulation",
        "actors",
        "forfeit",
        "limited",
        "moves",
        "state",
        "texts",
        "turns",
    )

    def __init__(
        self, simulation: OpenSpielSimulation, plan: EpisodePlan, agents: Mapping[str, Agent]
    ) -> None:
        self._simulation = simulation
        self._plan = plan
        self.actors: list[Actor] = [
            agents[name].sit(plan, seat) for seat, name in enumerate(plan.seats)
        ]
        self._chance: Stream | None = None
        self.state: State = simulation.new_state(plan.seed)
        self.texts = simulation.texts
        self.moves: list[Move] = []
        self.turns = 0
        self.limited = False
        self.forfeit: Forfeit | None = None

    async def run(self) -> None:
        """Play until the end, the move limit or a forfeit."""
        state = self.state
        most = self._simulation.max_moves
        while (player := state.current_player()) != _TERMINAL:
            if player == _CHANCE:
                if self._chance is None:
                    self._chance = Stream(self._plan.seed, Purpose.CHANCE)
                action = draw(state, self._chance)
                self.moves.append(chance_move(state, action))
                state.apply_action(action)
                continue
            if self.turns == most:
                self.limited = True
                return
            if player >= 0:
                with part("engine"):
                    legal = state.legal_actions()
                    if not legal:  # no player can be at fault, so none is asked
                        raise no_moves(self._simulation.game_string, len(self.moves))
                    turn = SeatTurn(self, player, legal)
                decision = await self.actors[player].act(turn)
                if decision.action is None:
                    self.forfeit = decision.forfeit
                    return
                if decision.action not in legal:
                    raise self._illegal(player, decision.action, legal)
                self.moves.append(self._move(player, decision.action, decision.by))
                state.apply_action(decision.action)
            elif player == _SIMULTANEOUS:
                await self._move_together(state)
                if self.forfeit is not None:
                    return
            else:
                raise no_such_player(self._simulation.name, player)
            self.turns += 1

    async def _move_together(self, state: State) -> None:
        """Ask every seat with a choice at once; the others pass."""
        legal = [state.legal_actions(seat) for seat in range(len(self.actors))]
        asked = [seat for seat, actions in enumerate(legal) if actions]
        results = await asyncio.gather(
            *(self.actors[seat].act(SeatTurn(self, seat, legal[seat])) for seat in asked),
            return_exceptions=True,
        )
        actions = [0] * len(self.actors)
        moves: list[tuple[int, int, MoveBy]] = []
        forfeits: list[Forfeit] = []
        for seat, result in zip(asked, results, strict=True):
            if isinstance(result, BaseException):
                raise result
            if result.action is not None:
                if result.action not in legal[seat]:
                    raise self._illegal(seat, result.action, legal[seat])
                actions[seat] = result.action
                moves.append((seat, result.action, result.by))
            elif result.forfeit is not None:
                forfeits.append(result.forfeit)
        if forfeits:
            self.forfeit = replace(forfeits[0], also=tuple(forfeits[1:]))
            return
        for seat, action, by in moves:
            self.moves.append(self._move(seat, action, by))
        state.apply_actions(actions)

    def _illegal(self, seat: int, action: object, legal: Sequence[int]) -> Fault:
        """Return the fault of a user's class that chose an illegal action."""
        actor = type(self.actors[seat]).__qualname__
        return Fault(
            f"agents.{self._plan.seats[seat]}: {actor}.act chose {reprlib.repr(action)} in turn "
            f"{self.turns} of {self._simulation.name}, which is not among the legal actions "
            f"{reprlib.repr(list(legal))}."
        )

    def _move(self, seat: int, action: int, by: MoveBy) -> Move:
        return Move(
            turn=self.turns,
            seat=seat,
            player=self._plan.seats[seat],
            action=action,
            text=self.state.action_to_string(seat, action),
            by=by,
        )
