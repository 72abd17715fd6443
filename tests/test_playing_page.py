"""docs/playing.md lists what there is, and nothing else."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from game_reasoning_arena.agents.prompting import VARIABLES
from game_reasoning_arena.agents.reading.forms import FORMS
from game_reasoning_arena.records import Outcome
from tests.arena import Arena, episodes

PAGE = (Path(__file__).parents[1] / "docs" / "playing.md").read_text()


def test_all_forms_and_variables_are_listed_as_they_are() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", PAGE, re.MULTILINE))
    assert rows == {**VARIABLES, **FORMS}


def test_all_outcomes_of_moves_are_named() -> None:
    named = PAGE.partition("## Failures")[2].partition("After a failure")[0]
    assert set(re.findall(r"`(\w+)`", named)) == {str(o) for o in Outcome if o != "answered"}


def _block(language: str, holds: str) -> str:
    blocks = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (found,) = (block for block in blocks if holds in block)
    return str(found)


FIRST_MOVES = (
    *("simulation=kuhn_poker", "simulation.max_moves=1", "seats=fixed", "episodes=12"),
    *("agents.player_0.type=policy", "trusted_targets=[shown]"),
)


@pytest.mark.parametrize(
    ("language", "holds", "file", "words"),
    [
        ("json", '"Pass"', "shown.json", ("agents.player_0.table=shown.json",)),
        ("python", "def by_card", "shown.py", ("agents.player_0.callable=shown:by_card",)),
    ],
)
def test_the_policies_that_it_shows_play(
    arena: Arena,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    language: str,
    holds: str,
    file: str,
    words: tuple[str, ...],
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "shown", raising=False)
    (tmp_path / file).write_text(_block(language, holds))
    ran = arena(*FIRST_MOVES, *words)
    assert ran.code == 0, ran.err
    # Two cards are dealt, the first of them to player_0.
    played = [e["moves"] for e in episodes(ran.directory).values()]
    assert {moves[2]["text"] for moves in played if moves[0]["action"] == 2} == {"Bet"}


def test_the_agent_that_it_shows_plays(
    arena: Arena, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "shown", raising=False)
    (tmp_path / "shown.py").write_text(_block("python", "class Polite"))
    words = ("agents.player_0._target_=shown.Polite", "agents.player_0.word=thanks")
    ran = arena(*words, "trusted_targets=[shown]", "episodes=1")
    assert ran.code == 0, ran.err
    assert "Play well, thanks." in (ran.directory / "responses.jsonl").read_text()
