"""Notices before a run."""

from __future__ import annotations

import datetime
import sys
from pathlib import Path

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


def test_the_built_in_prompts_are_named_as_such(arena: Arena) -> None:
    words = ["simulation=prompts", "agents=llm", "agents.player_0.model=scripted_first"]
    note = "note: prompts.jsonl is a small set of built-in prompts"
    assert note in arena(*words).err
    Path("mine.txt").write_text("one\n")
    assert "built-in" not in arena(*words, "simulation.file=mine.txt").err


def test_a_missing_file_hides_no_player_that_answers_no_prompts(arena: Arena) -> None:
    ran = arena("simulation=prompts", "simulation.file=none.jsonl")
    assert ran.code == 2
    assert "none.jsonl" in ran.err
    assert "agents.player_1.type=random cannot answer prompts" in ran.err


@pytest.mark.parametrize("words", [[], ["-m", "seed=1,2"]])
def test_an_interruption_before_the_first_file_says_so(
    arena: Arena, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    """The class is made while everything is checked, and a person presses Ctrl-C meanwhile."""
    (tmp_path / "patience.py").write_text(
        "from game_reasoning_arena.agents import Agent\n"
        "class Ends(Agent):\n"
        "    def __init__(self, spec):\n"
        "        raise KeyboardInterrupt\n"
        "    def decide(self, turn, plan):\n"
        "        return turn.legal_actions[0]\n"
    )
    monkeypatch.setattr(sys, "path", list(sys.path))
    trusted = "trusted_targets=[patience]"
    ran = arena(*words, "agents.player_1._target_=patience.Ends", trusted)
    assert ran.code == 130
    assert ran.err == "arena: interrupted; nothing was run or written.\n"
    assert not (tmp_path / "outputs").exists()
