"""A fault in one episode ends that episode, with its cause, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.arena import Ran, episodes, finish, run_json, start_arena

#: A policy that cannot bear one of the three cards.
POLICY = """
def picky(state, names):
    if state.startswith("2"):
        raise RuntimeError("no kings, please")
    return names[0]


def broken(state, names):
    raise RuntimeError("never works")
"""


def run_with(tmp_path: Path, policy: str, *words: str) -> Ran:
    (tmp_path / "policies.py").write_text(POLICY)
    return finish(
        start_arena(
            "simulation=kuhn_poker",
            "agents=random_vs_random",
            f"+agents.player_1={{type: policy, callable: 'policies:{policy}'}}",
            "trusted_targets=[policies]",
            "episodes=24",
            "concurrency=2",
            *words,
            cwd=tmp_path,
        )
    )


def test_the_others_are_played_and_resume_does_not_stop_at_it_again(tmp_path: Path) -> None:
    ran = run_with(tmp_path, "picky")
    assert ran.code == 1
    assert "Traceback" not in ran.out + ran.err
    before = episodes(ran.directory)
    failed = {n for n, episode in before.items() if episode["status"] == "error"}
    assert 0 < len(failed) < len(before) == 24
    assert all("no kings, please" in before[n]["error"] for n in failed)
    assert all("policies.py, line 4" in before[n]["error"] for n in failed)
    told = run_json(ran.directory)
    assert told["status"] == "error"
    assert told["episodes"] == {
        "planned": 24,
        "error": len(failed),
        "completed": 24 - len(failed),
    }
    again = finish(start_arena("resume", "--trust", "policies", str(ran.directory), cwd=tmp_path))
    assert again.code == 1
    assert episodes(ran.directory) == before


def test_a_run_in_which_nothing_else_happens_stops_soon(tmp_path: Path) -> None:
    ran = run_with(tmp_path, "broken", "concurrency=1")
    assert ran.code == 1
    assert "a fault in the program: RuntimeError: never works" in ran.out
    assert "Traceback" in (ran.directory / "arena.log").read_text()
    assert len(episodes(ran.directory)) == 8


def faulty(*words: str, cwd: Path) -> Ran:
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("faulty_games.py"), *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def test_openspiel_raises_in_episodes_and_no_sitting_stops_at_them(tmp_path: Path) -> None:
    words = ("simulation=openspiel", "simulation.game=faulty", "agents=random_vs_random")
    ran = faulty(*words, "episodes=24", "concurrency=2", "hydra.run.dir=mine", cwd=tmp_path)
    assert ran.code == 1
    assert "Traceback" not in ran.out + ran.err
    run = tmp_path / "mine"
    before = episodes(run)
    failed = {n for n, episode in before.items() if episode["status"] == "error"}
    assert 8 < len(failed) < len(before) == 24  # more than end a run that does nothing else
    assert all("SpielError: no corner, please" in before[n]["error"] for n in failed)
    # Known faults come first in the next sitting, and what has not been played yet after them.
    again = faulty("resume", "mine", "episodes=40", "concurrency=1", cwd=tmp_path)
    assert again.code == 1
    after = episodes(run)
    assert len(after) == 40
    assert {n: after[n] for n in before} == before
    assert run_json(run)["episodes"]["completed"] > len(before) - len(failed)
