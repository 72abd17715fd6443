"""What is on disk is used again as what it was: resumed, replayed, merged."""

from __future__ import annotations

from pathlib import Path

from tests.arena import episodes, lines, run_json, summary
from tests.holding_up.conftest import Lab


def test_a_prompt_that_did_not_fit_is_replayed_as_that(lab: Lab) -> None:
    lab.server.set(faults=[{"kind": "context", "skip": 3, "rate": 0.3}])
    words = ("episodes=10", "concurrency=1", "hydra.run.dir=mine")
    assert lab(*words, "on_failure.policy=random").code == 0
    overflows = sum(int(row["context_overflow"] or 0) for row in summary(Path("mine")))
    assert overflows > 0
    ran = lab.arena("replay", "mine")
    assert ran.code == 0, ran.out
    assert "10 of 10" in ran.out
    agents = ("agents.player_0.model=replay_mine", "on_failure.policy=random")
    again = lab.arena("episodes=10", *agents, "hydra.run.dir=again")
    assert again.code == 0, again.err
    was, now = episodes(Path("mine")), episodes(Path("again"))
    assert {n: e["moves"] for n, e in was.items()} == {n: e["moves"] for n, e in now.items()}
    [error, *_] = [line["error"] for line in lines(Path("again/responses.jsonl")) if line["error"]]
    assert error["kind"] == "context_overflow"
    assert "maximum context length is 4096" in error["message"]


def test_a_resumed_run_keeps_what_followed_a_prompt_that_did_not_fit(lab: Lab) -> None:
    lab.server.set(faults=[{"kind": "context", "skip": 2, "count": 1}])
    words = ("episodes=1", "concurrency=1", "on_failure.policy=random")
    whole = lab(*words, "hydra.run.dir=whole")
    lab.server.set(faults=[{"kind": "context", "skip": 2, "count": 1}])
    assert lab(*words, "budget.calls=3", "hydra.run.dir=mine").code == 3
    before = run_json(Path("mine"))["totals"]
    assert (before["calls"], before["failed_calls"]) == (2, 1)
    again = lab.arena("resume", "mine", "budget.calls=null")
    assert again.code == 0, again.err
    assert episodes(Path("mine")) == episodes(whole.directory)
    was, now = run_json(whole.directory)["totals"], run_json(Path("mine"))["totals"]
    for counted in ("calls", "failed_calls", "requests", "prompt_tokens"):
        assert now[counted] == was[counted]
