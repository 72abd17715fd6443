"""Judging recorded decisions: what one costs once a game is solved, and what more cores give.

    python -m benchmarks.bench_assess [--rounds 3] [--json FILE]

Runs of random players are judged in this process (exact values) and by one process beside as many
as there are cores (search). Replaying the moves, reading and writing are in the figures; solving is
not, since solutions are kept on disk.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from benchmarks import figures
from benchmarks.bench_play import Figures
from game_reasoning_arena.assessment import EvaluatorSettings, assess_run
from game_reasoning_arena.cli import run_command
from game_reasoning_arena.simulation.open_spiel.uci import find_program

EXACT = {"tic_tac_toe": 2_000, "kuhn_poker": 10_000, "leduc_poker": 4_000}
#: Runs that are searched: words of the run, settings of the evaluator.
SEARCHED = {
    "mcts, connect_four": (
        ["simulation=connect_four", "episodes=4"],
        EvaluatorSettings(by="mcts", simulations=200),
    ),
    "uci, chess": (
        ["simulation=chess", "simulation.max_moves=16", "episodes=4"],
        EvaluatorSettings(by="uci", nodes=10_000),
    ),
}


def played(folder: Path, name: str, words: list[str]) -> Path:
    """A run of random players, played once."""
    directory = folder / name.replace(", ", "_")
    if not directory.is_dir():
        more = ["agents=random_vs_random", f"hydra.run.dir={directory}"]
        if run_command([*words, *more]):
            raise SystemExit(f"{name} was not played")
    return directory


def exact(folder: Path, game: str, episodes: int) -> Figures:
    """Processor milliseconds for each decision, seconds for all."""
    words = [f"simulation={game}", f"episodes={episodes}"]
    directory, settings = played(folder, game, words), EvaluatorSettings()
    assess_run(directory, settings, again=True, workers=0)  # solved, if it was not
    (directory / "assessment.json").unlink()
    cpu, wall = time.process_time(), time.perf_counter()
    found = assess_run(directory, settings, workers=0)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return {"ms_per_decision": 1000 * cpu / found.facts["counts"]["decisions"], "wall_s": wall}


def searched(folder: Path, name: str) -> Figures:
    """Seconds with one process, and with one for each core."""
    words, settings = SEARCHED[name]
    directory = played(folder, name, words)
    took = []
    for workers in (1, os.cpu_count() or 1):
        (directory / "assessment.json").unlink(missing_ok=True)
        began = time.perf_counter()
        assess_run(directory, settings, workers=workers)
        took.append(time.perf_counter() - began)
    return {"one_s": took[0], "all_s": took[1]}


def measure(folder: Path) -> dict[str, Figures]:
    """One round of everything."""
    found = {game: exact(folder, game, episodes) for game, episodes in EXACT.items()}
    for name in SEARCHED:
        if not name.startswith("uci") or find_program("stockfish"):
            found[name] = searched(folder, name)
    return found


def ratios(rounds: list[dict[str, Figures]]) -> list[figures.Ratio]:
    """Ours beside the anchors."""
    found = [
        figures.ratio(
            f"assess {game}: processor time of a decision over 1 ms",
            [(one[game]["ms_per_decision"], 1.0) for one in rounds],
            goal=1.0,
            unit="ms",
        )
        for game in EXACT
    ]
    found.append(
        figures.ratio(
            f"assess kuhn_poker: wall time of {EXACT['kuhn_poker']:,} episodes over 10 s",
            [(one["kuhn_poker"]["wall_s"], 10.0) for one in rounds],
            goal=1.0,
            unit="s",
        )
    )
    cores = os.cpu_count() or 1
    found += [
        figures.ratio(
            f"assess by {name}: wall time of one process over {cores}",
            [(one[name]["one_s"], one[name]["all_s"]) for one in rounds],
            goal=0.7 * cores,
            more=True,
            unit="s",
        )
        for name in rounds[0]
        if name in SEARCHED
    ]
    return found


def main() -> None:
    options = figures.options(__doc__, rounds=3)
    with tempfile.TemporaryDirectory() as folder:
        rounds = [measure(Path(folder)) for _ in range(options.rounds)]
    figures.finish(ratios(rounds), rounds, options.json)


if __name__ == "__main__":
    main()
