"""Failures that a setting would fix are reported once while a run plays, and by compare."""

from __future__ import annotations

import pytest

from game_reasoning_arena.recording.mendable import Failures
from game_reasoning_arena.records import Outcome
from tests.arena import run_json
from tests.lab import Lab

CUT = "<think>The centre is free, and so is the corner; let me look at each of them in turn"


def test_a_model_that_thinks_beyond_its_limit_is_told_live_and_by_compare(lab: Lab) -> None:
    lab.server.set(answer={"text": CUT}, faults=[{"kind": "length"}])
    ran = lab("episodes=5", "on_failure.rethinks=2")
    told = "player_0: 8 of 8 answers were cut at max_tokens=250 (they think). "
    setting = "sampling.max_tokens=4000, or agents.player_0.sampling.max_tokens=4000"
    assert ran.err.count(told) == 1
    assert setting in ran.err
    assert told in (ran.directory / "arena.log").read_text()
    (note,) = run_json(ran.directory)["notes"]
    assert note.startswith(told.replace("8 of 8", "15 of 15"))
    compared = lab.arena("compare", str(ran.directory))
    shown = " ".join(compared.out.split())
    first = shown[shown.index("! ") :]  # the first of what could turn the answer
    assert first.startswith("! small: 15 of 15 answers were cut at max_tokens=250")
    assert setting in first.partition("More: ")[0]


def test_a_model_that_answers_is_told_nothing(lab: Lab) -> None:
    ran = lab("episodes=5")
    assert run_json(ran.directory)["notes"] == []
    assert "answers were" not in ran.err


def test_a_short_run_is_looked_at_when_it_ends(lab: Lab) -> None:
    lab.server.set(answer={"text": CUT}, faults=[{"kind": "length"}])
    ran = lab("episodes=1", "on_failure.rethinks=1")
    assert "2 of 2 answers were cut at max_tokens=250" in ran.err


@pytest.mark.parametrize(
    ("outcome", "options", "says"),
    [
        (Outcome.EMPTY, {}, "were empty"),
        (Outcome.REFUSED, {}, "agents.player_1.system_prompt"),
        (Outcome.CONTEXT_OVERFLOW, {"memory": True}, "agents.player_1.memory=false"),
        (Outcome.CONTEXT_OVERFLOW, {}, "larger one"),
        (Outcome.UNPARSABLE, {"template": "json"}, "agents.player_1.template=line"),
        (Outcome.UNPARSABLE, {}, "agents.player_1.template=json"),
        (Outcome.ILLEGAL, {"show_legal_moves": False}, "agents.player_1.show_legal_moves=true"),
        (Outcome.TRUNCATED, {}, "cut at max_tokens=100. Set sampling.max_tokens=1000"),
    ],
)
def test_each_cause_names_its_setting(
    outcome: Outcome, options: dict[str, object], says: str
) -> None:
    failures = Failures()
    for number in range(16):
        failed = number % 4 == 0
        failures.add(
            outcome if failed else Outcome.LEGAL, thought=False, declared=not failed, limit=100
        )
    (sentence,) = failures.mendable("player_1", options).values()
    assert sentence.startswith("4 of 16 answers ")
    assert says in sentence


@pytest.mark.parametrize(
    ("template", "read", "says"),
    [
        ("line", {}, "simulation.template=json 'simulation.scorer={type:exact,read:json}' ask"),
        ("json", {}, "simulation.template=json asks for what 'simulation.scorer={type:exact,read"),
        ("json", {"read": "json"}, "simulation.template=line 'simulation.scorer={type:exact,read"),
    ],
)
def test_prompts_have_one_form_for_all_players(
    template: str, read: dict[str, str], says: str
) -> None:
    failures = Failures()
    for _ in range(3):
        failures.add(Outcome.UNPARSABLE, thought=False, declared=False, limit=None)
    simulation = {"type": "prompts", "template": template, "scorer": {"type": "exact", **read}}
    (sentence,) = failures.mendable("player_0", {"template": "line"}, simulation).values()
    assert f"responses.jsonl; {says}" in sentence


def test_less_than_a_quarter_is_no_cause_and_bad_moves_are_nobodys_setting() -> None:
    failures = Failures()
    for number in range(20):
        outcome = Outcome.TRUNCATED if number % 5 == 0 else Outcome.ILLEGAL
        failures.add(outcome, thought=True, declared=True, limit=None)
    assert failures.mendable("player_0", {}) == {}
