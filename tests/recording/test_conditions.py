"""Tables carry the conditions under which runs were played."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from game_reasoning_arena.recording import load_runs
from game_reasoning_arena.recording.frames import rows
from tests.arena import Arena

PAGE = (Path(__file__).parents[2] / "docs/tables.md").read_text(encoding="utf-8")


@pytest.fixture
def swept(arena: Arena) -> Path:
    ran = arena(
        "-m",
        "hydra.sweep.dir=outputs/multirun/2026-11-22/10-00-00",
        "agents.player_0.model=scripted_first,scripted_random",
        "sampling.temperature=0,0.7",
        "simulation=tic_tac_toe,kuhn_poker",
        "episodes=4",
    )
    assert ran.code == 0, ran.err
    return Path("outputs/multirun/2026-11-22/10-00-00")


def test_frames_have_models_sampling_and_what_was_swept(swept: Path) -> None:
    loaded = load_runs(swept)
    runs = loaded.runs
    assert set(runs["player_0_model"]) == {"scripted_first", "scripted_random"}
    assert set(runs["player_1_type"]) == {"random"}
    assert sorted(set(runs["temperature"])) == [0.0, 0.7]
    episodes = loaded.episodes
    for line in rows(episodes):
        model = runs.loc[line.run, "player_0_model"]
        seat = list(line.seats).index("player_0")
        assert getattr(line, f"seat_{seat}_model") == model
        assert pd.isna(getattr(line, f"seat_{1 - seat}_model"))
        assert getattr(line, f"seat_{seat}_temperature") == line.temperature
        expected = {"player_0": model}.get(line.winner)
        assert line.winner_model == expected or (expected is None and pd.isna(line.winner_model))
    responses = loaded.responses
    of_runs = runs.loc[responses["run"], "temperature"]
    assert responses["temperature"].tolist() == of_runs.tolist()


def test_seats_have_a_row_per_episode_and_seat(swept: Path) -> None:
    loaded = load_runs(swept)
    seats = loaded.seats
    assert len(seats) == 2 * len(loaded.episodes)
    for line in rows(loaded.episodes):
        mine = seats[(seats["run"] == line.run) & (seats["episode"] == line.episode)]
        assert tuple(mine["player"]) == line.seats
        assert tuple(mine["returns"]) == line.returns
        assert list(mine["won"]) == [name == line.winner for name in line.seats]
        assert [tuple(o) for o in mine["opponents"]] == [line.seats[::-1][:1], line.seats[:1]]


def test_the_example_of_the_page_runs(swept: Path) -> None:
    found = re.search(r"<!-- example: seats -->\n```python\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    names: dict[str, Any] = {}
    exec(compile(found.group(1), "docs/tables.md", "exec"), names)
    table = names["table"]
    assert set(table.columns) == {"kuhn_poker", "tic_tac_toe"}
    assert len(table) == 4
