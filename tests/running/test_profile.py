"""profile=true: where a run's time went."""

from __future__ import annotations

import json
from typing import Any

from tests.arena import Arena
from tests.loopback import LoopbackServer


def profile_of(arena: Arena, *words: str) -> tuple[dict[str, Any], str]:
    ran = arena(*words, "profile=true", "hydra.run.dir=run")
    assert ran.code == 0, ran.err
    return json.loads((ran.directory / "profile.json").read_text()), ran.out


def test_every_part_of_a_call_is_counted_once(arena: Arena, loopback: LoopbackServer) -> None:
    profile, said = profile_of(
        arena,
        f"+provider.lab.api_base={loopback.url}",
        "agents.player_0.model=direct_lab/m",
        "probe=false",
        "episodes=4",
    )
    parts = profile["parts"]
    calls = loopback.stats()["requests"]
    assert {"prompt", "queue", "wire", "client", "parse", "record", "engine"} <= set(parts)
    for name in ("queue", "wire", "client", "parse"):
        assert parts[name]["count"] == calls
    assert parts["record"]["count"] == calls + 4
    own = sum(part["seconds"] for part in parts.values() if not part["overlaps"])
    assert own <= profile["wall_s"]
    assert "time: " in said
    assert "idle " in said


def test_a_search_is_counted_apart_from_the_rules(arena: Arena) -> None:
    profile, _ = profile_of(arena, "agents=llm_vs_mcts", "episodes=2")
    assert profile["parts"]["search"]["overlaps"]
    assert not profile["parts"]["engine"]["overlaps"]


def test_random_play_is_the_engine_and_the_records(arena: Arena) -> None:
    profile, _ = profile_of(arena, "agents=random_vs_random", "episodes=30")
    assert {name: part["count"] for name, part in profile["parts"].items()} == {
        "engine": 30,
        "record": 30,
    }
