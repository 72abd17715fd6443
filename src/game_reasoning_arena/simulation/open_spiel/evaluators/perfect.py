"""Judge episodes of games with perfect information, move by move.

The result without luck is AIVAT's with values that need not be exact. For every chance outcome,
every move of an opponent whose policy is known, and every substitute's move, it subtracts what the
move gave beyond its expectation. Each of these terms has mean 0 whatever the values are, so the
mean stays the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from game_reasoning_arena.recording.judgements import DecisionRecord, LuckRecord
from game_reasoning_arena.simulation.open_spiel.evaluators.judging import (
    Judged,
    NoReplay,
    Step,
    Verdict,
    counted_returns,
    decision,
    from_values,
    luck_line,
    place,
    steps,
)
from game_reasoning_arena.simulation.open_spiel.evaluators.policies import KnownPolicy, Weights
from game_reasoning_arena.simulation.open_spiel.evaluators.positions import PositionValues
from game_reasoning_arena.simulation.open_spiel.loading import Game, State
from game_reasoning_arena.simulation.open_spiel.solving import position

#: Number of positions kept between episodes.
_REMEMBERED = 100_000


@dataclass(frozen=True, slots=True)
class Moves:
    """The moves of a position: the engine's numbers and names."""

    player: int
    actions: Sequence[int]
    texts: Sequence[str]


class Evaluator(Protocol):
    """Values positions of games with perfect information."""

    #: Name in the records' ``evaluator``.
    name: str

    def verdict(self, state: State, moves: Moves, at: int, forfeited: float) -> Verdict:
        """Return the value of the move at index ``at`` (-1: a forfeit) beside the others."""
        ...

    def outcomes(self, state: State, moves: Moves) -> Sequence[float] | None:
        """Return each outcome's value to player 0 at a chance node; None if not computed."""
        ...

    def value(self, state: State) -> float | None:
        """Return the value of the start of a game to player 0; None if not computed."""
        ...

    def facts(self) -> dict[str, Any]:
        """Return what the values rest on."""
        ...

    def close(self) -> None:
        """Free what the evaluator holds."""
        ...


class Responses(Protocol):
    """Exact values for a seat against an opponent whose policy is known."""

    def __call__(self, seat: int, opponent: KnownPolicy | None) -> PositionValues:
        """Return the values; ``opponent`` None stands for no opponent at all."""
        ...


@dataclass(frozen=True, slots=True)
class _Visit:
    """One step of an episode with what is known about its position.

    ``values`` are the moves' values to player 0, ``responses`` those to a seat that plays a best
    response to its known opponent; ``weights`` are the probabilities from which the move was drawn,
    where they are known.
    """

    step: Step
    at: int
    moves: Moves
    verdict: Verdict | None
    values: Sequence[float] | None
    responses: Mapping[int, Sequence[float]]
    weights: Sequence[float] | None


class PerfectJudge:
    """Measures episodes by replaying them through the engine.

    Args:
        game: one player, or two whose returns sum to a constant.
        evaluator: values positions.
        known: known policies by player's name.
        responses: exact values against them; None where the game is too big for that.
    """

    def __init__(
        self,
        game: Game,
        evaluator: Evaluator,
        known: Mapping[str, KnownPolicy],
        responses: Responses | None,
    ) -> None:
        self._game = game
        self._evaluator = evaluator
        self._known = known
        self._responses = responses
        self._forfeited = float(game.min_utility())
        self._players = game.num_players()
        self._total = float(game.utility_sum() or 0.0) if self._players > 1 else 0.0
        self._found: dict[tuple[int, str], PositionValues] = {}
        self._moves: dict[str, Moves] = {}

    def facts(self) -> dict[str, Any]:
        """Return what the evaluator rests on."""
        return self._evaluator.facts()

    def judge(self, episode: Mapping[str, Any]) -> Judged:
        """Measure one episode; see ``judging.Judge``."""
        answers = {
            seat: found
            for seat in range(self._players)
            if (found := self._response(episode, seat)) is not None
        }
        root = self._game.new_initial_state()
        visits = self._visits(episode, root.clone(), answers)
        returns = counted_returns(episode, self._forfeited, self._total)
        judged = Judged(episode["episode"])
        judged.decisions = [self._decision(episode, visit) for visit in visits if visit.verdict]
        judged.luck = [
            self._luck(episode, visits, seat, answers.get(seat), root, returns)
            for seat in range(self._players)
        ]
        return judged

    def close(self) -> None:
        """End the evaluator's engine, if it has one."""
        self._evaluator.close()

    def _visits(
        self, episode: Mapping[str, Any], state: State, answers: Mapping[int, PositionValues]
    ) -> list[_Visit]:
        visits = []
        for step in steps(episode):
            moves = self._legal(state)
            at = place(episode, step, moves.player, moves.actions, moves.texts)
            visits.append(self._visit(episode, state, step, at, moves, answers))
            if step.action is not None:
                state.apply_action(step.action)
        return visits

    def _visit(
        self,
        episode: Mapping[str, Any],
        state: State,
        step: Step,
        at: int,
        moves: Moves,
        answers: Mapping[int, PositionValues],
    ) -> _Visit:
        if step.seat < 0:
            verdict, values = None, self._evaluator.outcomes(state, moves)
        else:
            verdict = self._evaluator.verdict(state, moves, at, self._forfeited)
            values = verdict.values
            if step.seat == 1 and values is not None:
                values = [self._total - value for value in values]
        weights = self._weights(episode, state, step, moves)
        if weights is not None and weights[at] <= 0:
            raise NoReplay(
                f"episode {episode['episode']} holds move {step.number} ({step.text!r}), which "
                f"{step.player or 'chance'} never makes there as it is configured"
            )
        children = [state.child(action) for action in moves.actions] if answers else []
        drawn = weights or [1.0] * len(children)
        responses = {
            seat: [
                found.of(child) if weight > 0 else 0.0
                for child, weight in zip(children, drawn, strict=True)
            ]
            for seat, found in answers.items()
        }
        return _Visit(step, at, moves, verdict, values, responses, weights)

    def _weights(
        self, episode: Mapping[str, Any], state: State, step: Step, moves: Moves
    ) -> Sequence[float] | None:
        weighted: Weights
        if step.seat < 0:
            weighted = state.chance_outcomes()
        elif step.by == "substitute":
            return [1 / len(moves.actions)] * len(moves.actions)
        else:
            policy = self._known.get(str(step.player))
            if policy is None or step.action is None:
                return None
            weighted = policy.weights(state, step.seat)
        by_action = dict(weighted)
        return [by_action.get(action, 0.0) for action in moves.actions]

    def _decision(self, episode: Mapping[str, Any], visit: _Visit) -> DecisionRecord:
        lost = None
        worth = visit.responses.get(visit.step.seat)
        if worth is not None:
            played = self._forfeited if visit.at < 0 else worth[visit.at]
            lost = max(0.0, max(worth) - played)
        assert visit.verdict is not None
        name = self._evaluator.name
        return decision(episode, visit.step, visit.verdict, evaluator=name, response_regret=lost)

    def _luck(
        self,
        episode: Mapping[str, Any],
        visits: Sequence[_Visit],
        seat: int,
        response: PositionValues | None,
        root: State,
        returns: Sequence[float] | None,
    ) -> LuckRecord:
        others = [name for place, name in enumerate(episode["seats"]) if place != seat]
        opponents_known = all(name in self._known for name in others)
        dealt, opposed = _Sum(), _Sum()
        for visit in visits:
            drawn = visit.step.seat < 0 or visit.step.by == "substitute"
            if drawn or (opponents_known and visit.step.seat != seat):
                (dealt if drawn else opposed).add(self._beyond(visit, seat, response))
        value = response.of(root) if response is not None else self._evaluator.value(root)
        if value is not None and response is None and seat == 1:
            value = self._total - value
        chance = dealt.total
        opponent = opposed.total if opponents_known else None
        got = None if returns is None else returns[seat]
        method = "known_opponent" if opponent is not None else "chance" if dealt.terms else "none"
        return luck_line(
            episode,
            seat,
            got,
            adjusted_return=None if got is None else got - (chance or 0.0) - (opponent or 0.0),
            chance_luck=chance,
            opponent_luck=opponent,
            hidden_luck=0.0,
            reference_value=value,
            method=method,
        )

    def _beyond(self, visit: _Visit, seat: int, response: PositionValues | None) -> float | None:
        """Return a drawn move's gain for a seat beyond its expectation; None if not computed."""
        values = visit.responses[seat] if response is not None else visit.values
        if values is None or visit.weights is None:
            return None
        pairs = zip(visit.weights, values, strict=True)
        gained = values[visit.at] - sum(weight * value for weight, value in pairs)
        return gained if response is not None or seat == 0 else -gained

    def _legal(self, state: State) -> Moves:
        key = position(state)
        known = self._moves.get(key)
        if known is None:
            player = state.current_player()
            if player < 0:
                terminal = state.is_terminal()
                actions = [] if terminal else [action for action, _ in state.chance_outcomes()]
            else:
                actions = state.legal_actions()
            texts = [state.action_to_string(player, action) for action in actions]
            if len(self._moves) >= _REMEMBERED:
                self._moves.clear()
            known = self._moves[key] = Moves(player, actions, texts)
        return known

    def _response(self, episode: Mapping[str, Any], seat: int) -> PositionValues | None:
        """Return exact values for a seat whose opponent's policy is known; None if it is not."""
        if self._responses is None:
            return None
        opponent = None
        if self._players > 1:
            opponent = self._known.get(episode["seats"][1 - seat])
            if opponent is None:
                return None
        key = (seat, opponent.label if opponent else "")
        if key not in self._found:
            self._found[key] = self._responses(seat, opponent)
        return self._found[key]


class _Sum:
    """A sum that is unknown as soon as one term is."""

    def __init__(self) -> None:
        self.total: float | None = 0.0
        self.terms = 0

    def add(self, term: float | None) -> None:
        self.terms += 1
        self.total = None if term is None or self.total is None else self.total + term


class Minimax:
    """Exact values of a game that is small enough for all its positions."""

    name = "solver:minimax"

    def __init__(self, game: Game, game_string: str, max_states: int) -> None:
        self._optimal = PositionValues(game, game_string, 0, None, max_states)
        self._total = float(game.utility_sum() or 0.0) if game.num_players() > 1 else 0.0
        self._root = game.new_initial_state()
        self._children: dict[str, list[float]] = {}

    def verdict(self, state: State, moves: Moves, at: int, forfeited: float) -> Verdict:
        """Return exact values of all legal moves."""
        values = self.outcomes(state, moves)
        if moves.player == 1:
            values = [self._total - value for value in values]
        return from_values(moves.actions, moves.texts, values, at, forfeited=forfeited)

    def outcomes(self, state: State, moves: Moves) -> Sequence[float]:
        """Return each move's value to player 0."""
        key = position(state)
        known = self._children.get(key)
        if known is None:
            if len(self._children) >= _REMEMBERED:
                self._children.clear()
            known = [self._optimal.of(state.child(action)) for action in moves.actions]
            self._children[key] = known
        return known

    def value(self, state: State) -> float:
        """Return a position's value to player 0."""
        return self._optimal.of(state)

    def facts(self) -> dict[str, Any]:
        """Return method, value and number of positions."""
        return {
            "method": "backward induction over all positions",
            "value": self._optimal.of(self._root),
            "exploitability": 0.0,
            "positions": len(self._optimal),
        }

    def close(self) -> None:
        """Do nothing; only memory is held."""
