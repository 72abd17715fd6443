"""A fault in one episode ends that episode, with its cause, and nothing else."""

from __future__ import annotations

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
