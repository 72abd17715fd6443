"""How answers were read, and the warning where that could decide between competitors."""

from __future__ import annotations

from pathlib import Path

from game_reasoning_arena.analysis.compare import Comparison
from game_reasoning_arena.analysis.tables.forms import Table
from game_reasoning_arena.recording.frames import load_runs
from tests.analysis.make_runs import Player, make_run


def compared(path: Path, first: Player, second: Player, episodes: int = 40) -> Comparison:
    make_run(path / "run", {"player_0": first, "player_1": second}, episodes=episodes)
    return Comparison(load_runs(path, notice=lambda _: None))


def table_of(comparison: Comparison) -> Table:
    (table,) = [table for table in comparison.tables if table.key == "reading"]
    return table


def warnings(comparison: Comparison) -> list[str]:
    return [line for line in comparison.caveats if line.startswith("READING")]


def test_shares_per_form_are_those_of_the_answers(tmp_path: Path) -> None:
    first = Player("vllm_a", rethink=0.5)
    comparison = compared(tmp_path, first, Player("vllm_b", form="line+emphasis+remark"))
    rows = {row["competitor"]: row for row in table_of(comparison).rows}
    answers = comparison.responses[comparison.responses["competitor"] == "a"]
    unparsable = (answers["outcome"] == "unparsable").mean()
    assert 0.2 < unparsable < 0.5
    mine, theirs = rows["a"], rows["b"]
    assert mine["answers"] == len(answers)
    assert mine["unparsable"].value == unparsable
    assert mine["plain"] == 1 - unparsable
    assert mine["forms"] == f"line {1 - unparsable:.1%}, no answer found {unparsable:.1%}"
    assert (theirs["plain"], theirs["dressed"], theirs["judged"]) == (0, 0, 1)
    assert theirs["forms"] == "line+emphasis+remark 100.0%"


def test_a_warning_where_the_reading_could_decide(tmp_path: Path) -> None:
    first = Player("vllm_a", rethink=0.5)
    comparison = compared(tmp_path, first, Player("vllm_b", form="line+remark"))
    unread, judged = warnings(comparison)
    assert "of a's answers could not be read, and 0.0% of b's" in unread
    assert "0.0% of a's answers were read by forgiving words" in judged
    assert "100.0% of b's" in judged


def test_no_warning_where_models_are_read_alike(tmp_path: Path) -> None:
    first, second = Player("vllm_a", form="line+emphasis"), Player("vllm_b", rethink=0.02)
    assert warnings(compared(tmp_path, first, second)) == []


def test_one_warning_for_all_pairs_of_a_game(tmp_path: Path) -> None:
    for name, rethink in (("vllm_a", 0.0), ("vllm_b", 0.02), ("vllm_c", 0.5), ("vllm_d", 0.5)):
        players = {"player_0": Player(name, rethink=rethink), "player_1": Player()}
        make_run(tmp_path / name, players, episodes=40)
    (line,) = warnings(Comparison(load_runs(tmp_path, notice=lambda _: None)))
    assert "0.0% of a's answers could not be read" in line
    assert "'s (3 more pairs). That may decide" in line


def test_one_warning_for_all_games(tmp_path: Path) -> None:
    for game in ("tic_tac_toe", "kuhn_poker"):
        players = {"player_0": Player("vllm_a", rethink=0.5), "player_1": Player("vllm_b")}
        make_run(tmp_path / game, players, game=game, episodes=40)
    (line,) = warnings(Comparison(load_runs(tmp_path, notice=lambda _: None)))
    first, other = ("tic_tac_toe", "kuhn_poker")[:: 1 if "in tic_tac_toe, " in line else -1]
    assert line.startswith(f"READING: in {first}, ")
    assert f"(also {other}; 1 more pairs)" in line
