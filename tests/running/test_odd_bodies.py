"""One odd body among good ones costs its own call: what is in flight with it is recorded.

Every body that a provider might send, in runs of prompts and games, in the probe and in a ping,
through both backends, whole and streamed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.arena import Ran, lines, run_json
from tests.lab import Lab
from tests.loopback.bodies import CASES, Case, as_stream, said, sse

#: Those that fail one call; a spent quota ends the run, as it should.
ODD = [case for case in CASES if case.status == 200 and case.error in (None, "transient", "empty")]

WAYS = [(backend, stream) for backend in ("direct", "litellm") for stream in (False, True)]
ways = pytest.mark.parametrize(
    ("backend", "stream"), WAYS, ids=[f"{b}-{'stream' if s else 'whole'}" for b, s in WAYS]
)


def fault(case: Case, *, stream: bool) -> dict[str, Any] | None:
    """One answer with a case's body; None where it cannot be streamed."""
    events = case.events if case.events is not None else as_stream(case.body)
    if stream and not events:
        return None
    whole = case.body if isinstance(case.body, str) else json.dumps(case.body)
    body = sse(events or []).decode("latin-1") if stream else whole
    kind = "text/event-stream" if stream else "application/json"
    return {"kind": "body", "body": body, "content_type": kind, "count": 1}


def words(backend: str, stream: bool) -> tuple[str, ...]:
    return (
        f"agents.player_0.model={backend}_my_lab/small",
        f"backend.{backend}.stream={str(stream).lower()}",
        f"backend.{backend}.max_retries=0",
        "on_failure.rethinks=0",
        "concurrency=300",
        "hydra.run.dir=mine",
    )


def prompts(number: int) -> tuple[str, ...]:
    Path("p.txt").write_text("".join(f"What is {n} + {n}?\n" for n in range(number)))
    return ("simulation=prompts", "simulation.file=p.txt", "agents=llm")


@ways
@pytest.mark.parametrize("game", [False, True], ids=["prompts", "game"])
def test_all_that_is_in_flight_is_recorded_and_nothing_is_asked_again(
    lab: Lab, backend: str, stream: bool, game: bool
) -> None:
    faults = [(case, made) for case in ODD if (made := fault(case, stream=stream)) is not None]
    odd = [made for case, made in faults if case.error is not None]
    lab.server.set(faults=[made for _, made in faults], latency=0.05)
    number = len(faults) + 49
    kind = ("simulation=matrix_rps", f"episodes={number}") if game else prompts(number)
    ran = lab(*words(backend, stream), *kind)
    assert (ran.code, "Traceback" in ran.out + ran.err) == (1, False)
    assert len(lines(Path("mine/responses.jsonl"))) == lab.server.stats()["requests"] == number
    told = run_json(Path("mine"))
    assert told["totals"]["failed_calls"] == len(odd) > 10
    assert told["totals"]["prompt_tokens"] is None  # some came without a count
    read = (
        {"completed": 49, "forfeit": number - 49 - len(odd)}
        if game
        else {"completed": number - len(odd)}
    )
    assert told["episodes"] == {"planned": number, "error": len(odd), **read}
    for _ in range(2):  # each sitting meets one of them once more
        lab.server.set(faults=odd[-1:])
        assert lab.arena("resume", "mine").code == 1
    lab.server.set(faults=[])
    assert lab.arena("resume", "mine").code == 0
    answers = lines(Path("mine/responses.jsonl"))
    answered = {line["episode"] for line in answers if line["outcome"] is not None}
    assert (len(answered), len(answers)) == (number, number + len(odd) + 2)
    assert lab.server.stats()["requests"] == len(answers)


#: Each makes another kind of reader stumble; the first is an answer all the same.
FEW = [
    Case(
        "every field is something else",
        said(
            {"content": [None, {"text": 3}, "ready"], "refusal": [], "reasoning": 7},
            usage={"prompt_tokens": "9", "completion_tokens": [4], "prompt_tokens_details": [1]},
            model=4,
        ),
    ),
    Case("no choice", {**said(), "choices": [None]}, error="empty"),
    Case("a message that is a text", said("ready"), error="transient"),
]


@ways
@pytest.mark.parametrize("case", FEW, ids=[case.name for case in FEW])
def test_a_ping_and_a_probe_say_what_came(lab: Lab, backend: str, stream: bool, case: Case) -> None:
    odd = fault(case, stream=stream)
    assert odd is not None
    lab.server.set(faults=[{**odd, "count": None}])

    def told(ran: Ran) -> None:
        assert "Traceback" not in ran.out + ran.err
        assert ran.code == (0 if case.error is None else 1), ran.err

    setting = f"backend.{backend}.stream={str(stream).lower()}"
    name, address = f"{backend}_my_lab/small", f"+provider.my_lab.api_base={lab.server.url}"
    told(lab.arena("doctor", "--ping", name, address, setting, f"backend.{backend}.max_retries=0"))
    ran = lab(*words(backend, stream), *prompts(1), "probe=true", "sampling.temperature=0")
    told(ran)
    probed = run_json(Path("mine"))["probe"]
    if case.error is None:
        (one,) = probed
        assert (one["text"], one["prompt_tokens"], one["served_model"]) == ("ready", None, None)
    else:
        assert (probed, lines(Path("mine/responses.jsonl"))) == ([], [])
