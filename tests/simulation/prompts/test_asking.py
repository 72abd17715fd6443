"""Prompts without a game: files, failures, side by side."""

from __future__ import annotations

from pathlib import Path

import pytest

from game_reasoning_arena.errors import TransientError, UserError
from game_reasoning_arena.records import Outcome, Reply, Request, Status
from game_reasoning_arena.simulation.factory import make_simulation
from game_reasoning_arena.simulation.prompts.simulation import PromptsSimulation
from tests.arena import Arena, summary
from tests.simulation.playing import Oracle, in_turn, llm, play, player


def read_prompts(file: str) -> dict[int | str, str]:
    """The prompts of a file as they are sent, by their names."""
    simulation = make_simulation({"type": "prompts", "file": file})
    assert isinstance(simulation, PromptsSimulation)
    asked = [simulation.questions.question(number) for number in range(len(simulation.questions))]
    return {question.item.name: question.messages[-1]["content"] for question in asked}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("p.jsonl", '{"prompt": "one"}\n\n"two, again"\n'),
        ("p.csv", 'topic,prompt\n1,one\n2,"two, again"\n'),
        ("p.txt", "one\n\n  two, again  \n"),
        ("p.TXT", "\ufeffone\ntwo, again"),
    ],
)
def test_files_of_three_kinds_are_read(tmp_path: Path, name: str, content: str) -> None:
    file = tmp_path / name
    file.write_text(content, encoding="utf-8")
    assert read_prompts(str(file)) == {0: "one", 1: "two, again"}


@pytest.mark.parametrize(
    ("name", "content", "ids"),
    [
        ("p.jsonl", '{"id": 7, "prompt": "one"}\n{"id": "b", "prompt": "two"}\n', (7, "b")),
        ("p.csv", "id,prompt,expected\nq1,one,1\nq2,two,2\n", ("q1", "q2")),
        ("p.txt", "one\n\ntwo\n", (0, 1)),
    ],
)
def test_records_name_their_prompt(
    tmp_path: Path, name: str, content: str, ids: tuple[int | str, ...]
) -> None:
    file = tmp_path / name
    file.write_text(content, encoding="utf-8")
    conf = {"type": "prompts", "file": str(file), "repeats": 2}
    episodes, _ = play(conf, [llm()], asker=Oracle(lambda _: "yes"))
    assert [episode.prompt for episode in episodes] == [ids[0], ids[0], ids[1], ids[1]]


def test_line_separators_within_json_texts_do_not_split_them(tmp_path: Path) -> None:
    file = tmp_path / "p.jsonl"
    file.write_text('{"prompt": "a\u2028b"}\n', encoding="utf-8")
    assert read_prompts(str(file)) == {0: "a\u2028b"}


def test_prompts_are_as_long_as_their_writers_like(tmp_path: Path) -> None:
    book = "word " * 50_000 + "end"
    file = tmp_path / "p.csv"
    file.write_text(f"id,prompt\n1,{book}\n")
    assert read_prompts(str(file)) == {"1": book}


def test_what_stands_beside_a_prompt_does_not_matter(tmp_path: Path) -> None:
    file = tmp_path / "p.jsonl"
    file.write_text('{"prompt": "\\ud83d\\ude00", "weight": ' + "9" * 5000 + "}\n")
    assert read_prompts(str(file)) == {0: "\U0001f600"}


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("p.jsonl", '{"prompt": "one"}\nnonsense\n', "line 2 is not JSON"),
        ("p.jsonl", '{"text": "one"}\n', "no column 'prompt'; its columns are text"),
        ("p.jsonl", '{"prompt": "one"}\n{"text": "two"}', "line 2 has no text under 'prompt'"),
        ("p.jsonl", '"one"\n' + "[" * 5000, "line 2 is not JSON: too deeply nested"),
        ("p.jsonl", '"one"\n5', "line 2 has no text under 'prompt'"),
        ("p.jsonl", '"one"\n{"prompt": "half \\ud83d emoji"}', "line 2 has half a character"),
        ("p.csv", "id,text\n1,one\n", "no column 'prompt'; its columns are id, text"),
        ("p.csv", "q;a\n1;one\n", "its cells seem to be separated by ';'. Save it with commas"),
        ("p.csv", "id,prompt\n1\n", "line 2 has no text"),
        ("p.csv", "prompt,id\none,1\nIs it, or not?,2\n", "line 3 has 3 cells, but the header "),
        ("p.csv", "id,prompt\na,one\nb,two\na,three\n", "line 4 has the id 'a' of line 2"),
        ("p.jsonl", '{"id": 1, "prompt": "one"}\n"two"\n', "line 2 has no id"),
        ("p.jsonl", '{"id": [1], "prompt": "one"}\n', "line 1 has the id [1]"),
        ("p.txt", "\n \n", "holds no prompts"),
        ("p.md", "one", "unknown ending"),
        ("p.jsonl", None, "cannot be read"),
    ],
)
def test_wrong_files_are_explained(
    tmp_path: Path, name: str, content: str | None, says: str
) -> None:
    file = tmp_path / name
    if content is not None:
        file.write_text(content, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        make_simulation({"type": "prompts", "file": str(file)})
    assert says in str(caught.value)
    assert str(file) in str(caught.value)


def test_bytes_that_are_no_text_are_explained(tmp_path: Path) -> None:
    file = tmp_path / "p.txt"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="not UTF-8"):
        read_prompts(str(file))


def test_each_agent_answers_each_prompt_each_time(tmp_path: Path) -> None:
    file = tmp_path / "p.txt"
    file.write_text("one\ntwo")
    oracle = Oracle(lambda request: f"to {request.messages[-1]['content']}")
    conf = {"type": "prompts", "file": str(file), "repeats": 3}
    episodes, records = play(
        conf, [llm("a", system_prompt="Be brief."), llm("b")], asker=oracle, episodes=99
    )
    assert len(episodes) == 6
    assert all(e.status is Status.COMPLETED and e.returns is None for e in episodes)
    assert len(records) == 12
    assert [r.messages[-1]["content"] for r in records if r.player == "a"] == (
        ["one"] * 3 + ["two"] * 3
    )
    assert {r.messages[0]["role"] for r in records if r.player == "a"} == {"system"}
    assert {len(r.messages) for r in records if r.player == "b"} == {1}
    assert {r.outcome for r in records} == {Outcome.ANSWERED}
    assert len({request.seed for request in oracle.requests}) == 12


def test_answers_that_failed_are_named(tmp_path: Path) -> None:
    file = tmp_path / "p.txt"
    file.write_text("one")
    conf = {"type": "prompts", "file": str(file), "repeats": 4}
    oracle = in_turn(
        Reply(text="cut", finish_reason="length"),
        Reply(text=" ", finish_reason="stop"),
        Reply(text="I cannot", refused=True),
        Reply(text="<think>well</think>yes", finish_reason="stop"),
    )
    _, records = play(conf, [llm()], asker=oracle, together=False)
    assert [r.outcome for r in records] == [
        Outcome.TRUNCATED,
        Outcome.EMPTY,
        Outcome.REFUSED,
        Outcome.ANSWERED,
    ]
    assert records[3].reasoning == "well"
    assert records[3].text == "<think>well</think>yes"


def test_an_outage_of_one_agent_keeps_the_others_answer(tmp_path: Path) -> None:
    file = tmp_path / "p.txt"
    file.write_text("one")

    def answer(request: Request) -> str | TransientError:
        return TransientError("down") if request.key.seat == 0 else "fine"

    (episode,), records = play(
        {"type": "prompts", "file": str(file)}, [llm("a"), llm("b")], asker=Oracle(answer)
    )
    assert (episode.status, episode.error) == (Status.ERROR, "transient: down")
    assert {r.player: r.outcome for r in records} == {"a": None, "b": Outcome.ANSWERED}


def test_players_and_options_that_make_no_sense_are_explained() -> None:
    simulation = make_simulation({"type": "prompts", "file": "prompts.jsonl"})
    said = " ".join(
        simulation.check([player("random"), llm(votes=3, constrain_to_legal=True), llm()])
    )
    for part in ("player_1.type=random", "votes", "constrain_to_legal"):
        assert part in said
    assert simulation.check([llm()]) == []
    assert simulation.check([]) != []
    with pytest.raises(UserError, match="repeats=0"):
        make_simulation({"type": "prompts", "file": "prompts.jsonl", "repeats": 0})
    with pytest.raises(UserError, match="not set"):
        make_simulation({"type": "prompts"})


def test_answered_prompts_are_counted_as_such(arena: Arena) -> None:
    """Every episode of a row is in one of its columns."""
    ran = arena("simulation=prompts", "agents=llm", "simulation.repeats=2")
    assert ran.code == 0, ran.err
    [row] = summary(ran.directory)
    assert int(row["episodes"]) == int(row["answered"]) == 2 * len(read_prompts("prompts.jsonl"))
    assert (row["wins"], row["draws"], row["losses"], row["unfinished"]) == ("0",) * 4
