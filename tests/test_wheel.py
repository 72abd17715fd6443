"""The wheel holds the configuration and does the same as the checkout."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.arena import episodes, finish, start_arena

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of this checkout, unpacked as an installer would."""
    built = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(built)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = built.glob("*.whl")
    target = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    return target


def test_the_wheel_runs_from_an_empty_directory(unpacked: Path, tmp_path: Path) -> None:
    words = ["episodes=4", "simulation=kuhn_poker", "agents.player_0.model=scripted_sloppy"]
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    wheel = finish(start_arena(*words, cwd=tmp_path / "a", PYTHONPATH=str(unpacked)))
    assert wheel.code == 0, wheel.err
    checkout = finish(start_arena(*words, cwd=tmp_path / "b"))
    assert episodes(wheel.directory) == episodes(checkout.directory)


def test_the_wheel_is_what_is_imported_and_holds_all_of_conf(unpacked: Path) -> None:
    shipped = {p.relative_to(ROOT) for p in (ROOT / "conf").rglob("*.yaml")}
    inside = unpacked / "game_reasoning_arena"
    assert {p.relative_to(inside) for p in (inside / "conf").rglob("*.yaml")} == shipped
    script = "from game_reasoning_arena.process.paths import shipped_conf; print(shipped_conf())"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": str(unpacked)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(done.stdout.strip()) == inside / "conf"
    assert (inside / "py.typed").is_file()
