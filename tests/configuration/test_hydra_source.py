"""The catalog inside Hydra: options, completion, errors, the user's own directory, all backends."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.bash_completion import BashCompletion
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import OmegaConf

from game_reasoning_arena import schema
from game_reasoning_arena.configuration import hydra_source as catalog_source
from game_reasoning_arena.process.paths import add_conf_dir, shipped_conf
from tests.arena import Arena


@pytest.fixture(autouse=True)
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    yield
    GlobalHydra.instance().clear()
    add_conf_dir(None)


def composed(*overrides: str, files: tuple[str, ...] = ()) -> dict[str, Any]:
    schema.register()
    catalog_source.register(files=files)
    with initialize_config_dir(str(shipped_conf()), version_base="1.3"):
        cfg = compose("config", list(overrides))
        content: Any = OmegaConf.to_container(cfg)
        return dict(content)


def completions(line: str) -> list[str]:
    schema.register()
    catalog_source.register()
    with initialize_config_dir(str(shipped_conf()), version_base="1.3"):
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        return BashCompletion(hydra.config_loader)._query("config", line)


def write(path: str, text: str) -> None:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_every_listed_model_is_an_option_and_has_its_schema() -> None:
    model = composed("model=litellm_openrouter/meta-llama/llama-3.3-70b-instruct:free")["model"]
    assert model["name"] == "litellm_openrouter/meta-llama/llama-3.3-70b-instruct:free"
    unset = dict.fromkeys(("temperature", "max_tokens", "top_p", "top_k", "stop"))
    assert model["sampling"] == {**unset, "seed": "auto"}
    with pytest.raises(HydraException):
        composed("model=litellm_groq/openai/gpt-oss-20b", "model.nonsense=1")


def test_an_unlisted_model_of_a_known_provider_is_an_option() -> None:
    assert composed("model=litellm_openai/some-new-model")["model"]["name"] == (
        "litellm_openai/some-new-model"
    )
    with pytest.raises(HydraException):
        composed("model=litellm_nowhere/some-new-model")


def test_so_is_one_that_is_called_directly() -> None:
    assert composed("model=direct_groq/new")["model"]["name"] == "direct_groq/new"
    with pytest.raises(HydraException):
        composed("model=direct_nowhere/new")


def test_an_entrys_settings_come_along(tmp_path: Path) -> None:
    listed = tmp_path / "more.json"
    entry = {
        "name": "vllm_a",
        "model_path": "/nowhere/a",
        "dtype": "half",
        "sampling": {"top_k": 3},
    }
    listed.write_text(json.dumps({"models": [entry]}))
    model = composed("model=vllm_a", files=(str(listed),))["model"]
    assert model["model_path"] == "/nowhere/a"
    assert model["engine"] == {"dtype": "half"}
    assert model["sampling"]["top_k"] == 3


def test_completion_lists_models_with_slashes() -> None:
    found = completions("model=litellm_groq/")
    assert "model=litellm_groq/openai/gpt-oss-20b" in found
    assert "model=litellm_groq/openai/gpt-oss-20b" in found
    assert "model=scripted_random" in completions("model=scr")
    assert "model=" in completions("mod")


def test_the_users_directory_adds_to_and_replaces_the_shipped_one() -> None:
    write("conf/model/scripted_random.yaml", "name: scripted_first\n")
    write(
        "conf/model/mine.yaml", "defaults: [/schema/model/base@_here_, _self_]\nname: litellm_x\n"
    )
    write("conf/catalog/litellm_models.yaml", "models: [litellm_groq/mine]\n")
    assert composed()["model"]["name"] == "scripted_first"
    assert composed("model=mine")["model"]["name"] == "litellm_x"
    assert "model=litellm_groq/mine" in completions("model=litellm_groq/m")


def test_all_backends_are_composed_each_at_its_prefix() -> None:
    shipped = {path.stem for path in (shipped_conf() / "backend").glob("*.yaml")}
    assert set(composed()["backend"]) == shipped
    write("conf/backend/mine.yaml", "# @package backend.mine\n_target_: my_code.Mine\nsize: 3\n")
    write("conf/backend/scripted.yaml", "# @package backend.scripted\n_target_: other\n")
    backends = composed("backend.mine.size=4")["backend"]
    assert set(backends) == {*shipped, "mine"}
    assert backends["mine"] == {"_target_": "my_code.Mine", "size": 4}
    assert backends["scripted"] == {"_target_": "other"}


def test_a_providers_file_is_an_option() -> None:
    write("conf/provider/lab.yaml", "# @package provider.lab\napi_base: http://127.0.0.1:1/v1\n")
    provider = composed("+provider=lab", "provider.lab.api_base=http://127.0.0.1:2/v1")["provider"]
    assert provider == {"lab": {"api_base": "http://127.0.0.1:2/v1"}}


def test_hydra_does_not_copy_what_the_source_knows() -> None:
    source = catalog_source.CatalogSource("catalog", "arena://")
    assert copy.deepcopy(source) is source


def test_a_misspelt_model_is_answered_with_near_ones(capsys: pytest.CaptureFixture[str]) -> None:
    ran = Arena(capsys)("model=litellm_groq/llama-3.1-8b-instan", "--cfg", "job")
    # Unlisted models of known providers compose: their provider says whether they exist.
    assert ran.code == 0
    ran = Arena(capsys)("model=litellm_grok/openai/gpt-oss-20b", "--cfg", "job")
    assert ran.code == 2
    assert "litellm_groq/openai/gpt-oss-20b" in ran.err


def test_config_dir_counts_everywhere(capsys: pytest.CaptureFixture[str]) -> None:
    write("elsewhere/catalog/litellm_models.yaml", "models: [litellm_groq/from-elsewhere]\n")
    write("elsewhere/model/theirs.yaml", "name: scripted_first\n")
    arena = Arena(capsys)
    ran = arena("--config-dir", "elsewhere", "model=theirs", "--cfg", "job", "--package", "model")
    assert (ran.code, "name: scripted_first" in ran.out) == (0, True)
    played = arena("--config-dir", "elsewhere", "agents.player_0.model=theirs", "episodes=1")
    assert played.code == 0, played.err
    assert "scripted_first" in played.out
    afterwards = arena("model=theirs", "--cfg", "job")
    assert (afterwards.code, "theirs" in afterwards.err) == (2, True)


def test_a_broken_list_stops_everything_with_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    write("conf/catalog/litellm_models.yaml", "models:\n  - litellm_a\n  - litellm_a\n")
    ran = Arena(capsys)("--cfg", "job")
    assert ran.code == 2
    assert "litellm_models.yaml:3: 'litellm_a' is listed twice" in ran.err
