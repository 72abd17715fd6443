"""Advice that is followed literally works."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import example, given
from hypothesis import strategies as st

from game_reasoning_arena.configuration.explain import quoted
from tests.arena import Arena

KEY = "agents.player_0.system_prompt"
ADVICE = "Quote it for Hydra, and the whole word for the shell: "


def _read(word: str) -> object:
    return OverridesParser.create().parse_override(word).value()


@given(st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S", "Zs")), min_size=1))
@example("it's `echo hi`")
@example("it's $HOME!")
@example("a\\b")
@example('say \\"(hi)\\')
@example('"')
def test_a_value_quoted_as_advised_is_read_as_it_stands(value: str) -> None:
    if "${" in value:  # a reference, in quotes as well
        return
    advice = quoted(KEY, value)
    (word,) = shlex.split(advice.removeprefix(ADVICE))
    assert _read(word) == value


@pytest.mark.parametrize("value", ["it's `echo hi` $HOME", 'Well :) he said "no"', "don't!"])
def test_a_real_shell_gives_the_same(value: str) -> None:
    advice = quoted(KEY, value).removeprefix(ADVICE)
    done = subprocess.run(
        ["/bin/sh", "-c", f"printf %s {advice}"], capture_output=True, text=True, check=True
    )
    assert _read(done.stdout) == value


MISTAKES = {
    "parentheses": (
        ["agents.player_0.system_prompt=x(1,1)"],
        """Quote it for Hydra, and the whole word for the shell: '""" + KEY + """="x(1,1)"'""",
    ),
    "a list for a sweep": (
        ["-m", "agents.player_0.model=[scripted_first,scripted_random]"],
        "A sweep is written without brackets: -m KEY=a,b",
    ),
    "a space in a sweep": (
        ["-m", "agents.player_0.model=scripted_first,", "scripted_random"],
        "no space after the comma: agents.player_0.model=scripted_first,scripted_random",
    ),
    "rows for a configuration": (
        ["--config", "rows.jsonl"],
        "It is no configuration in YAML or JSON. Rows to ask: simulation.file=rows.jsonl",
    ),
    "two directories": (["resume", "one", "two"], "one directory is resumed at a time"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_usual_mistake_is_explained_without_names_of_internals(
    arena: Arena, tmp_path: Path, mistake: str
) -> None:
    (tmp_path / "rows.jsonl").write_text('{"prompt": "a"}\n{"prompt": "b"}\n')
    words, advice = MISTAKES[mistake]
    ran = arena(*words)
    assert ran.code == 2
    assert advice in ran.err
    assert "Exception" not in ran.err
