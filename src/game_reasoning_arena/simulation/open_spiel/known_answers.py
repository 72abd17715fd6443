"""Known answers: random and optimal play of small games, through the loop of every run.

for check in verify():
    print(check.name, check.expected, check.got, check.ok)

Expected values are exact unless they have a standard error of their own; those were estimated from
many random games of OpenSpiel. Seeds are fixed, so that one machine always gives one result.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

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
from game_reasoning_arena.simulation.open_spiel.known_judgements import judgement_checks
from game_reasoning_arena.simulation.open_spiel.sequence_form import SequenceForm


@dataclass(frozen=True, slots=True)
class _Rates:
    """Known shares of first-seat wins, draws and second-seat wins (None: not known)."""

    first: float | None
    draw: float | None
    second: float | None
    mean: float | None = None
    error: float = 0.0


@dataclass(frozen=True, slots=True)
class _Play:
    """Episodes to play, with the player that moves first and the other one."""

    name: str
    game: str
    first: PlayerSpec
    second: PlayerSpec
    episodes: int
    rates: _Rates
    #: The seat that moves first; chess begins with 1.
    seat: int = 0


def _random(game: str, episodes: int, rates: _Rates, *, seat: int = 0) -> _Play:
    players = (player("first"), player("second"))
    return _Play(f"{game}, random v random", game, *players, episodes, rates, seat)


def _optimal(game: str, episodes: int, value: float) -> _Play:
    """Return games of CFR+ on both sides, whose error of about 1e-4 is far below sampling error."""
    players = (player("first", "solver"), player("second", "solver"))
    rates = _Rates(None, None, None, mean=value)
    return _Play(f"{game}, optimal v optimal", game, *players, episodes, rates)


def _plays() -> list[_Play]:
    return [
        _random(
            "tic_tac_toe",
            30_000,
            _Rates(float(Fraction(737, 1260)), 8 / 63, float(Fraction(121, 420))),
        ),
        _Play(
            "tic_tac_toe, optimal v random",
            "tic_tac_toe",
            player("first", "solver"),
            player("second"),
            4_000,
            _Rates(0.96781, 0.03219, 0.0, error=5e-6),
        ),
        _Play(
            "tic_tac_toe, random v optimal",
            "tic_tac_toe",
            player("first"),
            player("second", "solver"),
            4_000,
            _Rates(0.0, 0.22252, 0.77748, error=5e-6),
        ),
        _random("kuhn_poker", 20_000, _Rates(9 / 16, 0.0, 7 / 16, mean=1 / 8)),
        _optimal("kuhn_poker", 20_000, -1 / 18),
        _random("leduc_poker", 10_000, _Rates(95 / 192, 5 / 64, 41 / 96, mean=-5 / 64)),
        _optimal("leduc_poker", 10_000, -0.085606),
        _random("liars_dice", 10_000, _Rates(209 / 432, 0.0, 223 / 432)),
        _optimal("liars_dice", 10_000, -0.0271318),
        _random("matrix_rps", 5_000, _Rates(1 / 3, 1 / 3, 1 / 3, mean=0.0)),
        _random("matrix_pd", 5_000, _Rates(0.25, 0.5, 0.25)),
        _random("connect_four", 10_000, _Rates(0.55576, 0.00257, 0.44167, error=7e-5)),
        _random("hex", 2_000, _Rates(0.525, 0.0, 0.475, error=0.0035)),
        _random("breakthrough(rows=6,columns=6)", 4_000, _Rates(0.518, 0.0, 0.482, error=0.0029)),
        # Measured: 100,000 random games of OpenSpiel 2.0.2 alone, without this package. An older
        # figure of 43.7 / 4.5 / 51.9 (0.7) % is 2.3 of its standard errors away from that.
        _random("othello", 2_000, _Rates(0.45374, 0.04141, 0.50485, error=0.0016)),
        _random("chess", 200, _Rates(0.079, 0.849, 0.073, error=0.01), seat=1),
    ]


def verify(progress: Callable[[str], None] | None = None) -> list[Check]:
    """Play and compute all known answers; under a minute on two cores.

    Must not be called from a running event loop.

    Args:
        progress: called with the name of each part before it starts.
    """
    report = progress or (lambda name: None)
    checks: list[Check] = []
    for play in _plays():
        report(play.name)
        seats = [play.first, play.second][:: 1 if play.seat == 0 else -1]
        checks += _compared(play, played(play.game, seats, play.episodes))
    for name, expected, compute in _COMPUTED:
        report(name)
        checks.append(computed(name, expected, compute()))
    for game, expected in _VALUES:
        report(f"{game}, exact value")
        checks += _solved(game, expected)
    checks += judgement_checks(report)
    return checks


def _compared(play: _Play, episodes: Sequence[EpisodeRecord]) -> Iterator[Check]:
    n = len(episodes)
    shares = {
        "first": sum(e.winner == "first" for e in episodes) / n,
        "draw": sum(e.winner is None for e in episodes) / n,
        "second": sum(e.winner == "second" for e in episodes) / n,
    }
    for what, got in shares.items():
        expected = getattr(play.rates, what)
        if expected is not None:
            se = math.hypot(math.sqrt(expected * (1 - expected) / n), play.rates.error)
            yield sampled(f"{play.name}: {what}", expected, got, se)
    if play.rates.mean is not None:
        values = [e.returns[play.seat] for e in episodes if e.returns is not None]
        mean = sum(values) / len(values)
        variance = sum((value - mean) ** 2 for value in values) / (len(values) - 1)
        yield sampled(
            f"{play.name}: mean return of first",
            play.rates.mean,
            mean,
            math.sqrt(variance / len(values)),
        )


def _nash_conv_of_uniform(game_string: str) -> Callable[[], float]:
    def compute() -> float:
        game = pyspiel.load_game(game_string)
        return float(pyspiel.nash_conv(game, pyspiel.UniformRandomPolicy(game)))

    return compute


def _value_of_uniform(game_string: str) -> Callable[[], float]:
    def compute() -> float:
        game = pyspiel.load_game(game_string)
        uniform = pyspiel.UniformRandomPolicy(game)
        state = game.new_initial_state()
        return float(pyspiel.expected_returns(state, uniform, -1, True)[0])

    return compute


def _solved(game_string: str, value: float) -> Iterator[Check]:
    """Yield checks of a game's value between the two bounds that optimal plans prove."""
    optimum = SequenceForm.of(pyspiel.load_game(game_string)).optimum()
    yield computed(f"{game_string}, value of the game", value, optimum.value)
    yield computed(f"{game_string}, NashConv of optimal play", 0.0, optimum.high - optimum.low)


#: Player 0's return under optimal play of both.
_VALUES = (("kuhn_poker", -1 / 18), ("leduc_poker", -0.085606), ("liars_dice", -0.0271318))
#: Computed values: (name, expected, function that computes it).
_COMPUTED: list[tuple[str, float, Callable[[], float]]] = [
    ("kuhn_poker, NashConv of uniform play", 11 / 12, _nash_conv_of_uniform("kuhn_poker")),
    ("leduc_poker, NashConv of uniform play", 4.747222, _nash_conv_of_uniform("leduc_poker")),
    ("kuhn_poker, value of uniform play", 1 / 8, _value_of_uniform("kuhn_poker")),
    ("leduc_poker, value of uniform play", -5 / 64, _value_of_uniform("leduc_poker")),
]
