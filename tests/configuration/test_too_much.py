"""Small files that stand for more than a memory holds are refused at once."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from game_reasoning_arena.recording.frames import load_runs
from tests.arena import Arena, run_json

#: Ten times ten times ... values, in a few lines.
BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("mine.yaml", BOMB, ["--config", "mine.yaml"]),
        (
            "list.yaml",
            BOMB + "models: [{name: direct_x/y, extra: {a: *a11}}]\n",
            ["catalog.files=[list.yaml]"],
        ),
        ("conf/experiment/bomb.yaml", f"# @package _global_\n{BOMB}", ["experiment=bomb"]),
    ],
)
def test_an_alias_bomb_is_refused(arena: Arena, file: str, text: str, words: list[str]) -> None:
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    Path(file).write_text(text)
    ran = arena(*words, "episodes=1")
    assert ran.code == 2
    assert f"{file}: its aliases stand for more than 1,000,000 values" in ran.err
    assert not Path("outputs").exists()


def test_more_episodes_than_a_run_can_hold_are_refused(arena: Arena) -> None:
    for words in ([], ["-m", "seed=1,2"], ["estimate=true"]):
        ran = arena(*words, "episodes=1000000000")
        assert (ran.code, "more than 10,000,000" in ran.err) == (2, True)


def test_a_clock_that_is_set_back_makes_no_time_negative_or_nothing(
    arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, asked = time.time, iter(range(10**9))
    monkeypatch.setattr(time, "time", lambda: real() - (7200 if next(asked) > 60 else 0))
    directory = arena("episodes=12", "concurrency=2", "hydra.run.dir=mine").directory
    monkeypatch.undo()
    told = run_json(directory)
    assert told["duration_s"] > 0
    assert told["finished_at"] > told["started_at"]
    responses = load_runs(directory).responses
    for name in ("latency_s", "queue_s", "client_s"):
        assert not (responses[name] < 0).any(), name
