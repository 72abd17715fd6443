"""What is written as a run's configuration is read back as what it was."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from game_reasoning_arena.recording.config_text import as_yaml

texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=40).filter(
    lambda text: "${" not in text
)
ODD = ["1e3", "1_000", "0x1f", "on", "NO", "~", "null", "", " ", "- a", "a: b", "#x", "1:30", "nan"]
ODD += [".inf", "2026-11-22", "'", '"', "\\", "@x", "%x", "`x", "a\nb\n", "x" * 200, "!!str", "<<"]
scalars = st.one_of(
    texts,
    st.sampled_from(ODD),
    st.integers(-(2**60), 2**60),
    st.floats(allow_nan=False),
    st.booleans(),
    st.none(),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.from_regex(r"\A[a-z_]{1,8}\Z"), inner)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.from_regex(r"\A[a-z_]{1,8}\Z"), values))
def test_any_values_come_back(config: dict[str, Any]) -> None:
    read = OmegaConf.to_container(OmegaConf.create(as_yaml(config)))
    assert read == config
    assert repr(read) == repr(config)  # 1 and 1.0 and True are equal


@pytest.mark.parametrize("text", ["${oc.env:HOME}", "a ${b} c"])
def test_what_looks_like_an_interpolation_stays_as_it_was_written(text: str) -> None:
    assert OmegaConf.create(as_yaml({"a": text}))._get_node("a")._value() == text  # type: ignore[arg-type]
