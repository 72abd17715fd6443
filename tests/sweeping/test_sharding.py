"""Parts of a run, and the run put together again."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import pytest

from game_reasoning_arena.errors import UserError
from game_reasoning_arena.preflight.sharding import Shard
from game_reasoning_arena.simulation.seating import seat_plan
from tests.arena import Arena, episodes, lines, run_json, summary
from tests.loopback import LoopbackServer

TIMES = ("latency_p50_s", "latency_p95_s")
PER_RUN = ("run_id", "started_at", "latency_s", "client_s", "queue_s", "ttft_s", "decode_s")


@pytest.mark.parametrize("count", [1, 2, 3, 8, 40])
@pytest.mark.parametrize("rotate", [True, False])
def test_shards_divide_the_plan_without_splitting_deals(count: int, rotate: bool) -> None:
    whole = seat_plan(episodes=31, seed=5, rotate=rotate, players=["a", "b"])
    parts = [Shard(index, count).take(whole) for index in range(count)]
    assert sorted(chain(*parts), key=lambda plan: plan.episode) == whole
    for part in parts:
        elsewhere = {plan.seed for other in parts if other is not part for plan in other}
        assert not elsewhere & {plan.seed for plan in part}
    sizes = [len({plan.seed for plan in part}) for part in parts]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("text", ["8/8", "1", "-1/8", "a/b", "0/0", "1/2/3"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="shard=0/8 to"):
        Shard.parse(text)


@pytest.mark.parametrize("game", ["tic_tac_toe", "kuhn_poker"])
def test_merged_shards_equal_the_unsplit_run(arena: Arena, game: str) -> None:
    words = [f"simulation={game}", "model=scripted_sloppy", "episodes=23", "seed=7"]
    unsplit = arena(*words).directory
    sweep = arena("-m", "shard=all/5", *words)
    assert sweep.code == 0, sweep.err
    merged = arena("merge", str(sweep.directory), "--output", "merged")
    assert merged.code == 0, merged.err
    assert episodes(Path("merged")) == episodes(unsplit)
    assert _without(summary(Path("merged")), TIMES) == _without(summary(unsplit), TIMES)
    assert sorted(map(str, _without(lines(Path("merged/responses.jsonl")), PER_RUN))) == sorted(
        map(str, _without(lines(unsplit / "responses.jsonl"), PER_RUN))
    )
    ours, theirs = run_json(Path("merged")), run_json(unsplit)
    assert ours["identity"] == theirs["identity"]
    assert ours["episodes"] == theirs["episodes"]
    assert ours["totals"] == theirs["totals"]
    assert [part["shard"] for part in ours["merged"]] == [f"{k}/5" for k in range(5)]
    assert {line["run_id"] for line in lines(Path("merged/episodes.jsonl"))} == {ours["run_id"]}


def _without(rows: list[dict[str, str]], keys: tuple[str, ...]) -> list[dict[str, str]]:
    assert rows
    return [{k: v for k, v in row.items() if k not in keys} for row in rows]


def test_what_no_shard_played_is_left_for_resume(arena: Arena) -> None:
    whole = arena("episodes=12", "seed=4").directory
    some = arena("-m", "shard=0/3,2/3", "episodes=12", "seed=4").directory
    merged = arena("merge", str(some), "--output", "merged")
    assert merged.code == 1
    assert merged.err == (
        "arena: merged is not whole: 4 of 12 episodes were in none of the parts. Missing: "
        "shard=1/3. `arena resume merged` plays what is missing; or merge again with it, to "
        "another --output.\n"
    )
    for once in ("none of the parts", "resume"):  # said once, where errors are said
        assert once not in merged.out
    again = arena("merge", str(some), "--output", "merged")
    assert again.code == 2
    assert "holds a run already" in again.err
    assert "(--output DIR)" in again.err
    assert "hydra" not in again.err
    finished = arena("resume", "merged")
    assert finished.code == 0, finished.err
    assert episodes(Path("merged")) == episodes(whole)


def test_parts_with_outages_make_no_completed_run(arena: Arena, loopback: LoopbackServer) -> None:
    loopback.set(faults=[{"status": 400, "skip": 8, "count": 3}])
    words = (f"+provider.lab.api_base={loopback.url}", "agents.player_0.model=direct_lab/m")
    parts = arena("-m", *words, "shard=all/2", "episodes=12", "hydra.sweep.dir=parts")
    assert parts.code == 1
    merged = arena("merge", "parts", "--output", "merged")
    assert merged.code == 1
    told = run_json(Path("merged"))
    assert told["status"] == "error"
    assert told["reason"] == "3 episodes ended by an outage: " + _outage(Path("merged"))
    assert told["episodes"] == {"planned": 12, "completed": 9, "error": 3}
    assert f"merged is not whole: {told['reason']}".rstrip(".") in merged.err
    assert "`arena resume merged` plays what is missing" in merged.err
    loopback.set(faults=[])
    assert arena("resume", "merged").code == 0
    assert run_json(Path("merged"))["status"] == "completed"


def _outage(directory: Path) -> str:
    [said] = {line["error"] for line in lines(directory / "episodes.jsonl") if line["error"]}
    return str(said)


def test_parts_that_a_budget_ended_make_no_completed_run(arena: Arena) -> None:
    part = arena("shard=0/1", "episodes=1", "budget.calls=2").directory
    merged = arena("merge", str(part), "--output", "merged")
    assert merged.code == 1
    told = run_json(Path("merged"))
    assert told["status"] == "budget"
    assert told["reason"] == "1 episodes ended because a budget was spent"


def test_runs_that_are_no_parts_of_one_run_are_not_merged(arena: Arena) -> None:
    one, two = arena("episodes=4").directory, arena("episodes=6").directory
    refused = arena("merge", str(one), str(two), "--output", "merged")
    assert refused.code == 2
    assert "asked different questions" in refused.err
    assert "arena compare" in refused.err
    again = arena("episodes=4").directory
    overlapping = arena("merge", str(one), str(again), "--output", "merged")
    assert overlapping.code == 2
    assert "Episode 0 is in" in overlapping.err
    assert not Path("merged").exists()


def test_a_shard_is_not_resumed_as_another(arena: Arena) -> None:
    part = arena("shard=0/2", "episodes=8").directory
    refused = arena("resume", str(part), "shard=1/2")
    assert refused.code == 2
    assert "shard: 0/2 -> 1/2" in refused.err
