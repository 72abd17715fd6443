"""Estimates from right and wrong answers, held against enumeration, and against their promises."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from game_reasoning_arena.analysis.compare import Comparison
from game_reasoning_arena.analysis.statistics.accuracy import (
    cohen_kappa,
    detectable,
    majority_at_k,
    pass_at_k,
    votes_of,
)
from game_reasoning_arena.analysis.statistics.answer_tables import accuracy_pairs
from game_reasoning_arena.analysis.statistics.answers import Answers
from game_reasoning_arena.analysis.statistics.sign_flips import sign_flip_test
from game_reasoning_arena.analysis.tables.estimates import Estimate
from game_reasoning_arena.analysis.tables.forms import Table
from game_reasoning_arena.errors import UserError
from game_reasoning_arena.recording import load_runs
from tests.analysis.make_answers import make_answers


def tables(*directories: Path) -> dict[str, Table]:
    loaded = load_runs(list(directories), notice=lambda _: None)
    return {table.key: table for table in Comparison(loaded).every_table}


@pytest.mark.parametrize("right", range(6))
@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_pass_at_k_is_the_mean_over_all_choices(right: int, k: int) -> None:
    marks = [True] * right + [False] * (5 - right)
    chosen = list(combinations(marks, k))
    assert pass_at_k(5, right, k) == pytest.approx(sum(map(any, chosen)) / len(chosen))


def test_pass_at_k_equals_the_product_that_its_authors_compute() -> None:
    n, right, k = 200, 17, 100
    product = 1.0 - float(np.prod(1.0 - k / np.arange(n - right + 1, n + 1)))
    assert pass_at_k(n, right, k) == pytest.approx(product)


def vote(replies: Sequence[str | None]) -> float:
    """The chance that the right answer wins, ties at random."""
    votes = Counter(reply for reply in replies if reply is not None)
    if not votes:
        return 0.0
    best = [answer for answer, n in votes.items() if n == max(votes.values())]
    return ("right" in best) / len(best)


@pytest.mark.parametrize(
    "replies",
    [
        ["right", "right", "a", "a", "b", None],
        ["right", "a", "a", "b", "b", "c", "c"],
        ["right"] * 4,
        ["a", "a", None],
        [None, None],
        ["right", None, None, "a", "a", "right", "b"],
    ],
)
def test_majority_at_k_is_the_mean_over_all_choices(replies: list[str | None]) -> None:
    right, wrong, silent = votes_of([float(reply == "right") for reply in replies], replies)
    for k in range(1, len(replies) + 1):
        expected = [vote(chosen) for chosen in combinations(replies, k)]
        found = majority_at_k(right, wrong, silent, k)
        assert found == pytest.approx(sum(expected) / len(expected))


@pytest.mark.parametrize("k", [0, 4])
def test_more_answers_than_there_are_cannot_be_chosen(k: int) -> None:
    with pytest.raises(ValueError, match="k must be"):
        pass_at_k(3, 1, k)
    with pytest.raises(ValueError, match="k must be"):
        majority_at_k(1, [2], 0, k)


@pytest.mark.parametrize(
    ("better", "worse", "p"),
    [(12, 2, 0.0129), (9, 2, 0.0654)],  # Armitage and Berry (1994); Fay, vignette of exact2x2
)
def test_answers_once_each_are_compared_by_mcnemars_exact_test(
    better: int, worse: int, p: float
) -> None:
    a, b = [1.0] * better + [0.0] * worse + [1.0], [0.0] * better + [1.0] * worse + [1.0]
    table = pd.DataFrame(
        [
            {"file": "mine", "competitor": competitor, "key": key, "score": score}
            for competitor, scores in (("a", a), ("b", b))
            for key, score in enumerate(scores)
        ]
    )
    (row,) = accuracy_pairs(Answers(table)).rows
    n = better + worse
    tail = sum(math.comb(n, i) for i in range(worse + 1)) / 2**n
    assert row["p"] == pytest.approx(2 * tail)
    assert row["p"] == pytest.approx(p, abs=5e-5)
    assert row["test"] == "McNemar, exact"


def test_kappa_of_a_published_example() -> None:
    # Two readers of 50 proposals: both yes 20, both no 15, 5 and 10 differ.
    pairs = [(1, 1)] * 20 + [(1, 0)] * 5 + [(0, 1)] * 10 + [(0, 0)] * 15
    assert cohen_kappa(*zip(*pairs, strict=True)) == pytest.approx(0.4)
    assert cohen_kappa([1, 1], [1, 1]) is None


def test_the_detectable_difference_is_found_in_four_of_five() -> None:
    rng = np.random.default_rng(3)
    shares = np.array([0.1, 0.7, 0.2])
    gaps = np.repeat([-1.0, 0.0, 1.0], [60, 420, 120])
    smallest = detectable(gaps)
    assert smallest is not None
    # Models as far apart as that, whose answers differ as often.
    shares = shares + np.array([-1, 0, 1]) * (smallest - 0.1) / 2
    found = [
        sign_flip_test(rng.choice([-1.0, 0.0, 1.0], size=len(gaps), p=shares)) < 0.05
        for _ in range(400)
    ]
    assert 0.7 < np.mean(found) < 0.88


def test_one_answer_each_is_compared_by_mcnemars_test(tmp_path: Path) -> None:
    a = [[1.0]] * 30 + [[1.0]] * 12 + [[0.0]] * 2 + [[0.0]] * 6
    b = [[1.0]] * 30 + [[0.0]] * 12 + [[1.0]] * 2 + [[0.0]] * 6
    found = tables(make_answers(tmp_path / "run", {"a": a, "b": b}))
    (pair,) = found["accuracy_pairs"].rows
    assert (pair["better"], pair["equal"], pair["worse"]) == (12, 36, 2)
    assert pair["p"] == pytest.approx(0.0129, abs=5e-5)
    (told,) = found["pairs"].rows
    assert (told["p"], told["verdict"]) == (pair["p"], "scripted_a is better")
    assert (told["basis"], told["n"]) == ("same deals", 50)
    assert found["leaderboard"].rows[0]["competitor"] == "scripted_a"
    first, second = found["accuracy"].rows
    assert isinstance(first["accuracy"], Estimate)
    assert (first["competitor"], first["accuracy"].value) == ("scripted_a", 0.84)
    # Wilson's interval of 42 of 50, by its formula.
    z, n, p = 1.959964, 50, 0.84
    centre, half = (p + z * z / 2 / n) / (1 + z * z / n), z / (1 + z * z / n)
    half *= math.sqrt(p * (1 - p) / n + z * z / 4 / n / n)
    assert first["accuracy"].low == pytest.approx(centre - half, abs=1e-5)
    assert first["accuracy"].high == pytest.approx(centre + half, abs=1e-5)
    assert second["competitor"] == "scripted_b"
    assert "repeats" not in found
    assert len(found["disagreements"].rows) == 14
    assert len(found["prompts"].rows) == 50


def test_models_of_different_runs_are_compared_prompt_by_prompt(tmp_path: Path) -> None:
    a = make_answers(tmp_path / "a", {"p": [[1.0]] * 20}, models={"p": "scripted_one"})
    b = make_answers(
        tmp_path / "b", {"p": [[0.0]] * 20 + [[1.0]] * 9}, models={"p": "scripted_two"}, seed=4
    )
    found = tables(a, b)
    (pair,) = found["accuracy_pairs"].rows
    assert (pair["prompts"], pair["better"]) == (20, 20)


def test_files_of_prompts_are_no_one_game(tmp_path: Path) -> None:
    runs = [
        make_answers(
            tmp_path / name,
            {"p": [[right]] * 9, "q": [[1.0 - right]] * 9},
            simulation={"file": f"data/{name}.jsonl"},
        )
        for name, right in (("easy", 1.0), ("hard", 0.0))
    ]
    found = tables(*runs)
    games = [(row["game"], row["competitor"]) for row in found["leaderboard"].rows]
    assert games == [
        ("prompts(easy)", "scripted_p"),
        ("prompts(easy)", "scripted_q"),
        ("prompts(hard)", "scripted_q"),
        ("prompts(hard)", "scripted_p"),
    ]
    assert [row["file"] for row in found["accuracy_pairs"].rows] == ["easy", "hard"]


def test_conditions_tell_the_same_model_apart(tmp_path: Path) -> None:
    runs = [
        make_answers(
            tmp_path / str(shots),
            {"p": [[float(shots > 0)]] * 8},
            models={"p": "scripted_one"},
            simulation={"shots": shots},
        )
        for shots in (0, 4)
    ]
    found = tables(*runs)
    assert [row["competitor"] for row in found["accuracy"].rows] == [
        "scripted_one shots=4",
        "scripted_one shots=0",
    ]


def test_the_same_run_twice_is_told_apart_and_other_seeds_are_more_answers(tmp_path: Path) -> None:
    one = {"p": [[1.0], [0.0], [1.0]]}
    model = {"p": "scripted_one"}
    first = make_answers(tmp_path / "a", one, models=model)
    twin = make_answers(tmp_path / "b", one, models=model)
    assert len(tables(first, twin)["accuracy"].rows) == 2
    other = make_answers(tmp_path / "c", one, models=model, seed=1)
    (row,) = tables(first, other)["accuracy"].rows
    assert (row["prompts"], row["answers"]) == (3, 6)


def test_repeats_of_a_prompt_are_no_more_prompts(tmp_path: Path) -> None:
    scores = [[1.0] * 10] * 10 + [[0.0] * 10] * 10
    found = tables(make_answers(tmp_path / "run", {"a": scores}))
    (row,) = found["accuracy"].rows
    estimate = row["accuracy"]
    assert isinstance(estimate, Estimate)
    assert estimate.low is not None
    assert estimate.high is not None
    assert estimate.high - estimate.low > 0.35  # as of 20 answers; of 200 it would be 0.14
    by_k = {line["k"]: line for line in found["repeats"].rows}
    assert set(by_k) == {1, 2, 4, 8, 10}
    for line in by_k.values():
        for column in ("pass", "majority"):
            value = line[column]
            assert isinstance(value, Estimate)
            assert value.value == pytest.approx(0.5)


def test_a_reply_without_an_answer_has_no_vote(tmp_path: Path) -> None:
    said = {"a": [["right", None, None, "wrong"]] * 2}
    run = make_answers(tmp_path / "run", {"a": [[1.0, 0.0, 0.0, 0.0]] * 2}, answers=said)
    by_k = {line["k"]: line["majority"] for line in tables(run)["repeats"].rows}
    values = {k: one.value for k, one in by_k.items() if isinstance(one, Estimate)}
    expected = {k: [vote(c) for c in combinations(said["a"][0], k)] for k in (1, 2, 4)}
    assert values == pytest.approx({k: sum(v) / len(v) for k, v in expected.items()})


def test_answers_without_a_score_are_in_no_rate(tmp_path: Path) -> None:
    found = tables(make_answers(tmp_path / "run", {"a": [[1.0], [None], [0.0]]}))
    (row,) = found["accuracy"].rows
    assert (row["prompts"], row["answers"], row["missing"]) == (2, 2, 1)


def test_groups_have_rows_of_their_own(tmp_path: Path) -> None:
    run = make_answers(tmp_path / "run", {"a": [[1.0], [0.0]] * 5}, groups=("easy", "hard"))
    rows = tables(run)["accuracy_by_group"].rows
    values = {row["group"]: row["accuracy"] for row in rows}
    assert {k: v.value for k, v in values.items() if isinstance(v, Estimate)} == {
        "easy": 1.0,
        "hard": 0.0,
    }


def test_a_judge_is_held_against_its_labels(tmp_path: Path) -> None:
    scores = [[1.0]] * 25 + [[0.0]] * 25
    labels = [[1.0]] * 20 + [[0.0]] * 5 + [[1.0]] * 10 + [[0.0]] * 15
    run = make_answers(tmp_path / "run", {"a": scores}, labels={"a": labels})
    (row,) = tables(run)["judge_agreement"].rows
    assert (row["lenient"], row["strict"]) == (5, 10)
    assert row["kappa"] == pytest.approx(0.4)


@pytest.mark.parametrize("name", ["mine.csv", "mine.jsonl"])
def test_people_may_label_answers(tmp_path: Path, name: str) -> None:
    scores = [[1.0]] * 25 + [[0.0]] * 25
    run = make_answers(tmp_path / "run", {"a": scores, "b": scores})
    right = [True] * 20 + [False] * 5 + [True] * 10 + [False] * 15
    rows = [{"prompt": n, "competitor": "scripted_a", "label": r} for n, r in enumerate(right)]
    rows.append({"prompt": "elsewhere", "competitor": "scripted_a", "label": False})
    file = tmp_path / name
    if name.endswith("csv"):
        lines = [f"{row['prompt']},{row['competitor']},{int(bool(row['label']))}" for row in rows]
        file.write_text("\n".join(["prompt,competitor,label", *lines]))
    else:
        file.write_text("\n".join(json.dumps(row) for row in rows))
    comparison = Comparison(load_runs(run, notice=lambda _: None), labels=file)
    found = {table.key: table for table in comparison.every_table}
    (row,) = found["judge_agreement"].rows
    assert (row["competitor"], row["answers"]) == ("scripted_a", 50)
    assert (row["lenient"], row["strict"]) == (5, 10)
    assert row["kappa"] == pytest.approx(0.4)
    assert "1 of 51 labels are of no answer here." in found["accuracy"].notes


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("prompt,label\n0,maybe\n", "row 1 has the label 'maybe'"),
        ("id,label\n0,1\n", "it needs label, and prompt or episode"),
        ("prompt,label\nq9,1\n", "names an answer of these runs"),
        ("", "holds no rows"),
    ],
)
def test_wrong_labels_are_explained(tmp_path: Path, text: str, says: str) -> None:
    run = make_answers(tmp_path / "run", {"a": [[1.0]]})
    file = tmp_path / "mine.csv"
    file.write_text(text)
    loaded = load_runs(run, notice=lambda _: None)
    with pytest.raises(UserError, match=says):
        Comparison(loaded, labels=file).answers  # noqa: B018


@pytest.mark.parametrize("repeats", [1, 3])
def test_equal_models_are_told_apart_in_five_percent(repeats: int) -> None:
    """Prompts differ in difficulty; both models have the same chance at each."""
    rng = np.random.default_rng(11)
    rejected = 0
    for _ in range(100):
        chances = rng.beta(0.6, 0.6, size=40)
        table = pd.DataFrame(
            [
                {
                    "file": "mine",
                    "competitor": competitor,
                    "key": key,
                    "score": float(rng.random() < chance),
                }
                for competitor in "ab"
                for key, chance in enumerate(chances)
                for _ in range(repeats)
            ]
        )
        (pair,) = accuracy_pairs(Answers(table)).rows
        assert isinstance(pair["p"], float)
        rejected += pair["p"] < 0.05
    # 5 of 100 expected at most; more than 12 come in less than one of 600 true cases.
    assert rejected <= 12
