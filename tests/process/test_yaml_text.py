"""A configuration that a run wrote is whole where it holds its last line."""

from __future__ import annotations

import pytest

from game_reasoning_arena.process.yaml_text import load_yaml
from game_reasoning_arena.recording.config_text import as_yaml

WRITTEN = as_yaml({"seed": 1, "agents": {"a": {"system_prompt": "first\n# end\nlast"}}})


def test_every_cut_before_the_last_line_is_known() -> None:
    for size in range(1, len(WRITTEN.removesuffix("# end\n")) + 5):
        with pytest.raises(ValueError, match="cut off"):
            load_yaml(WRITTEN[:size])


@pytest.mark.parametrize("ending", ["", "\n", "\nepisodes: 2\n"])
def test_what_an_editor_does_at_the_end_is_no_cut(ending: str) -> None:
    assert load_yaml(WRITTEN.removesuffix("\n") + ending)["seed"] == 1
