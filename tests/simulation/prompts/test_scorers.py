"""What each scorer makes of an answer: known cases, one line each."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from game_reasoning_arena.agents.asking import Verdict
from game_reasoning_arena.errors import UserError
from game_reasoning_arena.records import Outcome, Reply
from game_reasoning_arena.simulation.prompts.choices import Choice, choices_of
from game_reasoning_arena.simulation.prompts.code import defines_entry_point
from game_reasoning_arena.simulation.prompts.columns import Item
from game_reasoning_arena.simulation.prompts.scorers import make_scorer
from game_reasoning_arena.simulation.prompts.scorers.base import Unreadable
from game_reasoning_arena.simulation.prompts.scorers.numeric import last_number, quantity, written
from game_reasoning_arena.simulation.prompts.scorers.objects import last_object

FOUR = choices_of(["Paris", "London", "Rome", "3"], "choices")


def item(expected: Any, choices: tuple[Choice, ...] = (), **row: Any) -> Item:
    return Item(
        name=0, group=None, system=None, before=(), prompt="?", choices=choices,
        expected=expected, row={"answer": expected, **row},
    )  # fmt: skip


def judged(
    conf: Any, expected: Any, text: str, choices: tuple[Choice, ...] = (), finish: str = "stop"
) -> Verdict:
    scorer = make_scorer(conf)
    assert scorer is not None
    asked = item(expected, choices)
    return scorer.judge(Reply(text=text, finish_reason=finish), asked, scorer.key(asked))


def score(conf: Any, expected: Any, text: str, choices: tuple[Choice, ...] = ()) -> float | None:
    return judged(conf, expected, text, choices).score


@pytest.mark.parametrize(
    ("expected", "text", "worth"),
    [
        ("Paris", "It is so.\nFinal Answer: Paris", 1),
        ("Paris", "Final Answer: paris.", 1),
        ("Paris", "**Final Answer:** **Paris**", 1),
        ("Paris", "Final Answer: \\boxed{Paris}", 1),
        ("Paris", "Final Answer: Paris\nFinal Answer: Rome", 0),
        ("Paris", "Final Answer: Rome\nFinal Answer: Paris", 1),
        ("Paris", "Paris", 0),
        ("Paris", "Final Answer: Paris, France", 0),
        ("New  York", "Final Answer: new york", 1),
        ("(A)", "Final Answer: A", 1),
        ("A", "Final Answer: (A)", 1),
        ("Straße", "Final Answer: STRASSE", 1),
        ("ﬁve", "Final Answer: five", 1),
        (4, "Final Answer: 4", 1),
        (True, "Final Answer: true", 1),
        ("no", "<think>Final Answer: no</think>Final Answer: yes", 0),
    ],
)
def test_exact(expected: Any, text: str, worth: float) -> None:
    assert score("exact", expected, text) == worth


def test_exact_says_what_it_ignores() -> None:
    assert score({"type": "exact", "ignore_case": False}, "Paris", "Final Answer: paris") == 0
    loose = {"type": "exact", "ignore_punctuation": True, "ignore_articles": True}
    assert score(loose, "the U.S.A", "Final Answer: U S A") == 1
    assert score("exact", "the U.S.A", "Final Answer: U S A") == 0


@pytest.mark.parametrize("read", ["whole", "json"])
def test_answers_are_looked_for_where_the_setting_says(read: str) -> None:
    text = {"whole": " Paris ", "json": 'So: {"reasoning": "known", "answer": "Paris"}'}[read]
    assert score({"type": "exact", "read": read}, "Paris", text) == 1
    assert score({"type": "exact", "read": read}, "Rome", text) == 0


def test_one_of_several() -> None:
    assert score("one_of", ["USA", "United States"], "Final Answer: united states") == 1
    assert score("one_of", ["USA", "United States"], "Final Answer: States") == 0
    assert score("one_of", {"text": ["a", "b"]}, "Final Answer: b") == 1


@pytest.mark.parametrize(
    ("expected", "text", "worth", "how"),
    [
        (0, "Final Answer: A", 1, "choice:letter"),
        ("A", "Final Answer: (a)", 1, "choice:letter"),
        ("Paris", "Final Answer: A", 1, "choice:letter"),
        ("A", "Final Answer: Paris", 1, "choice:text"),
        ("A", "Final Answer: A. Paris", 1, "choice:letter"),
        ("A", "Final Answer: (A) Paris.", 1, "choice:letter"),
        ("A", "Final Answer: option A", 1, "choice:letter"),
        ("B", "Final Answer: A", 0, "choice:letter"),
        ("A", "Final Answer: A. London", 0, "choice:unparsable"),
        ("A", "Final Answer: E", 0, "choice:illegal"),
        ("A", "Final Answer: A or B", 0, "choice:unparsable"),
        ("A", "The answer is A", 0, "choice:unparsable"),
        ("D", "Final Answer: 3", 1, "choice:text"),
        ("A", "Final Answer: B\nFinal Answer: A", 1, "choice:letter"),
        ("A", "", 0, "choice:empty"),
    ],
)
def test_multiple_choice(expected: Any, text: str, worth: float, how: str) -> None:
    verdict = judged("choice", expected, text, FOUR)
    assert (verdict.score, verdict.scored_as) == (worth, how)


def test_a_cut_choice_is_truncated_and_scores_nothing() -> None:
    verdict = judged("choice", "A", "Let me think about", FOUR, finish="length")
    assert (verdict.outcome, verdict.score) == (Outcome.TRUNCATED, 0.0)


@pytest.mark.parametrize(
    ("expected", "choices", "says"),
    [
        ("E", FOUR, "none of its choices"),
        (4, FOUR, "counted from 0"),
        ("2", FOUR, "index_from"),
        ("A", (), "belongs to no choices"),
        (None, FOUR, "none of its choices"),
    ],
)
def test_choices_that_cannot_be_scored(
    expected: Any, choices: tuple[Choice, ...], says: str
) -> None:
    scorer = make_scorer("choice")
    assert scorer is not None
    with pytest.raises(Unreadable, match=says):
        scorer.key(item(expected, choices))


def test_numbers_of_choices_may_begin_at_one() -> None:
    assert score({"type": "choice", "index_from": 1}, 1, "Final Answer: A", FOUR) == 1
    assert score({"type": "choice", "index_from": 1}, "2", "Final Answer: B", FOUR) == 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("-5", -5),
        ("\u22125", -5),
        ("+5", 5),
        ("1,234", 1234),
        ("1,234,567.5", Fraction(12345675, 10)),
        ("1 234", 1234),
        ("1'234", 1234),
        ("$1,200.50", Fraction(120050, 100)),
        ("$-3", -3),
        ("-$3", -3),
        ("3/4", Fraction(3, 4)),
        ("1 1/2", Fraction(3, 2)),
        ("\\frac{3}{4}", Fraction(3, 4)),
        ("-\\dfrac{1}{2}", Fraction(-1, 2)),
        ("1.5e3", 1500),
        ("1e-3", Fraction(1, 1000)),
        ("2 x 10^3", 2000),
        ("2\u00d710^{-2}", Fraction(2, 100)),
        (".5", Fraction(1, 2)),
        ("5.", 5),
        ("72 dollars", 72),
        ("72 apples are left", 72),
        ("50 %", 50),
        ("x = 5", 5),
        ("Total: 5 km", 5),
        ("about 5", 5),
        ("007", 7),
        ("\uff15\uff10", 50),
        ("5 m\u00b2", 5),
        ("10\u00b2", None),
        ("2^10", None),
        ("5 about", 5),
        ("five", None),
        ("3 or 4", None),
        ("12-15", None),
        ("1,23", None),
        ("12:30", None),
        ("1/0", None),
        ("1e999999999", None),
        ("", None),
    ],
)
def test_numbers_are_read_as_they_are_written(text: str, value: Any) -> None:
    read = quantity(text)
    assert (None if read is None else read.value) == value


def test_a_comma_may_begin_the_decimals() -> None:
    read = quantity("1.234,5", decimal_comma=True)
    assert read is not None
    assert read.value == Fraction(12345, 10)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(5), "5"),
        (Fraction(-5, 2), "-2.5"),
        (Fraction(1, 3), "1/3"),
        (Fraction(1, 1000), "0.001"),
        (Fraction(12, 10), "1.2"),
    ],
)
def test_numbers_are_written_plainly(value: Fraction, text: str) -> None:
    assert written(value) == text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("so 3 + 4 = 7\n#### 7", ("7", "hashes")),
        ("#### 7\nand again #### 8", ("8", "hashes")),
        ("first 3, then 12.", ("12.", "last_number")),
        ("it costs $1,200 a year", ("$1,200", "last_number")),
        ("rooms 4-6", ("6", "last_number")),
        ("minus: -6", ("-6", "last_number")),
        ("it grew by 20 %", ("20 %", "last_number")),
        ("none at all", None),
    ],
)
def test_the_last_number_rule(text: str, found: tuple[str, str] | None) -> None:
    assert last_number(text) == found


@pytest.mark.parametrize(
    ("conf", "expected", "text", "worth"),
    [
        ({}, "72", "Final Answer: 72", 1),
        ({}, "72", "Final Answer: **72 apples**", 1),
        ({}, "1,000", "Final Answer: 1000.0", 1),
        ({}, "so\n#### 72", "Final Answer: $72", 1),
        ({}, 0.75, "Final Answer: 3/4", 1),
        ({}, "72", "It is 72", 0),
        ({}, "72", "Final Answer: many", 0),
        ({"read": "last_number"}, "72", "It is 70 and 2, so 72.", 1),
        ({"read": "last_number"}, "72", "Final Answer: 72\nThat is 9 times 8.", 1),
        ({"read": "last_number"}, "72", "#### 72\nThat is 9 times 8.", 1),
        ({"read": "last_number"}, "72", "Final Answer: the sum 70+2 is 72", 1),
        ({"tolerance": 0.5}, "10", "Final Answer: 10.5", 1),
        ({"tolerance": 0.5}, "10", "Final Answer: 10.51", 0),
        ({"relative": 0.01}, "-200", "Final Answer: -198", 1),
        ({"relative": 0.01}, "-200", "Final Answer: 200", 0),
        ({"units": "convert"}, "1.5 km", "Final Answer: 1500 m", 1),
        ({"units": "convert"}, "1.5 km", "Final Answer: 1.5", 1),
        ({"units": "convert"}, "1.5 km", "Final Answer: 1.5 kg", 0),
        ({"units": "convert"}, "90 min", "Final Answer: 1.5 hours", 1),
        ({"units": "convert"}, "20 °C", "Final Answer: 68 °F", 1),
        ({"units": "convert"}, "50 %", "Final Answer: 50 %", 1),
        ({"units": "convert"}, "$5", "Final Answer: 500 cents", 1),
        ({"units": "require"}, "1.5 km", "Final Answer: 1.5", 0),
        ({"units": "require"}, "1.5 km", "Final Answer: 1.5 kilometres", 1),
        ({"units": "ignore"}, "1.5 km", "Final Answer: 1.5 kg", 1),
    ],
)
def test_numeric(conf: dict[str, Any], expected: Any, text: str, worth: float) -> None:
    assert score({"type": "numeric", **conf}, expected, text) == worth


def test_a_number_that_cannot_be_read_is_no_answer() -> None:
    assert judged("numeric", "72", "Final Answer: many").outcome is Outcome.UNPARSABLE
    kept = judged({"type": "numeric", "read": "last_number"}, "72", "I cannot say.")
    assert (kept.outcome, kept.score) == (Outcome.UNPARSABLE, 0.0)


@pytest.mark.parametrize(
    ("conf", "expected", "says"),
    [
        ("numeric", "many", "no number"),
        ({"type": "numeric", "units": "convert"}, "3 apples", "cannot be converted"),
        ("exact", ["a", "b"], "one_of"),
        ("exact", None, "no text"),
        ("one_of", [], "empty list"),
        ("regex", "(", "no regular expression"),
        ("json", "[1]", "no JSON object"),
        ("json", "{", "no JSON"),
        ({"type": "json", "keys": ["a"]}, {"b": 1}, "no key 'a'"),
    ],
)
def test_answers_that_a_scorer_cannot_read(conf: Any, expected: Any, says: str) -> None:
    scorer = make_scorer(conf)
    assert scorer is not None
    with pytest.raises(Unreadable, match=says):
        scorer.key(item(expected))


@pytest.mark.parametrize(
    ("conf", "expected", "text", "worth"),
    [
        ("contains", "fork", "Play a fork now.", 1),
        ("contains", "fork", "Play forks now.", 0),
        ({"type": "contains", "whole_words": False}, "fork", "Play forks now.", 1),
        ("contains", ["fork", "pin"], "A pin!", 1),
        ({"type": "contains", "all": True}, ["fork", "pin"], "A pin!", 0),
        ({"type": "contains", "all": True}, ["fork", "pin"], "A pin and a FORK", 1),
        ({"type": "contains", "ignore_case": False}, "fork", "FORK", 0),
        ("regex", r"\be4\b", "I open with e4.", 1),
        ("regex", r"\be4\b", "I open with e5.", 0),
        ({"type": "regex", "full": True}, "[a-h][1-8]", "e4", 1),
        ({"type": "regex", "full": True}, "[a-h][1-8]", "e4!", 0),
        ({"type": "regex", "ignore_case": True}, "E4", "e4", 1),
        ("json", '{"a": 1, "b": [true, null]}', 'Here: {"b": [true, null], "a": 1.0}', 1),
        ("json", {"a": 1}, '```json\n{"a": 1, "c": 3}\n```', 1),
        ({"type": "json", "extra": False}, {"a": 1}, '{"a": 1, "c": 3}', 0),
        ("json", {"a": 1}, '{"a": true}', 0),
        ("json", {"a": "1"}, '{"a": 1}', 0),
        ({"type": "json", "partial": True}, {"a": 1, "b": 2}, '{"a": 1, "b": 3}', 0.5),
        ({"type": "json", "keys": ["a"]}, {"a": 1, "b": 2}, '{"a": 1}', 1),
        ("json", {"a": 1}, "no object", 0),
        ("f1", "the cat sat", "Final Answer: a cat sat down", 0.8),
        ("f1", "the cat", "Final Answer: The cat!", 1),
        ("f1", ["red", "dark blue"], "Final Answer: blue", 2 / 3),
        ("f1", "red", "Final Answer: blue", 0),
    ],
)
def test_the_other_scorers(conf: Any, expected: Any, text: str, worth: float) -> None:
    assert score(conf, expected, text) == pytest.approx(worth)


def test_a_pattern_for_all_rows_needs_no_answers() -> None:
    scorer = make_scorer({"type": "regex", "pattern": r"Elo (\d+)"})
    assert scorer is not None
    assert not scorer.needs_answer
    verdict = scorer.judge(Reply(text="about Elo 1500"), item(None), scorer.key(item(None)))
    assert (verdict.score, verdict.answer_text) == (1.0, "1500")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a": 1}', {"a": 1}),
        ('one {"a": 1} two {"b": {"c": 2}} three', {"b": {"c": 2}}),
        ('```\n{"a": 1}\n```', {"a": 1}),
        ("{" * 5000, None),
        ('{"a": ' * 3000, None),
        ("[1]", None),
        ("", None),
    ],
)
def test_the_last_object_of_a_text(text: str, found: Any) -> None:
    assert last_object(text) == found


@pytest.mark.parametrize(
    "text",
    [
        mark * (100_000 // len(mark))
        for mark in (
            " ", "1", "1 ", "-", "- ", "$ ", "1,111", "1/", "```\n", "{", '{"a": ', "####\n",
            "Final Answer: ", "a b ", "(A) ", "\\frac{", "1 x 10^", "\n", '"',
        )
    ],
)  # fmt: skip
@pytest.mark.parametrize("conf", ["exact", "choice", "json", "contains", "f1", "numeric"])
def test_no_reply_is_read_again_and_again(conf: str, text: str) -> None:
    """Each would take hours if a pattern looked at every place from every other one."""
    expected: Any = {"choice": "A", "numeric": 1, "json": {"a": 1}}.get(conf, "x")
    read = "last_number" if conf == "numeric" else "whole"
    for settings in ({"type": conf}, {"type": conf, "read": read}):
        assert score(settings, expected, text, FOUR) is not None


@pytest.mark.parametrize(
    ("answer", "defined"),
    [
        ("def f(x):\n    return x", True),
        ("Sure:\n```python\ndef f(x):\n    return x\n```\nDone.", True),
        ("    return x\n", True),
        ("def f(x):\n    pass", False),
        ("def g(x):\n    return x", False),
        ("def f(x:\n", False),
        ("I cannot.", False),
    ],
)
def test_code_that_defines_its_entry_point(answer: str, defined: bool) -> None:
    row = {"prompt": 'def f(x):\n    """Return it."""\n', "entry_point": "f"}
    assert defines_entry_point(answer, None, row) is defined


@pytest.mark.parametrize("outcome", ["refused", "empty", "truncated"])
@pytest.mark.parametrize("conf", ["exact", "choice", "numeric", "json", "contains"])
def test_failed_answers_score_nothing_and_say_why(conf: str, outcome: str) -> None:
    replies = {
        "refused": Reply(text="I cannot", refused=True),
        "empty": Reply(text=" ", finish_reason="stop"),
        "truncated": Reply(text="", finish_reason="length"),
    }
    scorer = make_scorer(conf)
    assert scorer is not None
    expected: Any = {"choice": "A", "numeric": 1, "json": {"a": 1}}.get(conf, "x")
    asked = item(expected, FOUR)
    verdict = scorer.judge(replies[outcome], asked, scorer.key(asked))
    assert (verdict.outcome, verdict.score) == (outcome, 0.0)
    assert verdict.scored_as == f"{conf}:{outcome}"


@pytest.mark.parametrize(
    ("conf", "says"),
    [
        ("exakt", "Did you mean 'exact'?"),
        ({"type": "numeric", "tolerence": 1}, "Did you mean 'tolerance'?"),
        ({"type": "numeric", "tolerance": "much"}, "give a number"),
        ({"type": "numeric", "tolerance": -1}, "give 0 or more"),
        ({"type": "numeric", "units": "metric"}, "convert, ignore, require"),
        ({"type": "exact", "ignore_case": 1}, "true or false"),
        ({"type": "exact", "read": "last_number"}, "line, json, whole"),
        ({"type": "regex", "pattern": "("}, "no regular expression"),
        ({"type": "choice", "index_from": 2}, "give 0 or 1"),
        ({"tolerance": 1}, "with a type"),
        ({"type": "judge", "grades": {"good": 2, "bad": 0}}, "score from 0 to 1"),
        ({"_target_": "no_such_module_here.score"}, "no module"),
        ({"_target_": "math.sqr"}, "'math' has no 'sqr'. Did you mean 'sqrt'"),
        ({"_target_": "math.sqrt"}, "takes"),
    ],
)
def test_wrong_scorers_are_explained(conf: Any, says: str) -> None:
    with pytest.raises(UserError) as caught:
        make_scorer(conf)
    assert says in str(caught.value)
    assert "simulation.scorer" in str(caught.value)
