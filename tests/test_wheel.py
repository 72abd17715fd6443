"""The wheel holds the configuration and does the same as the checkout."""

from __future__ import annotations

import os
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


def test_a_class_beside_the_wheel_sits_at_a_seat(unpacked: Path, tmp_path: Path) -> None:
    (tmp_path / "my_agents.py").write_text(
        "from game_reasoning_arena.agents import Agent\n\n\n"
        "class Last(Agent):\n"
        "    def decide(self, turn, plan):\n"
        "        return turn.legal_actions[-1]\n"
    )
    # As the command is installed: the working directory is not on the path by itself.
    script = "import sys; from game_reasoning_arena.cli import main; sys.path.remove(''); main()"
    words = ["agents.player_1._target_=my_agents.Last", "trusted_targets=[my_agents]", "episodes=4"]
    done = subprocess.run(
        [sys.executable, "-c", script, *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(unpacked)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "my_agents.Last" in done.stdout


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
