"""What a sweep was begun with goes with it: its working directory and its ``--config-dir``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from game_reasoning_arena.agents import prompting
from game_reasoning_arena.process.paths import shipped_conf
from tests.arena import Arena, episodes, run_json
from tests.sweeping.reading import jobs, statuses

#: Everything in these is there only with the directory in which the sweep was begun, or with the
#: directory that was added.
WORDS = ("simulation=heaps", "agents.player_0.model=mine_first", "episodes=2")
TEMPLATE = "agents.player_0.template=./mine.j2"


@pytest.fixture
def begun(arena: Arena, tmp_path: Path) -> Path:
    """Where sweeps begin, with ``extra`` to be added: a backend, and a game with rules that the
    arena would take for those of another game if it did not know the preset."""
    extra = tmp_path / "extra"
    for group in ("simulation", "backend"):
        (extra / group).mkdir(parents=True)
    rules = yaml.safe_load((shipped_conf() / "simulation" / "tic_tac_toe.yaml").read_text())
    preset = {
        "defaults": ["/schema/simulation/openspiel@_here_", "_self_"],
        "game": "nim",
        "rules": rules["rules"],
    }
    (extra / "simulation" / "heaps.yaml").write_text(yaml.safe_dump(preset))
    (extra / "backend" / "mine.yaml").write_text(
        "# @package backend.mine\n"
        "_target_: game_reasoning_arena.backends.scripted_backend.ScriptedBackend\n"
    )
    (tmp_path / "mine.j2").write_text((prompting.SHIPPED / "line.j2").read_text())
    (tmp_path / "elsewhere").mkdir()
    return tmp_path


def cut_short(run: Path) -> None:
    """As if the run had been killed after its first episode."""
    path = run / "episodes.jsonl"
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    told = run_json(run) | {"status": "running", "finished_at": None}
    (run / "run.json").write_text(json.dumps(told))


def test_a_sweep_is_resumed_from_anywhere(
    arena: Arena, begun: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = begun / "swept"
    first = arena(
        "-m", "--config-dir", "extra", *WORDS, TEMPLATE, "seed=1,2", "hydra.sweep.dir=swept"
    )
    assert first.code == 0, first.err
    whole = episodes(sweep / jobs(sweep)[1]["directory"])
    cut_short(sweep / jobs(sweep)[1]["directory"])
    monkeypatch.chdir(begun / "elsewhere")

    again = arena("resume", "../swept")
    assert again.code == 0, again.err
    assert episodes(sweep / jobs(sweep)[1]["directory"]) == whole

    grown = arena("resume", "../swept", "seed=1,2,3")
    assert grown.code == 0, grown.err
    assert statuses(sweep) == ["completed"] * 3
    assert list((begun / "elsewhere").iterdir()) == []


def test_a_run_is_resumed_with_the_directory_that_was_added(
    arena: Arena, begun: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = arena("--config-dir", "extra", *WORDS, TEMPLATE, "hydra.run.dir=mine")
    assert first.code == 0, first.err
    whole = episodes(begun / "mine")
    cut_short(begun / "mine")
    monkeypatch.chdir(begun / "elsewhere")
    again = arena("resume", "../mine")
    assert again.code == 0, again.err
    assert episodes(begun / "mine") == whole


def test_a_worker_knows_the_directory_that_was_added(
    arena: Arena, begun: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = begun / "swept"
    first = arena("-m", "--config-dir", "extra", *WORDS, TEMPLATE, "hydra.sweep.dir=swept")
    assert first.code == 0, first.err
    cut_short(sweep / jobs(sweep)[0]["directory"])
    job_file = sweep / ".jobs" / "0.json"
    code = "import sys; from game_reasoning_arena.sweeping.worker import play_job as play; "
    subprocess.run(
        [sys.executable, "-c", code + "play(sys.argv[1])", str(job_file)],
        cwd=begun / "elsewhere",
        check=True,
    )
    ended = json.loads(job_file.with_suffix(".end.json").read_text())
    assert ended == {"status": "completed", "reason": None}
    assert len(episodes(sweep / jobs(sweep)[0]["directory"])) == 2
