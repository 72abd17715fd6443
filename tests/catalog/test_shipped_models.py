"""The shipped lists name models that there are, by the installed LiteLLM's own table."""

from __future__ import annotations

import datetime

import pytest

from game_reasoning_arena.backends.price_table import chat_models, entry_of, retirement, table
from game_reasoning_arena.backends.prices import prices_of
from game_reasoning_arena.catalog.catalog import Catalog
from game_reasoning_arena.catalog.litellm_providers import KEY_VARIABLES
from game_reasoning_arena.records import Model, Provider
from tests.arena import Arena

#: Names that are kept for those who know them from elsewhere, though they are past their date.
KEPT = {"litellm_gpt-3.5-turbo", "litellm_gpt-4"}
BACKENDS = ["litellm", "direct", "vllm", "scripted", "replay"]


def shipped() -> list[Model]:
    catalog = Catalog.load(dirs=None)
    models = [catalog.resolve(name, backends=BACKENDS) for name in catalog.names()]
    return [model for model in models if model.backend == "litellm"]


def test_every_listed_model_is_in_the_table_and_not_past_its_date() -> None:
    today = datetime.date.today()
    models = shipped()
    assert len(models) > 30
    for model in models:
        assert model.provider is not None
        entry = entry_of(model.provider.name, model.model_id)
        assert entry is not None, model.name
        day = retirement(entry)
        assert day is None or day > today or model.name in KEPT, (model.name, day)
        assert prices_of(model) is not None


def test_every_chat_model_of_the_table_is_found_by_its_provider() -> None:
    listed = {(m.name.removeprefix("litellm_").partition("/")) for m in chat_models()}
    assert len(listed) > 1000
    for provider, _, model_id in listed:
        assert entry_of(provider, model_id) is not None, (provider, model_id)
    assert {"openai", "groq", "cohere", "vertex_ai", "bedrock"} <= {name for name, *_ in listed}
    unknown = {e["litellm_provider"] for e in table().values() if e.get("mode") == "chat"}
    assert {name for name in unknown if name in KEY_VARIABLES} - {n for n, *_ in listed} <= {
        name for name in unknown if name.endswith(("_chat", "_converse", "_text"))
    }


@pytest.mark.parametrize(
    ("provider", "model_id"),
    [("cohere", "command-a-03-2025"), ("groq", "openai/gpt-oss-20b"), ("openai", "gpt-4o-mini")],
)
def test_direct_finds_prices_too(provider: str, model_id: str) -> None:
    model = Model(
        name=f"direct_{provider}/{model_id}",
        backend="direct",
        model_id=model_id,
        provider=Provider(name=provider),
    )
    prices = prices_of(model)
    assert prices is not None
    assert prices["input_cost_per_token"] > 0


def test_all_models_of_a_provider_are_listed_offline(arena: Arena) -> None:
    ran = arena("models", "--provider", "groq", "--all")
    assert ran.code == 0
    head, *rows = ran.out.splitlines()
    for column in ("USD per M in", "context", "thinks", "retires"):
        assert column in head
    names = [row.split()[0] for row in rows if row.startswith("litellm_")]
    assert names == [model.name for model in chat_models("groq")]
    (oss,) = [row for row in rows if row.startswith("litellm_groq/openai/gpt-oss-20b ")]
    assert "131,072" in oss
    assert "yes" in oss
    assert arena("models", "--provider", "groq").out.count("litellm_groq/") >= 3
    assert "Did you mean 'groq'" in arena("models", "--provider", "grok", "--all").err
    assert arena("models", "--all", "no-such-model").code == 1
