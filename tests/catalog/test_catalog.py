"""The catalog: where names come from, what they lead to, and which source wins."""

from __future__ import annotations

import ast
import importlib.util
import json
from pathlib import Path

import pytest

from game_reasoning_arena.catalog.catalog import Catalog
from game_reasoning_arena.catalog.litellm_providers import KEY_VARIABLES, OPENAI_PROTOCOL
from game_reasoning_arena.catalog.prefixes import split_name
from game_reasoning_arena.errors import ConfigProblems, UserError
from game_reasoning_arena.process.paths import shipped_conf
from game_reasoning_arena.records import Provider

BACKENDS = ("litellm", "vllm", "direct", "scripted", "replay")


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    monkeypatch.chdir(tmp_path)
    return Catalog.load()


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("name", "backend", "provider", "model_id"),
    [
        ("litellm_gpt-4", "litellm", "openai", "gpt-4"),
        ("litellm_groq/openai/gpt-oss-20b", "litellm", "groq", "openai/gpt-oss-20b"),
        ("litellm_groq/not-in-any-list", "litellm", "groq", "not-in-any-list"),
        ("litellm_openrouter/meta-llama/x:free", "litellm", "openrouter", "meta-llama/x:free"),
        ("direct_groq/llama", "direct", "groq", "llama"),
        ("scripted_random", "scripted", None, "random"),
        ("replay_outputs/a", "replay", None, "outputs/a"),
    ],
)
def test_names_pick_backend_provider_and_the_name_on_the_wire(
    shipped: Catalog, name: str, backend: str, provider: str | None, model_id: str
) -> None:
    model = shipped.resolve(name, backends=BACKENDS)
    assert (model.name, model.backend, model.model_id) == (name, backend, model_id)
    assert (model.provider.name if model.provider else None) == provider


def test_the_longest_prefix_wins_and_needs_its_underscore() -> None:
    assert split_name("my_lab_x", ["my", "my_lab"]) == ("my_lab", "x")
    assert split_name("my_lab_x", ["my"]) == ("my", "lab_x")
    assert split_name("mylab_x", ["my"]) == (None, "mylab_x")


def test_a_users_own_prefix_reads_its_names_itself(shipped: Catalog) -> None:
    model = shipped.resolve("mine_a/b", backends=[*BACKENDS, "mine"])
    assert (model.backend, model.model_id, model.provider) == ("mine", "a/b", None)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("litelm_gpt-4", "Did you mean 'litellm_gpt-4'"),
        ("scriptd_whatever-this-is", "Did you mean the prefix 'scripted'?"),
        ("gpt-4", "'litellm_gpt-4'"),
        ("groq/llama", "Did you mean 'litellm_groq/llama'?"),
        ("litellm_grok/llama", "Did you mean 'groq'"),
        ("litellm_no_such_place/m", "+provider.no_such_place.api_base="),
        ("litellm_openai/", "needs both: provider/model"),
        ("litellm_", "names a backend and no model"),
        ("vllm_absent", "not listed"),
        ("direct_bedrock/x", "provider.bedrock.api_base="),
    ],
)
def test_unknown_names_say_what_to_do(shipped: Catalog, name: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        shipped.resolve(name, backends=BACKENDS)
    assert said in str(caught.value)
    assert name in str(caught.value)


def test_the_users_lists_add_to_and_replace_the_shipped_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(
        tmp_path / "conf/catalog/mine.yaml",
        "providers:\n  groq: {requests_per_minute: 30}\n  lab: {api_base: 'http://127.0.0.1:1/v1'}\n"
        "models:\n  - {name: litellm_gpt-4, description: mine, sampling: {temperature: 1e-1}}\n"
        "  - litellm_lab/new\n",
    )
    catalog = Catalog.load()
    groq = catalog.provider("groq")
    assert (groq.requests_per_minute, groq.api_key_env) == (30, "GROQ_API_KEY")
    assert groq.known_to_litellm
    model = catalog.resolve("litellm_gpt-4", backends=BACKENDS)
    assert (model.description, model.sampling.temperature) == ("mine", 0.1)
    assert catalog.resolve("litellm_lab/new", backends=BACKENDS).provider == Provider(
        name="lab", api_base="http://127.0.0.1:1/v1"
    )
    assert catalog.entry("litellm_openai/gpt-4o") is not None  # the shipped list is still there


def test_later_sources_win(tmp_path: Path) -> None:
    def listed(text: str) -> str:
        return json.dumps({"models": [{"name": "litellm_gpt-4", "description": text}]})

    conf = tmp_path / "conf"
    write(conf / "catalog/a_models.json", listed("list"))
    assert _described(Catalog.load(dirs=[conf])) == "list"
    write(conf / "model/four.yaml", "name: litellm_gpt-4\ndescription: file\n")
    assert Catalog.load(dirs=[conf]).entry("four") is not None
    extra = write(tmp_path / "more.json", listed("extra"))
    assert _described(Catalog.load(files=[extra], dirs=[conf])) == "extra"
    inline = [{"name": "litellm_gpt-4", "description": "inline", "model_path": None}]
    assert _described(Catalog.load([extra], inline, dirs=[conf])) == "inline"


def _described(catalog: Catalog) -> str:
    return catalog.resolve("litellm_gpt-4", backends=BACKENDS).description


def test_a_model_file_goes_by_its_option_and_inherits(tmp_path: Path) -> None:
    write(
        tmp_path / "model/base.yaml",
        "name: litellm_openai/o4-mini\nsampling: {max_tokens: 9, temperature: 1}\n",
    )
    write(
        tmp_path / "model/deep/high.yaml",
        "defaults: [/schema/model/base@_here_, base, _self_]\n"
        "sampling: {max_tokens: 99}\nextra: {reasoning_effort: high}\n",
    )
    model = Catalog.load(dirs=[tmp_path]).resolve("deep/high", backends=BACKENDS)
    assert model.name == "litellm_openai/o4-mini"
    assert (model.sampling.max_tokens, model.sampling.temperature) == (99, 1)
    assert model.extra == {"reasoning_effort": "high"}


def test_vllm_entries_take_engine_arguments_beside_the_path(tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    weights.mkdir()
    entry = {
        "name": "vllm_tiny",
        "model_path": str(weights),
        "max_model_len": 1024,
        "engine": {"enforce_eager": True},
    }
    catalog = Catalog.load(inline_models=[entry], dirs=[])
    model = catalog.resolve("vllm_tiny", backends=BACKENDS)
    assert (model.model_id, model.model_path, model.provider) == ("tiny", str(weights), None)
    assert model.engine == {"max_model_len": 1024, "enforce_eager": True}


def test_a_served_vllm_model_has_a_provider_of_its_own() -> None:
    entry = {"name": "vllm_served", "api_base": "http://127.0.0.1:8000/v1"}
    model = Catalog.load(inline_models=[entry], dirs=[]).resolve("vllm_served", backends=BACKENDS)
    assert model.provider == Provider(name="vllm", api_base="http://127.0.0.1:8000/v1")


def test_an_absent_path_matters_when_the_model_is_used(tmp_path: Path) -> None:
    listed = write(
        tmp_path / "vllm_models.yaml",
        f"models:\n  - name: vllm_gone\n    model_path: {tmp_path}/gone\n",
    )
    catalog = Catalog.load(files=[listed], dirs=[])
    assert [model.name for model in catalog.models()] == ["vllm_gone"]
    with pytest.raises(UserError) as caught:
        catalog.resolve("vllm_gone", backends=BACKENDS)
    assert f"{listed}:2" in str(caught.value)
    assert f"{tmp_path}/gone" in str(caught.value)


def test_a_models_own_address_never_gets_the_providers_key() -> None:
    entries = [
        {"name": "litellm_openai/elsewhere", "api_base": "http://127.0.0.1:9/v1"},
        {"name": "litellm_openai/team", "api_key_env": "TEAM_KEY"},
    ]
    catalog = Catalog.load(inline_models=entries, dirs=[])
    elsewhere = catalog.resolve("litellm_openai/elsewhere", backends=BACKENDS).provider
    assert elsewhere is not None
    assert (elsewhere.api_base, elsewhere.api_key_env) == ("http://127.0.0.1:9/v1", None)
    team = catalog.resolve("litellm_openai/team", backends=BACKENDS).provider
    assert team is not None
    assert (team.api_base, team.api_key_env) == (None, "TEAM_KEY")


def test_of_several_key_variables_the_one_that_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Catalog.load(dirs=[]).provider("gemini").api_key_env == "GEMINI_API_KEY"
    monkeypatch.setenv("GEMINI_API_KEY", "  ")
    monkeypatch.setenv("GOOGLE_API_KEY", "canary")
    assert Catalog.load(dirs=[]).provider("gemini").api_key_env == "GOOGLE_API_KEY"


def test_a_path_may_come_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELS", str(tmp_path))
    entry = {"name": "vllm_a", "model_path": "${oc.env:MODELS}/a"}
    found = Catalog.load(inline_models=[entry], dirs=[]).entry("vllm_a")
    assert found is not None
    assert found.model_path == f"{tmp_path}/a"
    monkeypatch.delenv("MODELS")
    with pytest.raises(ConfigProblems, match="MODELS"):
        Catalog.load(inline_models=[entry], dirs=[])


def test_the_table_of_providers_is_that_of_the_installed_litellm() -> None:
    spec = importlib.util.find_spec("litellm")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    tree = ast.parse((package / "types/utils.py").read_text())
    (enum,) = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "LlmProviders"]
    known = {
        node.value.value
        for node in enum.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    }
    plain = json.loads((package / "llms/openai_like/providers.json").read_text())
    assert known | set(plain) == set(KEY_VARIABLES)
    for name, settings in plain.items():
        assert settings["api_key_env"] in KEY_VARIABLES[name]
    source = "".join(path.read_text(errors="ignore") for path in (package / "llms").rglob("*.py"))
    source += (package / "litellm_core_utils/get_llm_provider_logic.py").read_text()
    source += (package / "utils.py").read_text() + (package / "main.py").read_text()
    source += (package / "llms/openai_like/providers.json").read_text()
    unknown = {v for row in KEY_VARIABLES.values() for v in row if v not in source}
    assert unknown == set()


def test_the_shipped_catalog_is_sound(shipped: Catalog) -> None:
    assert set(OPENAI_PROTOCOL) <= set(KEY_VARIABLES)
    for name in shipped.names():
        shipped.resolve(name, backends=BACKENDS)
    assert shipped.provider("ollama").api_key_env is None
    backends = {path.stem for path in (shipped_conf() / "backend").glob("*.yaml")}
    assert backends == set(BACKENDS)


def test_a_listed_model_without_a_backend_is_no_misspelling() -> None:
    catalog = Catalog.load(inline_models=["parrot_grey"], dirs=[])
    with pytest.raises(UserError) as caught:
        catalog.resolve("parrot_grey", backends=BACKENDS)
    assert "its backend is not in conf/backend" in str(caught.value)
    assert "Did you mean" not in str(caught.value)


def test_further_headers_are_variables_and_stay_with_their_address(tmp_path: Path) -> None:
    listed = tmp_path / "mine.yaml"
    listed.write_text(
        "providers:\n"
        "  lab: {api_base: 'http://127.0.0.1:1/v1', headers: {api-key: LAB_KEY, X-Title: TITLE}}\n"
        "models:\n"
        "  - {name: direct_lab/elsewhere, api_base: 'http://127.0.0.1:2/v1'}\n"
    )
    catalog = Catalog.load([listed])
    here = catalog.resolve("direct_lab/x", backends=BACKENDS).provider
    assert here is not None
    assert here.headers == {"api-key": "LAB_KEY", "X-Title": "TITLE"}
    assert here.variables == ["LAB_KEY", "TITLE"]
    elsewhere = catalog.resolve("direct_lab/elsewhere", backends=BACKENDS).provider
    assert elsewhere is not None
    assert elsewhere.headers == {}


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ("{api-key: canary-0123456789}", "is no variable name"),
        ("{Host: LAB_KEY}", "Host is set by every request itself"),
        ("{'a b': LAB_KEY}", "is no name of a header"),
        ("[api-key]", "headers holds a list"),
    ],
)
def test_headers_that_cannot_be_sent_are_refused(tmp_path: Path, headers: str, says: str) -> None:
    listed = tmp_path / "mine.yaml"
    listed.write_text(
        f"providers:\n  lab: {{api_base: 'http://127.0.0.1:1/v1', headers: {headers}}}\n"
    )
    with pytest.raises(ConfigProblems, match=says) as caught:
        Catalog.load([listed])
    assert "canary" not in str(caught.value)
