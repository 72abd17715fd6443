"""Nobody's files are written over."""

from __future__ import annotations

from pathlib import Path

import pytest

from game_reasoning_arena.configuration.output_directory import check_directory
from game_reasoning_arena.errors import UserError
from game_reasoning_arena.recording import layout
from tests.arena import Arena


@pytest.mark.parametrize("name", sorted(layout.RECORDS - {layout.LOCK, layout.RUN} | {".hydra"}))
@pytest.mark.parametrize("key", ["hydra.run.dir", "hydra.sweep.dir"])
def test_a_directory_with_a_file_that_would_be_written_is_refused(
    tmp_path: Path, name: str, key: str
) -> None:
    if name == layout.LOG or (name == layout.SWEEP and key == "hydra.sweep.dir"):
        return  # left by a run that did not begin; a sweep that may be gone on with
    (tmp_path / "notes.txt").write_text("mine")
    check_directory(tmp_path, key)
    (tmp_path / name).write_text("mine")
    with pytest.raises(UserError, match=name.replace(".", r"\.")):
        check_directory(tmp_path, key)


@pytest.mark.parametrize("words", [["hydra.run.dir=."], ["-m", "seed=1,2", "hydra.sweep.dir=."]])
def test_the_working_directorys_files_stay_as_they_are(
    arena: Arena, tmp_path: Path, words: list[str]
) -> None:
    mine = {"config.yaml": "a: 1\n", "summary.csv": "x\n", "responses.jsonl": "{}\n"}
    for name, text in mine.items():
        Path(name).write_text(text)
    ran = arena(*words, "episodes=1")
    assert ran.code == 2
    assert {path.name: path.read_text() for path in Path().iterdir()} == mine


def test_a_directory_of_its_own_is_taken(arena: Arena) -> None:
    Path("notes.txt").write_text("mine")
    assert arena("hydra.run.dir=.", "episodes=1").code == 0
    assert Path("notes.txt").read_text() == "mine"


@pytest.mark.parametrize("place", ["/", str(Path.home())])
def test_the_root_and_a_home_are_refused(arena: Arena, place: str) -> None:
    ran = arena(f"hydra.run.dir={place}", "episodes=1")
    assert ran.code == 2
    assert "Name a directory of its own" in ran.err


def test_what_hydra_would_take_for_a_reference_is_refused(
    arena: Arena, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = tmp_path / "we${ird}"
    odd.mkdir()
    monkeypatch.chdir(odd)
    ran = arena("episodes=1")
    assert ran.code == 2
    assert "Work in another directory" in ran.err
    assert list(odd.iterdir()) == []
