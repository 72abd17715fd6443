"""Reading declared answers: what is forgiven, what is not, and what is called what."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from game_reasoning_arena.agents.asking import Verdict
from game_reasoning_arena.agents.naming import Names
from game_reasoning_arena.agents.parsing import judge
from game_reasoning_arena.agents.reading.forms import FORMS
from game_reasoning_arena.agents.thinking import separate
from game_reasoning_arena.analysis.statistics.reasoning import features
from game_reasoning_arena.recording.encoding import encode
from game_reasoning_arena.records import Outcome, Reply


def names(*labels: str) -> Names:
    return Names(tuple(range(len(labels))), labels, labels, lambda text: ())


BOARD = names("x(0,0)", "x(0,1)", "x(1,1)")


def read(
    text: str, legal: Names = BOARD, form: str = "line", finish: str | None = "stop"
) -> Verdict:
    return judge(Reply(text=text, finish_reason=finish), form, legal)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("Final Answer: x(1,1)", "line"),
        ("I think.\n\nFinal Answer: x(1,1)\n", "line"),
        ("Final Answer: **x(1,1)**", "line+emphasis"),
        ("**Final Answer:** x(1,1)", "line+emphasis"),
        ("**Final Answer: x(1,1)**", "line+emphasis"),
        ("*Final Answer*: _x(1,1)_", "line+emphasis"),
        ("Final Answer: `x(1,1)`", "line+code"),
        ("`Final Answer: x(1,1)`", "line+code"),
        ("Final Answer:\n```\nx(1,1)\n```", "line+fenced"),
        ("Final Answer:\nx(1,1)", "line+next_line"),
        ("```\nFinal Answer: x(1,1)\n```", "line+code"),
        ("### Final Answer: x(1,1)", "line+heading"),
        ("> Final Answer: x(1,1)", "line+heading"),
        ("Final Answer: - x(1,1)", "line+bullet"),
        (r"Final Answer: \boxed{x(1,1)}", "line+boxed"),
        (r"Final Answer: $\boxed{\text{x(1,1)}}$", "line+boxed"),
        ('Final Answer: "x(1,1)"', "line+quotes"),
        ("Final Answer: \u201cx(1,1)\u201d", "line+quotes"),
        ("Final Answer: [x(1,1)]", "line+brackets"),
        ("Final Answer: x(1,1).", "line+full_stop"),
        ('Final Answer: **"x(1,1)".**', "line+emphasis+full_stop+quotes"),
        ("final answer: x(1,1)", "line+case"),
        ("Final Answer: X(1,1)", "line+case"),
        ("Final Answer: x(1, 1)", "line+spacing"),
    ],
)
def test_decorations_are_forgiven_and_named(text: str, form: str) -> None:
    verdict = read(text)
    assert (verdict.outcome, verdict.action) == (Outcome.LEGAL, 2)
    assert verdict.form == form
    assert set(form.split("+")) <= FORMS.keys()


HIVE = names("bM bQ", "bM bQ\\", "bM bQ/")


@pytest.mark.parametrize(
    ("text", "form", "action"),
    [
        ("Final Answer: bM bQ\\!", "line", 1),
        ('{"reasoning": "so be it", "action": "bM bQ\\\\!"}', "json", 1),
        (r"Final Answer: \textbf{bM bQ\}.", "line", 1),
        (r"Final Answer: \[ bM bQ \]", "line", 0),
        ("Final Answer: bM bQ!", "line", 0),
    ],
)
def test_a_backslash_of_a_name_is_no_space_of_tex(text: str, form: str, action: int) -> None:
    verdict = read(text, HIVE, form)
    assert (verdict.outcome, verdict.action) == (Outcome.LEGAL, action)


@pytest.mark.parametrize(
    "text",
    [
        "I play x(1,1).",
        "The final answer is the middle of the board",
        "My move: x(1,1)",
        r"\boxed{x(1,1)}",
        "x(1,1)",
        '{"action": "x(1,1)"}',
        "Final Answer:",
        "Final Answer: \n\nI would go for x(1,1)\nor x(0,0)",
    ],
)
def test_prose_is_never_searched(text: str) -> None:
    assert read(text).outcome is Outcome.UNPARSABLE


def test_the_last_declared_answer_wins() -> None:
    assert read("Final Answer: x(0,0)\nNo.\nFinal Answer: x(1,1)").action == 2
    assert read("Final Answer: x(0,0)\nNo.\nFinal Answer: x(9,9)").outcome is Outcome.ILLEGAL


@pytest.mark.parametrize(
    "later",
    ["Final Answer:", "**Final Answer:**\n\nThe middle.\n\nThis blocks.", "Final Answer: ** \n"],
)
def test_an_answer_that_a_later_blank_one_takes_back_does_not_count(later: str) -> None:
    verdict = read(f"Final Answer: x(0,0)\nWait.\n{later}")
    assert (verdict.outcome, verdict.action) == (Outcome.UNPARSABLE, None)


@pytest.mark.parametrize("text", ["x(2,2)", "o(1,1)", "x(7,7) because it is free", "corner"])
def test_a_declared_answer_that_names_a_move_which_is_not_legal_is_illegal(text: str) -> None:
    verdict = read(f"Final Answer: {text}")
    assert (verdict.outcome, verdict.action, verdict.answer) == (Outcome.ILLEGAL, None, text)


@pytest.mark.parametrize("text", ["I resign", "none", "not sure yet", "???", "anything but that"])
def test_a_declared_answer_that_names_no_move_at_all_is_unparsable(text: str) -> None:
    verdict = read(f"Final Answer: {text}")
    assert (verdict.outcome, verdict.answer, verdict.fits) == (Outcome.UNPARSABLE, text, ())


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("x(0,0) or x(1,1)", ("x(0,0)", "x(1,1)")),
        ("x(1,1), because x(0,0) is worse", ("x(0,0)", "x(1,1)")),
        ("x(1,1) or the corner", ("x(1,1)",)),
        ("x(1,1)? No, the corner.", ("x(1,1)",)),
        ("x(1,1) is not possible", ("x(1,1)",)),
        ("x(1,1). Wait, let me think", ("x(1,1)",)),
    ],
)
def test_two_moves_or_one_that_is_taken_back_are_no_move(text: str, fits: tuple[str, ...]) -> None:
    verdict = read(f"Final Answer: {text}")
    assert (verdict.outcome, verdict.action, verdict.fits) == (Outcome.UNPARSABLE, None, fits)


def test_letter_case_is_forgiven_only_where_one_move_fits() -> None:
    chess = names("Bxc3", "bxc3")
    assert read("Final Answer: bxc3", chess).action == 1
    assert read("Final Answer: Bxc3", chess).action == 0
    assert read("Final Answer: BXC3", chess).outcome is Outcome.UNPARSABLE


def test_a_name_that_two_moves_share_is_ambiguous_and_their_labels_are_not() -> None:
    legal = Names((3, 8), ("Pass [3]", "Pass [8]"), ("Pass", "Pass"), lambda text: ())
    assert read("Final Answer: Pass", legal).outcome is Outcome.UNPARSABLE
    assert read("Final Answer: Pass [8]", legal).action == 8


@pytest.mark.parametrize("answer", ["- 1", "`- 1`", "**- 1**", "- 1."])
def test_a_sign_apart_from_its_number_is_no_list_mark_where_both_are_moves(answer: str) -> None:
    signed = names("1", "-1", "12")
    assert read(f"Final Answer: {answer}", signed).outcome is Outcome.UNPARSABLE
    assert read(f"Final Answer: {answer}", names("1", "12")).action == 0
    assert read(f"Final Answer: {answer}", names("-1", "12")).action == 0
    assert read("Final Answer: - -1", signed).action == 1
    assert read("Final Answer: **-1.**", signed).action == 1


def test_what_forgives_less_goes_before_what_forgives_that_and_more() -> None:
    assert read("Final Answer: **bxc3**", names("Bxc3", "bxc3")).action == 1
    assert read("Final Answer: **24/23***", names("24/23", "24/23*")).action == 1
    assert read("Final Answer: **24/23**", names("24/23", "24/23*")).action == 0


def test_names_made_of_decoration_are_read_as_they_stand() -> None:
    legal = names("24/23*", "24/23", "a.", "a", "[x]", "x", '"q"', "q")
    for action, label in enumerate(legal.labels):
        assert read(f"Final Answer: {label}", legal).action == action


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ('{"reasoning": "centre", "action": "x(1,1)"}', "json"),
        ('Well:\n```json\n{"reasoning": "centre", "action": "x(1,1)"}\n```', "json+fenced"),
        (
            '{"action": "x(0,0)"} no, {"reasoning": "centre", "action": "X(1,1)."}',
            "json+full_stop+case",
        ),
        (
            '{"a": {"action": "x(0,0)"}} {"reasoning": "centre", "action": "x(1,1)"} {"b": 1}',
            "json",
        ),
    ],
)
def test_the_last_object_with_an_action_wins(text: str, form: str) -> None:
    verdict = read(text, form="json")
    assert (verdict.action, verdict.form, verdict.reasoning) == (2, form, "centre")


@pytest.mark.parametrize(
    "text",
    [
        '{"move": "x(1,1)"}',
        '{"action": null}',
        '{"action": true}',
        '{"action": ["x(1,1)"]}',
        '{"action": "x(1,1)"',
        "Final Answer: x(1,1)",
        '{"outer": {"action": "x(1,1)"}}',
        "{" * 5000,
    ],
)
def test_anything_else_is_no_json_answer(text: str) -> None:
    assert read(text, form="json").outcome is Outcome.UNPARSABLE


def test_numbers_in_json_are_names() -> None:
    assert read('{"action": 4}', names("3", "4"), form="json").action == 1
    assert read('{"action": 4.0}', names("3", "4"), form="json").outcome is Outcome.UNPARSABLE
    huge = "9" * 5000
    assert read(f'{{"action": {huge}}}', form="json").action_text == huge
    assert read(f'{{"n": {huge}, "action": "x(1,1)"}}', form="json").action == 2


@pytest.mark.parametrize(
    ("text", "finish", "outcome"),
    [
        ("", "stop", Outcome.EMPTY),
        (" \n", "stop", Outcome.EMPTY),
        ("", "length", Outcome.TRUNCATED),
        ("Let me think about", "length", Outcome.TRUNCATED),
        ("Final Answer: x(0,0)\nWait.\nFinal Answer:", "length", Outcome.TRUNCATED),
        ("Final Answer: x(0,", "length", Outcome.TRUNCATED),
        ("Final Answer: x(0,0)\nThis is because", "length", Outcome.LEGAL),
        ("Final Answer: x(0,0)", "length", Outcome.LEGAL),
        ("<think>x(0,0)? No.</think>\nFinal Answer: x(1,1)", "stop", Outcome.LEGAL),
        ("<think>Final Answer: x(0,0)</think>", "stop", Outcome.EMPTY),
        ("<think>Final Answer: x(0,0)", "length", Outcome.TRUNCATED),
    ],
)
def test_cut_and_empty_answers_are_told_apart(text: str, finish: str, outcome: Outcome) -> None:
    assert read(text, finish=finish).outcome is outcome


def test_a_cut_answer_that_could_go_on_to_another_move_is_not_played() -> None:
    bids = names("1", "12")
    assert read("Final Answer: 1", bids, finish="length").outcome is Outcome.TRUNCATED
    assert read("Final Answer: 12", bids, finish="length").action == 1
    assert read("Final Answer: 1", bids).action == 0


def test_a_refusal_is_a_refusal_whatever_else_it_says() -> None:
    reply = Reply(text="Final Answer: x(0,0)", refused=True)
    assert judge(reply, "line", BOARD).outcome is Outcome.REFUSED


def test_reasoning_is_parted_from_what_is_said() -> None:
    assert separate("<think>a</think> b") == ("b", "a")
    assert separate("a\n</think>\nb") == ("b", "a")
    assert separate("<think>never ends") == ("", "never ends")
    assert separate("plain") == ("plain", None)
    reply = Reply(text="Final Answer: x(0,0)", reasoning="from the provider")
    assert judge(reply, "line", BOARD).reasoning == "from the provider"


@given(st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=6), st.data())
def test_any_name_given_as_answer_is_read_as_exactly_that_move(
    texts: list[str], data: st.DataObject
) -> None:
    class Turn:
        legal_actions = tuple(range(len(texts)))

        def action_text(self, action: int) -> str:
            return texts[action]

        seat = 0

        def other_notation(self, text: str) -> tuple[int, ...]:
            return ()

        def is_move(self, text: str) -> bool:
            return False

    legal = Names.of(Turn())  # type: ignore[arg-type]
    action = data.draw(st.sampled_from(legal.actions))
    label = legal.label(action)
    answer = json.dumps({"action": label})
    assert judge(Reply(text=answer), "json", legal).action == action
    if label.strip("*_`~ "):
        assert judge(Reply(text=f"Final Answer: {label}"), "line", legal).action == action


@pytest.mark.parametrize(
    "fragment",
    [
        "\n",
        "- ",
        "- \n",
        " ",
        "`",
        "~~~\n",
        "<think>",
        "</think>",
        "<think><reasoning></think>",
        "Final Answer:\n",
        "{",
        '{"',
        '{"a":',
        '{"action": 1}',
        '{"a": "\\" ',
        "{'a': '",
        "{action",
        "{\u201c",
        "final answer is ",
        "Final Answer: Final Answer: ",
        "Final Answer (",
        "\U0001f600",
        "<b>",
        "1. ",
        "(",
        "\\text{",
        "player 0: ",
        "I play ",
        "x(1,1) ",
        "x(1,1)",
        "\u00e9",
        "'",
    ],
)
def test_a_reply_of_one_thing_again_and_again_is_read_at_once(fragment: str) -> None:
    # Looking at each place from each place would take minutes.
    text = fragment * (200_000 // len(fragment))
    assert read(text, finish="length").outcome is Outcome.TRUNCATED
    assert read(f"Final Answer: x{text}y", finish="length").action is None
    expected = 0 if fragment == '{"action": 1}' else None
    assert read(text, names("1"), form="json").action == expected
    assert features(text)["chars"] == len(text)


def test_heaps_of_marks_around_an_answer_are_not_taken_off_in_every_way() -> None:
    heap = "*_`" * 150
    assert read(f"Final Answer: {heap}x{heap}").action is None
    assert read(f"Final Answer: {heap[:9]}x(1,1){heap[:9]}").action == 2


def test_objects_nested_too_deep_for_the_decoder_hide_no_answer_behind_them() -> None:
    deep = '{"a":' * 3000
    assert read(f'{deep} {{"action": "x(1,1)"}}', form="json").action == 2
    assert read(f'{deep}1{"}" * 3000} {{"action": "x(1,1)"}}', form="json").action == 2
    assert read('{"a": {"b": 1}, {"action": "x(1,1)"}', form="json").action == 2
    assert read('{"a": "line\nbreak {", {"action": "x(1,1)"}', form="json").action == 2


def test_half_a_character_said_in_json_can_be_written_down() -> None:
    verdict = read(r'{"reasoning": "bad \ud83d half", "action": "x(1,\udc00)"}', form="json")
    assert (verdict.reasoning, verdict.answer) == ("bad \ufffd half", "x(1,\ufffd)")
    whole = read(r'{"reasoning": "\ud83d\ude00", "action": "x(1,1)"}', form="json")
    assert (whole.reasoning, whole.action) == ("\U0001f600", 2)


_PIECES = st.sampled_from(
    [
        *("Final Answer:", "\n", " ", "- ", "**", "`", "```", "x(1,1)", "1", "-", ".", "\\boxed{"),
        *("final answer is ", " - ", "Final Answer", "I play ", "player 0: ", " because ", " or "),
        *(
            "</s>",
            "<b>",
            "\U0001f600",
            "\u2658",
            "\uff1a",
            "\u2014",
            "\\(",
            "'",
            "\u201c",
            "}}",
            "=",
            "? ",
        ),
        *("<think>", "</think>", "<reasoning>", "{", "}", "[", "]", '"', "\\", ":", ",", "\\ud83d"),
        *('{"action":', '"reasoning":', "9" * 5000, "NaN", "1e999", "\x00", "\ufeff"),
    ]
)


@given(
    pieces=st.lists(_PIECES | st.text(max_size=5), max_size=20),
    form=st.sampled_from(["line", "json"]),
    finish=st.sampled_from(["stop", "length", None]),
)
def test_whatever_a_model_says_is_judged(pieces: list[str], form: str, finish: str | None) -> None:
    verdict = read("".join(pieces), form=form, finish=finish)
    assert (verdict.outcome is Outcome.LEGAL) == (verdict.action is not None)
    assert encode((verdict.answer, verdict.action_text, verdict.reasoning, verdict.visible))
