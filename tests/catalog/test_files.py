"""Mistakes in lists and files: the file, the line, the value and the fix; all of them at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from game_reasoning_arena.catalog.catalog import Catalog
from game_reasoning_arena.errors import ConfigProblems


def problems(*files: Path, **more: object) -> tuple[str, ...]:
    with pytest.raises(ConfigProblems) as caught:
        Catalog.load(files=files, dirs=[], **more)  # type: ignore[arg-type]
    return caught.value.problems


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("models:\n  - litellm_a\n  - litellm_a\n", 3, ["'litellm_a' is listed twice", "line 2"]),
        ("models:\n  - name: vllm_a\n", 2, ["no model_path", "absolute path", "api_base"]),
        ("models:\n  - name: vllm_a\n    model_path: a/b\n", 2, ["'a/b'", "absolute"]),
        ("models:\n  - gpt-4\n", 2, ["'gpt-4'", "litellm_gpt-4"]),
        ("models:\n  - direct_lab/gam ma\n", 2, ["'direct_lab/gam ma' holds a space"]),
        ("models:\n  - name: litellm_a\n    temprature: 1\n", 2, ["'temprature'"]),
        (
            "models:\n  - name: litellm_a\n    chat_templte: x\n",
            2,
            ["Did you mean 'chat_template'"],
        ),
        ("models:\n  - name: litellm_a\n    sampling: {temperature: 3}\n", 2, ["3", "0 to 2"]),
        ("models:\n  - name: litellm_a\n    engine: 3\n", 2, ["engine", "mapping"]),
        ("models:\n  - name: litellm_a\n    prices: {inptu: 1}\n", 2, ["Did you mean 'input'"]),
        ("models:\n  - name: litellm_a\n    prices: {input: 1}\n", 2, ["output are both needed"]),
        (
            "models:\n  - name: litellm_a\n    prices: {input: 1, output: free}\n",
            2,
            ["'free'", "USD per million tokens"],
        ),
        ("models:\n  - 3\n", 2, ["the model name is '3'"]),
        ("models:\n  - [3]\n", 2, ["a list is no model"]),
        ("models: litellm_a\n", 1, ["a text", "one `- name` a line"]),
        ("modles:\n  - litellm_a\n", 1, ["'modles'", "Did you mean 'models'"]),
        ("models:\n  - litellm_a\n - x\n", 3, ["broken YAML", "indentation"]),
        ("models: [litellm_a\nx: 1\n", 2, ["broken YAML"]),
        ("providers:\n  a: {api_key_env: A_KEY}\n  a: {}\n", 3, ["'a' is written twice"]),
        ("providers:\n  a: {api_keyenv: A_KEY}\n", 2, ["Did you mean 'api_key_env'"]),
        ("providers:\n  a: {api_base: localhost:8000}\n", 2, ["localhost:8000", "http://"]),
        ("providers:\n  a: A_KEY\n", 2, ["a text", "api_key_env"]),
        ("providers:\n  a: {requests_per_minute: 0}\n", 2, ["requests_per_minute is 0"]),
        ("providers:\n  a/b: {}\n", 2, ["'a/b'", "no slash"]),
        ("- litellm_a\n", None, ["a list", "models: [...]"]),
    ],
)
def test_a_mistake_has_a_line_a_value_and_a_fix(
    tmp_path: Path, text: str, line: int | None, words: list[str]
) -> None:
    path = tmp_path / "list.yaml"
    path.write_text(text)
    (problem,) = problems(path)
    assert problem.startswith(f"{path}:{line}:" if line else f"{path}:")
    for word in words:
        assert word in problem


def test_a_list_is_for_the_backend_in_its_name(tmp_path: Path) -> None:
    path = tmp_path / "vllm_models.yaml"
    path.write_text("models:\n  - litellm_gpt-4\n")
    (problem,) = problems(path)
    assert f"{path}:2" in problem
    assert "begin with `vllm_`" in problem
    assert "names of other backends belong in another list, such as litellm_models.yaml." in problem
    path.write_text("models:\n  - parrot_x\n")
    assert "belong in another list, such as parrot_models.yaml." in problems(path)[0]
    path.write_text("models:\n  - gpt-4\n")
    assert "vllm_gpt-4" in problems(path)[0]


def test_broken_json_has_its_line(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_text('{"models": [\n"litellm_a",\n]}\n')
    (problem,) = problems(path)
    assert problem.startswith(f"{path}:")
    assert "broken JSON" in problem


def test_json_with_tabs_is_read(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_text('{\n\t"models":\t[\n\t\t"litellm_a"\n\t]\n}\n')
    assert Catalog.load(files=[path], dirs=[]).names() == ["litellm_a"]


def test_an_absent_list_and_all_other_mistakes_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model/bad.yaml").write_text("name: nothing\n")
    (tmp_path / "provider").mkdir()
    (tmp_path / "provider/bad.yaml").write_text("nonsense: 1\n")
    with pytest.raises(ConfigProblems) as caught:
        Catalog.load(
            files=[tmp_path / "absent.yaml"],
            inline_models=[{"name": "vllm_x", "model_path": "rel"}],
            inline_providers={"lab": {"api_bas": 1}},
            dirs=[tmp_path],
        )
    told = "\n".join(caught.value.problems)
    assert len(caught.value.problems) == 5
    for word in ("absent.yaml", "bad.yaml:1", "'rel'", "'nonsense'", "provider.lab", "'api_bas'"):
        assert word in told


@pytest.mark.parametrize(
    "text",
    [
        "providers:\n  a: {api_key: sk-canary-000}\n",
        "providers:\n  a: {api_key_env: sk-canary-000}\n",
        "providers:\n  a: {api_key_env: sk_canary_000}\n",
        "providers:\n  a: {api_base: 'http://user:canary@host/v1'}\n",
        "models:\n  - {name: litellm_a, api_key: sk-canary-000}\n",
        "providers:\n  a:\n    api_key: 'sk-canary-000\n",
    ],
)
def test_a_key_in_a_list_is_refused_and_not_shown(tmp_path: Path, text: str) -> None:
    path = tmp_path / "list.yaml"
    path.write_text(text)
    told = "\n".join(problems(path))
    assert "canary" not in told
    assert "api_key_env: NAME_API_KEY" in told or "broken YAML" in told


def test_a_keyless_provider_over_a_known_one() -> None:
    providers = {"openai": {"api_base": "http://127.0.0.1:1/v1", "api_key_env": ""}}
    assert Catalog.load(inline_providers=providers, dirs=[]).provider("openai").api_key_env is None


@pytest.mark.parametrize(
    "text", ['{"models": ' + "[" * 3000 + "]" * 3000 + "}", '{"models": [' + "9" * 5000 + "]}"]
)
def test_a_list_that_no_parser_takes_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "odd.json"
    file.write_text(text)
    assert all(told.startswith(f"{file}") for told in problems(file))
