"""Somebody else's configuration or run directory runs no code, starts no program, gets no key."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from game_reasoning_arena.configuration.demands import code_demands
from tests.arena import Arena, Ran
from tests.loopback import LoopbackServer

KEY = "sk-canary-0123456789abcdef"


@pytest.fixture
def two_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys of two providers in the environment."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEY)


def evil_module(where: Path) -> Path:
    """A module that leaves a mark when it is imported."""
    mark = where / "it-ran"
    (where / "evil.py").write_text(
        f"open({str(mark)!r}, 'w').close()\n"
        "from game_reasoning_arena.backends.scripted_backend import ScriptedBackend\n"
        "class Evil(ScriptedBackend): pass\n"
        "def move(state, legal): return legal[0]\n"
    )
    return mark


def evil_program(where: Path) -> tuple[Path, Path]:
    """A program that writes down its environment; and where it does."""
    program, mark = where / "engine.sh", where / "it-ran"
    program.write_text(f"#!/bin/sh\nenv > {mark}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program, mark


def write_config(path: Path, **content: Any) -> Path:
    path.write_text(yaml.safe_dump({"episodes": 2, **content}))
    return path


RANDOM = {"player_0": {"type": "random"}, "player_1": {"type": "random"}}
CODE = {
    "backend": {
        "trusted_targets": ["evil"],
        "backend": {"evil": {"_target_": "evil.Evil"}},
        "agents": {
            "player_0": {"type": "llm", "model": "evil_first"},
            "player_1": {"type": "random"},
        },
    },
    "callable": {
        "trusted_targets": ["evil"],
        "agents": {
            "player_0": {"type": "policy", "callable": "evil:move"},
            "player_1": {"type": "random"},
        },
    },
}


@pytest.mark.parametrize("how", CODE)
def test_a_files_own_trust_runs_no_code(arena: Arena, tmp_path: Path, how: str) -> None:
    mark = evil_module(tmp_path)
    config = write_config(tmp_path / "theirs.yaml", **CODE[how])
    ran = arena("--config", str(config))
    assert ran.code == 2
    assert not mark.exists()
    assert "trusted_targets=[evil" in ran.err
    assert not list(tmp_path.glob("outputs/*"))


@pytest.mark.parametrize("how", [*CODE, "agent", "program"])
def test_a_run_directory_runs_nothing_that_it_names(
    arena: Arena, tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = evil_module(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    program, _ = evil_program(tmp_path)
    agents: dict[str, Any] = {
        "agent": {"player_1": {"_target_": "evil.Evil"}},
        "program": {"player_1": {"type": "uci", "path": str(program)}},
    }
    changes: dict[str, Any] = CODE.get(how) or {"agents": agents[how]}
    game = ("simulation=chess", "simulation.max_moves=4") if how == "program" else ()
    played(arena, *game, "agents.player_0.type=random", "agents.player_1.type=random")
    config = tmp_path / "run" / "config.yaml"
    content = yaml.safe_load(config.read_text())
    for group, named in changes.items():
        content[group] = {**content[group], **named} if isinstance(named, dict) else named
    content["trusted_targets"] = ["evil", str(program)]
    config.write_text(yaml.safe_dump(content))
    for words in (
        ("resume", "run"),
        ("resume", "run", "episodes=4"),
        ("replay", "run"),
        ("merge", "run", "--output", "merged"),
        ("--config", "run/config.yaml", "hydra.run.dir=again"),
    ):
        ran = arena(*words)
        assert ran.code == 2, (words, ran.out)
        assert "evil" in ran.err or str(program) in ran.err
    for words in (("compare", "run"), ("report", "run"), ("assess", "run")):
        arena(*words)
    assert not mark.exists()
    assert not (tmp_path / "merged").exists()


@pytest.mark.parametrize("how", CODE)
def test_with_the_users_word_it_runs(
    arena: Arena, tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    evil_module(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    config = write_config(tmp_path / "mine.yaml", **CODE[how])
    words = ("--config", str(config), "trusted_targets=[evil]", "hydra.run.dir=run")
    assert arena(*words).code == 0
    again = arena("--config", "run/config.yaml", "hydra.run.dir=again")
    assert again.code == 2
    assert "trusted_targets=[evil" in again.err
    assert arena("replay", "run").code == 2
    assert arena("replay", "run", "--trust", "evil").code == 0
    listed = tmp_path / "config" / "game_reasoning_arena" / "trusted"
    listed.parent.mkdir(parents=True)
    listed.write_text("# mine\nevil\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert arena("--config", "run/config.yaml", "hydra.run.dir=again").code == 0


def test_a_callable_that_is_not_trusted_is_not_imported(arena: Arena, tmp_path: Path) -> None:
    mark = evil_module(tmp_path)
    ran = arena("agents.player_1.type=policy", "agents.player_1.callable=evil:move")
    assert ran.code == 2
    assert not mark.exists()


def test_a_program_of_a_file_is_not_started(arena: Arena, tmp_path: Path) -> None:
    program, mark = evil_program(tmp_path)
    agents = {"player_0": {"type": "random"}, "player_1": {"type": "uci", "path": str(program)}}
    config = write_config(tmp_path / "theirs.yaml", agents=agents, simulation={"game": "chess"})
    ran = arena("--config", str(config))
    assert ran.code == 2
    assert f"trusted_targets=[{program}]" in ran.err
    assert not mark.exists()


def test_a_program_that_the_user_names_gets_no_key(
    arena: Arena, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("COPY_OF_IT", KEY)
    program, mark = evil_program(tmp_path)
    arena("simulation=chess", "agents.player_1.type=uci", f"agents.player_1.path={program}")
    told = mark.read_text()
    assert "PATH=" in told
    assert KEY not in told


def files_with_an_address(url: str) -> dict[str, dict[str, Any]]:
    agents = {
        "player_0": {"type": "llm", "model": "direct_lab/small"},
        "player_1": {"type": "random"},
    }
    ours = {
        "player_0": {"type": "llm", "model": "litellm_openai/gpt-4o"},
        "player_1": agents["player_1"],
    }
    return {
        "a provider": {
            "agents": agents,
            "provider": {"lab": {"api_base": url, "api_key_env": "OPENAI_API_KEY"}},
        },
        "openai elsewhere": {"agents": ours, "provider": {"openai": {"api_base": url}}},
        "another secret": {
            "agents": agents,
            "provider": {"lab": {"api_base": url, "api_key_env": "AWS_SECRET_ACCESS_KEY"}},
        },
        "a header": {
            "agents": agents,
            "provider": {"lab": {"api_base": url, "headers": {"X-Mine": "OPENAI_API_KEY"}}},
        },
        "a model's entry": {
            "agents": agents,
            "catalog": {
                "models": [
                    {
                        "name": "direct_lab/small",
                        "api_base": url,
                        "api_key_env": "OPENAI_API_KEY",
                    }
                ]
            },
            "provider": {"lab": {"api_base": url}},
        },
    }


@pytest.mark.usefixtures("two_keys")
@pytest.mark.parametrize("how", files_with_an_address(""))
def test_a_key_is_not_sent_where_a_file_says(
    arena: Arena, tmp_path: Path, loopback: LoopbackServer, how: str
) -> None:
    content = files_with_an_address(loopback.url)[how]
    ran = arena("--config", str(write_config(tmp_path / "theirs.yaml", **content)))
    assert ran.code == 2, ran.err
    assert "_KEY@http://127.0.0.1" in ran.err
    assert loopback.requests() == []


def test_a_key_is_sent_where_the_user_says(
    arena: Arena, tmp_path: Path, loopback: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_API_KEY", KEY)
    words = (
        f"+provider.lab.api_base={loopback.url}",
        "+provider.lab.api_key_env=LAB_API_KEY",
        "agents.player_0.model=direct_lab/small",
        "episodes=2",
    )
    assert arena(*words, "hydra.run.dir=run").code == 0
    asked = len(loopback.requests())
    origin = loopback.url.removesuffix("/v1")
    refused = arena("--config", "run/config.yaml", "hydra.run.dir=again")
    assert refused.code == 2
    assert f"LAB_API_KEY@{origin}" in refused.err
    assert len(loopback.requests()) == asked
    trusted = f"trusted_targets=[LAB_API_KEY@{origin}]"
    assert arena("--config", "run/config.yaml", trusted, "hydra.run.dir=again").code == 0
    resumed = arena("resume", "run", "episodes=4")
    assert resumed.code == 2
    assert f"--trust 'LAB_API_KEY@{origin}'" in resumed.err
    assert arena("resume", "run", "episodes=4", "--trust", f"LAB_API_KEY@{origin}").code == 0


_NAMED = "${oc.env:OPENAI_API_KEY}"
PLACES: dict[str, dict[str, Any]] = {
    "system prompt": {"agents": {**RANDOM, "player_0": {"type": "llm", "system_prompt": _NAMED}}},
    "rules": {"simulation": {"game": "kuhn_poker", "rules": f"key {_NAMED}"}},
    "model": {"model": {"name": f"direct_lab/{_NAMED}"}},
    "address": {"provider": {"lab": {"api_base": f"http://127.0.0.1:9/{_NAMED}"}}},
    "extra": {"catalog": {"models": [{"name": "direct_lab/a", "extra": {"user": _NAMED}}]}},
    "stop": {"sampling": {"stop": [_NAMED]}},
    "computed": {"simulation": {"game": "kuhn_poker", "rules": "${oc.env:${oc.env:WHICH}}"}},
    "resolver computed": {
        "simulation": {"game": "kuhn_poker", "rules": "${oc.${stem}:WHICH}"},
        "stem": "env",
    },
    "in clear": {"simulation": {"game": "kuhn_poker", "rules": f"key {KEY}"}},
}  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_a_configuration_takes_no_key_by_its_value(
    arena: Arena, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("WHICH", "OPENAI_API_KEY")
    config = write_config(tmp_path / "theirs.yaml", **{"agents": RANDOM, **PLACES[place]})
    ran = arena("--config", str(config))
    assert ran.code == 2, ran.out
    assert KEY not in ran.err + ran.out
    assert "api_key_env" in ran.err
    assert _nowhere_below(tmp_path, KEY, but=config)


@pytest.mark.parametrize(
    "word",
    [
        f"agents.player_0.system_prompt={KEY}",
        f"agents.player_0.system_prompt=a,{KEY}",
        "agents.player_0.system_prompt=${oc.env:OPENAI_API_KEY}",
        "hydra.run.dir=${oc.env:OPENAI_API_KEY}",
    ],
)
def test_the_command_line_takes_no_key_by_its_value(
    arena: Arena, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    for words in ((word,), ("-m", word), ("-m", "hydra/launcher=joblib", word)):
        ran = arena(*words, "episodes=2")
        assert ran.code == 2, ran.out
        assert KEY not in ran.err + ran.out
        assert _nowhere_below(tmp_path, KEY)


def _nowhere_below(directory: Path, text: str, but: Path | None = None) -> bool:
    files = [path for path in directory.rglob("*") if path.is_file() and path != but]
    return not any(text.encode() in path.read_bytes() for path in files)


def played(arena: Arena, *words: str) -> Ran:
    ran = arena("episodes=2", "hydra.run.dir=run", *words)
    assert ran.code == 0, ran.err
    return ran


def change_run_json(directory: Path, **values: Any) -> None:
    path = directory / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_a_dotenv_is_read_where_the_user_stands_alone(
    arena: Arena, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / ".env").write_text("SET_BY_THEM=1\nMAX_TOKENS=7\n")
    (theirs / "conf" / "simulation").mkdir(parents=True)
    played(arena)
    change_run_json(tmp_path / "run", cwd=str(theirs))
    monkeypatch.delenv("SET_BY_THEM", raising=False)
    assert arena("resume", "run", "episodes=4").code == 0
    assert arena("replay", "run").code == 0
    assert "SET_BY_THEM" not in os.environ
    assert "MAX_TOKENS" not in os.environ


def test_a_run_directorys_cwd_is_no_place_for_modules(arena: Arena, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    mark = evil_module(theirs)
    played(arena)
    change_run_json(tmp_path / "run", cwd=str(theirs), config_dir=str(theirs))
    config = tmp_path / "run" / "config.yaml"
    content = yaml.safe_load(config.read_text())
    content["agents"]["player_1"] = {"type": "policy", "callable": "evil:move"}
    content["trusted_targets"] = ["evil"]
    config.write_text(yaml.safe_dump(content))
    for command in (["resume", "run"], ["replay", "run"]):
        assert arena(*command).code != 0
        assert not mark.exists()


@pytest.mark.parametrize(
    "target",
    [
        "game_reasoning_arena.process.files.replace_file",
        "game_reasoning_arena.simulation.prompts.scorers.custom.Mapping",
        "evil.move",
    ],
)
def test_a_file_names_no_scorer_but_those_of_prompts(
    arena: Arena, tmp_path: Path, target: str
) -> None:
    mark = evil_module(tmp_path)
    (tmp_path / "rows.jsonl").write_text('{"prompt": "2+2?", "answer": "4"}\n')
    simulation = {"type": "prompts", "file": "rows.jsonl", "scorer": {"_target_": target}}
    agents = {"player_0": {"type": "llm", "model": "scripted_first"}}
    config = write_config(tmp_path / "theirs.yaml", agents=agents, simulation=simulation)
    ran = arena("--config", str(config), "episodes=1")
    assert ran.code == 2, ran.out
    assert target in ran.err
    assert not mark.exists()
    assert not list(tmp_path.glob("outputs/*"))


def test_a_file_names_no_function_of_this_package_as_a_policy(arena: Arena, tmp_path: Path) -> None:
    player = {"type": "policy", "callable": "game_reasoning_arena.process.text:plain"}
    agents = {"player_0": player, "player_1": {"type": "random"}}
    config = write_config(tmp_path / "theirs.yaml", agents=agents)
    ran = arena("--config", str(config))
    assert ran.code == 2, ran.out
    assert "no trusted name covers" in ran.err


LISTED: dict[str, tuple[str, str]] = {
    "its address": ("litellm_openai/gpt-4o", "OPENAI_API_KEY@"),
    "another secret": ("direct_aws/small", "AWS_SECRET_ACCESS_KEY@"),
    "code of a model's own": ("vllm_theirs", "vllm_theirs.trust_remote_code"),
    "a class in an engine": ("vllm_worker", "vllm_worker.worker_cls"),
    "a class for a model": ("vllm_class", "vllm_class.model_class_overrides"),
    "an address of an engine": ("vllm_traced", "vllm_traced.otlp_traces_endpoint"),
    "code inside a mapping": ("vllm_compiled", "vllm_compiled.compilation_config"),
    "a setting of tomorrow": ("vllm_later", "vllm_later.unheard_of"),
}


ENGINES: dict[str, dict[str, Any]] = {
    "vllm_worker": {"worker_cls": "evil.Worker"},
    "vllm_class": {"model_class_overrides": {"LlamaForCausalLM": "evil:Model"}},
    "vllm_traced": {"otlp_traces_endpoint": "http://evil.example"},
    "vllm_compiled": {"compilation_config": {"level": 3, "backend": "evil.compile"}},
    "vllm_later": {"unheard_of": "evil"},
}
PLAIN_ENGINE = {
    "dtype": "bfloat16",
    "max_model_len": 4096,
    "gpu_memory_utilization": 0.5,
    "enforce_eager": True,
    "distributed_executor_backend": "mp",
    "limit_mm_per_prompt": {"image": 0},
    "speculative_config": {"model": "a/draft", "method": "eagle", "num_speculative_tokens": 3},
    "hf_overrides": {"rope_scaling": {"factor": 2.0}},
    "trust_remote_code": False,
    "worker_extension_cls": "",
}


def test_plain_settings_of_an_engine_ask_for_nothing() -> None:
    assert not list(code_demands({"backend": {"vllm": {"engine": PLAIN_ENGINE}}}))


@pytest.mark.usefixtures("two_keys")
@pytest.mark.parametrize("how", LISTED)
def test_a_list_of_models_is_not_the_users_word(
    arena: Arena, tmp_path: Path, loopback: LoopbackServer, how: str
) -> None:
    here = str(tmp_path)
    content = {
        "providers": {
            "openai": {"api_base": loopback.url},
            "aws": {"api_base": loopback.url, "api_key_env": "AWS_SECRET_ACCESS_KEY"},
        },
        "models": [
            {"name": "vllm_theirs", "model_path": here, "trust_remote_code": True},
            *(
                {"name": name, "model_path": here, "engine": {**PLAIN_ENGINE, **engine}}
                for name, engine in ENGINES.items()
            ),
        ],
    }
    (tmp_path / "theirs.yaml").write_text(yaml.safe_dump(content))
    model, asked = LISTED[how]
    player = f"agents.player_0.model={model}"
    for words in (
        ("catalog.files=[theirs.yaml]", player),
        ("-m", "catalog.files=[theirs.yaml]", player, "seed=1,2"),
        ("doctor", "--ping", model, "catalog.files=[theirs.yaml]"),
    ):
        ran = arena(*words)
        assert ran.code == 2, ran.out
        assert f"trusted_targets=[{asked}" in ran.err
    assert loopback.requests() == []


def test_a_list_of_models_with_the_users_word(
    arena: Arena, tmp_path: Path, loopback: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_API_KEY", KEY)
    lab = {"api_base": loopback.url, "api_key_env": "LAB_API_KEY"}
    (tmp_path / "lists.yaml").write_text(yaml.safe_dump({"providers": {"lab": lab}}))
    words = ("catalog.files=[lists.yaml]", "agents.player_0.model=direct_lab/small", "episodes=1")
    assert arena(*words).code == 2
    assert loopback.requests() == []
    assert arena(*words, f"trusted_targets=[LAB_API_KEY@{loopback.url}]").code == 0
    assert loopback.requests()


def test_a_ping_takes_no_key_by_its_value(
    arena: Arena, tmp_path: Path, loopback: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    address = f"{loopback.url}/${{oc.env:OPENAI_API_KEY}}"
    preset = tmp_path / "conf" / "experiment" / "mine.yaml"
    preset.parent.mkdir(parents=True)
    preset.write_text(f"# @package _global_\nprovider:\n  lab: {{api_base: '{address}'}}\n")
    ran = arena("doctor", "--ping", "direct_lab/small", "experiment=mine")
    assert ran.code == 2, ran.out
    assert "api_key_env" in ran.err
    assert loopback.requests() == []


SWEPT = ("-m", "agents.player_0.model=scripted_first", "seed=1,2", "episodes=1")


def forged_sweep(arena: Arena, tmp_path: Path, **changes: Any) -> Path:
    """A sweep whose jobs are to be played again, with other content of ``sweep.json``."""
    assert arena(*SWEPT, "hydra.sweep.dir=sw").code == 0
    sweep = tmp_path / "sw"
    content = json.loads((sweep / "sweep.json").read_text())
    for job in content["jobs"]:
        (sweep / job["directory"] / "run.json").unlink()
        (sweep / job["directory"] / "episodes.jsonl").unlink()
        (sweep / job["directory"] / "responses.jsonl").unlink()
        (sweep / ".jobs" / f"{job['number']}.end.json").unlink(missing_ok=True)
        job["status"] = "pending"
    (sweep / "sweep.json").write_text(json.dumps(content | changes))
    return sweep


@pytest.mark.parametrize("named_by", ["config_dir", "command"])
def test_a_sweeps_directory_of_settings_is_not_the_users_own(
    arena: Arena,
    tmp_path: Path,
    loopback: LoopbackServer,
    monkeypatch: pytest.MonkeyPatch,
    named_by: str,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    theirs = tmp_path / "theirs"
    (theirs / "provider").mkdir(parents=True)
    entry = {"api_base": loopback.url, "api_key_env": "OPENAI_API_KEY"}
    (theirs / "provider" / "openai.yaml").write_text(yaml.safe_dump(entry))
    model = "agents.player_0.model=direct_openai/gpt-4o"
    command = ["-m", "--config-dir", str(theirs), model, "episodes=1"]
    if named_by == "command":
        forged_sweep(arena, tmp_path, command=command)
        ran = arena("resume", "sw", "seed=1,2,3")
    else:
        sweep = forged_sweep(arena, tmp_path, config_dir=str(theirs))
        own = arena("-m", "--config-dir", "theirs", model, *SWEPT[2:], "hydra.sweep.dir=own")
        assert own.code == 0, own.err
        loopback.reset()
        for file in (tmp_path / "own" / ".jobs").glob("[0-9].json"):
            content = json.loads(file.read_text())
            content["config"]["provider"] = {}
            (sweep / ".jobs" / file.name).write_text(json.dumps({**content, "identity": None}))
        ran = arena("resume", "sw")
    assert ran.code == 2, ran.out
    assert "OPENAI_API_KEY@http://127.0.0.1" in ran.err
    assert loopback.requests() == []


@pytest.mark.parametrize(
    "word",
    [
        "+hydra.callbacks.x._target_=evil.Evil",
        "hydra.searchpath=[pkg://evil]",
        "hydra.sweeper._target_=evil.Evil",
        "+hydra.job.env_set.PATH=evil",
        "+hydra.job_logging.handlers.x.class=evil.Evil",
        "--info=evil",
    ],
)
def test_a_recorded_command_says_nothing_to_hydra_itself(
    arena: Arena, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    mark = evil_module(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    forged_sweep(arena, tmp_path, command=[*SWEPT, word])
    ran = arena("resume", "sw", "seed=1,2,3")
    assert ran.code == 2, ran.out
    assert word in ran.err
    assert "--trust" in ran.err
    assert not mark.exists()


def test_a_sweeps_workers_stand_where_the_user_stands(arena: Arena, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / ".env").write_bytes(b"\xff\xfe is no text, so that reading it is an error")
    sweep = forged_sweep(arena, tmp_path, cwd=str(theirs))
    assert arena("resume", "sw").code == 0
    (sweep / "0_seed-1" / "run.json").unlink()
    job_file = sweep / ".jobs" / "0.json"
    code = "import sys; from game_reasoning_arena.sweeping.worker import play_job as play; "
    command = [sys.executable, "-c", code + "play(sys.argv[1])", str(job_file)]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert json.loads(job_file.read_text())["cwd"] == str(theirs)
    ended = json.loads(job_file.with_suffix(".end.json").read_text())
    assert ".env" not in str(ended["reason"])
