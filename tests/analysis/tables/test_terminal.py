"""Tables in terminals of any width: nothing is left out, nothing is cut off."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from rich.console import Console

from game_reasoning_arena.analysis.compare import Comparison
from game_reasoning_arena.analysis.tables.forms import Column, Table, to_markdown
from game_reasoning_arena.analysis.tables.latex import to_latex
from game_reasoning_arena.analysis.tables.terminal import folded, to_rich
from game_reasoning_arena.recording import load_runs
from tests.analysis.make_runs import Player, make_run


def _written(table: Table, width: int) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width).print(to_rich(table, width))
    return [line.rstrip() for line in out.getvalue().splitlines()]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> list[Table]:
    home = tmp_path_factory.mktemp("runs")
    for number, (model, game) in enumerate(
        [
            ("litellm_openrouter/meta-llama/llama-3.1-8b:free", "tic_tac_toe"),
            ("vllm_b", "tic_tac_toe"),
            ("vllm_b", "leduc_poker"),
        ]
    ):
        players = {"player_0": Player(model, fail=0.1, rethink=0.1), "player_1": Player()}
        make_run(home / str(number), players, game=game, episodes=40, outages=0.05)
    return Comparison(load_runs(home, notice=lambda _: None)).tables


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_no_value_is_left_out_at_any_width(tables: list[Table], width: int) -> None:
    for table in tables:
        lines = _written(table, width)
        assert max(map(len, lines)) <= width
        # Texts may be folded, so what is compared is without spaces and line ends.
        said = re.sub(r"\s", "", "".join(lines))
        for column in table.shown_columns():
            for row in table.rows:
                value = column.show(row.get(column.key))
                if column.kind == "text":
                    continue
                assert re.sub(r"\s", "", value) in said
                assert any(value in line for line in lines), (table.key, column.key, value)


@pytest.mark.parametrize("width", [60, 80, 100])
def test_every_grid_says_which_row_is_which(tables: list[Table], width: int) -> None:
    (results,) = [table for table in tables if table.key == "results"]
    lines = _written(results, width)
    rules = sum(line.startswith("───") for line in lines)
    assert rules > 1
    starts = [line for line in lines if re.match(r"(b|llama-|random|\d+ )", line)]
    assert len(starts) >= rules * len(results.rows)


def test_a_table_that_fits_is_one_grid(tables: list[Table]) -> None:
    for table in tables:
        if table.rows:
            assert sum(line.startswith("───") for line in _written(table, 400)) == 1


def test_what_is_the_same_in_every_row_is_told_once() -> None:
    columns = [Column("a", "A", names_row=True), Column("b", "B"), Column("c", "C" * 40)]
    table = Table("t", "T", columns, [{"a": x, "b": "same", "c": x * 40} for x in "xyz"])
    lines = _written(table, 45)
    assert lines[1] == "  in every row: B same"
    assert sum("same" in line for line in lines) == 1
    assert not any("in every row" in line for line in _written(table, 80))


def test_runs_are_listed_by_value() -> None:
    columns = [
        Column("what", "what", names_row=True),
        Column("confounds", "confounds", names_row=True),
    ]
    columns += [Column(f"run{i}", f"runs/{i}") for i in range(30)]
    rows: list[dict[str, Any]] = [
        {"what": "seed", "confounds": "yes", **{f"run{i}": str(i % 2) for i in range(30)}}
    ]
    lines = _written(Table("differences", "T", columns, rows, per_run=True), 80)
    assert lines[1] == "  seed  (confounds)"
    assert lines[2:4] == ["    0  15 runs", "    1  15 runs"]


def test_many_runs_are_told_by_value_in_files_too() -> None:
    columns = [Column("what", "what", names_row=True)]
    columns += [Column(f"run{i}", f"r{i}") for i in range(9)]
    table = Table("differences", "T", columns, per_run=True)
    table.rows.append({"what": "seed", **{f"run{i}": str(i // 7) for i in range(9)}})
    told = table.by_value()
    assert [row["runs"] for row in told.rows] == ["7 runs", "r7, r8"]
    assert "| seed | 1 | r7, r8 |" in to_markdown([table])
    assert "seed & 0 & 7 runs" in to_latex([table])


def test_nothing_is_minus_nothing() -> None:
    show = Column("a", "a", "rating").show
    assert [show(-0.2), show(0.2), show(-0.6)] == ["0", "0", "-1"]


def test_names_are_folded_between_their_parts() -> None:
    name = "litellm_lab/meta-llama/llama-3.1-8b-instruct"
    assert folded(name, 24) == ["litellm_lab/meta-llama/", "llama-3.1-8b-instruct"]
    assert folded(name, 12) == ["litellm_lab/", "meta-llama/", "llama-3.1-", "8b-instruct"]
    assert folded("no room", 7) == ["no room"]
    assert folded("one word", 4) == ["one", "word"]
    assert folded("supercalifragilistic_x", 8) == ["supercal", "ifragili", "stic_x"]
    assert folded("", 5) == [""]
    assert "".join(folded(name, 5)) == name


@pytest.mark.parametrize("width", [45, 60, 80, 120])
def test_a_table_of_names_breaks_no_word(width: int) -> None:
    names = ["scripted_sloppy", "litellm_openrouter/meta-llama/llama-3.1-8b-instruct:free"]
    columns = [Column("competitor", "model", names_row=True), Column("note", "note")]
    columns += [Column(f"n{i}", f"number {i}", "count") for i in range(4)]
    numbers: dict[str, Any] = {f"n{i}": 100 * i for i in range(4)}
    rows: list[dict[str, Any]] = [
        {"competitor": name, "note": f"{name} is it", **numbers} for name in names
    ]
    lines = _written(Table("t", "", columns, rows), width)
    assert max(map(len, lines)) <= width
    shown = "\n".join(lines)
    for name in names:
        for part in re.findall(r"[^/_:-]+", name):
            assert part in shown
    assert "300" in shown
