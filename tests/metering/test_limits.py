"""Keys that are rejected, budgets, probes, estimates, the cache, replays."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from game_reasoning_arena.metering.budget import Budget
from game_reasoning_arena.metering.meter import Meter
from game_reasoning_arena.records import Reply, Request
from tests.arena import Arena, episodes, lines, run_json, summary
from tests.lab import Lab
from tests.loopback import LoopbackServer
from tests.metering.test_meter import REQUEST


def test_a_rejected_key_stops_the_run_and_keeps_what_is_finished(lab: Lab) -> None:
    lab.server.set(faults=[{"status": 401, "skip": 40}])
    ran = lab("episodes=100", "concurrency=4")
    assert ran.code == 1
    assert "Incorrect API key" in ran.out
    run = run_json(ran.directory)
    assert run["status"] == "error"
    assert len(lab.server.requests()) < 40 + 2 * 4
    done = lines(ran.directory / "episodes.jsonl")
    assert any(line["status"] == "completed" for line in done)
    lab.server.set(faults=[])
    again = lab.arena("resume", str(ran.directory))
    assert again.code == 0, again.err
    assert len(episodes(ran.directory)) == 100


@pytest.mark.parametrize("backend", ["direct", "litellm"])
def test_a_wrong_model_name_costs_no_night(lab: Lab, backend: str) -> None:
    lab.server.set(faults=[{"status": 404}])
    ran = lab("episodes=100", "concurrency=4", f"agents.player_0.model={backend}_my_lab/smal")
    assert ran.code == 1
    assert len(lab.server.requests()) <= 4
    assert f"Check the model's name, 'smal', and the address {lab.server.url}." in ran.out
    assert "nothing was answered: when that is fixed, start it again" in ran.out
    assert "arena resume" not in ran.out
    totals = run_json(ran.directory)["totals"]
    assert totals["failed_calls"] > 0
    assert totals["cost_usd"] is None
    assert totals["prompt_tokens"] is None
    assert summary(ran.directory)[0]["cost_usd"] == ""


def test_a_404_on_the_way_is_no_reason_to_ask_the_same_again(lab: Lab) -> None:
    lab.server.set(faults=[{"status": 404, "skip": 20}])
    ran = lab("episodes=100", "concurrency=2")
    assert ran.code == 1
    assert f"arena resume {ran.directory} [provider.NAME.api_base=...]" in ran.out
    assert "for another model begin a new run" in ran.out


def test_a_server_that_wants_a_key_says_where_to_name_it(lab: Lab) -> None:
    lab.server.set(faults=[{"status": 401}])
    ran = lab("episodes=1")
    assert "provider.my_lab.api_key_env=MY_KEY" in ran.out


def test_an_address_without_its_version_is_told(lab: Lab) -> None:
    lab.server.set(faults=[{"status": 404}])
    address = lab.server.url.removesuffix("/v1")
    ran = lab("episodes=1", f"provider.my_lab.api_base={address}")
    assert f"the address {address}, which most often ends in /v1." in ran.out


@pytest.mark.parametrize("backend", ["direct", "litellm"])
def test_why_a_call_is_tried_again_is_told_once(lab: Lab, backend: str) -> None:
    lab.server.set(faults=[{"status": 503, "count": 9}])
    model = f"agents.player_0.model={backend}_my_lab/small"
    ran = lab("episodes=8", model, f"backend.{backend}.backoff_s=0.01")
    assert ran.code == 0, ran.err
    assert ran.err.count("answered 503: Service unavailable. Trying again, up to 5 times") == 1
    assert "Trying again" in (ran.directory / "arena.log").read_text()


def test_an_outage_is_no_lost_game(lab: Lab) -> None:
    lab.server.set(faults=[{"status": 400, "skip": 10, "count": 2}])
    ran = lab("episodes=20", "concurrency=1")
    assert ran.code == 1
    played = lines(ran.directory / "episodes.jsonl")
    wrong = [line for line in played if line["status"] == "error"]
    assert len(wrong) == 2
    assert all(line["returns"] is None and line["winner"] is None for line in wrong)
    run = run_json(ran.directory)
    assert run["episodes"] == {"planned": 20, "completed": 18, "error": 2}
    assert run["status"] == "error"
    assert "Invalid value" in run["reason"]
    assert ran.out.count("Invalid value") == 1
    assert "arena resume" in ran.out
    assert "outage" in (ran.directory / "arena.log").read_text()


def test_every_request_that_the_server_saw_is_recorded(lab: Lab) -> None:
    lab.server.set(
        faults=[{"status": 503, "rate": 0.1}, {"status": 429, "rate": 0.1, "retry_after": 0.01}]
    )
    ran = lab("episodes=30")
    assert ran.code == 0, ran.err
    recorded = sum(1 + line["retries"] for line in lines(ran.directory / "responses.jsonl"))
    assert recorded == len(lab.server.requests())
    assert run_json(ran.directory)["totals"]["requests"] == recorded


def test_the_advice_of_a_second_sitting_repeats_its_words(lab: Lab) -> None:
    """They hold for that sitting alone: without them the first budget is still spent."""
    ran = lab("episodes=50", "concurrency=4", "budget.tokens=1000")
    words = ["budget.tokens=null", "budget.calls=25", "concurrency=2"]
    again = lab.arena("resume", str(ran.directory), *words)
    assert again.code == 3, again.out + again.err
    assert (
        f"finish it with: arena resume {ran.directory} budget.tokens=null concurrency=2 "
        "budget.calls=MORE\n" in again.out
    )


@pytest.mark.parametrize(("budget", "limit"), [("calls", 25), ("tokens", 3000)])
def test_a_budget_is_a_clean_stop(lab: Lab, budget: str, limit: int) -> None:
    ran = lab("episodes=50", "concurrency=4", f"budget.{budget}={limit}")
    assert ran.code == 3
    assert f"budget.{budget}={limit}" in ran.out
    run = run_json(ran.directory)
    assert run["status"] == "budget"
    if budget == "calls":
        assert len(lab.server.requests()) == limit
    again = lab.arena("resume", str(ran.directory))  # the budget is still spent
    assert again.code == 3
    assert f"budget.{budget}=MORE" in again.out
    assert (
        sum(int(row["calls"] or 0) for row in summary(ran.directory))
        == run_json(ran.directory)["totals"]["calls"]
    )
    assert run_json(ran.directory)["episodes"] == run["episodes"]
    more = lab.arena("resume", str(ran.directory), f"budget.{budget}=null")
    assert more.code == 0, more.err
    assert len(episodes(ran.directory)) == 50
    seeds = [request["body"]["seed"] for request in lab.server.requests()]
    assert len(seeds) == len(set(seeds))


@pytest.mark.parametrize("limit", [1000, 9000])
def test_many_calls_at_once_pass_a_limit_by_one_call_at_most(lab: Lab, limit: int) -> None:
    lab.server.set(latency=0.02)
    ran = lab("episodes=200", "concurrency=64", f"budget.tokens={limit}")
    assert ran.code == 3
    answers = lines(ran.directory / "responses.jsonl")
    used = [answer["prompt_tokens"] + answer["completion_tokens"] for answer in answers]
    # Their size is not known before: those in flight at the end count at the mean.
    assert limit <= sum(used) <= limit * 1.05 + max(used)
    assert lab.server.stats()["max_in_flight"] > 1


def test_a_stop_ends_what_waits_for_room() -> None:
    async def run() -> tuple[int, list[str]]:
        asked, went = 0, asyncio.Event()

        class Slow:
            async def complete(self, request: Request) -> Reply:
                nonlocal asked
                asked += 1
                await went.wait()
                return Reply(text="", prompt_tokens=90, completion_tokens=5)

        meter = Meter(Budget(tokens=100))
        tasks = [asyncio.ensure_future(meter.ask(Slow(), REQUEST)) for _ in range(3)]
        await asyncio.sleep(0)
        meter.stop("enough")
        went.set()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        return asked, [type(one).__name__ for one in ended]

    assert asyncio.run(run()) == (1, ["Reply", "Interrupted", "Interrupted"])


def test_a_budget_in_usd_needs_known_prices(lab: Lab) -> None:
    ran = lab("budget.usd=1")
    assert ran.code == 2
    assert "direct_my_lab/small" in ran.err
    assert "budget.tokens" in ran.err


def test_a_probe_costs_one_call_not_a_night(lab: Lab) -> None:
    lab.server.set(faults=[{"status": 404}])
    ran = lab("episodes=100", "probe=true")
    assert ran.code == 1
    assert "probe" in ran.out
    assert len(lab.server.requests()) == 1
    assert lines(ran.directory / "episodes.jsonl") == []


def test_a_probe_is_made_when_a_key_is_used(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_LAB_KEY", "canary-value-1234")
    ran = lab("+provider.my_lab.api_key_env=MY_LAB_KEY", "episodes=2", "probe=null")
    assert ran.code == 0, ran.err
    first = lab.server.requests()[0]
    assert "ready" in first["body"]["messages"][0]["content"]
    assert len(lab.server.requests()) == 2 + len(lines(ran.directory / "responses.jsonl"))
    probed, again = run_json(ran.directory)["probe"]
    assert again["text"] == probed["text"]
    assert probed["model"] == "direct_my_lab/small"
    assert probed["prompt_tokens"] > 0


def test_an_estimate_asks_nothing_and_writes_nothing(
    arena: Arena, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = arena(
        "estimate=true",
        "agents=llm_vs_llm",
        "agents.player_0.model=litellm_openai/gpt-4o-mini",
        "agents.player_1.model=litellm_openai/a-model-without-a-price",
        "episodes=100",
    )
    assert ran.code == 0, ran.err
    assert "litellm_openai/gpt-4o-mini" in ran.out
    assert "$" in ran.out
    assert "price unknown: litellm_openai/a-model-without-a-price" in ran.out
    assert "price, about" in ran.out  # nothing bounds how often a model is asked again
    assert "Rethinks and longer games, which are not counted, would cost more." in ran.out
    counted = sum(int(line.split()[1]) for line in ran.out.splitlines() if "litellm_" in line[:8])
    assert counted > 500  # a hundred games have some 760 moves
    assert list(tmp_path.iterdir()) == []


def test_an_estimate_looks_at_the_budget(arena: Arena) -> None:
    model = "agents.player_0.model=litellm_openai/gpt-4o"
    ran = arena("estimate=true", model, "episodes=500", "budget.usd=0.001")
    assert "budget.usd=0.001 may end the run before it is finished" in ran.out
    ran = arena("estimate=true", "agents=random_vs_random", "budget.usd=0.001")
    assert ran.out == "No player asks a model, so nothing would be used.\n"


def test_a_price_of_ones_own_counts_and_keeps_a_budget(
    arena: Arena, loopback: LoopbackServer, tmp_path: Path
) -> None:
    """Prices change no question: the run is the same run, and can be resumed under another."""
    loopback.set(answer="play", usage={"prompt_tokens": 1000, "completion_tokens": 100})
    catalog = tmp_path / "conf" / "catalog" / "direct_models.yaml"
    catalog.parent.mkdir(parents=True)
    entry = "models:\n  - name: direct_lab/small\n    prices: {{input: {}, output: 10}}\n"
    catalog.write_text(entry.format(2))
    words = [
        f"+provider.lab.api_base={loopback.url}",
        *("agents.player_0.model=direct_lab/small", "episodes=6", "probe=false"),
    ]
    estimate = arena(*words, "estimate=true")
    assert "unknown" not in estimate.out
    ran = arena(*words, "budget.usd=0.02", "concurrency=1", "hydra.run.dir=mine")
    assert ran.code == 3
    answers = lines(ran.directory / "responses.jsonl")
    assert [line["cost_usd"] for line in answers] == pytest.approx([0.003] * len(answers))
    assert 6 <= len(answers) <= 8
    before = run_json(ran.directory)["identity"]
    catalog.write_text(entry.format(4))
    ran = arena(*words, "hydra.run.dir=dearer")
    assert ran.code == 0, ran.err
    assert run_json(ran.directory)["identity"] == before


def test_a_recorded_run_replays_without_any_server(lab: Lab) -> None:
    lab.server.set(faults=[{"kind": "length", "rate": 0.2}])
    ran = lab("episodes=12")
    assert ran.code == 0, ran.err
    asked = len(lab.server.requests())
    replayed = lab.arena("replay", str(ran.directory))
    assert replayed.code == 0, replayed.out
    assert "12 of 12 recorded episodes came out the same" in replayed.out
    assert len(lab.server.requests()) == asked


def test_a_replay_that_differs_says_where(arena: Arena) -> None:
    directory = arena("episodes=4", "hydra.run.dir=mine").directory
    path = directory / "responses.jsonl"
    answers = path.read_text().splitlines()
    path.write_text("\n".join(answers[1:]) + "\n")
    ran = arena("replay", "mine")
    assert ran.code == 1
    assert "holds no answer for episode" in ran.out


def test_one_side_is_replayed_while_the_other_is_the_same(arena: Arena) -> None:
    first = arena("episodes=6", "hydra.run.dir=mine")
    ran = arena("episodes=6", "agents.player_0.model=replay_mine")
    assert ran.code == 0, ran.err
    was, now = episodes(first.directory), episodes(ran.directory)
    assert {n: e["moves"] for n, e in was.items()} == {n: e["moves"] for n, e in now.items()}
    words = ("episodes=6", "agents=llm_vs_llm", "agents.player_0.model=replay_mine")
    other = arena(*words, "agents.player_1.model=scripted_first", "hydra.run.dir=other")
    assert other.code == 1
    assert "another question was asked" in other.out
    assert "A recording answers what it was asked" in other.out
    assert "arena resume" not in other.out


def test_a_recording_of_other_questions_is_refused_before_the_run(
    arena: Arena, tmp_path: Path
) -> None:
    arena("episodes=6", "hydra.run.dir=mine")
    before = sorted(tmp_path.iterdir())
    ran = arena(
        *("episodes=8", "seed=9", "agents.player_0.model=replay_mine", "simulation=kuhn_poker"),
        "agents.player_0.memory=true",
    )
    assert ran.code == 2
    for text in (
        "seed=0 there, 9 here",
        "episodes=6 there, 8 here",
        "simulation.game=tic_tac_toe there, kuhn_poker here",
        "agents.player_0.memory=False there, True here",
        "--config mine/config.yaml",
    ):
        assert text in ran.err
    taken = arena("--config", "mine/config.yaml", "agents.player_0.model=replay_mine")
    assert taken.code == 0, taken.err
    assert [path for path in sorted(tmp_path.iterdir()) if path not in before] == [
        tmp_path / "outputs"  # of the second only
    ]
    assert len(list((tmp_path / "outputs").glob("*/*"))) == 1


def test_a_file_with_another_content_asks_other_questions(arena: Arena, tmp_path: Path) -> None:
    template = tmp_path / "mine.j2"
    template.write_text('{% extends "line.j2" %}')
    words = ("agents.player_0.template=mine.j2", "episodes=2")
    assert arena(*words, "hydra.run.dir=mine").code == 0
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "mine.j2").write_text(template.read_text())
    replayed = ("agents.player_0.model=replay_mine", "episodes=2")
    same = arena(*replayed, "agents.player_0.template=kept/mine.j2", "hydra.run.dir=same")
    assert same.code == 0, same.err

    template.write_text('{% extends "line.j2" %}{% block system %}Win. {{ super() }}{% endblock %}')
    before = sorted(tmp_path.iterdir())
    for asked in (
        ("resume", "mine"),
        ("replay", "mine", "--output", "again"),
        (*replayed, words[0], "hydra.run.dir=other"),
        ("-m", *replayed, words[0], "hydra.sweep.dir=other"),
    ):
        ran = arena(*asked)
        assert ran.code == 2, asked
        assert "agents.player_0.template=mine.j2" in ran.err
        assert "another content" in ran.err
    assert sorted(tmp_path.iterdir()) == before


def test_prompts_that_were_changed_ask_other_questions(arena: Arena, tmp_path: Path) -> None:
    (tmp_path / "few.txt").write_text("One.\nTwo.\n")
    words = ("simulation=prompts", "simulation.file=few.txt", "agents=llm")
    first = ("agents.player_0.model=scripted_first", "hydra.run.dir=mine")
    assert arena(*words, *first).code == 0
    assert arena(*words, "agents.player_0.model=replay_mine", "hydra.run.dir=two").code == 0
    (tmp_path / "few.txt").write_text("One.\nThree.\n")
    for asked in (("replay", "mine"), (*words, "agents.player_0.model=replay_mine")):
        ran = arena(*asked)
        assert ran.code == 2
        assert "simulation.file=few.txt" in ran.err
    assert not (tmp_path / "outputs").exists()


def test_episodes_that_a_recording_did_not_end_are_told_before_the_run(
    arena: Arena, tmp_path: Path
) -> None:
    assert arena("episodes=4", "shard=1/2", "hydra.run.dir=mine").code == 0
    ran = arena("episodes=4", "agents.player_0.model=replay_mine")
    assert ran.code == 2
    assert "2 episodes were not played to their end there (" in ran.err
    part = arena("episodes=4", "shard=1/2", "agents.player_0.model=replay_mine")
    assert part.code == 0, part.err


def test_a_run_without_a_finished_episode_is_not_replayed(arena: Arena) -> None:
    directory = arena("episodes=1", "hydra.run.dir=mine").directory
    (directory / "episodes.jsonl").unlink()
    ran = arena("replay", "mine")
    assert ran.code == 2
    assert "no episode that was played to its end" in ran.err


def test_the_runs_of_a_sweep_are_replayed_one_by_one(arena: Arena) -> None:
    arena("-m", "seed=1,2", "episodes=1", "hydra.sweep.dir=swept")
    ran = arena("replay", "swept")
    assert ran.code == 2
    assert "swept holds a sweep" in ran.err
    runs = [line.strip() for line in ran.err.splitlines() if "arena replay" in line]
    assert len(runs) == 2
    assert arena(*runs[0].split()[1:]).code == 0


def test_a_replay_for_somebody_else_says_who_was_recorded(arena: Arena) -> None:
    arena("episodes=4", "seats=fixed", "hydra.run.dir=mine")
    ran = arena(
        *("episodes=4", "seats=fixed", "agents=llm_vs_llm"),
        *("agents.player_0.model=scripted_first", "agents.player_1.model=replay_mine"),
    )
    assert ran.code == 2
    assert "no answers of player_1 were recorded there, only of player_0" in ran.err


def test_a_replay_of_nothing_is_refused(arena: Arena) -> None:
    ran = arena("agents.player_0.model=replay_absent")
    assert ran.code == 2
    assert "replay_absent" in ran.err


def test_a_recording_without_names_of_prompts_is_replayed(arena: Arena, tmp_path: Path) -> None:
    """As runs were written before episodes held them."""
    (tmp_path / "few.txt").write_text("one\ntwo\n")
    words = ("simulation=prompts", "simulation.file=few.txt", "agents=llm")
    ran = arena(*words, "hydra.run.dir=mine")
    assert ran.code == 0, ran.err
    file = tmp_path / "mine" / "episodes.jsonl"
    told = [json.loads(line) for line in file.read_text().splitlines()]
    assert {line.pop("prompt") for line in told} == {0, 1}
    file.write_text("".join(json.dumps(line) + "\n" for line in told))
    assert "2 of 2 recorded episodes came out the same" in arena("replay", "mine").out


def test_a_configuration_run_again_tells_which_file_was_changed(
    arena: Arena, tmp_path: Path
) -> None:
    (tmp_path / "few.txt").write_text("One.\nTwo.\n")
    words = ("simulation=prompts", "simulation.file=few.txt", "agents=llm")
    assert arena(*words, "hydra.run.dir=mine").code == 0
    same = arena("--config", "mine/config.yaml", "hydra.run.dir=two")
    assert (same.code, "few.txt" in same.err) == (0, False)
    (tmp_path / "few.txt").write_text("One.\nThree.\n")
    other = arena("--config", "mine/config.yaml", "hydra.run.dir=three")
    assert other.code == 0, other.err
    assert "note: simulation.file=few.txt has another content than when mine was" in other.err
    fewer = arena("--config", "mine/config.yaml", "simulation.limit=1", "hydra.run.dir=four")
    assert (fewer.code, "another content" in fewer.err) == (0, False)


def test_a_configuration_run_elsewhere_tells_where_its_files_are(
    arena: Arena, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "few.txt").write_text("One.\n")
    words = ("simulation=prompts", "simulation.file=few.txt", "agents=llm")
    assert arena(*words, "hydra.run.dir=mine").code == 0
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    ran = arena("--config", "../mine/config.yaml")
    assert ran.code == 2
    assert f"names files relative to {tmp_path}, where its run was begun: few.txt" in ran.err
    assert list(Path().iterdir()) == []
