"""The scripted stand-ins: same prompt, same form of answer, no language model."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections import Counter

import pytest

from game_reasoning_arena.backends.scripted_backend import (
    ILLEGAL_MOVE,
    ScriptedBackend,
    legal_moves,
)
from game_reasoning_arena.errors import BadRequestError
from game_reasoning_arena.records import Constraint, Message, Model, Reply, Request, Sampling

MOVES = ["x(0,0)", "x(1,2)", "Call and wait"]
LINE_FORM = "End with a last line of this form:\nFinal Answer: <move>"
JSON_FORM = 'Answer with JSON only: {"reasoning": "...", "action": "<move>"}'


def prompt(form: str = LINE_FORM, moves: list[str] = MOVES) -> str:
    listed = "\n".join(f"- {move}" for move in moves)
    return f"Game: tic_tac_toe\n\nBoard:\n- not a move\n\nLegal moves:\n{listed}\n\n{form}"


def ask(
    *contents: str,
    model: str = "random",
    seed: int | None = 1,
    constraint: Constraint | None = None,
    backend: ScriptedBackend | None = None,
) -> Reply:
    roles = ["user", "assistant"]
    messages = tuple(Message(role=roles[i % 2], content=c) for i, c in enumerate(contents))
    request = Request(
        model=Model(name=f"scripted_{model}", backend="scripted", model_id=model),
        messages=messages,
        sampling=Sampling(),
        seed=seed,
        constraint=constraint,
    )
    return asyncio.run((backend or ScriptedBackend()).complete(request))


def test_first_answers_in_the_line_form_and_says_what_it_is() -> None:
    reply = ask(prompt(), model="first")
    assert reply.text.splitlines()[-1] == "Final Answer: x(0,0)"
    assert "scripted stand-in" in reply.text
    assert "no language model" in reply.text
    assert reply.finish_reason == "stop"


def test_answers_in_json_where_the_prompt_asks_for_it() -> None:
    answer = json.loads(ask(prompt(JSON_FORM), model="first").text)
    assert answer["action"] == "x(0,0)"
    assert "scripted stand-in" in answer["reasoning"]


def test_random_plays_every_move_and_only_the_seed_decides() -> None:
    backend = ScriptedBackend()
    texts = [ask(prompt(), seed=seed, backend=backend).text for seed in range(300)]
    counts = Counter(text.rsplit("Final Answer: ", 1)[1] for text in texts)
    assert set(counts) == set(MOVES)
    assert min(counts.values()) > 60  # 100 expected, standard deviation 8
    assert texts == [ask(prompt(), seed=seed).text for seed in range(300)]


def test_sloppy_fails_in_each_way_at_the_set_rate() -> None:
    backend = ScriptedBackend(illegal=0.2, unparsable=0.2, truncated=0.2, empty=0.2)
    kinds: Counter[str] = Counter()
    for seed in range(500):
        reply = ask(prompt(), model="sloppy", seed=seed, backend=backend)
        if not reply.text:
            kinds["empty"] += 1
        elif reply.finish_reason == "length":
            kinds["truncated"] += 1
            assert "Final Answer" not in reply.text
        elif match := re.search(r"^Final Answer: (.*)$", reply.text, re.M):
            kinds["illegal" if match[1] == ILLEGAL_MOVE else "legal"] += 1
        else:
            kinds["unparsable"] += 1
    assert set(kinds) == {"empty", "truncated", "illegal", "legal", "unparsable"}
    assert all(60 < count < 145 for count in kinds.values())  # 100 expected, sd 9


def test_rates_that_sum_to_more_than_all_are_refused() -> None:
    with pytest.raises(ValueError, match="sum to at most 1"):
        ScriptedBackend(illegal=0.8, empty=0.3)


def test_a_constraint_is_obeyed_word_for_word() -> None:
    choices = ("Final Answer: a", "Final Answer: b")
    for model in ("random", "first", "sloppy"):
        assert ask(prompt(), model=model, constraint=Constraint(choices=choices)).text in choices


def test_legal_moves_come_from_the_latest_message_that_lists_them() -> None:
    feedback = "Final Answer: x(9,9) is not legal. Try again."
    assert ask(prompt(), "Final Answer: x(9,9)", feedback, model="first").text.endswith("x(0,0)")
    later = prompt(moves=["later"])
    assert ask(prompt(), "Legal moves:\n- mine", later, model="first").text.endswith(": later")


def test_without_listed_moves_there_is_no_move() -> None:
    assert "Final Answer:" not in ask(f"Board: ...\n{LINE_FORM}").text
    assert legal_moves([Message(role="user", content="Legal moves are hidden.\nGo on")]) == []


def test_a_prompt_without_a_game_gets_a_short_answer() -> None:
    assert ask("What is the capital of France?").text == ask("Name a prime.").text


def test_tokens_are_unknown_and_the_cost_is_known() -> None:
    reply = ask(prompt())
    assert reply.prompt_tokens is None
    assert reply.completion_tokens is None
    assert reply.cost_usd == 0.0


def test_an_unknown_stand_in_is_named_with_the_options() -> None:
    with pytest.raises(BadRequestError, match=r"'scripted_randon'.*Did you mean 'scripted_random'"):
        ask(prompt(), model="randon")


def test_loads_no_heavy_library() -> None:
    code = (
        "import sys, game_reasoning_arena.backends.scripted_backend\n"
        "print([m for m in ('litellm', 'aiohttp', 'numpy', 'httpx') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
