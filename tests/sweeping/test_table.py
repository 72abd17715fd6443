"""What a sweep shows of its jobs: results, returns, what was cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from game_reasoning_arena.sweeping.table import _line
from tests.arena import Arena, summary
from tests.sweeping.reading import table


def _shown(out: str) -> list[dict[str, str]]:
    """Rows of the table by column; no cell of it is empty or has spaces."""
    first, *rest = out.splitlines()
    names = first.replace("p50 s", "p50").replace("cost $", "cost").split()
    rows = [dict(zip(names, row.split(), strict=False)) for row in rest]
    return [row for row in rows if row.get("job", "").isdigit()]


def test_a_sweep_shows_the_mean_return_of_each_player(arena: Arena) -> None:
    ran = arena("-m", "simulation=leduc_poker", "seed=1,2", "episodes=6")
    rows = _shown(ran.out)
    assert [row["seed"] for row in rows] == ["1", "2"]
    for row, name in zip(rows, sorted({r["directory"] for r in table(ran.directory)}), strict=True):
        mine = [s for s in summary(ran.directory / name) if s["player"] == "player_0"]
        played = [int(s["episodes_with_return"]) for s in mine]
        total = sum(n * float(s["mean_return"]) for n, s in zip(played, mine, strict=True))
        assert row["return"] == f"{total / sum(played):+.3f}"
    assert "return: the player's mean over all its seats" in ran.out
    assert "cut" not in ran.out


def test_a_sweep_shows_what_was_cut(arena: Arena) -> None:
    ran = arena("-m", "simulation.max_moves=null,4", "episodes=4")
    assert [row["cut"] for row in _shown(ran.out)] == ["0", "4"]
    assert "cut: ended by simulation.max_moves" in ran.out
    assert {row["cut_at_limit"] for row in table(ran.directory)} == {"0", "2"}


def test_a_sweep_over_prompts_shows_answers_and_no_games(arena: Arena, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("One?\nTwo?\n")
    ran = arena("-m", "simulation=prompts", "simulation.file=mine.txt", "agents=llm", "seed=1,2")
    assert ran.code == 0, ran.err
    assert [row["answered"] for row in _shown(ran.out)] == ["2", "2"]
    assert {"win", "draw", "loss", "return"} & set(ran.out.splitlines()[0].split()) == set()


def _seat(mean: float | None, played: int, **more: Any) -> dict[str, Any]:
    zeros = dict.fromkeys(("wins", "draws", "losses", "answered"), 0)
    return {
        **zeros, "model": None, "type": "random", "calls": None, "mean_return": mean,
        "episodes_with_return": played, **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("seats", "shown"),
    [
        ([_seat(1.0, 30), _seat(-1.0, 10)], "+0.500"),
        ([_seat(1.0, 30), _seat(None, 0)], "+1.000"),
        ([_seat(None, 0), _seat(None, 0)], "?"),
        ([_seat(None, 0, answered=4)], ""),
    ],
)
def test_a_return_weighs_episodes_and_is_not_made_up(
    seats: list[dict[str, Any]], shown: str
) -> None:
    # These rows have no cut_at_limit, as those of runs that were made before it.
    line = _line("player_0", seats)
    assert (line["return"], line["cut"]) == (shown, "?")
