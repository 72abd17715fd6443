"""No key reaches a file, a log, the terminal or an error, wherever it comes from."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.arena import finish, start_arena
from tests.loopback import LoopbackServer

IN_ENVIRONMENT = "canary-environment-5f3a9c1d"
IN_DOTENV = "canary-dotenv-77b0e2aa"
PASSWORD = "canary-password-91c4d0"


def everything_in(directory: Path) -> str:
    """All text below a directory, `.env` aside."""
    files = [p for p in directory.rglob("*") if p.is_file() and p.name != ".env"]
    assert files
    return "\n".join(path.read_text(errors="replace") for path in files)


@pytest.mark.parametrize("backend", ["direct", "litellm"])
@pytest.mark.parametrize("fault", [None, 401, 500])
def test_canaries_stay_where_they_are(
    loopback: LoopbackServer, tmp_path: Path, backend: str, fault: int | None
) -> None:
    if fault:
        message = "your header was {authorization}, and " + IN_DOTENV
        loopback.set(faults=[{"status": fault, "message": message, "count": 3, "skip": 4}])
    else:
        loopback.set(answer={"text": f"I saw {IN_ENVIRONMENT} and {IN_DOTENV}.\nFinal Answer: ?"})
    (tmp_path / ".env").write_text(f"OTHER_API_KEY={IN_DOTENV}\n")
    (tmp_path / "lists.yaml").write_text(
        f"providers:\n  my_lab: {{api_base: '{loopback.url}', api_key_env: MY_LAB_KEY}}\n"
    )
    ran = finish(
        start_arena(
            "catalog.files=[lists.yaml]",
            f"trusted_targets=[MY_LAB_KEY@{loopback.url}]",
            "agents=llm_vs_llm",
            f"agents.player_0.model={backend}_my_lab/small",
            f"agents.player_1.model={backend}_my_lab/other",
            f"backend.{backend}.backoff_s=0.01",
            "probe=false",
            "episodes=6",
            "concurrency=2",
            "hydra.verbose=true",
            "hydra.run.dir=out",
            cwd=tmp_path,
            MY_LAB_KEY=IN_ENVIRONMENT,
        )
    )
    assert loopback.requests(), ran.err
    sent = {request["headers"].get("authorization") for request in loopback.requests()}
    assert f"Bearer {IN_ENVIRONMENT}" in sent  # the key is really used
    seen = everything_in(tmp_path) + ran.out + ran.err
    for canary in (IN_ENVIRONMENT, IN_DOTENV):
        assert canary not in seen


@pytest.mark.parametrize("where", ["file", "environment"])
def test_a_password_in_an_address_is_refused(tmp_path: Path, where: str) -> None:
    address = f"http://someone:{PASSWORD}@127.0.0.1:9/v1"
    said = "${oc.env:LAB_ADDRESS}" if where == "environment" else address
    (tmp_path / "mine.yaml").write_text(
        f"provider: {{my_lab: {{api_base: '{said}'}}}}\n"
        "agents: {player_0: {type: llm, model: direct_my_lab/x}, player_1: {type: random}}\n"
    )
    ran = finish(start_arena("--config", "mine.yaml", cwd=tmp_path, LAB_ADDRESS=address))
    assert ran.code == 2
    assert "api_key_env" in ran.err
    assert PASSWORD not in ran.out + ran.err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.yaml"]


@pytest.mark.parametrize(
    "target",
    [
        "{_target_: os.system, command: 'touch executed'}",
        "{_target_: builtins.open, file: executed, mode: w}",
        "{_target_: game_reasoning_arena.backends.scripted_backend.ScriptedBackend, "
        "latency_s: {_target_: os.system, command: 'touch executed'}}",
        "{_target_: game_reasoning_arena.backends.scripted_backend.ScriptedBackend, "
        "latency_s: [{_target_: builtins.open, file: executed, mode: w}]}",
        "{_target_: game_reasoning_arena.backends.factory.importlib.import_module, name: this}",
    ],
)
def test_a_foreign_config_executes_nothing(tmp_path: Path, target: str) -> None:
    (tmp_path / "foreign.yaml").write_text(
        "agents: {player_0: {type: llm, model: scripted_random}, player_1: {type: random}}\n"
        f"backend:\n  scripted: {target}\n"
    )
    ran = finish(start_arena("--config", "foreign.yaml", cwd=tmp_path))
    assert ran.code == 2, ran.err
    assert [path.name for path in tmp_path.iterdir()] == ["foreign.yaml"]
