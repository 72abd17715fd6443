"""The table of prefixes: what a name means is decided there and nowhere else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from game_reasoning_arena.backends.factory import default_backend_confs
from game_reasoning_arena.catalog.prefixes import (
    PREFIXES,
    meaning_of,
    meaning_of_name,
    provider_and_model,
    split_name,
)

SOURCE = Path(__file__).parents[2] / "src" / "game_reasoning_arena"


def test_every_prefix_of_the_table_is_a_backends() -> None:
    assert set(PREFIXES) == set(default_backend_confs())


@pytest.mark.parametrize(
    ("name", "backends", "parts"),
    [
        ("litellm_gpt-4o", ["litellm", "lite"], ("litellm", "gpt-4o")),
        ("my_own_x", ["my", "my_own"], ("my_own", "x")),
        ("my_own_x", ["my"], ("my", "own_x")),
        ("litellm", ["litellm"], (None, "litellm")),
        ("x", [], (None, "x")),
    ],
)
def test_the_longest_prefix_that_fits_is_taken(
    name: str, backends: list[str], parts: tuple[str | None, str]
) -> None:
    assert split_name(name, backends) == parts


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("litellm_groq/openai/x", ("groq", "openai/x")),
        ("direct_lab/x", ("lab", "x")),
        ("litellm_gpt-4o", None),
        ("litellm_groq/", None),
        ("litellm_/x", None),
        ("vllm_a/b", None),
        ("parrot_a/b", None),
    ],
)
def test_only_names_of_providers_spell_one_out(name: str, parts: tuple[str, str] | None) -> None:
    assert provider_and_model(name) == parts


def test_a_prefix_of_ones_own_leaves_its_names_to_its_backend() -> None:
    assert meaning_of("parrot") == meaning_of(None) == meaning_of_name("parrot_grey")


def test_no_other_module_judges_a_name_by_its_prefix() -> None:
    judged = re.compile(
        rf"""startswith\(\s*["'](?:{"|".join(PREFIXES)})_|\.backend\s*(?:[!=]=|in)\s*[("']"""
    )
    found = [
        f"{path.relative_to(SOURCE)}: {line.strip()}"
        for path in sorted(SOURCE.rglob("*.py"))
        if path.parts[len(SOURCE.parts)] not in ("backends", "analysis")
        for line in path.read_text().splitlines()
        if judged.search(line)
    ]
    assert found == []
