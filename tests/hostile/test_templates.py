"""A foreign prompt template reads no other file, and ends within limits of time and memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from game_reasoning_arena.agents.prompting import Template
from game_reasoning_arena.errors import UserError
from tests.arena import Arena

VALUES: dict[str, Any] = {
    "game": "g",
    "rules": None,
    "system_prompt": None,
    "seat": 0,
    "seats": 2,
    "turn": 1,
    "history": ["a", "b"],
    "state": "what is seen",
    "legal_moves": ["a1", "b2"],
    "show_legal_moves": True,
    "memory": False,
    "failure": None,
    "answer": None,
}


def rendered(folder: Path, body: str) -> tuple[str, Template]:
    path = folder / "mine.j2"
    shown = f"{body}{{{{ self.reminder() }}}}"
    path.write_text(f'{{% extends "line.j2" %}}{{% block user %}}{shown}{{% endblock %}}')
    template = Template(str(path))
    return template.render("user", VALUES), template


@pytest.mark.parametrize(
    "body",
    [
        "{% include '.env' %}",
        "{% include 'notes.txt' %}",
        "{% include '../up.j2' %}",
        "{% import '/etc/passwd' as x %}",
        "{% include 'link.j2' %}",
        "{% include state %}",
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{{ 'a' * 10 ** 10 }}",
        "{{ 'a'.center(10 ** 10) }}",
        "{{ 'a' | center(10 ** 10) }}",
        "{{ '%10000000000d' % 1 }}",
        "{{ '{:>10000000000}'.format(1) }}",
        "{% set ns = namespace(x='aaaa') %}{% for i in range(60) %}"
        "{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
        "{{ ('a' * 100000) | replace('a', 'b' * 100000) }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{{ [1] * 10 ** 10 }}",
        "{{ ('a ' * 4000000) | title }}",
        "{{ 1 / 0 }}",
        "{{ ''.__class__.__mro__ }}",
    ],
)
def test_a_template_that_means_harm_is_refused_in_a_sentence(tmp_path: Path, body: str) -> None:
    secret = "SECRET=abcdefghij"
    folder = tmp_path / "theirs"
    folder.mkdir()
    for name in (".env", "notes.txt", "../up.j2"):
        (folder / name).write_text(secret)
    (folder / "link.j2").symlink_to(folder / ".env")
    with pytest.raises(UserError) as told:
        rendered(folder, body)
    assert secret not in str(told.value)
    assert "\n" not in str(told.value)


def test_files_beside_it_may_be_included_and_are_recorded(tmp_path: Path) -> None:
    (tmp_path / "part.j2").write_text("{% macro shown(x) %}<{{ x }}>{% endmacro %}part")
    text, template = rendered(
        tmp_path, "{% from 'part.j2' import shown %}{{ shown(seat) }}{% include 'part.j2' %}"
    )
    assert text.startswith("<0>part")
    assert set(template.sources) == {"mine.j2", "part.j2", "line.j2"}
    again = Template(str(tmp_path / "mine.j2"), template.sources)
    (tmp_path / "part.j2").write_text("changed")
    assert again.render("user", VALUES) == text


def test_what_templates_do_in_earnest_works(tmp_path: Path) -> None:
    body = (
        "{% for move in legal_moves[-10:] %}{{ loop.index }}. {{ move | upper }}\n{% endfor %}"
        "{{ '-' * 20 }} {{ legal_moves | join(', ') }} {{ '%s of %d' % (seat, seats) }}"
    )
    text, _ = rendered(tmp_path, body)
    assert "1. A1\n2. B2\n" in text
    assert "a1, b2 0 of 2" in text


def test_a_run_goes_on_with_the_prompts_that_it_was_begun_with(
    arena: Arena, tmp_path: Path
) -> None:
    part = tmp_path / "part.j2"
    part.write_text("Think well.")
    (tmp_path / "mine.j2").write_text(
        '{% extends "line.j2" %}{% block user %}{% include "part.j2" %}{{ super() }}{% endblock %}'
    )
    words = ("agents.player_0.template=./mine.j2", "simulation=kuhn_poker", "episodes=4")
    begun = arena(*words, "budget.calls=2", "hydra.run.dir=run")
    assert begun.code == 3, begun.err
    part.write_text("Think badly.")
    resumed = arena("resume", "run", "budget.calls=99")
    assert resumed.code == 2
    assert "agents.player_0.template" in resumed.err
    part.write_text("Think well.")
    altered = arena("resume", "run", "budget.calls=99", "agents.player_0.system_prompt=Lose.")
    assert altered.code == 2
    assert "agents.player_0.system_prompt" in altered.err
    assert arena("resume", "run", "budget.calls=99").code == 0
