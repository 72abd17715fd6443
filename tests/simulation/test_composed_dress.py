"""A legal move is read in any lead, separator, dress and remark together, and as that move only."""

from __future__ import annotations

import random

import pytest

from game_reasoning_arena.agents.base_agent import Turn
from game_reasoning_arena.agents.naming import Names
from game_reasoning_arena.agents.parsing import judge
from game_reasoning_arena.records import Reply
from game_reasoning_arena.simulation.open_spiel.simulation import OpenSpielSimulation
from tests.simulation.names_read import walk

LEADS = (
    *("", "So my ", "I think hard. ", "Therefore, my ", "Step 3: ", "1. ", "2) ", "- ", "* ", "> "),
    *(
        "\u2022 ",
        "### ",
        "**",
        "__",
        "`",
        "_",
        "\u2705 ",
        "\U0001f3af ",
        "\u2192 ",
        "\u27a1\ufe0f ",
    ),
    *("(", '"', "\u201c", "[", "Answer time! ", "Thus: ", "**So, my ", "Okay. "),
)
MARKERS = ("Final Answer", "final answer", "FINAL ANSWER", "Final_Answer", "**Final Answer**")
SEPARATORS = (
    *(": ", ":", "\uff1a", ": \n", ":\n\n", ":** ", " : ", " - ", " \u2013 ", " \u2014 ", " is "),
    *(" is: ", " = ", ":  "),
)
DRESS = (
    *("{}", "**{}**", "`{}`", '"{}"', "\u201c{}\u201d", "'{}'", "<{}>", "[{}]", "({})", "__{}__"),
    *(
        "<move>{}</move>",
        "<b>{}</b>",
        "\\boxed{{{}}}",
        "$\\boxed{{\\text{{{}}}}}$",
        "\\textbf{{{}}}",
    ),
    *(
        "- {}",
        "I play {}",
        "I choose **{}**",
        "the move {}",
        "my move is `{}`",
        "{}!",
        "{};",
        "{},",
    ),
    *("{}.", "{} .", "***{}***", "\u300c{}\u300d"),
)
REMARKS = (
    *("", " (the best)", " - it is strong", " \u2014 it is strong", " \u2013 it is strong", "</s>"),
    *(
        " because it is strong.",
        ", since nothing else works",
        ". It wins.",
        "! It wins.",
        " // best",
    ),
    *(" (strong!)", "; that wins", " as it keeps control", " which wins", " to win", " \u2705"),
    *(" \U0001f389\U0001f389", "<|im_end|>", " {develops}", " [best]", "\n\nThat is all.", "\n"),
    *("   ", "\u3002"),
)
GAMES = (
    *("tic_tac_toe", "connect_four", "chess", "hex", "othello", "breakthrough", "kuhn_poker"),
    *("leduc_poker", "liars_dice", "goofspiel", "backgammon", "matrix_rps"),
)
#: Replies that are read per game.
REPLIES = 400


@pytest.mark.parametrize("game", GAMES)
def test_a_move_is_read_in_any_dress(game: str) -> None:
    rng = random.Random(game)
    simulation = OpenSpielSimulation(game)
    misread: list[str] = []
    read = 0

    def look(turn: Turn) -> None:
        nonlocal read
        names = Names.of(turn)
        for _ in range(20):
            read += 1
            action, label = rng.choice(list(zip(names.actions, names.labels, strict=True)))
            before = "".join(map(rng.choice, (LEADS, MARKERS, SEPARATORS)))
            text = before + rng.choice(DRESS).format(label) + rng.choice(REMARKS)
            verdict = judge(Reply(text=text, finish_reason="stop"), "line", names)
            if verdict.action != action:
                misread.append(f"{text!r}: {verdict.outcome}, {verdict.action_text}")

    seed = 0
    while read < REPLIES:
        walk(simulation, seed, look)
        seed += 1
    assert misread == []
