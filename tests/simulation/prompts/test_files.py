"""Data files of every kind, and published benchmarks in the shapes in which they are downloaded."""

from __future__ import annotations

import gzip
import json
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from game_reasoning_arena.errors import UserError
from game_reasoning_arena.simulation.factory import make_simulation
from game_reasoning_arena.simulation.prompts.questions import Question
from game_reasoning_arena.simulation.prompts.simulation import PromptsSimulation


def questions(file: Path, **conf: Any) -> list[Question]:
    simulation = make_simulation({"type": "prompts", "file": str(file), **conf})
    assert isinstance(simulation, PromptsSimulation)
    return [simulation.questions.question(number) for number in range(len(simulation.questions))]


def jsonl(*rows: Any) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


TWO = jsonl({"question": "One?", "answer": "1"}, {"question": "Two?", "answer": "2"})


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", TWO.encode()),
        ("a.jsonl.gz", gzip.compress(TWO.encode(), mtime=0)),
        ("a.json", json.dumps([json.loads(line) for line in TWO.splitlines()]).encode()),
        ("a.json.gz", gzip.compress(f"[{','.join(TWO.splitlines())}]".encode(), mtime=0)),
        ("a.csv", b"question,answer\r\nOne?,1\r\nTwo?,2\r\n"),
        ("a.tsv", b"question\tanswer\nOne?\t1\nTwo?\t2\n"),
        ("a.csv.gz", gzip.compress(b"\xef\xbb\xbfquestion,answer\nOne?,1\nTwo?,2", mtime=0)),
    ],
)
def test_every_kind_of_file_gives_the_same_questions(
    tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    asked = questions(tmp_path / name)
    assert [(one.item.prompt, one.expected, one.item.name) for one in asked] == [
        ("One?", "1", 0),
        ("Two?", "2", 1),
    ]


def test_parquet_files_are_read(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [
        {
            "question": f"Is it {n}?",
            "subject": "s",
            "choices": ["a", "b", "c", "d"],
            "answer": n % 4,
        }
        for n in range(3000)
    ]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    asked = questions(tmp_path / "a.parquet")
    assert len(asked) == 3000
    assert (asked[2999].item.prompt, asked[2999].expected) == ("Is it 2999?", "D. d")


def test_parquet_without_its_package_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(UserError, match=r"game-reasoning-arena\[parquet\]"):
        questions(tmp_path / "a.parquet")


def test_cells_over_several_lines_are_found_again(tmp_path: Path) -> None:
    text = 'id,prompt\na,"one\n\nline, two"\n\nb,"said ""so"""\nc,last'
    (tmp_path / "a.csv").write_text(text)
    asked = questions(tmp_path / "a.csv")
    assert {one.item.name: one.item.prompt for one in asked} == {
        "a": "one\n\nline, two",
        "b": 'said "so"',
        "c": "last",
    }


def test_a_directory_is_all_of_its_files_and_each_is_a_group(tmp_path: Path) -> None:
    for name in ("law", "art"):
        rows = [f"Who made {name}?,one,two,three,four,B", "Who else?,a,b,c,d,A"]
        (tmp_path / f"{name}_test.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "README.md").write_text("not data")
    header = ["question", "A", "B", "C", "D", "answer"]
    asked = questions(tmp_path, header=header)
    assert [(one.item.name, one.item.group, one.expected) for one in asked] == [
        ("art_test/0", "art_test", "B. two"),
        ("art_test/1", "art_test", "A. a"),
        ("law_test/2", "law_test", "B. two"),
        ("law_test/3", "law_test", "A. a"),
    ]


@pytest.mark.parametrize(
    ("row", "conf", "sent", "expected"),
    [
        # GSM8K
        (
            {"question": "What is 2 + 3?", "answer": "2 + 3 = <<2+3=5>>5\n#### 5"},
            {"scorer": {"type": "numeric", "read": "last_number"}},
            "What is 2 + 3?",
            "5",
        ),
        # MMLU
        (
            {"question": "Which?", "subject": "x", "choices": ["p", "q", "r", "s"], "answer": 2},
            {},
            "C. r\n",
            "C. r",
        ),
        # MMLU-Pro
        (
            {"question": "Which?", "options": ["p", "q"], "answer": "B", "answer_index": 1},
            {},
            "B. q\n",
            "B. q",
        ),
        # ARC, with numbers for letters
        (
            {
                "id": "x1",
                "question": "Which?",
                "choices": {"text": ["p", "q"], "label": ["1", "2"]},
                "answerKey": "2",
            },
            {},
            "2. q\n",
            "2. q",
        ),
        # BIG-bench hard
        ({"input": "Which?\nOptions:\n(A) p\n(B) q", "target": "(B)"}, {}, "(B) q", "(B)"),
        # MATH
        (
            {"problem": "1+1?", "solution": "So \\boxed{2}", "answer": "2"},
            {"scorer": "numeric"},
            "1+1?",
            "2",
        ),
        # SQuAD
        (
            {"question": "Who?", "context": "c", "answers": {"text": ["me", "I"]}},
            {
                "scorer": "f1",
                "columns": {"answer": "answers"},
                "template": "{{ row.context }} {{ prompt }}",
            },
            "c Who?",
            "me | I",
        ),
        # a nested path and an expression
        (
            {"doc": {"q": "Which?"}, "key": "answer: B", "a": "p", "b": "q"},
            {
                "columns": {
                    "prompt": "doc.q",
                    "answer": "{{ row.key.split(': ')[1] }}",
                    "choices": ["a", "b"],
                },
                "scorer": {"type": "exact", "read": "whole"},
            },
            "Which?",
            "B",
        ),
        # choices as JSON text and as objects
        (
            {"question": "Which?", "choices": '["p", "q"]', "answer": "q"},
            {},
            "A. p\nB. q\n",
            "B. q",
        ),
        (
            {"question": "Which?", "choices": {"A": "p", "B": "q"}, "answer": "A"},
            {},
            "A. p\nB. q\n",
            "A. p",
        ),
    ],
)
def test_published_shapes(
    tmp_path: Path, row: Any, conf: dict[str, Any], sent: str, expected: str
) -> None:
    (tmp_path / "a.jsonl").write_text(jsonl(row))
    (asked,) = questions(tmp_path / "a.jsonl", **conf)
    assert sent in asked.messages[-1]["content"]
    assert asked.expected == expected


def test_conversations_are_sent_as_they_stand(tmp_path: Path) -> None:
    said = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi"},
        {"role": "user", "content": [{"type": "text", "text": "And now?"}]},
    ]
    reply = {"role": "assistant", "content": "Bye"}
    (tmp_path / "a.jsonl").write_text(jsonl({"messages": said}, {"messages": [*said, reply]}))
    first, second = questions(tmp_path / "a.jsonl")
    assert [m["role"] for m in first.messages] == ["system", "user", "assistant", "user"]
    assert first.messages[-1]["content"] == "And now?"
    assert second.messages == first.messages
    (tmp_path / "b.jsonl").write_text(jsonl({"messages": [*said, reply]}))
    (scored,) = questions(tmp_path / "b.jsonl", scorer={"type": "f1", "read": "whole"})
    assert scored.expected == "Bye"


def test_a_template_never_sees_the_answer_and_is_sandboxed(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(TWO)
    for template in ("{{ row.answer }}", "{{ prompt.__class__.__mro__ }}", "{{ ''.x() }}"):
        with pytest.raises(UserError, match=r"simulation\.template fails"):
            questions(tmp_path / "a.jsonl", template=template)
    with pytest.raises(UserError, match="unknown variable 'expected'"):
        questions(tmp_path / "a.jsonl", template="{{ expected }}")


def test_a_file_that_changes_during_a_run_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(TWO)
    simulation = make_simulation({"type": "prompts", "file": str(file)})
    assert isinstance(simulation, PromptsSimulation)
    file.write_text(TWO.replace("Two", "Three"))
    with pytest.raises(UserError, match="was changed while the run was reading it"):
        simulation.questions.question(1)


def test_memory_does_not_grow_with_the_texts(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        file = tmp_path / f"{count}.jsonl"
        with file.open("w") as lines:
            for n in range(count):
                row = {"question": f"{n} " + "word " * 400, "answer": f"{n}"}
                lines.write(json.dumps(row) + "\n")
        tracemalloc.start()
        try:
            simulation = make_simulation({"type": "prompts", "file": str(file)})
            assert isinstance(simulation, PromptsSimulation)
            plans = simulation.plan(episodes=1, seed=0, rotate=False, players=["a"])
            assert len(plans) == count
            for plan in plans:
                simulation.questions.question(simulation.row(plan))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10)  # what is loaded once
    grown = peak(2000) - peak(100)
    size = (tmp_path / "2000.jsonl").stat().st_size
    assert grown < size / 10
