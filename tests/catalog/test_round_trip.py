"""A written config.yaml leads to the same addresses and keys as the catalog that made it."""

from __future__ import annotations

from pathlib import Path

import pytest

from game_reasoning_arena.preflight.preparation import prepare
from game_reasoning_arena.preflight.session import compose_words
from tests.arena import Arena
from tests.loopback import LoopbackServer

CANARY = "sk-canary-openai-0123456789"


def test_keys_and_addresses_stay_where_they_were(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    loopback: LoopbackServer,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    monkeypatch.setenv("LAB_KEY", "lab-secret-0123456789")
    (tmp_path / "lists.yaml").write_text(
        "models:\n"
        f"  - {{name: direct_openai/keyless, api_base: '{loopback.url}'}}\n"
        f"  - {{name: direct_openai/keyed, api_base: '{loopback.url}', api_key_env: LAB_KEY}}\n"
        "providers:\n"
        f"  groq: {{api_base: '{loopback.url}', api_key_env: ''}}\n"
        f"  lab: {{api_base: '{loopback.url}', api_key_env: LAB_KEY}}\n"
    )
    names = ("direct_openai/keyless", "direct_openai/keyed", "direct_groq/a", "direct_lab/b")
    arena = Arena(capsys)
    words = [f"agents.player_{i}.model={name}" for i, name in enumerate(names)]
    added = ["+agents.player_2.type=llm", "+agents.player_3.type=llm"]
    mine = f"trusted_targets=[LAB_KEY@{loopback.url.removesuffix('/v1')}]"
    ran = arena(
        *added,
        mine,
        *(f"+{word}" if i > 1 else word for i, word in enumerate(words)),
        "agents=llm_vs_llm",
        "simulation=prompts",
        "catalog.files=[lists.yaml]",
    )
    assert ran.code == 0, ran.err

    def seen() -> set[tuple[str, str | None]]:
        headers = [
            (r["body"]["model"], {k.lower(): v for k, v in r["headers"].items()})
            for r in loopback.requests()
        ]
        return {(model, sent.get("authorization")) for model, sent in headers}

    first = seen()
    assert first == {
        ("keyless", None),
        ("keyed", "Bearer lab-secret-0123456789"),
        ("a", None),
        ("b", "Bearer lab-secret-0123456789"),
    }
    written = (ran.directory / "config.yaml").resolve()
    assert CANARY not in written.read_text()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    loopback.reset()
    again = arena("--config", str(written), mine)
    assert again.code == 0, again.err
    assert seen() == first
    config = prepare(compose_words(["--config", str(written), mine])).config
    models = {entry["name"]: entry for entry in config["catalog"]["models"]}
    assert models["direct_openai/keyless"]["api_key_env"] == ""
