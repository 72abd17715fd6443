"""Compose a run, play it, write it down."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from game_reasoning_arena.commands.table_of_commands import COMMANDS
from game_reasoning_arena.records import EpisodeRecord, ResponseRecord
from tests.arena import Arena, episodes, finish, lines, run_json, start_arena, summary
from tests.loopback import LoopbackServer

GAMES = sorted(
    path.stem
    for path in (Path(__file__).parents[2] / "conf" / "simulation").glob("*.yaml")
    if path.stem != "openspiel" and not path.stem.startswith("prompts")
)


def test_the_embedded_default_plays_and_writes_everything_down(arena: Arena) -> None:
    ran = arena()
    assert ran.code == 0, ran.err
    directory = ran.directory
    assert {path.name for path in directory.iterdir()} >= {
        "config.yaml",
        "run.json",
        "responses.jsonl",
        "episodes.jsonl",
        "summary.csv",
        ".hydra",
    }
    played = lines(directory / "episodes.jsonl")
    assert len(played) == 10
    assert all(set(line) == set(EpisodeRecord.__struct_fields__) for line in played)
    answers = lines(directory / "responses.jsonl")
    assert all(set(line) == set(ResponseRecord.__struct_fields__) for line in answers)
    by_model = sum(m["player"] == "player_0" for line in played for m in line["moves"])
    assert len(answers) == by_model  # scripted_random never fails, so one answer a move
    run = run_json(directory)
    assert run["status"] == "completed"
    assert run["totals"]["calls"] == len(answers)
    assert run["episodes"] == {"planned": 10, "completed": 10}
    rows = summary(directory)
    assert [(row["player"], row["seat"]) for row in rows] == [
        ("player_0", "0"),
        ("player_0", "1"),
        ("player_1", "0"),
        ("player_1", "1"),
    ]
    assert sum(int(row["wins"]) for row in rows) + sum(
        int(row["draws"]) for row in rows
    ) / 2 == len(played)
    assert "no language model played" in ran.out


def test_seats_rotate_over_the_same_deals(arena: Arena) -> None:
    played = lines(arena("episodes=6").directory / "episodes.jsonl")
    played.sort(key=lambda line: line["episode"])
    assert [line["seats"][0] for line in played] == ["player_0", "player_1"] * 3
    assert [played[i]["seed"] == played[i + 1]["seed"] for i in (0, 2, 4)] == [True] * 3
    assert len({line["seed"] for line in played}) == 3


@pytest.mark.parametrize("game", ["tic_tac_toe", "leduc_poker", "goofspiel"])
def test_the_written_config_reproduces_the_run(arena: Arena, game: str) -> None:
    words = ["episodes=12", "agents.player_0.model=scripted_sloppy", "seed=5"]
    first = arena(f"simulation={game}", "concurrency=1", *words).directory
    again = arena("--config", str(first / "config.yaml"), "concurrency=64").directory
    assert episodes(first) == episodes(again)
    assert run_json(first)["identity"] == run_json(again)["identity"]
    third = arena("--config", str(first / "config.yaml"), "seed=6").directory
    assert episodes(first) != episodes(third)


@pytest.mark.parametrize("game", GAMES)
def test_every_preset_game_plays(arena: Arena, game: str) -> None:
    ran = arena(f"simulation={game}", "episodes=2", "agents=llm_vs_random")
    assert ran.code == 0, ran.err
    assert {line["status"] for line in lines(ran.directory / "episodes.jsonl")} == {"completed"}


def test_a_game_string_with_parameters_and_a_third_player(arena: Arena) -> None:
    ran = arena(
        "simulation=openspiel",
        "simulation.game=leduc_poker(players=3)",
        "+agents.player_2.type=random",
        "episodes=3",
    )
    assert ran.code == 0, ran.err
    played = lines(ran.directory / "episodes.jsonl")
    assert {line["seats"][0] for line in played} == {"player_0", "player_1", "player_2"}


def test_prompts_are_answered_by_every_agent(arena: Arena, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("What is a fork?\nName an opening.\n")
    ran = arena(
        "simulation=prompts",
        "simulation.file=mine.txt",
        "simulation.repeats=3",
        "agents=llm_vs_llm",
        "agents.player_1.model=scripted_first",
    )
    assert ran.code == 0, ran.err
    answers = lines(ran.directory / "responses.jsonl")
    assert len(answers) == 2 * 3 * 2
    assert {line["outcome"] for line in answers} == {"answered"}


def test_a_trial_asks_only_the_first_prompts(arena: Arena, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("What is a fork?\nName an opening.\nWhat is a pin?\n")
    prompts = ["simulation=prompts", "simulation.file=mine.txt", "simulation.repeats=2"]
    ran = arena(*prompts, "agents=llm", "simulation.limit=2")
    assert ran.code == 0, ran.err
    asked = [line["messages"][-1]["content"] for line in lines(ran.directory / "responses.jsonl")]
    assert sorted(asked) == ["Name an opening."] * 2 + ["What is a fork?"] * 2


def test_a_sweep_over_prompts_and_games_may_say_how_many_games(arena: Arena) -> None:
    ran = arena("-m", "simulation=prompts,tic_tac_toe", "agents=llm_vs_llm", "episodes=2")
    assert ran.code == 0, ran.err


def test_two_providers_and_a_stand_in_in_one_run(arena: Arena, loopback: LoopbackServer) -> None:
    loopback.set(answer="play")
    ran = arena(
        "+provider.my_lab.api_base=" + loopback.url,
        "agents=llm_vs_llm",
        "agents.player_0.model=direct_my_lab/small",
        "agents.player_1.model=scripted_random",
        "episodes=4",
        "sampling.temperature=0.3",
        "probe=false",
    )
    assert ran.code == 0, ran.err
    seen = loopback.requests()
    answers = [
        line for line in lines(ran.directory / "responses.jsonl") if line["backend"] == "direct"
    ]
    assert len(seen) == len(answers)
    assert {request["body"]["model"] for request in seen} == {"small"}
    assert {request["body"]["temperature"] for request in seen} == {0.3}
    assert all(line["latency_s"] > 0 and line["prompt_tokens"] for line in answers)
    assert all(line["cost_usd"] is None for line in answers)


def test_module_and_command_are_the_same(tmp_path: Path) -> None:
    ran = finish(start_arena("episodes=1", cwd=tmp_path))
    assert ran.code == 0, ran.err
    assert ran.err == ""  # nothing but the table where there is no terminal


def test_runs_started_in_the_same_moment_have_directories_of_their_own(tmp_path: Path) -> None:
    running = [start_arena("episodes=1", cwd=tmp_path) for _ in range(4)]
    directories = {finish(process).directory for process in running}
    assert len(directories) == 4


def test_composing_imports_nothing_heavy(tmp_path: Path) -> None:
    script = (
        "import sys; from game_reasoning_arena.cli import run_command; "
        "run_command(sys.argv[1:]); "
        "heavy = {'litellm', 'pandas', 'torch', 'ray', 'vllm', 'scipy', 'matplotlib', 'openai'};"
        "print('HEAVY', sorted(heavy & set(sys.modules)))"
    )
    for words in (["--cfg", "job"], ["episodes=1"]):
        done = subprocess.run(
            [sys.executable, "-c", script, *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.splitlines()[-1] == "HEAVY []"


def test_help_shows_every_command_and_every_group(tmp_path: Path) -> None:
    ran = finish(start_arena("--help", cwd=tmp_path))
    assert ran.code == 0, ran.err
    for word in [*COMMANDS, "simulation: ", "agents: ", "model: ", "backend: ", "experiment: "]:
        assert word in ran.out
    assert ran.out.index("arena simulation=kuhn_poker") < ran.out.index("simulation: ")


def test_completion_lists_options_and_slash_names(tmp_path: Path) -> None:
    for typed, expected in {
        "simulation=tic": "simulation=tic_tac_toe",
        "model=litellm_groq/": "model=litellm_groq/openai/gpt-oss-20b",
        "sampling.temp": "sampling.temperature=",
    }.items():
        process = start_arena(
            "--shell-completion",
            "query=bash",
            cwd=tmp_path,
            COMP_LINE=f"arena {typed}",
            COMP_POINT=str(len(typed) + 6),
        )
        ran = finish(process)
        assert expected in ran.out.split(), ran.err


def test_a_conf_of_ones_own_adds_and_replaces(arena: Arena, tmp_path: Path) -> None:
    (tmp_path / "conf" / "simulation").mkdir(parents=True)
    (tmp_path / "conf" / "simulation" / "mine.yaml").write_text(
        "defaults: [/schema/simulation/openspiel@_here_, _self_]\ngame: matrix_rps\n"
    )
    (tmp_path / "other" / "agents").mkdir(parents=True)
    (tmp_path / "other" / "agents" / "two_random.yaml").write_text(
        "player_0: {type: random}\nplayer_1: {type: random}\n"
    )
    ran = arena("--config-dir", "other", "simulation=mine", "agents=two_random", "episodes=2")
    assert ran.code == 0, ran.err
    assert {line["game"] for line in lines(ran.directory / "episodes.jsonl")} == {"matrix_rps"}


def test_a_plain_file_of_the_first_form_runs(arena: Arena, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(
        '{"agents": {"player_0": {"type": "llm", "model": "scripted_first"},'
        ' "player_1": {"type": "llm", "model": "scripted_random"},'
        ' "player_2": {"type": "random"}},'
        ' "simulation": {"game": "leduc_poker(players=3)"}}'
    )
    ran = arena("--config", "config.json", "episodes=3")
    assert ran.code == 0, ran.err
    assert {row["player"] for row in summary(ran.directory)} == {
        "player_0",
        "player_1",
        "player_2",
    }
