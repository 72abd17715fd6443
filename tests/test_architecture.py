"""What docs/architecture.md promises: the rooms, and the paths that users and old runs rely on."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

import game_reasoning_arena

ROOT = Path(__file__).parents[1]
PACKAGE = Path(game_reasoning_arena.__file__).parent
PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")

#: What users import, and what recorded configurations name by ``_target_``.
STAYING = [
    ("game_reasoning_arena.cli", "main"),
    ("game_reasoning_arena.records", "Request"),
    ("game_reasoning_arena.errors", "ArenaError"),
    ("game_reasoning_arena.schema", "ArenaConf"),
    ("game_reasoning_arena.agents.base_agent", "Agent"),
    ("game_reasoning_arena.recording", "load_runs"),
    ("game_reasoning_arena.preflight", "prepare"),
    ("game_reasoning_arena.running", "run"),
    ("game_reasoning_arena.backends.backend_config", "config"),
    ("game_reasoning_arena.backends.example", "main"),
    ("game_reasoning_arena.backends.base_backend", "BaseLLMBackend"),
    ("game_reasoning_arena.backends.direct_backend", "DirectBackend"),
    ("game_reasoning_arena.backends.litellm_backend", "LiteLLMBackend"),
    ("game_reasoning_arena.backends.replay_backend", "ReplayBackend"),
    ("game_reasoning_arena.backends.scripted_backend", "ScriptedBackend"),
    ("game_reasoning_arena.backends.vllm_backend", "VLLMBackend"),
    *(
        ("game_reasoning_arena.backends", name)
        for name in (
            "LLM_REGISTRY",
            "BaseLLMBackend",
            "LiteLLMBackend",
            "VLLMBackend",
            "detect_model_backend",
            "extract_model_name",
            "generate_response",
            "get_available_models",
            "get_backend_for_model",
            "initialize_llm_registry",
            "list_models",
        )
    ),
]


@pytest.mark.parametrize(("module", "name"), STAYING)
def test_what_users_rely_on_stays_where_it_is(module: str, name: str) -> None:
    assert hasattr(import_module(module), name)


def test_classes_that_configuration_files_name_are_there() -> None:
    named = set()
    for path in (ROOT / "conf").rglob("*.yaml"):
        named |= set(re.findall(r"game_reasoning_arena(?:\.\w+)+", path.read_text()))
    assert named
    for dotted in sorted(named):
        module, _, name = dotted.rstrip(".").rpartition(".")
        assert hasattr(import_module(module), name), f"conf/ names {dotted}, which is not there"


def test_nothing_lies_loose_at_the_top() -> None:
    loose = {path.stem for path in PACKAGE.glob("*.py")}
    assert loose == {"__init__", "__main__", "cli", "errors", "records", "schema"}


def test_the_page_names_every_room_in_the_linters_order() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = next(c for c in contracts["contracts"] if c["id"] == "rooms")["layers"]
    rooms = [name for layer in layers for name in re.findall(r"\w+", layer)]
    table = PAGE[PAGE.index("| room | holds |") : PAGE.index("Three more rules")]
    places = [table.index(f"`{room}") for room in rooms]
    assert places == sorted(places)
    folders = {p.name for p in PACKAGE.iterdir() if (p / "__init__.py").is_file()}
    assert folders <= set(rooms)


def test_the_page_names_what_there_is() -> None:
    for name in re.findall(r"`([a-z_]+(?:/[a-z_]+)+)/?`", PAGE):
        place = PACKAGE / name
        assert place.is_dir() or place.with_suffix(".py").is_file() or (ROOT / name).is_dir(), name


@pytest.mark.parametrize("words", [["--help"], ["--cfg", "job"], ["compare", "--help"]])
def test_what_only_shows_imports_no_engine_and_no_backend(words: list[str]) -> None:
    code = (
        "import sys\n"
        "from game_reasoning_arena.cli import run_command\n"
        "try:\n    run_command(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        "heavy = {'pyspiel', 'litellm', 'vllm', 'torch', 'aiohttp'} & set(sys.modules)\n"
        "sys.stderr.write(f'heavy: {sorted(heavy)}')\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True
    )
    assert ran.stderr.endswith("heavy: []")
