"""Findings of probes before money is spent, and room for models that think."""

from __future__ import annotations

import pytest

from tests.arena import lines, run_json
from tests.lab import Lab


def probed(lab: Lab, *words: str) -> tuple[str, list[str]]:
    """A probe's output on the terminal, and its findings."""
    ran = lab("episodes=1", "probe=true", *words)
    return ran.err, run_json(ran.directory)["probe"][0]["learned"]


def test_a_model_that_thinks_is_known_before_it_plays(lab: Lab) -> None:
    lab.server.set(reasoning={"field": "reasoning_content", "text": "They ask whether I am ready."})
    said, found = probed(lab)
    (sentence,) = found
    assert sentence.startswith("thinks before it answers; that counts towards max_tokens=250")
    assert "sampling.max_tokens=4000 leaves room" in sentence
    assert said.count(f"direct_my_lab/small: {sentence}.") == 1
    _, found = probed(lab, "sampling.max_tokens=8000")
    assert found == ["thinks before it answers; that counts towards max_tokens=8000"]


def test_a_seed_that_is_ignored_is_found_by_asking_twice(lab: Lab) -> None:
    lab.server.set(answer={"sequence": ["ready 0123456789", "ready 9876543210"]})
    said, found = probed(lab)
    assert found == ["ignores the seed: one question with one seed had two different answers"]
    assert "ignores the seed" in said
    first, second = (request["body"] for request in lab.server.requests()[:2])
    assert first == second


def test_a_model_that_is_served_under_another_name_is_told(lab: Lab) -> None:
    lab.server.set(served_model="large-and-old")
    assert probed(lab)[1] == ["is served as large-and-old"]
    lab.server.set(served_model="small-2026-11-01")
    assert probed(lab)[1] == []


def test_where_nothing_is_random_one_question_is_enough(lab: Lab) -> None:
    ran = lab("episodes=1", "probe=true", "sampling.temperature=0")
    answers = lines(ran.directory / "responses.jsonl")
    assert len(lab.server.requests()) == 1 + len(answers)


def test_a_temperature_that_is_refused_costs_a_call_and_no_game(lab: Lab) -> None:
    lab.server.set(faults=[{"status": 400, "message": "temperature is not supported"}])
    ran = lab("episodes=5", "probe=true")
    assert ran.code == 1
    assert "temperature" in ran.out + ran.err
    assert lines(ran.directory / "episodes.jsonl") == []


def test_models_that_are_known_to_think_get_room_by_default(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "canary-value-1234")
    words = (
        f"++provider.openai.api_base={lab.server.url}",
        "agents.player_0.model=direct_openai/gpt-5",
        "probe=false",
        "episodes=1",
    )
    ran = lab(*words)
    assert ran.code == 0, ran.err
    (note,) = run_json(ran.directory)["notes"]
    assert note in ran.err
    assert "direct_openai/gpt-5 is known to think before it answers, so max_tokens is 4000" in note
    assert "max_tokens: 4000" in (ran.directory / "config.yaml").read_text()
    assert _limits(lab) == {4000}
    for more in ("sampling.max_tokens=300", "agents.player_0.sampling.max_tokens=300"):
        lab.server.reset()
        ran = lab(*words, more)
        assert run_json(ran.directory)["notes"] == []
        assert _limits(lab) == {300}
    lab.server.reset()
    monkeypatch.setenv("MAX_TOKENS", "200")
    assert run_json(lab(*words).directory)["notes"] == []
    assert _limits(lab) == {200}


def _limits(lab: Lab) -> set[int | None]:
    names = ("max_tokens", "max_completion_tokens")
    bodies = [request["body"] for request in lab.server.requests()]
    return {next((body[name] for name in names if name in body), None) for body in bodies}


def test_a_resumed_run_keeps_what_was_said_of_its_models(lab: Lab) -> None:
    lab.server.set(served_model="large-and-old", faults=[{"status": 401, "skip": 5}])
    ran = lab("episodes=4", "probe=true")
    notes = run_json(ran.directory)["notes"]
    assert notes == ["direct_my_lab/small: is served as large-and-old."]
    lab.server.set(faults=[], served_model=None)
    assert lab.arena("resume", str(ran.directory)).code == 0
    assert run_json(ran.directory)["notes"] == notes
