"""The table at the end of a run shows the results of its episodes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from game_reasoning_arena.analysis.tables.terminal import to_rich
from game_reasoning_arena.running.result_table import result_table
from tests.analysis.page.browser import Browser, find_chromium
from tests.arena import Arena, lines, summary


def _cells(out: str, column: str) -> list[str]:
    """A column of the table, whose rows begin with a player."""
    head, *rows = [line for line in out.splitlines() if line.startswith("player")]
    names = head.split()
    return [dict(zip(names, row.split(), strict=False))[column] for row in rows]


def test_games_that_were_cut_are_not_only_draws(arena: Arena, tmp_path: Path) -> None:
    ran = arena("episodes=6", "simulation.max_moves=6", "hydra.run.dir=cut")
    cut = [line["move_limit"] for line in lines(ran.directory / "episodes.jsonl")]
    assert sum(cut) > 0
    assert sum(map(int, _cells(ran.out, "cut"))) == 2 * sum(cut)  # for each of two players
    assert "cut: ended by simulation.max_moves" in ran.out
    rows = summary(ran.directory)
    assert sum(int(row["cut_at_limit"]) for row in rows) == 2 * sum(cut)
    compared = arena("compare", "cut", "--all")
    assert "cut at limit: ended by max_moves" in compared.out


@pytest.mark.parametrize("width", [45, 60, 80, 160])
def test_a_narrow_terminal_loses_nothing(
    arena: Arena, width: int, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = arena("episodes=2", "agents=llm_vs_llm", "agents.player_1.model=scripted_sloppy")
    table = result_table(list(_numbers(summary(ran.directory))))
    Console(width=width).print(to_rich(table, width))
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= width
    for column in table.shown_columns():
        assert "".join(column.heading.split()) in "".join(out.split())
    assert out.count("scripted_sloppy") >= 2
    assert "0.0000" in out  # a cost was once cut to 0.0


def _numbers(rows: list[dict[str, str]]) -> Iterator[dict[str, Any]]:
    texts = ("player", "type", "model")
    for row in rows:
        yield {k: v if k in texts else float(v) if v else None for k, v in row.items()}


def test_where_nothing_was_cut_there_is_no_such_column(arena: Arena) -> None:
    ran = arena("episodes=2")
    assert "cut" not in ran.out.splitlines()[0].split()
    assert {row["cut_at_limit"] for row in summary(ran.directory)} == {"0"}
    assert "cut at limit" not in arena("compare", str(ran.directory), "--all").out


@pytest.mark.skipif(find_chromium() is None, reason="no Chromium here")
def test_the_report_tells_which_games_were_cut(arena: Arena) -> None:
    ran = arena("episodes=6", "simulation.max_moves=4")
    page = ran.directory / "report.html"
    assert arena("report", str(ran.directory)).code == 0
    with Browser() as browser:
        browser.open(page, "#episodes-top")
        shown = browser.eval(
            "[...document.querySelectorAll('#episodes tbody .chip')].map((c) => c.textContent)"
        )
        assert shown == ["draw, cut at limit"] * 6
        found = "Object.assign(document.getElementById('f-result'), {value: 'cut'})"
        browser.eval(f"{found}.dispatchEvent(new Event('change'))")
        assert browser.eval("view.rows.length") == 6
        assert browser.faults == []
