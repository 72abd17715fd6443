"""CFR+ on a game's sequence form, one depth of information states at a time.

Counterfactual regret minimisation (Zinkevich, Johanson, Bowling and Piccione 2007, "Regret
Minimization in Games with Incomplete Information"). Regrets never fall below zero, players are
updated in turn, and iteration t has weight t in the average (Tammelin 2014, "Solving Large
Imperfect Information Games Using CFR+").
"""

from __future__ import annotations

import numpy as np

from game_reasoning_arena.simulation.open_spiel.sequence_form import Pair, SequenceForm


def cfr_plus(form: SequenceForm, iterations: int) -> Pair:
    """Return the average plans of both players."""
    regrets = [np.zeros(side.size) for side in form.sides]
    behaviours = [side.uniform() for side in form.sides]
    plans = [side.plan(behaviour) for side, behaviour in zip(form.sides, behaviours, strict=True)]
    sums = [np.zeros(side.size) for side in form.sides]
    for weight in range(1, iterations + 1):
        for seat, side in enumerate(form.sides):
            gains = form.gains(seat, plans[1 - seat])
            worth = side.values(gains, behaviours[seat])
            regrets[seat][1:] += gains[1:] - worth[side.owner]
            np.maximum(regrets[seat], 0.0, out=regrets[seat])
            behaviours[seat] = side.normalised(regrets[seat])
            plans[seat] = side.plan(behaviours[seat])
            sums[seat] += weight * plans[seat]
    averages = [
        side.plan(side.normalised(total)) for side, total in zip(form.sides, sums, strict=True)
    ]
    return averages[0], averages[1]
