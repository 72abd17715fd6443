"""A grid in this process: jobs, directories, tables, sharing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hydra import version
from hydra.types import RunMode
from omegaconf import DictConfig

from game_reasoning_arena import schema
from game_reasoning_arena.configuration import hydra_source as catalog_source
from game_reasoning_arena.preflight.composing import Composer, without_hydra
from game_reasoning_arena.preflight.session import Session
from tests.arena import Arena, episodes, run_json, summary
from tests.loopback import LoopbackServer
from tests.sweeping.reading import every_text, jobs, statuses, sweep_json, table


def test_a_sweep_is_one_experiment(arena: Arena) -> None:
    ran = arena(
        "-m", "agents.player_0.model=scripted_first,scripted_sloppy", "seed=1,2", "episodes=4"
    )
    assert ran.code == 0, ran.err
    told = sweep_json(ran.directory)
    assert told["status"] == "completed"
    assert told["axes"] == {
        "agents.player_0.model": ["scripted_first", "scripted_sloppy"],
        "seed": ["1", "2"],
    }
    names = [job["directory"] for job in told["jobs"]]
    assert names == [
        "0_scripted_first_seed-1",
        "1_scripted_first_seed-2",
        "2_scripted_sloppy_seed-1",
        "3_scripted_sloppy_seed-2",
    ]
    assert {path.name for path in ran.directory.iterdir() if path.is_dir()} == {*names, ".jobs"}
    rows = table(ran.directory)
    assert len(rows) == 4 * 4  # jobs, and two players at two seats
    for row in rows:
        own = summary(ran.directory / row["directory"])
        assert any(line.items() <= row.items() for line in own)
        assert row["seed"] in ("1", "2")
        assert row["agents.player_0.model"] in row["directory"]
    shown = [line for line in ran.out.splitlines() if "completed" in line and "player_0" in line]
    assert len(shown) == 4
    assert "jobs: 4 completed" in ran.out


@pytest.mark.parametrize(
    "jobs",
    [
        [
            ["seed=1", "simulation=kuhn_poker", "+agents.player_2.type=random"],
            ["seed=2", "simulation=tic_tac_toe", "+agents.player_2.type=random"],
        ],
        [
            ["+provider.a.api_base=http://127.0.0.1:1/v1", "model=scripted_first"],
            ["+provider.a.api_base=http://127.0.0.1:2/v1", "model=scripted_sloppy"],
        ],
        [
            ["~backend.vllm", "sampling={temperature: 0.5}", "++agents.player_0.votes=1"],
            ["budget.usd=3", "sampling={top_p: 0.5}", "++agents.player_0.votes=3"],
        ],
        [
            ["agents=none", "+agents.player_0={type: random}", "seats=fixed"],
            ["agents=llm_vs_llm", "~agents.player_0", "catalog.files=[]"],
        ],
        [["hydra/launcher=basic", "on_failure.policy=random"]],
    ],
)
def test_values_apply_as_hydra_applies_them(jobs: list[list[str]]) -> None:
    version.setbase("1.3")
    schema.register()
    catalog_source.register()
    with Session() as session:

        def compose(some: list[str], mode: RunMode) -> DictConfig:
            return session.compose("config", some, mode)

        composer = Composer(compose, [])
        for job in jobs:
            assert composer(job) == without_hydra(compose(job, RunMode.RUN))


def test_a_job_is_the_run_that_it_would_be_alone(arena: Arena) -> None:
    alone = arena("model=scripted_sloppy", "seed=2", "episodes=6").directory
    sweep = arena("-m", "model=scripted_first,scripted_sloppy", "seed=1,2", "episodes=6").directory
    [job] = [j for j in jobs(sweep) if j["values"] == {"model": "scripted_sloppy", "seed": "2"}]
    inside = sweep / job["directory"]
    assert episodes(inside) == episodes(alone)
    assert job["identity"] == run_json(alone)["identity"] == run_json(inside)["identity"]
    again = arena("--config", str(inside / "config.yaml"))
    assert run_json(again.directory)["identity"] == job["identity"]


def test_swept_keys_never_hide_columns_of_the_table(arena: Arena) -> None:
    sweep = arena("-m", "model=scripted_first,scripted_random", "episodes=2,4").directory
    rows = table(sweep)
    assert {row["swept_model"] for row in rows} == {"scripted_first", "scripted_random"}
    assert {row["swept_episodes"] for row in rows} == {"2", "4"}
    assert {row["episodes"] for row in rows} == {"1", "2"}  # at each of two seats


@pytest.mark.parametrize(
    ("word", "values"),
    [
        ("seed=range(1,4)", ["1", "2", "3"]),
        ("simulation=choice(kuhn_poker,tic_tac_toe)", ["kuhn_poker", "tic_tac_toe"]),
        ("simulation=glob(matrix_*)", ["matrix_pd", "matrix_rps"]),
        (
            "simulation=openspiel simulation.game=kuhn_poker(players=2),kuhn_poker",
            ["'kuhn_poker(players=2)'", "'kuhn_poker'"],
        ),
        ("shard=all/3", ["0/3", "1/3", "2/3"]),
        ("seed=5", []),
    ],
)
def test_what_can_be_swept(arena: Arena, word: str, values: list[str]) -> None:
    ran = arena("-m", *word.split(" "), "episodes=6")
    assert ran.code == 0, ran.err
    key = word.split(" ")[-1].partition("=")[0]
    assert sweep_json(ran.directory)["axes"].get(key, []) == values
    assert set(statuses(ran.directory)) == {"completed"}


def test_all_problems_of_all_jobs_are_told_and_nothing_is_left(
    arena: Arena, tmp_path: Path
) -> None:
    ran = arena(
        "-m",
        "simulation=tic_tac_toe,kuhn_pokr",
        "agents.player_0.model=litellm_openai/x,scripted_frist",
        "agents.player_0.sampling.temperature=0,9",
        "seed=1,-2",
        "sweep.parallel_jobs=0",
        "hydra/launcher=basic",
    )
    assert ran.code == 2
    said = " ".join(ran.err.split())
    for problem in (
        "there is no simulation called 'kuhn_pokr'. Did you mean 'kuhn_poker'",
        "(in 8 of 16 jobs: simulation=kuhn_pokr)",
        "OPENAI_API_KEY, which is not set",
        "(in 8 of 16 jobs: agents.player_0.model=litellm_openai/x)",
        "no scripted model 'scripted_frist'",
        "agents.player_0.sampling.temperature",
        "(in 8 of 16 jobs: agents.player_0.sampling.temperature=9)",
        "seed=-2",
        "sweep.parallel_jobs=0",
    ):
        assert problem in said, f"{problem!r} is not told in:\n{ran.err}"
    assert said.count("kuhn_pokr'. Did you mean") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_launcher_that_is_not_there_is_told_with_the_rest(arena: Arena, tmp_path: Path) -> None:
    ran = arena("-m", "hydra/launcher=slrum", "seed=1,2")
    assert ran.code == 2
    assert "no hydra/launcher called 'slrum'. Did you mean 'slurm'?" in ran.err
    assert list(tmp_path.iterdir()) == []


def test_jobs_share_a_backend_its_limits_and_its_connections(
    arena: Arena, loopback: LoopbackServer
) -> None:
    loopback.set(latency=0.05)
    ran = arena(
        "-m",
        f"+provider.my_lab.api_base={loopback.url}",
        "+provider.my_lab.max_concurrency=3",
        "agents.player_0.model=direct_my_lab/a,direct_my_lab/b,direct_my_lab/c,direct_my_lab/d",
        "episodes=4",
    )
    assert ran.code == 0, ran.err
    seen = loopback.stats()
    assert seen["max_in_flight"] == 3  # three at a time for all jobs, not for each
    asked = [request["body"]["model"] for request in loopback.requests()]
    first_half = asked[: len(asked) // 2]
    assert set(first_half) == set("abcd")  # all jobs go on at the same time


def test_parallel_jobs_is_the_number_of_jobs_at_once(
    arena: Arena, loopback: LoopbackServer
) -> None:
    ran = arena(
        "-m",
        f"+provider.my_lab.api_base={loopback.url}",
        "agents.player_0.model=direct_my_lab/a,direct_my_lab/b,direct_my_lab/c",
        "episodes=4",
        "sweep.parallel_jobs=1",
    )
    assert ran.code == 0, ran.err
    asked = [request["body"]["model"] for request in loopback.requests()]
    assert asked == sorted(asked)


def test_a_sweeps_budget_is_that_of_all_jobs_together(
    arena: Arena, loopback: LoopbackServer
) -> None:
    words = [
        "-m",
        f"+provider.my_lab.api_base={loopback.url}",
        "agents.player_0.model=direct_my_lab/a,direct_my_lab/b,direct_my_lab/c",
        "episodes=6",
    ]
    ran = arena(*words, "sweep.budget.calls=20")
    assert ran.code == 3, ran.err
    assert loopback.stats()["requests"] == 20
    assert "sweep.budget.calls=20 is used up" in ran.out
    assert f"arena resume {ran.directory}" in ran.out
    again = arena("resume", str(ran.directory))
    assert again.code == 3
    assert loopback.stats()["requests"] == 20  # what was spent before counts
    more = arena("resume", str(ran.directory), "sweep.budget.calls=null")
    assert more.code == 0, more.err
    assert set(statuses(ran.directory)) == {"completed"}


def test_no_worker_asks_more_than_was_left_of_the_sweeps_budget(arena: Arena) -> None:
    words = ["agents.player_0.model=scripted_random,scripted_first", "episodes=20"]
    sweep = arena("-m", *words, "concurrency=1", "sweep.budget.calls=10").directory
    for job in jobs(sweep):
        shutil.rmtree(sweep / job["directory"])
    code = "import sys; from game_reasoning_arena.sweeping.worker import play_job as play; "
    for number, asked in ((0, 10), (1, 0)):
        file = sweep.absolute() / ".jobs" / f"{number}.json"
        subprocess.run([sys.executable, "-c", code + "play(sys.argv[1])", str(file)], check=True)
        ended = json.loads(file.with_suffix(".end.json").read_text())
        assert ended == {"status": "budget", "reason": "sweep.budget.calls=10 is used up"}
        run = sweep / jobs(sweep)[number]["directory"]
        assert len((run / "responses.jsonl").read_text().splitlines()) == asked


def test_a_runs_budget_is_each_jobs_own(arena: Arena, loopback: LoopbackServer) -> None:
    ran = arena(
        "-m",
        f"+provider.my_lab.api_base={loopback.url}",
        "agents.player_0.model=direct_my_lab/a,direct_my_lab/b",
        "episodes=6",
        "budget.calls=5",
    )
    assert ran.code == 3
    assert statuses(ran.directory) == ["budget", "budget"]
    assert loopback.stats()["requests"] == 10


def test_keys_reach_no_file_of_a_sweep(
    arena: Arena, loopback: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = "sk-canary-0123456789abcdef"
    monkeypatch.setenv("MY_LAB_API_KEY", canary)
    loopback.set(answer="echo", faults=[{"status": 400, "message": "{authorization}", "count": 2}])
    ran = arena(
        "-m",
        f"+provider.my_lab.api_base={loopback.url}",
        "+provider.my_lab.api_key_env=MY_LAB_API_KEY",
        "agents.player_0.model=direct_my_lab/a,direct_my_lab/b",
        "episodes=2",
        "probe=false",
    )
    assert any(canary in str(request["headers"]) for request in loopback.requests())
    told = every_text(ran.directory)
    assert "MY_LAB_API_KEY" in told
    assert canary not in told + ran.out + ran.err


def test_an_estimate_of_a_sweep_runs_nothing(arena: Arena, tmp_path: Path) -> None:
    model = "agents.player_0.model=litellm_openai/gpt-4o-mini"
    ran = arena("-m", "seed=1,2", "episodes=4", "estimate=true", model)
    assert ran.code == 0, ran.err
    _, first, second, both, note = ran.out.splitlines()
    assert first.split()[:2] == ["seed=1", "litellm_openai/gpt-4o-mini"]
    assert second.split()[:2] == ["seed=2", "litellm_openai/gpt-4o-mini"]
    assert both.split()[:2] == ["all", "jobs"]

    def numbers(line: str) -> list[float]:
        return [float(text.strip("$").replace(",", "")) for text in line.split()[2:]]

    together = zip(numbers(first), numbers(second), numbers(both), strict=True)
    assert all(one + other == pytest.approx(all_, abs=1.1) for one, other, all_ in together)
    assert "from 4 dry episodes of a stand-in per job" in note
    assert list(tmp_path.iterdir()) == []
