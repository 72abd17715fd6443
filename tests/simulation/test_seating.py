"""Seeds are those that numpy derives, without numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from game_reasoning_arena.simulation.seating import seeds


@given(st.integers(0, 2**300), st.integers(0, 40))
@example(0, 3)
@example(2**32, 3)
def test_seeds_are_those_of_numpys_seed_sequence(run_seed: int, n: int) -> None:
    words: Any = np.random.SeedSequence(run_seed).generate_state(n, np.uint64) if n else []
    assert seeds(run_seed, n) == [int(word) >> 11 for word in words]
