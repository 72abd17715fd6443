"""`arena models`, `arena providers`, `arena doctor`."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest

from game_reasoning_arena.commands import doctor
from tests.arena import Arena
from tests.loopback import LoopbackServer

CANARY = "sk-canary-0123456789"


@pytest.fixture
def arena(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Arena:
    monkeypatch.chdir(tmp_path)
    return Arena(capsys)


def test_models_are_listed_with_what_they_need(
    arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    ran = arena("models")
    assert ran.code == 0
    rows = {line.split()[0]: line for line in ran.out.splitlines() if "_" in line}
    assert "yes" in rows["litellm_openai/gpt-4o"]
    assert "GROQ_API_KEY is not set" in rows["litellm_groq/openai/gpt-oss-20b"]
    assert "yes" in rows["scripted_random"]
    assert CANARY not in ran.out


def test_models_are_filtered(arena: Arena) -> None:
    ran = arena("models", "GROQ/openai")
    names = [line.split()[0] for line in ran.out.splitlines() if line.startswith("litellm")]
    assert names
    assert all("groq/openai" in name for name in names)
    ran = arena("models", "litellm_openai/gpt-4p")
    assert (ran.code, "litellm_openai/gpt-4o" in ran.out) == (1, True)


def test_models_of_ones_own_lists(arena: Arena, tmp_path: Path) -> None:
    listed = tmp_path / "more.yaml"
    listed.write_text("models: [{name: vllm_gone, model_path: /nowhere/at/all}]\n")
    ran = arena("models", "vllm", "--files", "more.yaml")
    assert "vllm_gone" in ran.out
    assert "/nowhere/at/all" in ran.out
    assert "more.yaml:1" in ran.out


def test_providers_show_which_keys_are_set_and_never_a_key(
    arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GROQ_API_KEY", CANARY)
    monkeypatch.setenv("MISTRAL_API_KEY", "   ")
    Path(".env").write_text(f"XAI_API_KEY={CANARY}\nGROQ_API_KEY=other\n")
    try:
        ran = arena("providers")
    finally:
        os.environ.pop("XAI_API_KEY", None)
    state = {line.split()[0]: line.split()[1] for line in ran.out.splitlines() if line.strip()}
    assert (state["groq"], state["xai"], state["mistral"]) == ("set", "set", "missing")
    assert state["ollama"] == "none"  # needed
    assert "snowflake" not in state
    assert CANARY not in ran.out + ran.err
    assert "snowflake" in arena("providers", "--all").out
    assert arena("providers", "no-such").code == 1


def test_doctor_knows_everything_that_the_package_needs(arena: Arena) -> None:
    ran = arena("doctor")
    assert ran.code == 0
    for word in ("python", "hydra-core", "litellm", "vllm", "GPU", "backends", "Ready to run"):
        assert word in ran.out
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    needed = {word.split(">")[0] for word in project["dependencies"]}
    assert needed == set(doctor.REQUIRED)
    extras = {
        extra: [word.split(">")[0] for word in words]
        for extra, words in project["optional-dependencies"].items()
    }
    assert extras == {extra: [names[0]] for names, extra, _ in doctor.OPTIONAL}


@pytest.mark.parametrize("package", ["joblib", "submitit", "ray"])
def test_doctor_finds_what_a_launcher_needs(
    arena: Arena, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    metadata = tmp_path / "site" / f"{package}-99.1.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 99.1\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    rows = {line.split()[0]: line for line in arena("doctor").out.splitlines() if line.strip()}
    assert f"99.1 ({package})" in rows[package]
    assert "pip install" not in rows[package]


def test_doctor_says_what_is_missing(arena: Arena, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(doctor.REQUIRED, "no-such-distribution", "this test")
    ran = arena("doctor")
    assert ran.code == 1
    assert "pip install no-such-distribution" in ran.out
    assert "Missing for every run: no-such-distribution" in ran.out


def test_doctor_finds_a_broken_file_and_shows_the_rest(arena: Arena, tmp_path: Path) -> None:
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "model" / "mine.yaml").write_text("name: [x\n")
    ran = arena("doctor")
    assert ran.code == 1
    assert "open-spiel" in ran.out
    assert f"Broken: {tmp_path}/conf/model/mine.yaml:2: broken YAML" in ran.out
    assert "Ready" not in ran.out


def test_doctor_lists_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "no nvidia-smi" in doctor.gpus()[0]
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'Test GPU, 80 GiB, 79 GiB, 600.1'\n")
    program.chmod(0o755)
    assert doctor.gpus() == ["Test GPU, 80 GiB, 79 GiB, 600.1 (name, total, free, driver)"]
    program.write_text("#!/bin/sh\necho 'no devices' >&2\nexit 9\n")
    assert doctor.gpus() == ["nvidia-smi found none: no devices"]


@pytest.mark.parametrize("prefix", ["direct", "litellm"])
def test_ping_shows_what_was_really_sent(
    arena: Arena, loopback: LoopbackServer, monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    monkeypatch.setenv("MY_LAB_KEY", CANARY)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-of-another-provider")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    loopback.set(answer={"text": "ready"}, served_model="really-this")
    Path("lab.yaml").write_text(
        f"providers:\n  my_lab: {{api_base: '{loopback.url}', api_key_env: MY_LAB_KEY}}\n"
    )
    words = ("doctor", "--ping", f"{prefix}_my_lab/some-model", "--files", "lab.yaml")
    ran = arena(*words)
    allowed = f"trusted_targets=[MY_LAB_KEY@{loopback.url.removesuffix('/v1')}]"
    assert (ran.code, loopback.requests()) == (2, [])
    assert allowed in ran.err
    ran = arena(*words, allowed)
    assert ran.code == 0, ran.err
    (seen,) = loopback.requests()
    assert seen["body"]["model"] == "some-model"
    headers = {name.lower(): value for name, value in seen["headers"].items()}
    assert headers["authorization"] == f"Bearer {CANARY}"
    assert "another" not in str(seen)
    for word in (
        '"ready"',
        "really-this",
        "MY_LAB_KEY",
        loopback.url,
        '"max_tokens": 16',
        "latency",
    ):
        assert word in ran.out
    assert CANARY not in ran.out + ran.err


def test_a_failed_ping_says_why(arena: Arena, loopback: LoopbackServer) -> None:
    loopback.set(faults=[{"status": 404}])
    Path("lab.yaml").write_text(f"providers:\n  my_lab: {{api_base: '{loopback.url}'}}\n")
    ran = arena("doctor", "--ping", "direct_my_lab/absent", "--files", "lab.yaml")
    assert ran.code == 1
    assert "not_found" in ran.err
    assert arena("doctor", "--ping", "litellm_groq/x").code == 2


def test_ping_takes_the_settings_of_a_run(arena: Arena, loopback: LoopbackServer) -> None:
    loopback.set(answer={"text": "ready"})
    word = f"+provider.x.api_base={loopback.url}"
    ran = arena("doctor", "--ping", "direct_x/some-model", word)
    assert (ran.code, ran.err) == (0, "")
    assert '"ready"' in ran.out
    ran = arena("doctor", "--ping", "scripted_first", "episode=1")
    assert ran.code == 2
    assert "'episodes'" in ran.err
    assert arena("doctor", "episodes=1").code == 2
