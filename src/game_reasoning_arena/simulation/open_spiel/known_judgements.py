"""Known answers of ``arena assess``: the regret of random play, and luck with mean 0."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from statistics import fmean, variance
from typing import Any

import msgspec
import pyspiel

from game_reasoning_arena.agents.base_agent import PlayerSpec
from game_reasoning_arena.records import EpisodeRecord
from game_reasoning_arena.simulation.open_spiel.answer_checks import (
    Check,
    computed,
    played,
    player,
    sampled,
)
from game_reasoning_arena.simulation.open_spiel.evaluators.choosing import choose, make_judge
from game_reasoning_arena.simulation.open_spiel.evaluators.judging import Judge, Judged
from game_reasoning_arena.simulation.open_spiel.evaluators.policies import solved_policy
from game_reasoning_arena.simulation.open_spiel.evaluators.settings import EvaluatorSettings
from game_reasoning_arena.simulation.open_spiel.full_expansion import (
    regret_of_random_play,
    regret_of_random_tic_tac_toe,
)
from game_reasoning_arena.simulation.open_spiel.simulation import OpenSpielSimulation

_KINDS = ("random", "solver", "table")
_POKER = ("kuhn_poker", "leduc_poker")
#: Episodes of random play, and of each pairing.
_RANDOM = {"tic_tac_toe": 2_000, "kuhn_poker": 8_000, "leduc_poker": 4_000}
_PAIRED = 600
#: Episodes where the variance is checked; in leduc_poker a few large pots decide it.
_FOR_VARIANCE = 3_000
#: Share of random moves of the table player, and the largest variance that may be left.
_AT_RANDOM = 0.2
_VARIANCE_LEFT = 0.1

_Players = dict[str, PlayerSpec]


def judgement_checks(progress: Callable[[str], None]) -> Iterator[Check]:
    """Yield the known answers of judging.

    Args:
        progress: called with the name of each part before it starts.
    """
    for game in _RANDOM:
        progress(f"{game}, regret of random play")
        yield _regret_of_random(game)
    with tempfile.TemporaryDirectory() as folder:
        for game in (*_POKER, "tic_tac_toe"):
            kinds = _KINDS if game in _POKER else _KINDS[:2]
            table = Path(folder) / f"{game}.json"
            if game in _POKER:
                table.write_text(json.dumps(_table(game)))
            for first, second in product(kinds, kinds):
                progress(f"{game}, luck of {first} v {second}")
                yield from _without_luck(game, first, second, table)


def _regret_of_random(game: str) -> Check:
    seats = [player("player_0"), player("player_1")]
    judged = _judged(game, seats, played(game, seats, _RANDOM[game]))[1]
    sums = [sum(one.regret or 0.0 for one in episode.decisions) for episode in judged]
    error = math.sqrt(variance(sums) / len(sums))
    return sampled(f"{game}, regret of random play", _expanded(game), fmean(sums), error)


def _expanded(game: str) -> float:
    if game == "tic_tac_toe":
        return regret_of_random_tic_tac_toe()
    policy = solved_policy(OpenSpielSimulation(game), 1000, 2_000_000).policy
    return regret_of_random_play(game, lambda seat, key: dict(policy[f"{seat}|{key}"]))


def _without_luck(game: str, first: str, second: str, table: Path) -> Iterator[Check]:
    seats = [_seat(0, first, table), _seat(1, second, table)]
    looked_at = game == "leduc_poker" and {first, second} == {"table", "solver"}
    episodes = played(game, seats, _FOR_VARIANCE if looked_at else _PAIRED)
    judge, judged = _judged(game, seats, episodes)
    name = f"{game}, {first} v {second}"
    for seat, which in enumerate(("first", "second")):
        raw = [float(one.luck[seat].returns or 0.0) for one in judged]
        adjusted = [float(one.luck[seat].adjusted_return or 0.0) for one in judged]
        luck = [a - b for a, b in zip(raw, adjusted, strict=True)]
        error = math.sqrt(variance(luck) / len(luck))
        yield sampled(f"{name}: {which} without luck", fmean(raw), fmean(adjusted), error)
        if game in _POKER and seats[seat].type == "policy" and seats[1 - seat].type == "solver":
            left = variance(adjusted) / variance(raw)
            yield computed(f"{name}: {which}'s variance without luck", 0.0, left, _VARIANCE_LEFT)
    if first == second == "solver":
        regrets = [one.regret or 0.0 for episode in judged for one in episode.decisions]
        # The sum of what both could gain by deviating from the solution: 0 where it is exact.
        band = max(1e-9, 2 * float(judge.facts()["exploitability"]))
        yield computed(f"{name}: regret", 0.0, fmean(regrets), band)


def _seat(number: int, kind: str, table: Path) -> PlayerSpec:
    name = f"player_{number}"
    return player(name, "policy", table=str(table)) if kind == "table" else player(name, kind)


def _judged(
    game: str, seats: Sequence[PlayerSpec], episodes: Sequence[EpisodeRecord]
) -> tuple[Judge, list[Judged]]:
    simulation, settings = OpenSpielSimulation(game), EvaluatorSettings()
    agents: Mapping[str, Any] = {spec.name: {"type": spec.type, **spec.options} for spec in seats}
    judge = make_judge(
        simulation,
        choose(simulation, settings),
        settings,
        agents,
        home=Path(),
        contents={},
        seating={spec.name: [seat] for seat, spec in enumerate(seats)},
    ).judge
    return judge, [judge.judge(msgspec.to_builtins(episode)) for episode in episodes]


def _table(game: str) -> dict[str, dict[str, float]]:
    """Return the solved strategies mixed with random moves, by state and name of move."""
    simulation = OpenSpielSimulation(game)
    policy = solved_policy(simulation, 1000, 2_000_000)
    rows: dict[str, dict[str, float]] = {}
    waiting = [pyspiel.load_game(game).new_initial_state()]
    while waiting:
        state = waiting.pop()
        if state.is_terminal():
            continue
        legal = state.legal_actions()
        if not state.is_chance_node():
            seat = state.current_player()
            text = simulation.texts.state(state, seat)
            if text not in rows:
                solved = dict(policy.weights(state, seat))
                rows[text] = {
                    state.action_to_string(seat, action): (1 - _AT_RANDOM) * solved.get(action, 0.0)
                    + _AT_RANDOM / len(legal)
                    for action in legal
                }
        waiting += [state.child(action) for action in legal]
    return rows
