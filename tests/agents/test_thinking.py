"""Thinking of every model family is separated from the visible text."""

from __future__ import annotations

import pytest

from game_reasoning_arena.agents.thinking import joined, separate


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("just text\n", ("just text\n", None)),
        ("<think>hm</think>\n\nText", ("Text", "hm")),
        ("<THINKING>hm</thinking>Text", ("Text", "hm")),
        (" \n<think>\nhm\n</think>Text", ("Text", "hm")),
        ("<think>never done", ("", "never done")),
        ("hm</think>Text", ("Text", "hm")),
        ("hm</think>no</think>Text", ("Text", "hm\nno")),
        ("</think></think>Text", ("Text", "")),
        ("Text <think>begun late", ("Text", "begun late")),
        ("<think>a</think>b<think>c</think>d", ("bd", "a\nc")),
        ("<think>a [THINK] b</think>c", ("c", "a [THINK] b")),
        ("[THINK]hm[/THINK]Text", ("Text", "hm")),
        ("\u25c1think\u25b7hm\u25c1/think\u25b7Text", ("Text", "hm")),
        ("<seed:think>hm</seed:think>Text", ("Text", "hm")),
        ("<thought>hm</thought>Text", ("Text", "hm")),
        ("<reasoning>hm</reasoning>Text", ("Text", "hm")),
        (
            "<|START_THINKING|>hm<|END_THINKING|><|START_RESPONSE|>Text<|END_RESPONSE|>",
            ("Text", "hm"),
        ),
        ("<|begin_of_thought|>hm<|end_of_thought|>Text", ("Text", "hm")),
        ("<|inner_prefix|>hm<|inner_suffix|>Text", ("Text", "hm")),
        ("<|channel>thought\nhm<channel|>Text", ("Text", "hm")),
        (
            "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>"
            "Text<|return|>",
            ("Text", "hm"),
        ),
        ("<|channel|>analysis<|message|>never done", ("", "never done")),
        ("<|channel|>final <|constrain|>json<|message|>{}", ("{}", None)),
        ("analysisWe see it.assistantfinalText", ("Text", "We see it.")),
        ("analysisWe see", ("", "We see")),
        ("analysis of the board: Text", ("analysis of the board: Text", None)),
        ("Text<|im_end|>", ("Text", None)),
        ("Text</s>\n<|eot_id|>\n", ("Text", None)),
        ("Text <|x|> more", ("Text <|x|> more", None)),
    ],
)
def test_thinking_is_separated(text: str, expected: tuple[str, str | None]) -> None:
    assert separate(text) == expected
    assert separate(expected[0]) == (expected[0], None)


def test_thinking_that_comes_twice_is_kept_once() -> None:
    assert joined("a", None) == "a"
    assert joined("a", "a") == "a"
    assert joined("a", "b") == "a\nb"
    assert joined(None, "") is None
