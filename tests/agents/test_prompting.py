"""Templates: their variables, and the errors of wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from game_reasoning_arena.agents import prompting, template_limits
from game_reasoning_arena.agents.prompting import Template, load_template, shipped_templates
from game_reasoning_arena.errors import UserError
from tests.arena import Arena, run_json

VALUES = {
    "game": "tic_tac_toe",
    "rules": "Three in a row.",
    "system_prompt": None,
    "seat": 1,
    "seats": 2,
    "turn": 3,
    "history": ["player 0: x(0,0)"],
    "state": "board",
    "legal_moves": ["o(0,1)", "o(0,2)"],
    "show_legal_moves": True,
    "memory": False,
    "failure": None,
    "answer": None,
    "fits": [],
}


@pytest.mark.parametrize("name", shipped_templates())
def test_shipped_templates_say_all_and_end_with_what_changes(name: str) -> None:
    template = load_template(name)
    system = template.render("system", VALUES)
    user = template.render("user", VALUES)
    assert "Three in a row." in system
    assert "board" not in system
    order = [user.index(part) for part in ("x(0,0)", "board", "Legal moves:\n- o(0,1)\n- o(0,2)")]
    assert order == sorted(order)
    assert template.answer_form == ("json" if name == "json" else "line")


def test_moves_can_be_hidden_and_no_rules_told() -> None:
    template = load_template("line")
    user = template.render("user", VALUES | {"show_legal_moves": False})
    assert "Legal moves" not in user
    assert "o(0,1)" not in user
    assert "Rules" not in template.render("system", VALUES | {"rules": None})


def test_a_system_prompt_takes_the_place_of_the_first_sentence() -> None:
    system = load_template("line").render("system", VALUES | {"system_prompt": "Play badly."})
    assert system.startswith("Play badly.\n")
    assert "Final Answer: <move>" in system


@pytest.mark.parametrize(
    ("failure", "answer", "says"),
    [
        ("illegal", "o(9,9)", "o(9,9) is not a legal move"),
        ("unparsable", None, "no final answer in the required form"),
        ("unparsable", "o", "more than one legal move: o(0,0), o(0,1)"),
        ("unparsable", "o(0,0)?", "plainly that you play o(0,0)"),
        ("unparsable", "I resign", "I resign names no move"),
        ("truncated", None, "more briefly"),
        ("empty", None, "was empty"),
        ("refused", None, "harms nobody"),
    ],
)
def test_feedback_differs_by_failure(failure: str, answer: str | None, says: str) -> None:
    fits = {"o": ["o(0,0)", "o(0,1)"], "o(0,0)?": ["o(0,0)"]}.get(answer or "", [])
    values = VALUES | {"failure": failure, "answer": answer, "fits": fits}
    feedback = load_template("line").render("feedback", values)
    assert says in feedback
    assert ("Legal moves:" in feedback) == (failure in ("illegal", "unparsable"))


def test_a_template_of_ones_own_extends_a_shipped_one(tmp_path: Path) -> None:
    file = tmp_path / "mine.j2"
    file.write_text(
        '{% extends "json.j2" %}{% block system %}Hello, {{ game }}. {{ self.answer_format() }}'
        "{% endblock %}"
    )
    template = Template(str(file))
    assert template.answer_form == "json"
    assert template.render("system", VALUES).startswith("Hello, tic_tac_toe. Answer with one JSON")
    assert "board" in template.render("user", VALUES)


def test_a_block_may_take_in_the_one_that_it_replaces(tmp_path: Path) -> None:
    for name, parent in (("middle", "json"), ("mine", "middle")):
        (tmp_path / f"{name}.j2").write_text(
            f'{{% extends "{parent}.j2" %}}'
            f"{{% block user %}}[{name}] {{{{ super() }}}}{{% endblock %}}"
        )
    template = load_template(str(tmp_path / "mine.j2"))
    user = template.render("user", VALUES)
    assert user.startswith("[mine] [middle] Moves so far:")
    assert "Answer with one JSON" in user
    assert list(template.sources) == ["mine.j2", "middle.j2", "json.j2", "line.j2"]


def test_a_run_keeps_its_template_and_is_not_resumed_with_another_one(
    arena: Arena, tmp_path: Path
) -> None:
    source = '{% extends "line.j2" %}{% block user %}One. {{ super() }}{% endblock %}'
    file = tmp_path / "mine.j2"
    file.write_text(source)
    words = ("agents.player_0.template=./mine.j2", "episodes=2")
    ran = arena(*words)
    run = run_json(ran.directory)
    kept = run["players"]["player_0"]["template"]
    assert (kept["name"], kept["answer_form"]) == ("./mine.j2", "line")
    assert kept["sources"]["mine.j2"] == source
    file.write_text(source.replace("One", "Two"))
    resumed = arena("resume", str(ran.directory))
    assert resumed.code == 2
    assert "the file of agents.player_0.template=./mine.j2 has another content" in resumed.err
    assert run_json(arena(*words).directory)["identity"] != run["identity"]
    file.write_text(source)
    assert run_json(arena(*words).directory)["identity"] == run["identity"]


def test_a_file_is_read_anew(tmp_path: Path) -> None:
    file = tmp_path / "mine.j2"
    for word in ("first", "second"):
        file.write_text(f'{{% extends "line.j2" %}}{{% block user %}}{word}{{% endblock %}}')
        assert load_template(str(file)).render("user", VALUES) == word


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ('{% extends "line.j2" %}{% block user %}{{ sate }}{% endblock %}', "'sate'. Did you mean"),
        (
            '{% extends "line.j2" %}{% block user %}{{ sate }}{{ turm }}{% endblock %}',
            "unknown variable 'sate' and 'turm'",
        ),
        ('{% extends "line.j2" %}{% block user %}{{ state }', "mine.j2, line 1"),
        ('{% set answer_form = "line" %}{% block user %}{% endblock %}', "no block 'system'"),
        (
            '{% extends "line.j2" %}{% block sytem %}You are a master.{% endblock %}',
            "a block 'sytem' that nothing shows. Did you mean 'system'",
        ),
        (
            "{% block system %}{% endblock %}{% block user %}{% endblock %}"
            "{% block feedback %}{% endblock %}",
            "does not say how to answer",
        ),
        ('{% set answer_form = "xml" %}', "answer_form to 'xml'"),
        ('{% extends "mine.j2" %}', "extends itself"),
        (
            '{% extends "line.j2" %}{% block feedback %}{{ failure.code }}{% endblock %}',
            "'str object' has no attribute 'code'",
        ),
        ('{% extends "line.j2" %}{% block user %}{{ state / 2 }}{% endblock %}', "block 'user'"),
        ('{% extends "nothing.j2" %}', "nothing.j2"),
    ],
)
def test_wrong_templates_are_explained(tmp_path: Path, source: str, says: str) -> None:
    file = tmp_path / "mine.j2"
    file.write_text(source)
    with pytest.raises(UserError) as caught:
        Template(str(file))
    assert says in str(caught.value)


def test_unknown_templates_are_explained() -> None:
    with pytest.raises(UserError, match=r"'lin'\. Did you mean 'line'"):
        load_template("lin")
    with pytest.raises(UserError, match="no prompt template file"):
        load_template("prompts/none.j2")


def test_templates_run_in_a_sandbox(tmp_path: Path) -> None:
    file = tmp_path / "mine.j2"
    file.write_text(
        '{% extends "line.j2" %}{% block user %}'
        "{{ state.__class__.__mro__[1].__subclasses__() }}{% endblock %}"
    )
    with pytest.raises(UserError, match="unsafe"):
        Template(str(file))


@pytest.mark.parametrize(
    ("blocks", "uses"),
    [
        ("{% block answer_format %}Turn {{ turn }}{% endblock %}", {"turn", "rules", "seat"}),
        ("{% block system %}{{ self.user() }}{% endblock %}", {"state", "history"}),
        ("{% block system %}{% if memory %}x{% endif %}{% endblock %}", {"memory"}),
        ("{% block system %}{{ super() }}{% endblock %}", {"state"}),
    ],
)
def test_what_a_block_may_use_is_known_through_blocks_inside_and_parents(
    blocks: str, uses: set[str], tmp_path: Path
) -> None:
    file = tmp_path / "mine.j2"
    file.write_text('{% extends "line.j2" %}' + blocks)
    assert uses <= Template(str(file)).uses["system"]
    line = load_template("line")
    assert not {"state", "history", "turn"} & line.uses["system"]
    assert "turn" not in line.uses["user"]


def test_texts_are_kept_by_what_they_are_made_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompting, "KEPT", 2)
    template = Template("line")
    first = template.render("user", VALUES)
    assert template.render("user", VALUES | {"turn": 9}) == first
    for name in ("history", "legal_moves"):
        other = template.render("user", VALUES | {name: ["something else"]})
        assert other != first
        assert "something else" in other
    assert template.render("user", VALUES) == first


TWICE = (
    "{% set n = namespace(x=[1]) %}{% for i in range(60) %}{% set n.x = [n.x, n.x] %}{% endfor %}"
)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (TWICE + "{{ n.x }}", "too much"),
        (TWICE + "{{ n.x | tojson | length }}", "too much"),
        (TWICE.replace("[n.x, n.x]", "dict(a=n.x, b=n.x)") + "{{ n.x | string }}", "too much"),
        (TWICE.replace("[n.x, n.x]", "[n.x] * 2") + "{{ n.x == [n.x] }}", "too much"),
        ("{{ ([['x'] * 100] * 1000) | sum(start=[]) }}", "adds up numbers"),
        ("{{ 1 .to_bytes(10 ** 9, 'big') | length }}", "too long"),
    ],
    ids=["shown", "json", "dictionary", "compared", "sum", "bytes"],
)
def test_what_python_makes_in_one_step_is_counted_before(
    tmp_path: Path, source: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(template_limits, "MOST_WORK", 500_000)
    path = tmp_path / "mine.j2"
    path.write_text(f"{{% extends 'line.j2' %}}{{% block user %}}{source}{{% endblock %}}")
    with pytest.raises(UserError, match=says):
        load_template(str(path)).render("user", VALUES)


def test_a_namespace_shows_nothing_of_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "mine.j2"
    twice = "{% set n = namespace(a=n, b=n) %}"
    path.write_text(
        "{% extends 'line.j2' %}{% block user %}{% set n = 1 %}"
        f"{twice * 40}{{{{ n }}}} {{{{ n.a.b is defined }}}}{{% endblock %}}"
    )
    assert load_template(str(path)).render("user", VALUES) == "<namespace> True"


def test_lists_and_pairs_in_templates_work_as_ever(tmp_path: Path) -> None:
    path = tmp_path / "mine.j2"
    path.write_text(
        "{% extends 'line.j2' %}{% block user %}"
        "{% for a, b in [(1, 'x'), (2, 'y')] %}{{ a }}{{ b }}{% endfor %}"
        "{% set c, d = {'k': [state]}, 'e' in ('e', 'f') %}{{ c.k[0] }} {{ d }} {{ c }}"
        "{% endblock %}"
    )
    assert load_template(str(path)).render("user", VALUES) == "1x2yboard True {'k': ['board']}"
