"""The factory: backends from configuration, and what it refuses to run."""

from __future__ import annotations

import asyncio
import re
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from game_reasoning_arena.backends.factory import default_backend_confs, make_backend
from game_reasoning_arena.backends.scripted_backend import ScriptedBackend
from game_reasoning_arena.errors import ConfigProblems, UserError
from tests.arena import Arena, run_json

SCRIPTED = "game_reasoning_arena.backends.scripted_backend.ScriptedBackend"

OUTSIDE = """
from game_reasoning_arena.backends import BaseLLMBackend, ScriptedBackend
from game_reasoning_arena.records import Reply

class Parrot(BaseLLMBackend):
    def __init__(self, word: str, *, times: int = 1, **policy) -> None:
        super().__init__(**policy)
        self.text = " ".join([word] * times)

    async def generate(self, request):
        return Reply(text=self.text, sent={"model": request.model.model_id})

class NoBackend:
    def __init__(self, word: str) -> None:
        open("touched", "w").close()
"""


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module that is not part of the package."""
    name = "outside_backends"
    (tmp_path / f"{name}.py").write_text(OUTSIDE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.chdir(tmp_path)
    return name


def test_every_shipped_file_makes_its_backend() -> None:
    confs = default_backend_confs()
    assert {"litellm", "direct", "scripted", "replay", "vllm"} <= set(confs)
    for prefix, conf in confs.items():
        made = make_backend(prefix, conf)
        assert type(made).__name__.lower() == f"{prefix}backend"


def test_settings_reach_the_backend() -> None:
    made = make_backend("scripted", {"_target_": SCRIPTED, "timeout_s": 7, "max_concurrency": 3})
    assert isinstance(made, ScriptedBackend)
    assert (made.timeout_s, made.max_concurrency) == (7, 3)


def test_a_backend_from_outside_needs_trust_and_then_plays(
    outside: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "conf/backend"
    folder.mkdir(parents=True)
    (folder / "parrot.yaml").write_text(
        f"# @package backend.parrot\n_target_: {outside}.Parrot\nword: hello\n"
    )
    words = ("agents.player_0.model=parrot_grey", "episodes=1", "on_failure.rethinks=0")
    ran = Arena(capsys)(*words)
    assert ran.code == 2
    assert f"trusted_targets=[{outside}]" in ran.err
    assert not (tmp_path / "outputs").exists()
    ran = Arena(capsys)(*words, f"trusted_targets=[{outside}]")
    assert ran.code == 0, ran.err
    assert '"text":"hello"' in (ran.directory / "responses.jsonl").read_text()


def test_trust_is_by_whole_names(outside: str) -> None:
    conf = {"_target_": f"{outside}.Parrot", "word": "a", "times": 2}
    for trusted in (outside, f"{outside}.Parrot", f"{outside}."):
        assert make_backend("parrot", conf, trusted_targets=[trusted]).text == "a a"  # type: ignore[attr-defined]
    for trusted in (outside[:-1], "", ".", "os"):
        with pytest.raises(UserError, match="no trusted name"):
            make_backend("parrot", conf, trusted_targets=[trusted])


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "builtins.open",
        "builtins.eval",
        "subprocess.Popen",
        "urllib.request.urlopen",
        "game_reasoning_arena_evil.Backend",
        "game_reasoning_arena.backends.factory.importlib.import_module",
        "game_reasoning_arena.backends.factory.inspect.os.system",
        "game_reasoning_arena.process.paths.Path",
        "game_reasoning_arena.backends.base_backend.asyncio.run",
        "game_reasoning_arena..backends",
        "game_reasoning_arena",
        "open",
        "",
        None,
        3,
    ],
)
def test_anything_but_a_backend_of_the_package_is_refused(target: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"backend\.x\._target_"):
        make_backend("x", {"_target_": target})


@pytest.mark.parametrize(
    ("setting", "path"),
    [
        ({"_target_": "os.system", "command": "true"}, "backend.scripted.latency_s._target_"),
        ([{"_target_": "builtins.open"}], "backend.scripted.latency_s[0]._target_"),
        ([[{"a": {"_target_": "os.getcwd"}}]], "backend.scripted.latency_s[0][0].a._target_"),
        ({"_target_": SCRIPTED}, "backend.scripted.latency_s._target_"),
        ({"a": {"_args_": [1]}}, "backend.scripted.latency_s.a._args_"),
        ({"_partial_": True}, "backend.scripted.latency_s._partial_"),
    ],
)
def test_targets_inside_settings_are_refused(setting: Any, path: str) -> None:
    with pytest.raises(UserError) as caught:
        make_backend("scripted", {"_target_": SCRIPTED, "latency_s": setting})
    assert str(caught.value).startswith(path)


@pytest.mark.parametrize("key", ["_partial_", "_args_", "_convert_", "_recursive_"])
def test_what_instantiate_would_read_is_refused(key: str) -> None:
    with pytest.raises(UserError, match=f"backend.scripted.{key}"):
        make_backend("scripted", {"_target_": SCRIPTED, key: True})


def test_trusted_code_must_still_be_a_backend(outside: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no backend"):
        make_backend(
            "x", {"_target_": f"{outside}.NoBackend", "word": "a"}, trusted_targets=[outside]
        )
    with pytest.raises(UserError, match=r"no 'Parot'.*Did you mean 'Parrot'"):
        make_backend("x", {"_target_": f"{outside}.Parot"}, trusted_targets=[outside])
    with pytest.raises(UserError, match="no module 'no_such_module'"):
        make_backend("x", {"_target_": "no_such_module.A"}, trusted_targets=["no_such_module"])
    assert not (tmp_path / "touched").exists()


def test_wrong_settings_are_named_with_their_key(outside: str) -> None:
    with pytest.raises(ConfigProblems) as caught:
        make_backend(
            "scripted",
            {"_target_": SCRIPTED, "latncy_s": 1, "timeout_s": "soon", "max_concurrency": 1.5},
        )
    first, *others = caught.value.problems
    assert "backend.scripted.latncy_s" in first
    assert "Did you mean 'latency_s'" in first
    assert sorted(others) == [
        "backend.scripted.max_concurrency is 1.5; it must be a whole number or null.",
        "backend.scripted.timeout_s is 'soon'; it must be a number.",
    ]
    with pytest.raises(UserError, match=r"backend\.parrot\.word is missing"):
        make_backend("parrot", {"_target_": f"{outside}.Parrot"}, trusted_targets=[outside])
    with pytest.raises(UserError, match=r"backend\.scripted: .*timeout_s must be more than 0"):
        make_backend("scripted", {"_target_": SCRIPTED, "timeout_s": -1})


def test_files_of_the_users_replace_shipped_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "conf/backend"
    folder.mkdir(parents=True)
    (folder / "scripted.yaml").write_text(f"_target_: {SCRIPTED}\nlatency_s: 9\n")
    assert default_backend_confs()["scripted"] == {"_target_": SCRIPTED, "latency_s": 9}
    (folder / "bad.yaml").write_text("- 1\n")
    (folder / "worse.yaml").write_text("a: [\n")
    with pytest.raises(ConfigProblems) as caught:
        default_backend_confs()
    assert ["bad.yaml" in p or "worse.yaml" in p for p in caught.value.problems] == [True, True]


def test_parrot_answers(outside: str) -> None:
    from tests.backends.calls import request

    made = make_backend(
        "parrot", {"_target_": f"{outside}.Parrot", "word": "hi"}, trusted_targets=[outside]
    )
    assert asyncio.run(made.complete(request(None, backend="parrot"))).text == "hi"


STATING = """
from game_reasoning_arena.backends import ScriptedBackend

class Stating(ScriptedBackend):
    free = True
    packages = ("pytest", "no-such-distribution")
    repeats = "answers are as they were."

class Silent(ScriptedBackend):
    free = False
    repeats = None
"""


def test_a_backend_says_itself_what_it_costs_and_what_its_answers_depend_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "stating", raising=False)
    (tmp_path / "stating.py").write_text(STATING)
    folder = tmp_path / "conf/backend"
    folder.mkdir(parents=True)
    for name in ("Stating", "Silent"):
        text = f"# @package backend.{name.lower()}\n_target_: stating.{name}\n"
        (folder / f"{name.lower()}.yaml").write_text(text)
    arena = Arena(capsys)
    # An estimate asks no backend whether it could serve, so that any name does.
    words = ("trusted_targets=[stating]", "episodes=2")
    told = arena(*words, "agents.player_0.model=stating_x", "estimate=true")
    assert re.search(r"stating_x.*\$0\.0000", told.out), told.out + told.err
    told = arena(*words, "agents.player_0.model=silent_x", "estimate=true")
    assert "price unknown: silent_x" in told.out
    ran = arena(*words, "backend.scripted._target_=stating.Stating")
    assert ran.code == 0, ran.err
    run = run_json(ran.directory)
    assert run["packages"]["pytest"] == version("pytest")
    assert "no-such-distribution" not in run["packages"]
    assert "scripted: answers are as they were." in run["determinism"]
