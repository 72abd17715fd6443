"""docs/playing.md lists what there is, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from game_reasoning_arena.agents.prompting import VARIABLES
from game_reasoning_arena.agents.reading.forms import FORMS
from game_reasoning_arena.records import Outcome

PAGE = (Path(__file__).parents[1] / "docs" / "playing.md").read_text()


def test_all_forms_and_variables_are_listed_as_they_are() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", PAGE, re.MULTILINE))
    assert rows == {**VARIABLES, **FORMS}


def test_all_outcomes_of_moves_are_named() -> None:
    named = PAGE.partition("## Failures")[2].partition("After a failure")[0]
    assert set(re.findall(r"`(\w+)`", named)) == {str(o) for o in Outcome if o != "answered"}
