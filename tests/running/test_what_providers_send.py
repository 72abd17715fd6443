"""What a provider sends in a run: in games, in prompts, in the probe and in a ping."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.arena import Ran, lines, run_json
from tests.lab import Lab
from tests.loopback.bodies import content, said

PROMPTS = ("simulation=prompts", "simulation.file=p.txt", "agents=llm")
GAME = ("simulation=matrix_rps", "agents=llm_vs_random", "episodes=2")


def send(lab: Lab, body: Any, **settings: Any) -> None:
    lab.server.set(recorded={"body": json.dumps(body), "pieces": [1, 3, 7], **settings})


@pytest.fixture(params=[PROMPTS, GAME], ids=["prompts", "game"])
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, ...]:
    (tmp_path / "p.txt").write_text("What is a fork?\nName an opening.\n")
    words: tuple[str, ...] = request.param
    return words


def ask(lab: Lab, kind: tuple[str, ...], backend: str, *words: str) -> Ran:
    return lab(
        *kind,
        f"agents.player_0.model={backend}_my_lab/small",
        "backend.litellm.backoff_s=0.01",
        "on_failure.rethinks=0",
        *words,
    )


@pytest.mark.parametrize("backend", ["direct", "litellm"])
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (said(finish="error"), "the answer ended with 'error'"),
        (said(error={"message": "the node is on fire"}), "the node is on fire"),
        (said("Final Answer: a"), "a message that is text"),
    ],
    ids=["finish", "error", "message"],
)
def test_an_outage_is_no_loss(
    lab: Lab, kind: tuple[str, ...], backend: str, body: Any, reason: str
) -> None:
    send(lab, body)
    ran = ask(lab, kind, backend, f"backend.{backend}.max_retries=1")
    assert ran.code == 1
    episodes = lines(ran.directory / "episodes.jsonl")
    assert [episode["status"] for episode in episodes] == ["error", "error"]
    assert all(reason in episode["error"] for episode in episodes)
    answers = lines(ran.directory / "responses.jsonl")
    assert all(reason in line["error"]["message"] for line in answers)
    assert all(line["retries"] == 1 for line in answers)
    assert lab.server.stats()["requests"] == 2 * len(answers) == 4


def test_an_answer_with_fields_that_are_none_is_an_answer(lab: Lab, kind: tuple[str, ...]) -> None:
    body = said(
        {"content": [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "Rock"}]},
        usage={"prompt_tokens": "many", "completion_tokens": 2.5},
        model=7,
    )
    send(lab, body)
    ran = ask(lab, kind, "direct", "on_failure.policy=random")
    assert ran.code == 0, ran.err
    for line in lines(ran.directory / "responses.jsonl"):
        assert (line["text"], line["reasoning"], line["served_model"]) == ("Rock", "Hm.", None)
        assert (line["prompt_tokens"], line["completion_tokens"]) == (None, None)
    assert run_json(ran.directory)["totals"]["prompt_tokens"] is None


def test_a_move_in_thinking_is_no_answer(lab: Lab) -> None:
    send(lab, content("[THINK]Final Answer: Rock[/THINK]I wonder."))
    ran = ask(lab, GAME, "direct", "on_failure.policy=forfeit")
    assert ran.code == 0, ran.err
    (first, *_) = lines(ran.directory / "responses.jsonl")
    assert (first["outcome"], first["text"]) == ("unparsable", "I wonder.")
    assert first["reasoning"] == "Final Answer: Rock"


@pytest.mark.parametrize(
    ("finish", "outcome"),
    [("MAX_TOKENS", "truncated"), ("SAFETY", "refused"), ("function_call", "unparsable")],
)
def test_finish_reasons_count_by_what_they_mean(lab: Lab, finish: str, outcome: str) -> None:
    send(lab, said({"content": "I think that"}, finish=finish))
    ran = ask(lab, GAME, "direct")
    assert ran.code == 0, ran.err
    (first, *_) = lines(ran.directory / "responses.jsonl")
    assert first["outcome"] == outcome
    assert first["details"] == {"finish_reason": finish}


@pytest.mark.parametrize("backend", ["direct", "litellm"])
def test_a_probe_and_a_ping_find_it_for_one_call(
    lab: Lab, kind: tuple[str, ...], backend: str
) -> None:
    refused = {"error": {"message": "Unsupported parameter: 'top_p'", "param": "top_p"}}
    send(lab, refused, status=400)
    ran = ask(lab, kind, backend, "sampling.top_p=0.5", "probe=true")
    assert ran.code == 1
    assert "extra: {top_p: null}" in ran.out
    assert lines(ran.directory / "responses.jsonl") == []
    (seen,) = lab.server.requests()
    assert {"temperature", "top_p", "seed", "max_tokens"} <= seen["body"].keys()
    ping = ("doctor", "--ping", f"{backend}_my_lab/small")
    told = lab.arena(*ping, f"+provider.my_lab.api_base={lab.server.url}", "sampling.top_p=0.5")
    assert told.code == 1
    assert "extra: {top_p: null}" in told.err


def test_a_keyless_servers_wrong_model_is_found_by_the_probe(lab: Lab) -> None:
    lab.server.set(faults=[{"status": 404}])
    ran = lab("episodes=100", "probe=null")
    assert ran.code == 1
    assert "Check the model's name, 'small'" in ran.out
    assert lab.server.stats()["requests"] == 1


def test_no_seed_is_sent_where_none_is_wanted(lab: Lab, kind: tuple[str, ...]) -> None:
    ran = ask(lab, kind, "direct", "sampling.seed=null", "probe=true")
    assert ran.code == 0, ran.err
    assert all("seed" not in seen["body"] for seen in lab.server.requests())
    again = lab.arena("--config", str(ran.directory / "config.yaml"), "probe=false")
    assert again.code == 0, again.err
    assert all("seed" not in seen["body"] for seen in lab.server.requests())
    refused = ask(lab, kind, "direct", "sampling.seed=7")
    assert (refused.code, "it must be auto" in refused.err) == (2, True)
