"""``.env``, ``MAX_TOKENS`` and ``TEMPERATURE``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from game_reasoning_arena.catalog.sampling import parse_sampling, sampling_from_environment
from game_reasoning_arena.errors import ConfigProblems, UserError
from game_reasoning_arena.process.environment import key_is_set, load_environment
from game_reasoning_arena.records import Sampling


@pytest.fixture(autouse=True)
def own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("ARENA_TEST_NEW", "ARENA_TEST_OLD"):
        monkeypatch.setenv(name, "placeholder")  # so that it is as before after the test
        monkeypatch.delenv(name)


def test_dotenv_adds_and_the_real_environment_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_environment() is None
    monkeypatch.setenv("ARENA_TEST_OLD", "real")
    (tmp_path / ".env").write_text("ARENA_TEST_OLD=file\nARENA_TEST_NEW='from file'\n")
    below = tmp_path / "a/b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert load_environment() == tmp_path / ".env"
    assert (os.environ["ARENA_TEST_OLD"], os.environ["ARENA_TEST_NEW"]) == ("real", "from file")


def test_an_unreadable_dotenv_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"A=\xff\xfe\n")
    with pytest.raises(UserError, match=r"\.env: cannot be read"):
        load_environment()


def test_defaults_hold_where_nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_TOKENS", " ")
    assert sampling_from_environment() == Sampling(max_tokens=250, temperature=0.1)
    monkeypatch.setenv("MAX_TOKENS", "12")
    monkeypatch.setenv("TEMPERATURE", "2")
    assert sampling_from_environment() == Sampling(max_tokens=12, temperature=2.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_TOKENS", "abc"),
        ("MAX_TOKENS", "0"),
        ("MAX_TOKENS", "1.5"),
        ("TEMPERATURE", "2.1"),
        ("TEMPERATURE", "-0.1"),
        ("TEMPERATURE", "nan"),
        ("TEMPERATURE", "warm"),
    ],
)
def test_bad_values_are_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigProblems) as caught:
        sampling_from_environment()
    assert f"{name} is '{value}'" in str(caught.value)


def test_blank_keys_are_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARENA_TEST_NEW", " \t")
    assert not key_is_set("ARENA_TEST_NEW")
    assert not key_is_set(None)
    monkeypatch.setenv("ARENA_TEST_NEW", "x")
    assert key_is_set("ARENA_TEST_NEW")


def test_sampling_is_parsed_and_every_mistake_named() -> None:
    said = {"temperature": "1e-1", "max_tokens": 5, "stop": "END", "top_p": None, "top_k": -1}
    assert parse_sampling(said, "x") == (
        Sampling(temperature=0.1, max_tokens=5, stop=("END",), top_k=-1),
        [],
    )
    wrong = {"temprature": 1, "max_tokens": True, "top_p": 1.1, "stop": [1], "top_k": "many"}
    sampling, problems = parse_sampling(wrong, "model.sampling")
    assert sampling == Sampling()
    assert len(problems) == 5
    assert all(problem.startswith("model.sampling.") for problem in problems)
    assert "Did you mean 'temperature'" in problems[0]
