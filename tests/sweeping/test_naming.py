"""Names of directories and columns."""

from __future__ import annotations

import pytest

from game_reasoning_arena.sweeping.naming import SLUG_LENGTH, short_keys, slug


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({}, ""),
        ({"seed": "1"}, "seed-1"),
        (
            {"agents.player_0.model": "litellm_openrouter/meta-llama/llama-3.1-8b:free"},
            "llama-3.1-8b-free",
        ),
        (
            {"agents.player_0.model": "vllm_X", "sampling.temperature": "0.7", "seed": "3"},
            "vllm_X_temperature-0.7_seed-3",
        ),
        ({"simulation.game": "'kuhn_poker(players=3)'"}, "kuhn_poker-players-3"),
        ({"shard": "2/8"}, "shard-2of8"),
        ({"a.n": "1", "b.n": "2"}, "a_n-1_b_n-2"),
        ({"simulation.file": "../../etc/passwd"}, "file-passwd"),
        ({"agents.player_0.system_prompt": "'Ünï / cödé; $(rm -rf)'"}, "system_prompt-c-d-rm-rf"),
    ],
)
def test_slugs_are_short_and_safe(values: dict[str, str], name: str) -> None:
    assert slug(values) == name


def test_a_slug_has_an_end() -> None:
    values = {f"key_{number}": "x" * 100 for number in range(20)}
    assert len(slug(values)) <= SLUG_LENGTH


def test_keys_are_shortened_as_far_as_they_stay_different() -> None:
    keys = ["agents.player_0.model", "agents.player_1.model", "seed", "sampling.temperature"]
    assert short_keys(keys) == {
        "agents.player_0.model": "player_0.model",
        "agents.player_1.model": "player_1.model",
        "seed": "seed",
        "sampling.temperature": "temperature",
    }
    assert short_keys(["model", "agents.player_0.model"]) == {
        "model": "model",
        "agents.player_0.model": "player_0.model",
    }
