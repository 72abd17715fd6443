"""A judge model asked through the real backends, from the command line."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import orjson
import pandas as pd
import pytest

from game_reasoning_arena.analysis.statistics.reasoning import RUBRIC, RULES, judged
from game_reasoning_arena.backends import initialize_llm_registry
from game_reasoning_arena.backends.llm_registry import close_llm_registry
from game_reasoning_arena.cli import run_command
from game_reasoning_arena.commands.judging import spread
from tests.analysis.make_runs import Player, make_run
from tests.loopback import LoopbackServer


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loopback: LoopbackServer) -> Path:
    """A run, with a provider ``lab`` in the user's own configuration."""
    (tmp_path / "conf/provider").mkdir(parents=True)
    (tmp_path / "conf/provider/lab.yaml").write_text(f"api_base: {loopback.url}\n")
    monkeypatch.chdir(tmp_path)
    make_run(tmp_path / "run", {"player_0": Player("vllm_a"), "player_1": Player()}, episodes=8)
    return tmp_path / "run"


@pytest.mark.parametrize("prefix", ["direct", "litellm"])
def test_a_model_judges_through_a_backend(
    runs: Path, loopback: LoopbackServer, prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    loopback.set(answer={"text": 'So: {"sound": true, "category": "block", "episode": 99}'})
    words = ["compare", str(runs), "--reasoning", "r.csv", "--judge", f"{prefix}_lab/judge-1"]
    assert run_command([*words, "--judge-most", "5"]) == 0
    table = pd.read_csv("r.csv")
    verdicts = table[table["judge_sound"].notna()]
    assert len(verdicts) == 5 < len(table)
    assert set(verdicts["judge_category"]) == {"block"}
    assert table["episode"].max() == 7  # what a judge calls episode is not the episode
    seen = loopback.requests()
    assert len(seen) == 5
    assert {request["body"]["model"] for request in seen} == {"judge-1"}
    assert all("block the threat" in str(request["body"]["messages"]) for request in seen)
    assert f"{prefix}_lab/judge-1 judged 5 of {len(table)} answers" in capsys.readouterr().out


def test_failed_verdicts_are_said_and_lose_nothing_else(
    runs: Path, loopback: LoopbackServer, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["compare", str(runs), "--reasoning", "r.csv", "--judge", "direct_lab/judge-1"]
    loopback.set(answer={"text": '{"sound": false}'}, faults=[{"status": 400, "count": 2}])
    assert run_command([*words, "--judge-most", "6"]) == 0
    table = pd.read_csv("r.csv")
    assert (table["judge_sound"].notna().sum(), table["judge_error"].notna().sum()) == (4, 2)
    said = capsys.readouterr()
    assert "2 more without a verdict: bad_request" in said.out
    assert "judge's calls: 6 (2 failed, not in what follows), tokens: " in said.out
    assert said.err == ""


@pytest.mark.parametrize("answer", ["I would rather not.", "{}"])
def test_a_judge_that_judged_nothing_is_a_failure_with_its_cause(
    runs: Path, loopback: LoopbackServer, answer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    loopback.set(answer={"text": answer})
    words = ["compare", str(runs), "--reasoning", "r.csv", "--judge", "direct_lab/judge-1"]
    assert run_command([*words, "--judge-most", "3", "--json", "r.json"]) == 1
    said = capsys.readouterr()
    assert said.err == (
        "arena: direct_lab/judge-1 judged nothing, of 3 answers that it was to judge: "
        "no JSON object in the answer (3 x).\n"
    )
    assert "judge's calls: 3, tokens: " in said.out
    assert "cost: unknown" in said.out
    judge = orjson.loads(Path("r.json").read_bytes())["judge"]
    assert (judge["asked"], judge["verdicts"]) == (3, 0)
    assert judge["causes"] == {"no JSON object in the answer": 3}
    assert judge["totals"]["calls"] == 3
    assert judge["totals"]["cost_usd"] is None  # nobody knows what this model costs
    assert judge["totals"]["prompt_tokens"] > 0
    assert len(pd.read_csv("r.csv")) > 3


def test_what_a_judge_used_is_known_only_where_it_was_said(
    runs: Path, loopback: LoopbackServer, capsys: pytest.CaptureFixture[str]
) -> None:
    loopback.set(answer={"text": '{"sound": true}'}, usage=None)
    words = ["compare", str(runs), "--reasoning", "r.csv", "--judge", "direct_lab/judge-1"]
    assert run_command([*words, "--judge-most", "2"]) == 0
    assert "judge's calls: 2, tokens: unknown in, unknown out, cost: unknown" in (
        capsys.readouterr().out
    )


def test_calls_that_all_failed_have_no_known_cost(
    runs: Path, loopback: LoopbackServer, capsys: pytest.CaptureFixture[str]
) -> None:
    loopback.set(faults=[{"status": 400}])
    words = ["compare", str(runs), "--reasoning", "r.csv", "--judge", "direct_lab/judge-1"]
    assert run_command([*words, "--judge-most", "3", "--json", "r.json"]) == 1
    said = capsys.readouterr()
    assert "judged nothing, of 3 answers that it was to judge: bad_request" in said.err
    assert (
        "judge's calls: 3 (3 failed, not in what follows), "
        "tokens: unknown in, unknown out, cost: unknown" in said.out
    )
    totals = orjson.loads(Path("r.json").read_bytes())["judge"]["totals"]
    assert (totals["calls"], totals["failed_calls"]) == (0, 3)
    assert totals["cost_usd"] is totals["prompt_tokens"] is totals["completion_tokens"] is None


def test_a_rejected_key_is_tried_once_and_shown_nowhere(
    runs: Path,
    loopback: LoopbackServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("LAB_PASS", "hunter2-hunter2")
    Path("conf/provider/lab.yaml").write_text(
        f"api_base: {loopback.url}\napi_key_env: LAB_PASS\nmax_concurrency: 1\n"
    )
    loopback.set(faults=[{"status": 401, "message": "no such key: hunter2-hunter2"}])
    words = ["compare", str(runs), "--reasoning", "r.csv", "--judge", "direct_lab/judge-1"]
    assert run_command([*words, "--judge-most", "20"]) == 1
    said = capsys.readouterr()
    assert "judged nothing, of 20 answers" in said.err
    assert "LAB_PASS" in said.err
    assert "hunter2" not in said.out + said.err + Path("r.csv").read_text()
    assert len(loopback.requests()) < 20


def test_nothing_to_judge_is_said_and_asks_nobody(
    tmp_path: Path,
    runs: Path,
    loopback: LoopbackServer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    silent = Player("vllm_b", answer=lambda q: f"Final Answer: {q.action_text}")
    make_run(tmp_path / "silent", {"player_0": silent, "player_1": Player()}, episodes=4)
    words = ["compare", "silent", "--reasoning", "r.csv", "--judge", "direct_lab/judge-1"]
    assert run_command(words) == 1
    assert "no answer gives any reasons, so there is nothing to judge" in capsys.readouterr().err
    assert loopback.requests() == []


def test_a_wrong_judge_costs_nothing(
    runs: Path, loopback: LoopbackServer, capsys: pytest.CaptureFixture[str]
) -> None:
    for more, said in (
        (["--judge", "direct_lab/x"], "--reasoning FILE"),
        (["--judge", "direct_lab/x", "--reasoning", "run"], "run is a directory"),
        (
            ["--judge", "direct_lab/x", "--reasoning", "r.csv", "--json", "run/run.json/x"],
            "run.json",
        ),
        (["--judge", "direct_nowhere/x", "--reasoning", "r.csv"], "nowhere"),
        (["--judge", "litellm_openai/x", "--reasoning", "r.csv"], "OPENAI_API_KEY"),
        (["--judge", "direct_lab/x", "--reasoning", "r.csv", "--judge-most", "0"], "1 or more"),
    ):
        assert run_command(["compare", str(runs), *more]) == 2
        assert said in capsys.readouterr().err
    assert not Path("r.csv").exists()
    assert loopback.requests() == []


def test_what_is_judged_is_spread_over_all() -> None:
    passages = [({"row": i}, "text" if i % 2 else " ") for i in range(100)]
    assert [keys["row"] for keys, _ in spread(passages, 5)] == [1, 21, 41, 61, 81]
    assert len(spread(passages, 1000)) == 50


async def _labels(text: str) -> dict[str, object]:
    return {"run": "mine", "sound": len(text)}


def test_labels_replace_no_key() -> None:
    table = asyncio.run(judged([({"run": 0}, "abc")], _labels))
    assert table.to_dict("records") == [{"run": 0, "sound": 3}]


_DOC = Path(__file__).parents[2] / "docs/reasoning.md"


def test_the_documented_rules_are_those_that_are_applied() -> None:
    text = _DOC.read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\w+) \| (.+?) \| `(.+)` \|$", text, re.MULTILINE)
    assert {
        name: (meaning, pattern.replace(r"\|", "|")) for name, meaning, pattern in rows
    } == RULES
    assert f"> {RUBRIC}\n" in text


def test_the_documented_program_runs(
    runs: Path, loopback: LoopbackServer, capsys: pytest.CaptureFixture[str]
) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", _DOC.read_text(encoding="utf-8"), re.DOTALL)
    loopback.set(answer={"text": '{"bluff": false}'})
    program = program.replace("litellm_openai/gpt-4o-mini", "direct_lab/judge-1")
    initialize_llm_registry()
    try:
        exec(program.replace("outputs/my_run", str(runs)), {})
    finally:
        close_llm_registry()
    assert "bluff" in capsys.readouterr().out
    assert "bluff" in str(loopback.requests()[0]["body"]["messages"][0])
