"""Whole runs of prompts with right answers: judged, resumed, replayed, sampled, swept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.arena import Arena, lines, run_json, summary
from tests.lab import Lab

ASK = ("simulation=prompts", "simulation.file=mine.jsonl", "agents=llm")
TRUST = "trusted_targets=[my_scorers]"


def write(path: Path, *rows: Any) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def four(tmp_path: Path) -> None:
    """Multiple choice: four questions whose first choice is right."""
    write(
        tmp_path / "mine.jsonl",
        *(
            {
                "id": f"q{n}",
                "question": f"Which is {n}?",
                "choices": [f"{n}", "x", "y"],
                "answer": 0,
            }
            for n in range(4)
        ),
    )


def test_the_first_choice_is_always_right_where_it_is(arena: Arena, four: None) -> None:
    ran = arena(*ASK, "agents.player_0.model=scripted_first")
    assert ran.code == 0, ran.err
    assert "100.0" in ran.out
    (row,) = summary(ran.directory)
    assert (row["scored"], row["mean_score"]) == ("4", "1.0")
    for line in lines(ran.directory / "responses.jsonl"):
        assert (line["score"], line["scored_as"], line["answer_text"]) == (
            1.0,
            "choice:letter",
            "A",
        )
    first = lines(ran.directory / "episodes.jsonl")[0]
    assert first["expected"].startswith("A. ")
    assert (first["scores"], first["answers"]) == ([1.0], ["A"])


def test_chance_is_met_by_chance(arena: Arena, tmp_path: Path) -> None:
    row = {"question": "Which?", "choices": ["1", "2", "3", "4"], "answer": 0}
    write(tmp_path / "mine.jsonl", row)
    ran = arena(*ASK, "simulation.repeats=2000", "agents.player_0.model=scripted_random")
    (found,) = summary(ran.directory)
    assert abs(float(found["mean_score"]) - 0.25) < 4 * (0.25 * 0.75 / 2000) ** 0.5


def test_a_scored_run_is_written_down_and_runs_again(arena: Arena, four: None) -> None:
    ran = arena(*ASK, "hydra.run.dir=one")
    again = arena("--config", "one/config.yaml")
    assert again.code == 0, again.err
    assert run_json(Path("one"))["identity"] == run_json(again.directory)["identity"]
    assert [e["scores"] for e in lines(Path("one/episodes.jsonl"))] == [
        e["scores"] for e in lines(again.directory / "episodes.jsonl")
    ]
    replayed = arena("replay", "one")
    assert replayed.code == 0, replayed.out + replayed.err
    assert ran.code == 0


def test_samples_are_drawn_by_the_seed(arena: Arena, tmp_path: Path) -> None:
    write(tmp_path / "mine.jsonl", *({"prompt": f"Say {n}."} for n in range(50)))

    def asked(*words: str) -> list[int]:
        ran = arena(*ASK, "concurrency=1", *words)
        assert ran.code == 0, ran.err
        return [line["prompt"] for line in lines(ran.directory / "episodes.jsonl")]

    small, large = asked("simulation.sample=5"), asked("simulation.sample=20")
    assert large[:5] == small
    assert len(set(large)) == 20
    assert asked("simulation.sample=5", "seed=1") != small
    assert asked("simulation.sample=20", "simulation.limit=3") == large[:3]
    shuffled = asked("simulation.order=shuffled")
    assert sorted(shuffled) == list(range(50))
    assert shuffled[:20] == large
    assert asked("simulation.limit=3") == [0, 1, 2]


def test_examples_never_show_the_asked_row(arena: Arena, tmp_path: Path) -> None:
    rows = [{"question": f"What is {n}?", "answer": f"{n}"} for n in range(6)]
    write(tmp_path / "mine.jsonl", *rows)
    ran = arena(*ASK, "simulation.shots=3", "seed=2")
    assert ran.code == 0, ran.err
    for line in lines(ran.directory / "responses.jsonl"):
        *shown, asked = (message["content"] for message in line["messages"])
        assert len(shown) == 6
        assert asked not in shown
        assert [text.startswith("Final Answer: ") for text in shown] == [False, True] * 3
    fewer = arena(*ASK, "simulation.shots=1", "seed=2")
    first = lines(ran.directory / "responses.jsonl")[-1]["messages"]
    assert lines(fewer.directory / "responses.jsonl")[-1]["messages"][:2] == first[:2]


def test_examples_come_from_another_file(arena: Arena, tmp_path: Path) -> None:
    write(tmp_path / "mine.jsonl", {"question": "One?", "answer": "1"})
    write(
        tmp_path / "train.jsonl",
        {"question": "Two?", "answer": "2"},
        {"question": "One?", "answer": "1"},
    )
    ran = arena(*ASK, "simulation.shots=1", "simulation.shots_file=train.jsonl")
    assert ran.code == 0, ran.err
    (line,) = lines(ran.directory / "responses.jsonl")
    assert line["messages"][1]["content"] == "Final Answer: 2"


def test_a_judge_is_asked_counted_and_recorded(lab: Lab, tmp_path: Path) -> None:
    write(tmp_path / "mine.jsonl", *({"question": f"Q{n}?", "answer": "x"} for n in range(3)))
    lab.server.set(answer={"text": "It says nothing.\nFinal Answer: incorrect"})
    judge = "simulation.scorer={type: judge, model: direct_my_lab/judge, check: exact}"
    ran = lab(*ASK, "agents.player_0.model=scripted_first", judge, "probe=false")
    assert ran.code == 0, ran.err
    asked = lines(ran.directory / "responses.jsonl")
    grades = [line for line in asked if line["player"] == "judge"]
    assert len(grades) == 3
    assert {line["model"] for line in grades} == {"direct_my_lab/judge"}
    assert {(line["score"], line["answer_text"]) for line in grades} == {(0.0, "incorrect")}
    assert "answer to grade" in grades[0]["messages"][1]["content"]
    assert grades[0]["requested"] == {"temperature": 0.0, "max_tokens": 1000}
    played = [line for line in asked if line["player"] == "player_0"]
    assert {(line["score"], line["scored_as"]) for line in played} == {(None, "judge:pending")}
    for episode in lines(ran.directory / "episodes.jsonl"):
        assert (episode["scores"], episode["labels"]) == ([0.0], [0.0])
    rows = {row["player"]: row for row in summary(ran.directory)}
    assert rows["judge"]["calls"] == "3"
    assert int(rows["judge"]["completion_tokens"]) > 0
    run = run_json(ran.directory)
    assert run["totals"]["calls"] == 6
    assert run["judges"] == {"judge": {"model": "direct_my_lab/judge"}}
    compared = lab.arena("compare", str(ran.directory), "--json", "compared.json")
    assert compared.code == 0, compared.err
    tables = json.loads(Path("compared.json").read_text())["tables"]
    assert tables["judge_agreement"]["rows"][0]["agreement"]["value"] == 1.0
    (judged,) = tables["judges"]["rows"]
    assert (judged["model"], judged["calls"], judged["grades"]) == ("direct_my_lab/judge", 3, 3)
    assert judged["completion"] > 0
    assert judged["cost"] is None  # nobody knows the price
    assert lab.arena("replay", str(ran.directory)).code == 0


def test_a_judge_that_grades_nothing_leaves_no_score(lab: Lab, tmp_path: Path) -> None:
    write(tmp_path / "mine.jsonl", {"question": "Q?", "answer": "x"})
    lab.server.set(answer={"text": "Hard to say."})
    judge = "simulation.scorer={type: judge, model: direct_my_lab/judge, rethinks: 2}"
    ran = lab(*ASK, "agents.player_0.model=scripted_first", judge, "probe=false")
    assert ran.code == 0, ran.err
    assert len(lab.server.requests()) == 3
    (episode,) = lines(ran.directory / "episodes.jsonl")
    assert episode["scores"] == [None]


def test_an_outage_of_the_judge_is_finished_by_a_resume(lab: Lab, tmp_path: Path) -> None:
    write(tmp_path / "mine.jsonl", *({"question": f"Q{n}?", "answer": "x"} for n in range(4)))
    lab.server.set(answer={"text": "Final Answer: correct"}, faults=[{"status": 400, "skip": 2}])
    judge = "simulation.scorer={type: judge, model: direct_my_lab/judge}"
    ran = lab(*ASK, "agents.player_0.model=scripted_first", judge, "probe=false", "concurrency=1")
    assert ran.code == 1
    done = [line["scores"] for line in lines(ran.directory / "episodes.jsonl")]
    assert done == [[1.0], [1.0], [None], [None]]
    lab.server.set(faults=[])
    before = len(lab.server.requests())
    again = lab.arena("resume", str(ran.directory))
    assert again.code == 0, again.err
    assert len(lab.server.requests()) - before == 2
    asked = lines(ran.directory / "responses.jsonl")
    assert sum(line["player"] == "player_0" for line in asked) == 4
    scores = {line["episode"]: line["scores"] for line in lines(ran.directory / "episodes.jsonl")}
    assert scores == {number: [1.0] for number in range(4)}


SCORERS = """
import asyncio

def half(answer, expected, row, worth=0.5):
    return {"score": worth, "answer": answer[:3]}

async def slow(answer, expected, row):
    await asyncio.sleep(0)
    return expected == "yes"

def broken(answer, expected, row):
    raise ValueError(f"no idea about {row['question']}")

def odd(answer, expected, row):
    return "good"
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scorers of the user's own, and two prompts."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "my_scorers.py").write_text(SCORERS)
    write(
        tmp_path / "mine.jsonl",
        {"question": "One?", "answer": "yes"},
        {"question": "Two?", "answer": "no"},
    )


def test_functions_of_ones_own_score_once_they_are_trusted(arena: Arena, own: None) -> None:
    target = "simulation.scorer={_target_: my_scorers.half, worth: 0.25}"
    refused = arena(*ASK, target)
    assert refused.code == 2
    assert "simulation.scorer._target_ is 'my_scorers.half'" in refused.err
    assert "trusted_targets=[my_scorers]" in refused.err
    assert not Path("outputs").exists()
    ran = arena(*ASK, target, TRUST)
    assert ran.code == 0, ran.err
    assert [e["scores"] for e in lines(ran.directory / "episodes.jsonl")] == [[0.25], [0.25]]
    assert lines(ran.directory / "responses.jsonl")[0]["scored_as"] == "callable"


def test_coroutines_of_ones_own_are_waited_for(arena: Arena, own: None) -> None:
    ran = arena(*ASK, "simulation.scorer={_target_: my_scorers.slow}", TRUST)
    assert ran.code == 0, ran.err
    assert [e["scores"] for e in lines(ran.directory / "episodes.jsonl")] == [[1.0], [0.0]]


@pytest.mark.parametrize(
    ("name", "says"),
    [("broken", "no idea about One?"), ("odd", "returned 'good'")],
)
def test_a_scorer_that_fails_stops_the_run_and_keeps_the_answer(
    arena: Arena, own: None, name: str, says: str
) -> None:
    ran = arena(*ASK, f"simulation.scorer={{_target_: my_scorers.{name}}}", TRUST, "concurrency=1")
    assert ran.code == 1
    assert says in ran.out
    (answer,) = lines(ran.directory / "responses.jsonl")
    assert (answer["score"], answer["scored_as"]) == (None, "callable:failed")


@pytest.mark.parametrize(
    ("rows", "words", "says"),
    [
        (
            [{"question": "1?", "answer": "1"}],
            ["simulation.columns.answer=anser"],
            ["simulation.columns.answer=anser", "Did you mean 'answer'", "question"],
        ),
        (
            [{"question": "1?", "answer": "1"}, {"question": "2?", "answer": "two"}],
            ["simulation.scorer=numeric"],
            ["mine.jsonl', line 2", "'two', and no number", "simulation.scorer=exact"],
        ),
        (
            [{"question": "1?", "answer": "1"}, {"question": "2?"}],
            [],
            ["line 2 has no answer under 'answer'", "Fill it in, or remove the row"],
        ),
        (
            [{"question": "1?", "choices": [str(n) for n in range(30)], "answer": 0}],
            [],
            ["line 1 has 30 choices", "without a letter", "Give labels"],
        ),
        (
            [{"question": "1?", "choices": {"text": ["a", "b"], "label": ["A"]}, "answer": "A"}],
            [],
            ["line 1", "each choice needs one letter of its own"],
        ),
        (
            [{"question": "1?"}],
            ["simulation.scorer=exact"],
            ["no column of right answers", "simulation.columns.answer=NAME"],
        ),
        (
            [{"question": "1?", "answer": "1"}],
            [
                "simulation.scorer={type: judge, model: direct_lab/judge}",
                "+provider.lab.api_base=http://127.0.0.1:9/v1",
                "+provider.lab.api_key_env=LAB_KEY",
            ],
            ["LAB_KEY"],
        ),
        (
            [{"question": "1?", "answer": "1"}],
            ["simulation.scorer=judge"],
            ["simulation.scorer.model is not set"],
        ),
        (
            [{"question": "1?", "answer": "1"}],
            ["simulation.shots=1"],
            ["simulation.shots=1", "has 1 rows, and 2 are needed"],
        ),
        (
            [{"question": "1?", "answer": "1"}],
            ["simulation.template='{{ row.answer }}'"],
            ["simulation.template fails", "answer"],
        ),
        (
            [{"question": "1?", "answer": "1"}],
            ["simulation.template=lines"],
            ["there is no such template", "Did you mean 'line'"],
        ),
        (
            [{"question": "1?", "answer": "1"}],
            ["simulation.sample=0", "simulation.order=random"],
            ["simulation.sample=0 must be at least 1", "simulation.order=random is unknown"],
        ),
        (
            [{"messages": [{"role": "tool", "content": "x"}]}],
            [],
            ["line 1", "role 'tool'"],
        ),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_spent(
    arena: Arena, tmp_path: Path, rows: list[Any], words: list[str], says: list[str]
) -> None:
    write(tmp_path / "mine.jsonl", *rows)
    ran = arena(*ASK, *words)
    assert ran.code == 2, ran.out
    for part in says:
        assert part in ran.err
    assert not (tmp_path / "outputs").exists()


def test_many_wrong_rows_are_counted(arena: Arena, tmp_path: Path) -> None:
    write(tmp_path / "mine.jsonl", *({"question": "1?", "answer": "many"} for _ in range(12)))
    ran = arena(*ASK, "simulation.scorer=numeric")
    assert ran.code == 2
    assert "7 more rows are wrong like these" in ran.err
