"""What a call without an answer does to latencies, tokens and cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from game_reasoning_arena.agents.base_agent import PlayerSpec
from game_reasoning_arena.analysis.compare import Comparison
from game_reasoning_arena.recording import load_runs
from game_reasoning_arena.recording.decoding import response_of
from game_reasoning_arena.recording.lines import read_lines
from game_reasoning_arena.recording.summary import Summary
from game_reasoning_arena.records import Model
from tests.analysis.make_runs import Player, make_run

#: What nobody tells of a prompt that did not fit.
_UNKNOWN = ("text", "ttft_s", "decode_s", "prompt_tokens", "completion_tokens", "cost_usd")


def _run_with_an_overflow(path: Path) -> int:
    """A run in which one prompt, the first, did not fit; how many were answered."""
    make_run(
        path, {"player_0": Player("litellm_a", cost_usd=0.01), "player_1": Player()}, episodes=6
    )
    file = path / "responses.jsonl"
    first, *rest = [orjson.loads(line) for line in file.read_bytes().splitlines()]
    first |= dict.fromkeys(_UNKNOWN)
    first |= {"outcome": "context_overflow", "latency_s": 99.0, "error": {"kind": "?"}}
    file.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in (first, *rest)))
    return len(rest)


def _summary(path: Path) -> list[dict[str, Any]]:
    model = Model(name="litellm_a", backend="litellm", model_id="a")
    summary = Summary([PlayerSpec(name="player_0", type="llm", model=model)])
    for line in read_lines(path / "responses.jsonl"):
        summary.response(response_of(line))
    return summary.rows()


def test_a_prompt_that_did_not_fit_leaves_the_rest_known(tmp_path: Path) -> None:
    answered = _run_with_an_overflow(tmp_path / "run")
    tables = {
        table.key: table
        for table in Comparison(load_runs(tmp_path / "run", notice=lambda _: None)).tables
    }
    [cost] = tables["cost"].rows
    assert cost["cost"] == pytest.approx(0.01 * answered)
    assert cost["completion"] == 20 * answered
    assert cost["per_answer"] == 20
    [latency] = tables["latency"].rows
    assert latency["calls"] == answered
    assert latency["p95"] < 99
    [failures] = tables["failures"].rows
    assert failures["answers"] == answered + 1
    assert failures["context_overflow"] == pytest.approx(1 / (answered + 1))


def test_a_summary_knows_what_the_answered_calls_cost(tmp_path: Path) -> None:
    answered = _run_with_an_overflow(tmp_path / "run")
    rows = _summary(tmp_path / "run")
    assert sum(row["cost_usd"] for row in rows) == pytest.approx(0.01 * answered)
    assert sum(row["completion_tokens"] for row in rows) == 20 * answered
    assert sum(row["context_overflow"] for row in rows) == 1
    assert max(row["latency_p95_s"] for row in rows) < 99


def test_a_summary_of_overflows_alone_knows_no_cost(tmp_path: Path) -> None:
    _run_with_an_overflow(tmp_path / "run")
    file = tmp_path / "run" / "responses.jsonl"
    file.write_bytes(file.read_bytes().splitlines(keepends=True)[0])
    [row] = _summary(tmp_path / "run")
    assert row["cost_usd"] is row["completion_tokens"] is row["latency_p50_s"] is None
