"""Rules for the language of reasoning, their tables, and a judge in their place."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from game_reasoning_arena.analysis.statistics.reasoning import (
    RULES,
    ModelJudge,
    features,
    judged,
    passage,
    passages,
    reasoning_row,
    reasoning_summary,
    reasoning_table,
)
from game_reasoning_arena.analysis.statistics.standings import standings
from game_reasoning_arena.recording import load_runs
from game_reasoning_arena.records import Model, Reply, Request
from tests.analysis.make_runs import Player, make_run


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("X is about to win on the diagonal.", "threat"),
        ("There are two in a row.", "threat"),
        ("I must prevent the diagonal.", "block"),
        ("So I block it.", "block"),
        ("The center is strongest.", "centre"),
        ("Taking the centre square.", "centre"),
        ("My opponent will answer in the corner.", "opponent"),
        ("They might bluff here.", "opponent"),
        ("Only empty squares are legal.", "rule"),
        ("If I play there, then they lose.", "lookahead"),
        ("With 50% probability it is a king.", "chance"),
    ],
)
def test_a_sentence_shows_its_category(text: str, category: str) -> None:
    assert features(text)[category] is True


@pytest.mark.parametrize("text", ["", "I like this square.", "Blockade runners", "42", "x(0,1)"])
def test_other_sentences_show_none(text: str) -> None:
    found = features(text)
    assert not any(found[name] for name in RULES)
    assert found["chars"] == len(text)


def test_words_are_counted() -> None:
    assert features("It's the opponent's move, x(1,1).")["words"] == 7


def test_what_is_looked_at() -> None:
    assert passage("Answer", "I think.") == ("I think.", "reasoning")
    assert passage("Because.\nFinal Answer: x", None) == ("Because.", "text")
    assert passage("Final Answer: x", "  ") == ("", "text")
    assert passage(None, None) is None
    assert passage("Yes.", None, whole=True) == ("Yes.", "text")
    assert passage("Because.\nSo yes.", None, whole=True) == ("Because.\nSo yes.", "text")


def test_tables_by_game_and_outcome(tmp_path: Path) -> None:
    make_run(
        tmp_path / "run",
        {
            "player_0": Player("vllm_a", reasoning=lambda q: "I take the centre."),
            "player_1": Player("vllm_b", fail=0.1),
        },
        episodes=20,
    )
    loaded = load_runs(tmp_path / "run")
    seen = standings(loaded)
    table = reasoning_table(reasoning_row(*one) for one in passages(loaded, seen))
    assert len(table) == len(loaded.responses)
    mine = table[(table["competitor"] == "a")]
    assert mine["centre"].all()
    assert (mine["words"] == 4).all()
    assert set(mine["source"]) == {"reasoning"}
    assert set(table["result"].dropna()) <= {"win", "draw", "loss"}
    summary = reasoning_summary(table)
    assert sum(int(str(row["answers"])) for row in summary.rows) == len(table)
    row = next(r for r in summary.rows if r["competitor"] == "a")
    assert row["centre"] == 1.0
    assert row["threat"] == 0.0


class _Oracle:
    """Answers as a model would, without one."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.requests: list[Request] = []

    async def complete(self, request: Request) -> Reply:
        self.requests.append(request)
        return Reply(text=self.text)


def test_a_judge_is_asked_through_a_backend(tmp_path: Path) -> None:
    players = {"player_0": Player("vllm_a"), "player_1": Player()}
    make_run(tmp_path / "run", players, episodes=2)
    loaded = load_runs(tmp_path / "run")
    items = list(passages(loaded, standings(loaded)))
    model = Model(name="vllm_judge", backend="vllm", model_id="judge")
    oracle = _Oracle('Let me see {"sound": 1}. {"sound": true, "category": "block"}')
    table = asyncio.run(judged(items, ModelJudge(asker=oracle, model=model)))
    assert len(table) == len(items) == len(oracle.requests)
    assert table["sound"].all()
    assert set(table["category"]) == {"block"}
    assert items[0][1] in oracle.requests[0].messages[1]["content"]
    vague = asyncio.run(ModelJudge(asker=_Oracle("hard to say {"), model=model)("text"))
    assert set(vague) == {"judge_error"}
