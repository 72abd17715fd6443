"""Choose the evaluator of a game: by the game, or by hand and checked."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyspiel

from game_reasoning_arena.errors import UserError
from game_reasoning_arena.simulation.open_spiel.evaluators import connect_four
from game_reasoning_arena.simulation.open_spiel.evaluators.chess_engine import ChessEngine
from game_reasoning_arena.simulation.open_spiel.evaluators.game_tree import GameTree
from game_reasoning_arena.simulation.open_spiel.evaluators.hidden import HiddenJudge
from game_reasoning_arena.simulation.open_spiel.evaluators.judging import Judge
from game_reasoning_arena.simulation.open_spiel.evaluators.mcts import TreeSearch
from game_reasoning_arena.simulation.open_spiel.evaluators.perfect import (
    Evaluator,
    Minimax,
    PerfectJudge,
)
from game_reasoning_arena.simulation.open_spiel.evaluators.policies import (
    KnownPolicy,
    known_policy,
    solved_policy,
)
from game_reasoning_arena.simulation.open_spiel.evaluators.positions import PositionValues
from game_reasoning_arena.simulation.open_spiel.evaluators.settings import EvaluatorSettings
from game_reasoning_arena.simulation.open_spiel.simulation import OpenSpielSimulation
from game_reasoning_arena.simulation.open_spiel.solver import estimated_size, unsolvable_reason
from game_reasoning_arena.simulation.open_spiel.solving import TooBig
from game_reasoning_arena.simulation.open_spiel.uci import find_program

log = logging.getLogger(__name__)

#: The most histories of a hidden-information game whose tree is kept in memory (1 KB each).
_MOST_HISTORIES = 500_000
_MOST_POSITIONS = 2_000_000


def choose(simulation: OpenSpielSimulation, settings: EvaluatorSettings) -> str:
    """Return the evaluator of a game: solver, mcts, uci or connect_four.

    Raises:
        UserError: no evaluator fits, or the requested one does not, or its program is missing.
    """
    if settings.by != "auto":
        if problem := _PROBLEMS[settings.by](simulation, settings):
            raise UserError(f"--by {settings.by}: {problem}.")
        return settings.by
    if simulation.name == "chess":
        if problem := _uci_problem(simulation, settings):
            raise UserError(f"{problem}. Or judge by search, which is weak in chess: --by mcts.")
        return "uci"
    if _connect_four_problem(simulation, settings) is None:
        return "connect_four"
    unsolved = _solver_problem(simulation, settings)
    if unsolved is None:
        return "solver"
    if (unsearched := _mcts_problem(simulation, settings)) is None:
        return "mcts"
    reasons = unsolved if unsolved == unsearched else f"{unsolved}; {unsearched}"
    raise UserError(f"no evaluator fits {simulation.game_string}: {reasons}.")


def _solver_problem(simulation: OpenSpielSimulation, settings: EvaluatorSettings) -> str | None:
    if unfit := unsolvable_reason(simulation):
        return unfit
    limit = simulation.max_moves
    if limit is not None and limit < simulation.game.max_game_length():
        return f"simulation.max_moves={limit} may end {simulation.game_string} before its end"
    hidden = simulation.texts.hidden
    most = _MOST_HISTORIES if hidden else _MOST_POSITIONS
    about = estimated_size(simulation.game, hidden=hidden)
    if about > most:
        what = "histories" if hidden else "positions"
        return (
            f"{simulation.game_string} is too big to be solved (about {about:.0e} {what}, the "
            f"most is {most:,})"
        )
    return None


def _mcts_problem(simulation: OpenSpielSimulation, settings: EvaluatorSettings) -> str | None:
    if unfit := unsolvable_reason(simulation):
        return unfit
    if simulation.texts.hidden:
        return f"a search from one position would see what is hidden in {simulation.name}"
    return None


def _uci_problem(simulation: OpenSpielSimulation, settings: EvaluatorSettings) -> str | None:
    if simulation.name != "chess":
        return f"a UCI engine plays chess, not {simulation.name}"
    if find_program(settings.engine) is None:
        return (
            f"the chess engine {settings.engine!r} is not installed: install Stockfish (apt "
            "install stockfish, brew install stockfish, stockfishchess.org), or name one with "
            "--engine PATH"
        )
    return None


def _connect_four_problem(
    simulation: OpenSpielSimulation, settings: EvaluatorSettings
) -> str | None:
    if simulation.game_string not in (connect_four.GAME, f"{connect_four.GAME}()"):
        return f"it solves the usual {connect_four.GAME}, not {simulation.game_string}"
    if not connect_four.installed():
        return (
            "the solver is not installed: pip install 'game-reasoning-arena[connect_four]' "
            "(BitBully, AGPL-3.0)"
        )
    return None


_PROBLEMS: dict[str, Callable[[OpenSpielSimulation, EvaluatorSettings], str | None]] = {
    "solver": _solver_problem,
    "mcts": _mcts_problem,
    "uci": _uci_problem,
    "connect_four": _connect_four_problem,
}


@dataclass(slots=True)
class Prepared:
    """A judge of one run, and what is known about its players."""

    judge: Judge
    #: Labels of the known policies, by player.
    known: dict[str, str]
    #: Sentences about what could not be used.
    notes: list[str] = field(default_factory=list)


def make_judge(
    simulation: OpenSpielSimulation,
    by: str,
    settings: EvaluatorSettings,
    agents: Mapping[str, Mapping[str, Any]],
    *,
    home: Path,
    contents: Mapping[str, str],
    seating: Mapping[str, Sequence[int]],
) -> Prepared:
    """Return a judge that can measure episodes; small games are solved here, or read from disk.

    Args:
        simulation: the game.
        by: the evaluator, from :func:`choose`.
        settings: its settings.
        agents: the players as the run was configured.
        home: folder from which relative paths of the run start.
        contents: hashes of files, as in ``run.json``.
        seating: the seats at which each player sat.

    Raises:
        UserError: the game is too big after all, or an engine does not start.
    """
    known: dict[str, KnownPolicy] = {}
    notes: list[str] = []
    judge: Judge
    for name, agent in agents.items():
        try:
            policy = known_policy(simulation, agent, home, contents.get(f"{name}.table"))
        except UserError as error:
            policy = str(error).rstrip(".")
        if isinstance(policy, str):
            notes.append(f"{name} counts as unknown: {policy}.")
        elif policy is not None:
            known[name] = policy
    if by == "solver":
        make = _hidden_judge if simulation.texts.hidden else _minimax_judge
        judge, require = make(simulation, settings, known)
        notes += _drop_silent(known, seating, require)
    else:
        evaluator: Evaluator
        if by == "uci":
            evaluator = ChessEngine(settings.engine, settings.nodes)
        elif by == "mcts":
            evaluator = TreeSearch(simulation.game, settings.simulations, settings.seed)
        else:
            evaluator = connect_four.ConnectFour()
        judge = PerfectJudge(simulation.game, evaluator, known, None)
    return Prepared(judge, {name: policy.label for name, policy in known.items()}, notes)


#: Raises if a policy has no probabilities for a state that it reaches at a seat.
_Require = Callable[[KnownPolicy, int], object]


def _hidden_judge(
    simulation: OpenSpielSimulation, settings: EvaluatorSettings, known: Mapping[str, KnownPolicy]
) -> tuple[Judge, _Require]:
    try:
        tree = GameTree(simulation.game, _MOST_HISTORIES)
    except TooBig as error:
        raise UserError(f"{simulation.game_string} cannot be solved: {error}.") from error
    solved = solved_policy(simulation, settings.iterations, _MOST_POSITIONS)
    judge = HiddenJudge(simulation.game, tree, solved, known)
    return judge, judge.response_to


def _minimax_judge(
    simulation: OpenSpielSimulation, settings: EvaluatorSettings, known: Mapping[str, KnownPolicy]
) -> tuple[Judge, _Require]:
    game, name = simulation.game, simulation.game_string

    def responses(seat: int, opponent: KnownPolicy | None) -> PositionValues:
        return PositionValues(game, name, seat, opponent, _MOST_POSITIONS)

    def require(policy: KnownPolicy, seat: int) -> None:
        if simulation.players > 1:
            responses(1 - seat, policy)

    evaluator = Minimax(game, name, _MOST_POSITIONS)
    return PerfectJudge(game, evaluator, known, responses), require


def _drop_silent(
    known: dict[str, KnownPolicy], seating: Mapping[str, Sequence[int]], require: _Require
) -> list[str]:
    """Remove policies that have no probabilities for a state they reach; return notes on them."""
    notes = []
    for name, policy in list(known.items()):
        try:
            for seat in seating.get(name, ()):
                require(policy, seat)
        except UserError as error:
            del known[name]
            notes.append(f"{name} counts as unknown: {error}")
    return notes


def check_replay(simulation: OpenSpielSimulation, episode: Mapping[str, Any]) -> str | None:
    """Return why a recorded episode is no episode of this game; None if it is."""
    state = simulation.new_state(episode["seed"])
    where = f"episode {episode['episode']} does not replay"
    for number, move in enumerate(episode["moves"]):
        seat, action = move["seat"], move["action"]
        place = f"{where} at move {number} ({move['text']!r})"
        if state.is_terminal():
            return f"{place}: the game is over there"
        if state.current_player() != seat:
            return f"{place}: it is not {_mover(seat)} that moves there"
        if action not in state.legal_actions():
            return f"{place}: there is no such move there"
        if state.action_to_string(seat, action) != move["text"]:
            return f"{place}: the engine calls that move {state.action_to_string(seat, action)!r}"
        state.apply_action(action)
    return _wrong_end(episode, state, where)


def _wrong_end(episode: Mapping[str, Any], state: Any, where: str) -> str | None:
    forfeit = episode.get("forfeit")
    if forfeit is not None:
        if state.current_player() != forfeit["seat"]:
            return f"{where}: it was not seat {forfeit['seat']} that was to move at its end"
        return None
    if not state.is_terminal() and not episode.get("move_limit"):
        return f"{where}: it is not over after its last move"
    returns = episode.get("returns")
    if returns is not None and list(state.returns()) != list(returns):
        return f"{where}: it returns {list(state.returns())}, and {list(returns)} is recorded"
    return None


def _mover(seat: int) -> str:
    return "chance" if seat == int(pyspiel.PlayerId.CHANCE) else f"seat {seat}"
