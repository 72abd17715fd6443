"""A damaged or unusual run directory is reported in a sentence."""

from __future__ import annotations

import json
import os
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml

from game_reasoning_arena.cli import run_command
from tests.arena import Arena, episodes, lines

KEPT = Path(__file__).resolve().parents[1] / "kept_runs" / "2026-11"
MORE = "budget.calls=300"


@pytest.fixture
def run(arena: Arena, tmp_path: Path) -> Path:
    """A run that a budget stopped."""
    directory = tmp_path / "run"
    shutil.copytree(KEPT / "stopped", directory)
    return directory


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, Any]]:
    """What it holds when it is resumed without any damage."""
    directory = tmp_path_factory.mktemp("calm") / "run"
    shutil.copytree(KEPT / "stopped", directory)
    assert run_command(["resume", str(directory), MORE]) == 0
    return episodes(directory)


def same(found: dict[int, dict[str, Any]], wanted: dict[int, dict[str, Any]]) -> bool:
    """Whether these are the same games; older lines lack what is null in newer ones."""
    return known(found) == known(wanted)


def known(games: dict[int, dict[str, Any]]) -> dict[int, dict[str, Any]]:
    return {
        number: {key: value for key, value in game.items() if value not in (None, [], {})}
        for number, game in games.items()
    }


def change(path: Path, number: int, **fields: Any) -> None:
    content = lines(path)
    content[number] |= fields
    path.write_text("".join(json.dumps(line) + "\n" for line in content))


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("episodes.jsonl", {"episode": -1}),
        ("episodes.jsonl", {"episode": 99999}),
        ("episodes.jsonl", {"episode": 0}),  # twice, and differently
        ("episodes.jsonl", {"winner": "player_9"}),
        ("episodes.jsonl", {"winner": "player_0"}),  # whose return is the lower one
        ("episodes.jsonl", {"seats": ["player_0"]}),
        ("episodes.jsonl", {"moves": {"a": 1}}),
        ("episodes.jsonl", {"returns": ["much", 0]}),
        ("episodes.jsonl", {"returns": [1.0]}),
        ("episodes.jsonl", {"scores": [None]}),
        ("responses.jsonl", {"episode": 99999}),
        ("responses.jsonl", {"turn": "x"}),
        ("responses.jsonl", {"messages": [1]}),
        ("responses.jsonl", {"prompt_tokens": 2**70}),
        ("responses.jsonl", {"player": "player_9"}),
    ],
)
def test_a_damaged_line_refuses_the_resume_and_costs_a_comparison_no_more_than_itself(
    arena: Arena, run: Path, name: str, fields: dict[str, Any]
) -> None:
    change(run / name, 1, **fields)
    resumed = arena("resume", "run", MORE)
    assert resumed.code == 2, resumed.out
    assert name in resumed.err
    assert arena("compare", "run").code == 0


def test_a_lost_run_json_is_made_anew(
    arena: Arena, run: Path, finished: dict[int, dict[str, Any]]
) -> None:
    began = json.loads((run / "run.json").read_text())
    again = arena("simulation=tic_tac_toe", "hydra.run.dir=run", "episodes=2")
    assert again.code == 2
    (run / "run.json").unlink()
    again = arena("simulation=tic_tac_toe", "hydra.run.dir=run", "episodes=2")
    assert again.code == 2
    assert "arena resume run" in again.err.replace(str(run), "run")
    resumed = arena("resume", "run", MORE)
    assert resumed.code == 0, resumed.err
    assert "run.json is missing" in resumed.err
    assert same(episodes(run), finished)
    now = json.loads((run / "run.json").read_text())
    assert (now["run_id"], now["identity"]) == (began["run_id"], began["identity"])


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 300, b"[]", b'{"run_id": 5, "identity": [], "started_at": {}}']
)
def test_a_damaged_run_json_is_made_anew(
    arena: Arena, run: Path, finished: dict[int, dict[str, Any]], content: bytes
) -> None:
    (run / "run.json").write_bytes(content)
    assert arena("compare", "run").code == 0
    resumed = arena("resume", "run", MORE)
    assert resumed.code == 0, resumed.err
    assert "made anew" in resumed.err
    assert same(episodes(run), finished)


def test_a_lost_config_is_made_anew_or_what_is_missing_is_said(
    arena: Arena, run: Path, finished: dict[int, dict[str, Any]]
) -> None:
    (run / "config.yaml").unlink()
    resumed = arena("resume", "run", MORE)
    if resumed.code == 0:  # where today's configuration is that of the kept run
        assert same(episodes(run), finished)
    else:
        assert "config.yaml is missing" in resumed.err


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of today that a budget stopped."""
    directory = tmp_path_factory.mktemp("begun") / "run"
    words = ("simulation=kuhn_poker", "agents.player_0.model=scripted_sloppy", "budget.calls=2")
    assert run_command([*words, "episodes=3", f"hydra.run.dir={directory}"]) == 3
    return directory


ZEROS = b"\0" * 99


@pytest.mark.parametrize(
    ("before", "tail"),
    [
        (b"# Resolved", b""),
        (b"# Resolved", ZEROS),
        (b"configuration of", b""),
        (b"budget:", ZEROS),
        (b"model:", b""),
        (b"# end", b""),
    ],
)
def test_a_configuration_that_a_power_failure_cut_is_made_anew(
    arena: Arena, begun: Path, before: bytes, tail: bytes
) -> None:
    """Its first lines alone are YAML, too, of a run without a budget."""
    shutil.copytree(begun, "run")
    content = Path("run/config.yaml").read_bytes()
    Path("run/config.yaml").write_bytes(content[: content.index(before)] + tail)
    compared = arena("compare", "run")
    assert compared.code == 0
    assert "configured is unknown" in " ".join(compared.out.split())
    resumed = arena("resume", "run")
    assert resumed.code == 3, resumed.err
    assert "made anew" in resumed.err
    assert Path("run/config.yaml").read_bytes() == content


@pytest.mark.parametrize("key", ["agents", "simulation", "backend", "agents.player_1"])
@pytest.mark.parametrize("value", [None, 5])
def test_a_group_of_settings_that_is_none_is_named(
    arena: Arena, begun: Path, key: str, value: object
) -> None:
    shutil.copytree(begun, "run")
    config = yaml.safe_load(Path("run/config.yaml").read_text())
    *above, last = key.split(".")
    node = config[above[0]] if above else config
    node[last] = value
    Path("run/config.yaml").write_text(yaml.safe_dump(config))
    assert arena("compare", "run").code == 0
    resumed = arena("resume", "run")
    assert resumed.code == 2
    assert key in resumed.err


def test_what_compare_reads_resume_reads(
    arena: Arena, run: Path, finished: dict[int, dict[str, Any]]
) -> None:
    for name in ("episodes.jsonl", "responses.jsonl"):
        content = (run / name).read_bytes()
        blank = content.replace(b"\n", b"\n\n  \n", 2)
        (run / name).write_bytes(b"\xef\xbb\xbf" + blank.rstrip(b"\n"))
    assert arena("compare", "run").code == 0
    resumed = arena("resume", "run", MORE)
    assert resumed.code == 0, resumed.err
    found = {}
    for line in (run / "episodes.jsonl").read_text("utf-8-sig").split("\n"):
        if line.strip():
            episode = json.loads(line)
            found[episode["episode"]] = {
                key: value for key, value in episode.items() if key not in ("run_id", "duration_s")
            }
    assert same(found, finished)


def test_lost_answers_are_asked_again(
    arena: Arena, run: Path, finished: dict[int, dict[str, Any]]
) -> None:
    """A power failure can keep an episode's line and lose those of its answers."""
    path = run / "responses.jsonl"
    content = path.read_bytes()
    half = content[: len(content) // 2]
    path.write_bytes(half[: half.rfind(b"\n") + 40] + b"\0" * 100)
    resumed = arena("resume", "run", MORE)
    assert resumed.code == 0, resumed.err
    assert same(episodes(run), finished)
    calls = [tuple(a[k] for k in ("episode", "seat", "turn", "attempt")) for a in lines(path)]
    assert len(calls) == len(set(calls))


@pytest.mark.parametrize("name", ["run.json", "episodes.jsonl", "responses.jsonl", "config.yaml"])
@pytest.mark.parametrize("kind", ["pipe", "directory", "link", "device"])
def test_only_regular_files_are_read(arena: Arena, run: Path, name: str, kind: str) -> None:
    path = run / name
    content = path.read_bytes()
    path.unlink()
    if kind != "link":
        odd_file(path, kind)
    else:
        (run.parent / "elsewhere").write_bytes(content)
        path.symlink_to(run.parent / "elsewhere")
    resumed = arena("resume", "run", MORE)
    assert resumed.code == 2, resumed.out
    assert name in resumed.err
    assert arena("compare", "run").code in (0, 2)
    assert arena("replay", "run").code in (1, 2)


@pytest.mark.parametrize("kind", ["pipe", "directory", "device"])
@pytest.mark.parametrize(
    "words",
    [
        ("catalog.files=[odd]",),
        ("agents.player_0.type=policy", "agents.player_0.table=odd"),
        ("agents.player_0.template=./odd",),
        ("simulation=prompts", "simulation.file=odd.jsonl"),
        ("simulation=prompts", "simulation.template=./odd.j2"),
        ("simulation=prompts", "simulation.scorer={type: judge, grades: [0, 1], rubric: odd.txt}"),
    ],
)
def test_a_configuration_names_regular_files(
    arena: Arena, tmp_path: Path, words: tuple[str, ...], kind: str
) -> None:
    for name in ("odd", "odd.j2", "odd.jsonl", "odd.txt"):
        odd_file(tmp_path / name, kind)
    ran = arena(*words, "hydra.run.dir=run")
    assert ran.code == 2
    assert "odd" in ran.err
    assert not Path("run").exists()


@pytest.mark.parametrize("kind", ["directory", "device"])
def test_what_the_user_names_may_be_a_pipe_and_no_device(
    arena: Arena, run: Path, tmp_path: Path, kind: str
) -> None:
    odd_file(tmp_path / "odd", kind)
    for words in (("--config", "odd"), ("compare", "run", "--labels", "odd")):
        ran = arena(*words)
        assert ran.code == 2
        assert "odd" in ran.err
    os.mkfifo("pipe")
    content = "agents: {player_0: {type: random}, player_1: {type: random}}\n"
    writer = threading.Thread(target=Path("pipe").write_text, args=(content,))
    writer.start()
    assert arena("--config", "pipe", "episodes=2").code == 0
    writer.join()


def odd_file(path: Path, kind: str) -> None:
    """Make something that is no regular file."""
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero")


@pytest.mark.parametrize(
    "name",
    [
        *(".lock", "responses.jsonl", "episodes.jsonl", "arena.log", "summary.csv", "run.json"),
        *("report.html", "config.yaml", ".run.json.new", ".summary.csv.new"),
    ],
)
def test_nothing_is_written_through_a_link(arena: Arena, run: Path, name: str) -> None:
    theirs = run.parent / "mine.txt"
    theirs.write_text("precious\n")
    (run / name).unlink(missing_ok=True)
    (run / name).symlink_to(theirs)
    arena("resume", "run", MORE)
    arena("report", "run")
    assert theirs.read_text() == "precious\n"


def test_a_job_is_played_in_its_sweep_and_nowhere_else(arena: Arena, tmp_path: Path) -> None:
    sweep = tmp_path / "a" / "b" / "sweep"
    shutil.copytree(KEPT / "sweep", sweep)
    content = json.loads((sweep / "sweep.json").read_text())
    content["jobs"][1]["directory"] = "../../evil"
    (sweep / "sweep.json").write_text(json.dumps(content))
    resumed = arena("resume", str(sweep), "sweep.budget.calls=100")
    assert resumed.code == 2
    assert "directory" in resumed.err
    assert not (tmp_path / "a" / "evil").exists()


def test_a_read_only_lock_is_told(arena: Arena, run: Path) -> None:
    (run / ".lock").mkdir()
    resumed = arena("resume", "run", MORE)
    assert resumed.code == 2
    assert "cannot be locked" in resumed.err


def test_much_is_refused_at_once(arena: Arena, tmp_path: Path) -> None:
    assert "episodes=1000000000" in arena("episodes=1000000000").err
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n"
        for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    (tmp_path / "bomb.yaml").write_text(bomb)
    ran = arena("--config", "bomb.yaml")
    assert ran.code == 2
    assert "aliases" in ran.err
