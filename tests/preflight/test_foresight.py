"""Notices before a run."""

from __future__ import annotations

import datetime

import pytest

from game_reasoning_arena.agents.base_agent import PlayerSpec
from game_reasoning_arena.backends.price_table import chat_models
from game_reasoning_arena.preflight.foresight import foreseen
from game_reasoning_arena.records import Model, Provider
from tests.arena import Arena


def player(number: int, provider: str | None, model_id: str) -> PlayerSpec:
    backend = "litellm" if provider else "scripted"
    model = Model(
        name=f"{backend}_{provider}/{model_id}" if provider else f"scripted_{model_id}",
        backend=backend,
        model_id=model_id,
        provider=Provider(name=provider) if provider else None,
    )
    return PlayerSpec(name=f"player_{number}", type="llm", model=model)


def test_a_model_that_retires_is_told() -> None:
    dated = next(model for model in chat_models("openai") if model.retires is not None)
    assert dated.retires is not None
    seat = player(0, "openai", dated.name.removeprefix("litellm_openai/"))
    (after,) = foreseen([seat], today=dated.retires + datetime.timedelta(days=1))
    assert f"was to be retired on {dated.retires}" in after
    (before,) = foreseen([seat], today=dated.retires - datetime.timedelta(days=20))
    assert f"retires on {dated.retires}" in before
    assert "arena models --provider openai --all" in before
    assert foreseen([seat], today=dated.retires - datetime.timedelta(days=200)) == []


def test_a_stand_in_beside_a_language_model_is_told() -> None:
    stand_in = player(1, None, "random")
    (note,) = foreseen([player(0, "my_lab", "small"), stand_in])
    assert note.startswith("agents.player_1 is scripted_random, a stand-in and no language model.")
    assert "agents.player_1.model=NAME" in note
    assert foreseen([player(0, None, "first"), stand_in]) == []


def test_it_is_told_before_anything_is_asked(arena: Arena, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789")
    ran = arena(
        "agents=llm_vs_llm", "agents.player_0.model=litellm_openai/gpt-4o-mini", "estimate=true"
    )
    assert ran.code == 0
    assert "note: agents.player_1 is scripted_random" in ran.err
