"""Judge episodes of small games with hidden information, at the information set.

A seat's decisions are measured under solved strategies of both players. Its result without luck is
AIVAT's (Burch, Schmid, Moravcik, Morrill and Bowling 2018, "AIVAT: A New Variance Reduction
Technique for Agent Evaluation in Imperfect Information Games"). If the opponent's policy is known,
chance and the opponent contribute their average over everything that the seat could not see;
otherwise only chance is taken out, history by history.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from game_reasoning_arena.errors import UserError
from game_reasoning_arena.recording.judgements import DecisionRecord, LuckRecord
from game_reasoning_arena.simulation.open_spiel.evaluators.game_tree import GameTree, Node
from game_reasoning_arena.simulation.open_spiel.evaluators.information_sets import (
    Behaviour,
    SeatValues,
    best_response,
    values_under,
)
from game_reasoning_arena.simulation.open_spiel.evaluators.judging import (
    SAME,
    Judged,
    Step,
    counted_returns,
    decision,
    from_values,
    luck_line,
    place,
    steps,
)
from game_reasoning_arena.simulation.open_spiel.evaluators.policies import KnownPolicy
from game_reasoning_arena.simulation.open_spiel.loading import Game

EVALUATOR = "solver:cfr"

#: A node, the step taken there, and its index among the node's actions (-1: a forfeit).
Path = list[tuple[Node, Step, int]]


class HiddenJudge:
    """Measures episodes on the expanded tree.

    Args:
        game: two players whose returns sum to a constant.
        tree: the game's tree.
        solved: strategies of both players, as the solver plays them.
        known: known policies by player's name.
    """

    def __init__(
        self, game: Game, tree: GameTree, solved: KnownPolicy, known: Mapping[str, KnownPolicy]
    ) -> None:
        self._tree = tree
        self._known = known
        self._forfeited = float(game.min_utility())
        self._total = float(game.utility_sum() or 0.0)
        behaviour = self._behaviour(solved)
        self._solved = [values_under(tree, seat, behaviour) for seat in (0, 1)]
        response = [best_response(tree, seat, behaviour).value for seat in (0, 1)]
        self._exploitability = max(0.0, sum(response) - self._total) / 2
        # Values of moves are off by more than the strategies are exploitable. Measured against
        # solutions of ten times the iterations (kuhn_poker, leduc_poker): nine in ten differences
        # of moves are off by less than this.
        spread = float(game.max_utility() - game.min_utility())
        self._resolves = max(SAME, math.sqrt(self._exploitability * spread))
        self._responses: dict[tuple[int, str], SeatValues] = {}

    def response_to(self, policy: KnownPolicy, seat: int) -> SeatValues:
        """Return the values of the other seat when it knows the policy at ``seat``.

        Raises:
            UserError: the policy has no probabilities for a state that it reaches.
        """
        key = (seat, policy.label)
        if key not in self._responses:
            behaviour = self._behaviour(policy, seat)
            self._responses[key] = best_response(self._tree, 1 - seat, behaviour)
        return self._responses[key]

    def facts(self) -> dict[str, Any]:
        """Return value, exploitability and size of the solution."""
        return {
            "method": "counterfactual values under the average policy of CFR+",
            "value": self._solved[0].value,
            "exploitability": self._exploitability,
            "resolves": self._resolves,
            "histories": len(self._tree.nodes),
            "information_sets": len(self._tree.information_sets),
        }

    def judge(self, episode: Mapping[str, Any]) -> Judged:
        """Measure one episode; see ``judging.Judge``."""
        path = self._path(episode)
        returns = counted_returns(episode, self._forfeited, self._total)
        judged = Judged(episode["episode"])
        for seat in (0, 1):
            response = self._response(episode, seat)
            judged.luck.append(self._luck(episode, path, seat, response, returns))
        for node, step, at in path:
            if step.seat >= 0:
                response = self._response(episode, step.seat)
                judged.decisions.append(self._decision(episode, node, step, at, response))
        return judged

    def close(self) -> None:
        """Do nothing; only memory is held."""

    def _path(self, episode: Mapping[str, Any]) -> Path:
        node, path = self._tree.root, []
        for step in steps(episode):
            at = place(episode, step, node.player, node.actions, node.texts)
            path.append((node, step, at))
            if at >= 0:
                node = node.children[at]
        return path

    def _decision(
        self,
        episode: Mapping[str, Any],
        node: Node,
        step: Step,
        at: int,
        response: SeatValues | None,
    ) -> DecisionRecord:
        number = node.information_set
        verdict = from_values(
            node.actions,
            node.texts,
            self._solved[step.seat].actions[number],
            at,
            forfeited=self._forfeited,
            tolerance=self._resolves,
        )
        lost = None
        if response is not None:
            got = self._forfeited if at < 0 else response.actions[number][at]
            lost = max(0.0, max(response.actions[number]) - got)
        return decision(episode, step, verdict, evaluator=EVALUATOR, response_regret=lost)

    def _luck(
        self,
        episode: Mapping[str, Any],
        path: Path,
        seat: int,
        response: SeatValues | None,
        returns: Sequence[float] | None,
    ) -> LuckRecord:
        values = response or self._solved[seat]
        dealt = opposed = drawn = own = fair = 0.0
        for node, step, at in path:
            after = self._forfeited if at < 0 else values.histories[node.children[at].index]
            gained = after - values.histories[node.index]
            if step.seat < 0:
                dealt += gained
            elif step.seat != seat:
                opposed += gained
                if step.by == "substitute" and response is None:
                    drawn += after - _mean_after(node, values)
            elif response is None:
                if step.by == "substitute":
                    drawn += after - _mean_after(node, values)
            else:
                worth = values.actions[node.information_set]
                played = self._forfeited if at < 0 else worth[at]
                own += gained
                fair += played - values.states[node.information_set]
                if step.by == "substitute":
                    drawn += played - sum(worth) / len(worth)
        if returns is None:
            return luck_line(episode, seat, None, **_NOTHING)
        got, chance = returns[seat], dealt + drawn
        if response is None:
            return luck_line(
                episode,
                seat,
                got,
                adjusted_return=got - chance,
                chance_luck=chance,
                opponent_luck=None,
                hidden_luck=None,
                reference_value=values.value,
                method="chance",
            )
        hidden = own - fair
        return luck_line(
            episode,
            seat,
            got,
            adjusted_return=got - chance - opposed - hidden,
            chance_luck=chance,
            opponent_luck=opposed,
            hidden_luck=hidden,
            reference_value=values.value,
            method="known_opponent",
        )

    def _response(self, episode: Mapping[str, Any], seat: int) -> SeatValues | None:
        """Return the values of a seat that knows its opponent's policy; None if it is unknown."""
        opponent = self._known.get(episode["seats"][1 - seat])
        if opponent is None:
            return None
        return self.response_to(opponent, 1 - seat)

    def _behaviour(self, policy: KnownPolicy, seat: int | None = None) -> Behaviour:
        """Return probabilities at every information set, of one seat's or of both.

        Raises:
            UserError: the policy has no probabilities for a state that it reaches.
        """
        behaviour: list[list[float]] = []
        silent: dict[int, UserError] = {}
        for number, here in enumerate(self._tree.information_sets):
            weights: dict[int, float] = {}
            if seat in (None, here.seat):
                try:
                    weights = dict(policy.weights(here.example, here.seat))
                except UserError as error:
                    silent[number] = error
            behaviour.append([weights.get(action, 0.0) for action in here.actions])
        if silent:
            self._require_unreached(behaviour, silent, seat)
        return behaviour

    def _require_unreached(
        self, behaviour: Behaviour, silent: Mapping[int, UserError], seat: int | None
    ) -> None:
        """Raise if a policy reaches a state for which it has no probabilities."""
        waiting = [self._tree.root]
        while waiting:
            node = waiting.pop()
            if node.information_set in silent:
                raise silent[node.information_set]
            chooses = node.player >= 0 and seat in (None, node.player)
            weights = behaviour[node.information_set] if chooses else [1.0] * len(node.children)
            pairs = zip(node.children, weights, strict=True)
            waiting += [child for child, weight in pairs if weight > 0]


_NOTHING: dict[str, Any] = {
    "adjusted_return": None,
    "chance_luck": None,
    "opponent_luck": None,
    "hidden_luck": None,
    "reference_value": None,
    "method": "none",
}


def _mean_after(node: Node, values: SeatValues) -> float:
    """Return the mean value of a history's legal moves, all equally likely."""
    return sum(values.histories[child.index] for child in node.children) / len(node.children)
