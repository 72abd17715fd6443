"""Random play with records beside pyspiel alone.

    python -m benchmarks.bench_random [--rounds 5] [--json FILE]

In a process of its own, as such runs are: what LiteLLM leaves in one slows down the next 20,000
games by a third. Rounds are interleaved and medians shown, after a round that is thrown away.
"""

from __future__ import annotations

import random
import time

from benchmarks import figures
from benchmarks.bench_play import Figures, play

#: Random games that a bare loop plays in about 0.2 s.
RANDOM = {"tic_tac_toe": 20_000, "kuhn_poker": 20_000, "connect_four": 6_000}


def random_play(game: str, number: int) -> Figures:
    """Random players, everything recorded, beside pyspiel alone; processor seconds."""
    import pyspiel

    words = ["agents=random_vs_random", f"simulation={game}", f"episodes={number}"]
    took = play(words).cpu_s
    loaded = pyspiel.load_game(game)
    dice = random.Random(0)
    began = time.process_time()
    for _ in range(number):
        state = loaded.new_initial_state()
        while not state.is_terminal():
            if state.is_chance_node():
                outcomes, weights = zip(*state.chance_outcomes(), strict=True)
                state.apply_action(dice.choices(outcomes, weights)[0])
            else:
                state.apply_action(dice.choice(state.legal_actions()))
        state.returns()
    bare = time.process_time() - began
    return {"episodes_per_s": number / took, "bare_episodes_per_s": number / bare}


def measure() -> dict[str, Figures]:
    """One round of every game."""
    return {f"random {game}": random_play(game, number) for game, number in RANDOM.items()}


def ratios(rounds: list[dict[str, Figures]]) -> list[figures.Ratio]:
    """Ours beside the anchors."""
    return [
        figures.ratio(
            f"random {game}, recorded: episodes/s of bare pyspiel",
            [
                (
                    one[f"random {game}"]["episodes_per_s"],
                    one[f"random {game}"]["bare_episodes_per_s"],
                )
                for one in rounds
            ],
            goal=1 / 3,
            more=True,
            unit="/s",
        )
        for game in RANDOM
    ]


def main() -> None:
    options = figures.options(__doc__, rounds=5)
    measure()
    rounds = [measure() for _ in range(options.rounds)]
    figures.finish(ratios(rounds), rounds, options.json)


if __name__ == "__main__":
    main()
