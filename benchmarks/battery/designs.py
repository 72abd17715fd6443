"""Designs that users run, simulated: who meets whom, what deals share, who fails.

A game of i at the first seat against j on deal d is won with the logistic chance of
skill_i - skill_j + seat + card_d + day_id - day_jd + pair_ijd, where card is the luck of the cards
(good for one seat, bad for the other), day what a deal does to a player (a position it knows), and
pair what it does to two of them. Everything is drawn anew for each deal and repetition.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import permutations
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: What a forfeit returns to who failed; the opponent gets as much.
LOWEST: Final = -13.0


@dataclass(frozen=True, slots=True)
class Design:
    """One design; effects are standard deviations on the logistic scale.

    Attributes:
        models: how many are compared, of equal strength unless ``skill`` gives another.
        opponents: others whom every model meets, from both seats.
        robin: whether the models meet each other, from both seats.
        three: whether each model plays games of three with two others, from all seats.
        fails: chance that a model forfeits a game; ``alike`` says what of it is shared.
        kinds: different deals that a steady game has; 0 where every deal is new.
        lacking: share of deals, the last ones, that the second model did not play.
    """

    name: str
    models: int = 2
    opponents: int = 0
    robin: bool = False
    three: bool = False
    deals: int = 40
    skill: tuple[float, ...] = ()
    level: float = 0.0
    seat: float = 0.3
    card: float = 0.0
    day: float = 0.0
    pair: float = 0.0
    draws: float = 0.0
    pots: Literal["", "poker", "heavy"] = ""
    fails: float = 0.0
    alike: Literal["game", "deal", "model and deal"] = "game"
    dropped: bool = False
    kinds: int = 0
    lacking: float = 0.0

    @property
    def players(self) -> int:
        """Models and opponents."""
        return self.models + self.opponents

    @property
    def schedule(self) -> list[tuple[int, int]]:
        """(first, second) of all games of a deal; models have the lowest numbers."""
        games = list(permutations(range(self.models), 2)) if self.robin else []
        for other in range(self.models, self.players):
            games += [(i, other) for i in range(self.models)]
            games += [(other, i) for i in range(self.models)]
        return games

    @property
    def equal(self) -> bool:
        """Whether all models are equally strong."""
        return not any(self.skill)


_ONE = Design("one opponent", opponents=1, level=0.5)
_FIVE = Design("round robin of 5", models=5, robin=True)

#: The battery, by what each design is there for.
DESIGNS: Final = (
    _ONE,
    replace(_ONE, name="one opponent, luck of the cards", card=1.5),
    replace(_ONE, name="one opponent, model by deal", day=1.5),
    replace(_ONE, name="one opponent, pair by deal", pair=1.5),
    replace(_ONE, name="one opponent, the seat decides", seat=3.0),
    replace(_ONE, name="one opponent, strong models", level=2.5),
    replace(_ONE, name="one opponent, 6 deals", deals=6, day=1.0),
    replace(_ONE, name="one opponent, 10 deals", deals=10, day=1.0),
    replace(_ONE, name="one opponent, many draws", draws=0.85, day=1.0),
    replace(_ONE, name="one opponent, unequal lengths", lacking=0.4, day=1.0),
    replace(_ONE, name="one opponent of 6 models, 6 deals", models=6, deals=6, card=1.0),
    replace(_ONE, name="five opponents, model by deal", opponents=5, day=1.5),
    replace(_ONE, name="five opponents, pair by deal", opponents=5, pair=1.5),
    Design("two that meet", robin=True, day=1.0),
    Design("two that meet, one better", robin=True, day=1.0, skill=(0.5, 0.0)),
    Design("round robin of 3, model by deal", models=3, robin=True, day=1.5),
    replace(_FIVE, name="round robin of 5, luck of the cards", card=1.5),
    replace(_FIVE, name="round robin of 5, model by deal", day=1.5),
    replace(_FIVE, name="round robin of 5, pair by deal", pair=1.5),
    replace(_FIVE, name="round robin of 5, the seat decides", seat=3.0),
    replace(_FIVE, name="round robin of 5, 6 deals", day=1.0, deals=6),
    replace(_FIVE, name="round robin of 5, 10 deals", day=1.0, deals=10),
    replace(_FIVE, name="round robin of 5, unequal", day=1.0, skill=(0.8, 0.4, 0.0, -0.4, -0.8)),
    Design("round robin of 8, model by deal", models=8, robin=True, day=1.5, deals=20),
    Design("games of three", three=True, deals=40, day=0.7),
    Design("games of three, 20 deals", three=True, deals=20, day=0.7),
    replace(_ONE, name="poker, returns", pots="poker", card=1.5),
    replace(_ONE, name="poker, returns, 10 deals", pots="poker", card=1.5, deals=10),
    replace(_ONE, name="heavy tails, returns", pots="heavy", card=1.0),
    replace(_ONE, name="heavy tails, returns, 20 deals", pots="heavy", card=1.0, deals=20),
    replace(_FIVE, name="round robin of 5, returns", pots="poker", day=1.0),
    *(
        replace(_ONE, name=f"forfeits {share:.0%}, by {alike}", fails=share, alike=alike, day=0.7)
        for share in (0.1, 0.4)
        for alike in ("game", "deal", "model and deal")
    ),
    replace(_ONE, name="forfeits 40%, returns", fails=0.4, alike="model and deal", pots="poker"),
    replace(
        _ONE, name="forfeits 40%, returns, dropped", fails=0.4, alike="model and deal",
        pots="poker", dropped=True,
    ),
    replace(_FIVE, name="round robin of 5, forfeits 10%", fails=0.1, alike="model and deal"),
    Design("copies: 8 different deals of 40", robin=True, kinds=8),
    Design("copies: 3 different deals of 40", robin=True, kinds=3),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Drawn:
    """Repetitions of a design: arrays of repetitions x deals x games.

    ``first`` and ``second`` hold what the game is worth to each seat, NaN where it does not count;
    ``scores`` the first's score. ``kind`` is which of the different deals each deal was.
    """

    design: Design
    first: Floats
    second: Floats
    scores: Floats
    kind: NDArray[np.int64]


def draw(design: Design, rng: np.random.Generator, repeats: int, deals: int = 0) -> Drawn:
    """Simulate a design, with another number of deals if one is given."""
    deals = deals or design.deals
    different = design.kinds or deals
    games = np.array(design.schedule)
    one, other = games[:, 0], games[:, 1]
    shape = repeats, different
    skill = np.zeros(design.players)
    skill[: design.models] = design.level
    skill[: len(design.skill)] += design.skill
    day = rng.normal(0, design.day, (*shape, design.players)) if design.day else 0.0
    logit = skill[one] - skill[other] + design.seat
    logit = logit + rng.normal(0, design.card, (*shape, 1)) if design.card else logit
    logit = logit + day[..., one] - day[..., other] if design.day else logit
    if design.pair:
        what = rng.normal(0, design.pair, (*shape, design.players, design.players))
        logit = logit + what[..., one, other] - what[..., other, one]
    chance = 1 / (1 + np.exp(-np.broadcast_to(logit, (*shape, len(games)))))
    scores = (rng.random(chance.shape) < chance).astype(float)
    scores[rng.random(chance.shape) < design.draws] = 0.5
    value = scores if not design.pots else (2 * scores - 1) * _pots(design, rng, chance.shape)
    first, second = value.copy(), (1 - scores) if not design.pots else -value
    if design.fails:
        scores = _forfeit(design, rng, (one, other), first, second, scores)
    kind = np.broadcast_to(np.arange(deals), (repeats, deals))
    if design.kinds:
        kind = rng.integers(0, design.kinds, (repeats, deals))
        first, second, scores = (
            np.take_along_axis(a, kind[:, :, None], axis=1) for a in (first, second, scores)
        )
    if design.lacking:
        _lack(design, (one, other), first, second)
    return Drawn(design, first, second, scores, np.asarray(kind))


def _pots(design: Design, rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """What the winner gets: a few sizes, or a Pareto tail without a variance, cut at 100."""
    if design.pots == "poker":
        return np.asarray(rng.choice([1.0, 3, 5, 7, 13], shape, p=[0.45, 0.25, 0.15, 0.1, 0.05]))
    return np.asarray(np.minimum(np.rint((1 - rng.random(shape)) ** (-1 / 1.8)), 100.0))


def _forfeit(
    design: Design,
    rng: np.random.Generator,
    games: tuple[NDArray[np.int64], NDArray[np.int64]],
    first: Floats,
    second: Floats,
    scores: Floats,
) -> Floats:
    """Let models fail; who is first to is drawn. The scores with what that costs."""
    shape = scores.shape
    failed = []
    for side in games:
        if design.alike == "game":
            luck = rng.random(shape)
        elif design.alike == "model and deal":
            if not failed:
                mine = rng.random((*shape[:2], design.players))
            luck = mine[..., side]
        else:
            if not failed:
                shared = rng.random((*shape[:2], 1))
            luck = np.broadcast_to(shared, shape)
        failed.append((luck < design.fails) & (side < design.models))
    both = failed[0] & failed[1]
    earlier = rng.random(shape) < 0.5
    failed = [failed[0] & ~(both & earlier), failed[1] & ~(both & ~earlier)]
    for mine, value, its in ((failed[0], first, second), (failed[1], second, first)):
        worth = (LOWEST, -LOWEST) if design.pots else (0.0, 1.0)
        lost, won = (np.nan, np.nan) if design.dropped else worth
        value[mine], its[mine] = lost, won
    return np.where(failed[0], 0.0, np.where(failed[1], 1.0, scores))


def _lack(
    design: Design,
    games: tuple[NDArray[np.int64], NDArray[np.int64]],
    first: Floats,
    second: Floats,
) -> None:
    """Take the last deals from the second model, and the last seating of its last deal."""
    last = round((1 - design.lacking) * first.shape[1])
    mine = np.flatnonzero((games[0] == 1) | (games[1] == 1))
    for value in (first, second):
        value[:, last:, mine] = np.nan
        value[:, last - 1, mine[-1]] = np.nan


def draw_three(design: Design, rng: np.random.Generator, repeats: int, deals: int = 0) -> Floats:
    """Simulate games of three: scores of each model at each seat, with the same two others.

    Returns:
        repetitions x deals x models x seats.
    """
    deals = deals or design.deals
    found = np.empty((repeats, deals, design.models, 3))
    others = rng.normal(0, design.day, (repeats, deals, 2))
    for model in range(design.models):
        mine = rng.normal(0, design.day, (repeats, deals, 1))
        strength = np.concatenate([mine, others], axis=2)
        for seat in range(3):
            order = np.roll(strength, seat, axis=2) + np.array([design.seat, 0, -design.seat])
            gumbel = -np.log(-np.log(rng.random(order.shape)))
            found[:, :, model, seat] = (order + gumbel).argmax(axis=2) == seat
    return found
