"""Each file of the catalog is read once a command, by Hydra's source, and handed on."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from game_reasoning_arena.catalog import sources
from game_reasoning_arena.catalog.catalog import Catalog
from game_reasoning_arena.catalog.files import Contents, read_list
from tests.arena import Arena


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each list was read."""
    counted: Counter[str] = Counter()

    def counting(path: Path) -> Contents:
        counted[path.name] += 1
        return read_list(path)

    monkeypatch.setattr(sources, "read_list", counting)
    return counted


def lists(folder: Path) -> None:
    """A list where the user works, one beside it, and one in a further configuration directory."""
    for path in ("conf/catalog/mine.yaml", "further/catalog/theirs.yaml", "named.yaml"):
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"models: [{{name: parrot_{file.stem}, description: {file.stem}}}]\n")
    backend = folder / "conf/backend/parrot.yaml"
    backend.parent.mkdir()
    target = "game_reasoning_arena.backends.scripted_backend.ScriptedBackend"
    backend.write_text(f"# @package backend.parrot\n_target_: {target}\n")


WORDS = ("--config-dir", "further", "catalog.files=[named.yaml]", "episodes=1")


def test_a_run_a_sweep_and_a_resumption_read_each_list_once(
    arena: Arena, tmp_path: Path, reads: Counter[str]
) -> None:
    lists(tmp_path)
    ran = arena(*WORDS, "model=scripted_first")
    assert ran.code == 0, ran.err
    assert {reads[name] for name in ("mine.yaml", "theirs.yaml", "named.yaml")} == {1}
    assert set(reads.values()) == {1}
    reads.clear()
    swept = arena(*WORDS, "-m", "model=scripted_first,scripted_random", "seed=1,2")
    assert swept.code == 0, swept.err
    assert set(reads.values()) == {1}
    reads.clear()
    assert arena("resume", str(ran.directory), "episodes=2").code == 0
    assert set(reads.values()) == {1}


def test_models_of_every_source_are_found_in_players_and_sweeps(
    arena: Arena, tmp_path: Path
) -> None:
    lists(tmp_path)
    for name in ("parrot_mine", "parrot_theirs", "parrot_named"):
        for words in ((f"model={name}",), (f"agents.player_0.model={name}",)):
            ran = arena(*WORDS, *words)
            # The backend does not know them: it was asked, so the catalog had them.
            assert f"There is no scripted model {name!r}" in ran.err, ran.err
    inline = "+catalog.models=[{name: scripted_first, description: mine}]"
    ran = arena(*WORDS, inline.lstrip("+"), "agents.player_0.model=scripted_first")
    assert ran.code == 0, ran.err
    assert "description: mine" in (ran.directory / "config.yaml").read_text()


def test_what_is_added_is_as_if_all_had_been_read_together(tmp_path: Path) -> None:
    lists(tmp_path)
    dirs, named = [tmp_path / "conf", tmp_path / "further"], tmp_path / "named.yaml"
    more = ["direct_lab/x"]
    providers = {"lab": {"api_base": "http://127.0.0.1:1/v1"}}
    together = Catalog.load([named], more, providers, dirs=dirs)
    base = Catalog.load(dirs=dirs)
    added = base.with_entries([named], more, providers)
    assert added.models() == together.models()
    assert added.providers() == together.providers()
    assert base.entry("parrot_named") is None
    assert added.with_entries().models() == base.models()
