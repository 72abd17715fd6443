"""Reading run directories in every state: whole, torn, damaged, older, empty, in sweeps."""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest

from game_reasoning_arena.errors import UserError
from game_reasoning_arena.recording import load_runs
from game_reasoning_arena.recording.columns import BODIES, EPISODES, RESPONSES
from game_reasoning_arena.recording.frames import _RUN_DTYPES
from game_reasoning_arena.recording.judgement_columns import DECISIONS, LUCK
from game_reasoning_arena.recording.lines import RunDataWarning, read_lines, read_lines_at
from game_reasoning_arena.recording.reader import RunReader, find_runs
from game_reasoning_arena.sweeping.store import SUMMARY_COLUMNS
from tests.analysis.make_runs import Player, make_run

TWO = {"player_0": Player("vllm_a", fail=0.1, rethink=0.2, cost_usd=0.01), "player_1": Player()}


def test_a_torn_last_line_is_left_out_and_said(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_bytes(b'{"a":1}\n{"a":2}\n{"a":3')
    said: list[str] = []
    assert list(read_lines(path, notice=said.append)) == [{"a": 1}, {"a": 2}]
    assert len(said) == 1
    assert "line 3" in said[0]
    assert "torn" in said[0]
    with pytest.warns(RunDataWarning, match="torn"):
        list(read_lines(path))


def test_a_whole_last_line_without_its_newline_counts(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_bytes(b'{"a":1}\n{"a":2}')
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [line["a"] for line in read_lines(path)] == [1, 2]


def test_damaged_lines_are_counted_and_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_bytes(b'{"a":1}\nnonsense\n\n[1]\n\xff\xfe\n{"a":2}\n')
    said: list[str] = []
    assert [line["a"] for line in read_lines(path, notice=said.append)] == [1, 2]
    assert said == [f"{path}: 3 damaged lines left out, the first at line 2 (it is no JSON)."]


def test_a_line_that_stands_twice_counts_once(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_bytes(b'{"a":1}\n{"a":2}\n{"a":1}\n{"a":1}\n{"a":3}\n')
    said: list[str] = []
    assert [line["a"] for line in read_lines(path, notice=said.append)] == [1, 2, 3]
    assert said == [f"{path}: 2 lines that stand there twice left out, the first at line 3."]


def test_offsets_lead_back_to_their_lines(tmp_path: Path) -> None:
    run = RunReader(make_run(tmp_path / "run", TWO, episodes=6))
    found = list(run.responses_at())
    offsets = [offset for offset, _ in found][::-1]
    assert list(run.responses_from(offsets)) == [line for _, line in found][::-1]
    assert list(read_lines_at(run.path / "responses.jsonl")) == found


def test_runs_are_found_in_sweeps_and_globs_once_and_in_natural_order(tmp_path: Path) -> None:
    for job in (0, 2, 10):
        make_run(tmp_path / "sweep" / "deep" / str(job), TWO, episodes=2)
    (tmp_path / "sweep" / ".hydra").mkdir()
    found = find_runs(tmp_path / "sweep", str(tmp_path / "sweep/*/1*"), tmp_path / "sweep/deep/2")
    assert [reader.path.name for reader in found] == ["0", "2", "10"]


def test_what_holds_no_run_is_an_error_that_helps(tmp_path: Path) -> None:
    make_run(tmp_path / "monday", TWO, episodes=2)
    with pytest.raises(UserError, match=r"does not exist.*Did you mean .*monday"):
        find_runs(tmp_path / "munday")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="is empty"):
        find_runs(tmp_path / "empty")
    (tmp_path / "empty" / "notes.txt").touch()
    with pytest.raises(UserError, match=r"holds no run.*it holds notes.txt"):
        find_runs(tmp_path / "empty")
    with pytest.raises(UserError, match="matches no directory"):
        find_runs(str(tmp_path / "tuesday*"))
    with pytest.raises(UserError, match="No run directory"):
        find_runs()
    with pytest.raises(UserError, match="is no run directory"):
        RunReader(tmp_path / "empty")


def test_tables_have_the_documented_columns_and_types(tmp_path: Path) -> None:
    make_run(tmp_path / "run", TWO, episodes=20, outages=0.2)
    loaded = load_runs(tmp_path / "run")
    wanted = [c for c in RESPONSES if c not in BODIES]
    assert list(loaded.responses.columns)[: len(wanted)] == wanted
    wanted = [c for c in EPISODES if c != "moves"]
    assert list(loaded.episodes.columns)[: len(wanted)] == wanted
    for table, specs in ((loaded.responses, RESPONSES), (loaded.episodes, EPISODES)):
        for name in [column for column in table.columns if column in specs]:
            expected = specs[name].dtype
            found = str(table[name].dtype)
            assert found.startswith("datetime64") if expected == "datetime" else found == expected
    assert loaded.runs.index.name == "run"
    assert loaded.runs["planned"].iloc[0] == 20
    ended = loaded.episodes["status"].isin(("completed", "forfeit"))
    assert loaded.runs["finished"].iloc[0] == ended.sum() < 20


def test_unknown_is_null_and_never_zero(tmp_path: Path) -> None:
    make_run(tmp_path / "run", {"player_0": Player("vllm_a"), "player_1": Player()}, episodes=4)
    loaded = load_runs(tmp_path / "run", moves=True)
    assert loaded.responses["cost_usd"].isna().all()
    assert loaded.responses["reasoning_tokens"].isna().all()
    assert loaded.responses["error_kind"].isna().all()
    assert pd.isna(loaded.runs["cost_usd"].iloc[0])
    assert loaded.episodes["moves"].iloc[0][0]["text"]
    whole = loaded.episodes[loaded.episodes["status"] == "completed"]
    assert whole["forfeit_seat"].isna().all()


def test_values_are_those_of_the_lines(tmp_path: Path) -> None:
    path = make_run(tmp_path / "run", TWO, episodes=12)
    lines = list(RunReader(path).responses())
    table = load_runs(path, columns=["text", "latency_s", "outcome", "sent", "messages"]).responses
    assert list(table["text"]) == [line["text"] for line in lines]
    assert list(table["outcome"]) == [line["outcome"] for line in lines]
    assert list(table["messages"]) == [line["messages"] for line in lines]
    np.testing.assert_array_equal(table["latency_s"], [line["latency_s"] for line in lines])
    assert table["sent"].nunique() == 1  # the seed, different in each, is left out
    assert "model" not in table


def test_runs_are_named_one_by_one_or_in_lists(tmp_path: Path) -> None:
    a, b = (make_run(tmp_path / name, TWO, episodes=2) for name in "ab")
    for paths in ((a, b), ([a, str(b)],), ((a,), [b]), ([a], str(tmp_path / "b*")), ([b, a],)):
        loaded = load_runs(*paths)
        assert sorted(loaded.runs["path"]) == [str(a), str(b)]
    with pytest.raises(UserError, match="No run directory is given"):
        load_runs([])


def test_chunks_do_not_change_the_table(tmp_path: Path) -> None:
    from game_reasoning_arena.recording.columns import TableBuilder

    lines = list(RunReader(make_run(tmp_path / "run", TWO, episodes=12)).responses())
    tables = []
    for chunk in (1, 7, 10_000):
        builder = TableBuilder(RESPONSES, chunk=chunk)
        builder.extend(0, lines)
        tables.append(builder.frame())
    pd.testing.assert_frame_equal(tables[0], tables[2])
    pd.testing.assert_frame_equal(tables[1], tables[2])


def test_an_unknown_column_is_an_error_with_a_near_match(tmp_path: Path) -> None:
    make_run(tmp_path / "run", TWO, episodes=2)
    with pytest.raises(UserError, match=r"no column 'latency'.*latency_s"):
        load_runs(tmp_path / "run", columns=["latency"])


def test_a_half_written_directory_says_what_is_missing(tmp_path: Path) -> None:
    path = make_run(tmp_path / "run", TWO, episodes=6)
    (path / "run.json").unlink()
    (path / "config.yaml").unlink()
    with open(path / "episodes.jsonl", "r+b") as lines:
        lines.truncate((path / "episodes.jsonl").stat().st_size - 20)
    said: list[str] = []
    loaded = load_runs(path, notice=said.append)
    assert len(loaded.episodes) == 5
    assert len(loaded.responses) > 0
    text = "\n".join(said)
    assert "run.json is missing" in text
    assert "config.yaml is missing" in text
    assert "episodes.jsonl: the last line (line 6) is torn" in text
    assert loaded.runs["run_id"].iloc[0] == "run"
    assert len(said) == len(set(said))


def test_a_pipe_in_place_of_a_file_is_not_called_missing(tmp_path: Path) -> None:
    path = make_run(tmp_path / "run", TWO, episodes=2)
    (path / "responses.jsonl").unlink()
    os.mkfifo(path / "responses.jsonl")
    notices: list[str] = []
    assert load_runs(path, notice=notices.append).responses.empty
    assert any("responses.jsonl is no regular file" in notice for notice in notices)


def test_an_older_directory_loads_with_nulls(tmp_path: Path) -> None:
    path = make_run(tmp_path / "run", TWO, episodes=4)
    lines = list(read_lines(path / "responses.jsonl"))
    for line in lines:
        for name in ("client_s", "constrained", "sample", "decode_s", "dropped"):
            del line[name]
    (path / "responses.jsonl").write_bytes(b"".join(orjson.dumps(x) + b"\n" for x in lines))
    told = orjson.loads((path / "run.json").read_bytes())
    told["format_version"] = 99
    (path / "run.json").write_bytes(orjson.dumps(told))
    with pytest.warns(RunDataWarning, match="format version 99"):
        loaded = load_runs(path)
    assert loaded.responses["client_s"].isna().all()
    assert loaded.responses["constrained"].isna().all()
    assert (loaded.responses["sample"] == 0).all()


def test_a_line_with_a_value_of_another_type_is_left_out_with_its_field(tmp_path: Path) -> None:
    path = make_run(tmp_path / "run", TWO, episodes=4)
    before = len(load_runs(path).responses)
    with open(path / "responses.jsonl", "ab") as lines:
        lines.write(b'{"episode":0,"seat":0,"player":"p","latency_s":"slow"}\n')
        lines.write(b'{"episode":-1,"seat":0,"player":"p"}\n')
    said: list[str] = []
    assert len(load_runs(path, notice=said.append).responses) == before
    assert any("2 damaged lines left out" in one and "latency_s: expected" in one for one in said)


def test_a_later_line_for_an_episode_replaces_the_earlier(tmp_path: Path) -> None:
    path = make_run(tmp_path / "run", TWO, episodes=4, outages=1.0)
    again = make_run(tmp_path / "again", TWO, episodes=4)
    with open(path / "episodes.jsonl", "ab") as lines:
        lines.write((again / "episodes.jsonl").read_bytes())
    loaded = load_runs(path)
    assert len(loaded.episodes) == 4
    assert "error" not in set(loaded.episodes["status"])


def test_of_copies_the_one_that_was_finished_stays(tmp_path: Path) -> None:
    half = make_run(tmp_path / "a", TWO, episodes=4, outages=1.0)
    whole = make_run(tmp_path / "b", TWO, episodes=4)
    (whole / "run.json").write_bytes((half / "run.json").read_bytes())
    loaded = load_runs(half, whole, notice=lambda _: None)
    assert loaded.runs["path"].tolist() == [str(whole)]


def test_importing_the_package_does_not_import_pandas() -> None:
    import subprocess
    import sys

    script = (
        "import sys, game_reasoning_arena.recording, game_reasoning_arena.recording.reader, "
        "game_reasoning_arena.commands.compare, game_reasoning_arena.commands.report;"
        "print([m for m in ('pandas', 'matplotlib', 'scipy', 'litellm') if m in sys.modules])"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "[]"


def test_a_damaged_line_costs_no_other_directory(tmp_path: Path) -> None:
    for name, number in (("good", 1), ("odd", "x")):
        (tmp_path / name).mkdir()
        line: dict[str, Any] = {"episode": number, "seat": 0, "player": "p", "messages": []}
        (tmp_path / name / "responses.jsonl").write_bytes(orjson.dumps(line) + b"\n")
    said: list[str] = []
    loaded = load_runs(tmp_path, notice=said.append)
    assert len(loaded.responses) == 1
    assert any("odd" in one and "episode: expected int" in one for one in said)


def test_the_documented_tables_are_those_that_are_given() -> None:
    text = (Path(__file__).parents[2] / "docs/tables.md").read_text(encoding="utf-8")
    _, responses, episodes, runs, decisions, luck, summaries = re.split(
        r"^## .*$", text, flags=re.MULTILINE
    )
    for part, specs in (
        (responses, RESPONSES),
        (episodes, EPISODES),
        (decisions, DECISIONS),
        (luck, LUCK),
    ):
        rows = re.findall(r"^\| (\w+) \| (\w+) \| (.+) \|$", part, re.MULTILINE)[1:]
        assert rows == [(name, spec.dtype, spec.meaning) for name, spec in specs.items()]
    rows = re.findall(r"^\| (\w+) \| (\w+) \|$", runs, re.MULTILINE)[1:]
    assert dict(rows) == _RUN_DTYPES
    told = re.findall(r"^\| ([\w, ]+) \| .+ \|$", summaries, re.MULTILINE)[1:]
    assert {name for names in told for name in names.split(", ")} == set(SUMMARY_COLUMNS)
