"""Names of competitors: short, or as given; never two of them alike, and never who is one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from game_reasoning_arena.analysis.compare import Comparison
from game_reasoning_arena.analysis.statistics.names import short_names
from game_reasoning_arena.process.files import read_json
from game_reasoning_arena.process.yaml_text import load_yaml
from game_reasoning_arena.recording import layout, load_runs
from tests.analysis.make_runs import Player, make_run
from tests.arena import Arena

_ATLAS = "direct_lab/atlas-70b"


def test_short_names_keep_what_tells_competitors_apart() -> None:
    assert short_names(
        [
            "direct_lab/atlas-70b (temperature=0.0)",
            "direct_lab/atlas-70b (temperature=0.7)",
            "litellm_openai/gpt-4o",
            "vllm_Qwen2-7B",
            "random",
        ]
    ) == {
        "direct_lab/atlas-70b (temperature=0.0)": "atlas-70b T=0",
        "direct_lab/atlas-70b (temperature=0.7)": "atlas-70b T=0.7",
        "litellm_openai/gpt-4o": "gpt-4o",
        "vllm_Qwen2-7B": "Qwen2-7B",
        "random": "random",
    }
    same = ["litellm_a/m", "direct_b/m"]
    assert short_names(same) == {name: name for name in same}


_NAMES = st.sampled_from(["a", "m", "litellm_a/m", "b_m", "m (x=1)", "m x=1"]) | st.text()


@given(st.lists(_NAMES, max_size=6), st.data())
def test_there_are_as_many_names_as_labels(labels: list[str], data: st.DataObject) -> None:
    names = st.dictionaries(st.sampled_from(labels), _NAMES) if labels else st.just({})
    found = short_names(labels, data.draw(names), data.draw(names))
    assert len(set(found.values())) == len(set(labels))


@pytest.mark.parametrize(
    ("agents", "models", "expected"),
    [
        ({}, {}, {"atlas-70b T=0", "atlas-70b T=0.7"}),
        ({}, {_ATLAS: "Atlas"}, {"Atlas T=0", "Atlas T=0.7"}),
        ({0: "Cold"}, {_ATLAS: "Atlas"}, {"Cold", "Atlas T=0.7"}),
        ({0: "Cold", 1: "Hot"}, {}, {"Cold", "Hot"}),
        ({0: "One", 1: "One"}, {}, {"One (atlas-70b T=0)", "One (atlas-70b T=0.7)"}),
        (
            {0: "atlas-70b T=0.7"},
            {},
            {"atlas-70b T=0.7 (atlas-70b T=0)", f"{_ATLAS} (temperature=0.7)"},
        ),
        ({0: "random"}, {}, {"random (atlas-70b T=0)", "atlas-70b T=0.7"}),
    ],
)  # fmt: skip
def test_names_are_given_by_agents_and_models(
    tmp_path: Path, agents: Mapping[int, str], models: Mapping[str, str], expected: set[str]
) -> None:
    for number, temperature in enumerate((0.0, 0.7)):
        _run(tmp_path / str(number), agents.get(number), models, temperature=temperature)
    comparison = Comparison(load_runs(tmp_path))
    names = {
        label for label in comparison.standings.table["competitor"].unique() if label != "random"
    }
    assert names == expected
    (pair,) = comparison.pairs
    assert {pair.a, pair.b} == expected
    for table in comparison.tables:
        for row in table.rows:
            assert not {row.get("competitor"), row.get("a"), row.get("b")} - {
                None,
                "random",
                *expected,
            }


def test_other_names_for_the_same_settings_make_no_other_competitor(tmp_path: Path) -> None:
    for number, name in enumerate(("Atlas", "Titan")):
        _run(tmp_path / str(number), name, {}, seed=number)
    comparison = Comparison(load_runs(tmp_path))
    assert set(comparison.standings.table["competitor"]) == {"Atlas", "random"}
    assert any("Atlas and Titan" in caveat for caveat in comparison.caveats)
    assert "display_name" not in str(comparison.differences.rows)


def test_runs_of_the_same_deals_are_known_by_the_names_that_each_gave(tmp_path: Path) -> None:
    for number, name in enumerate(("Atlas fp16", "Atlas fp8")):
        _run(tmp_path / str(number), name, {})
    assert set(Comparison(load_runs(tmp_path)).standings.table["competitor"]) == {
        "Atlas fp16", "Atlas fp8", "random"
    }  # fmt: skip
    _run(tmp_path / "2", "Atlas fp8", {})
    assert set(Comparison(load_runs(tmp_path)).standings.table["competitor"]) == {
        "Atlas fp16 [0]", "Atlas fp16 [1]", "Atlas fp16 [2]", "random"
    }  # fmt: skip


def test_competitors_are_chosen_by_any_of_their_names(tmp_path: Path) -> None:
    for number, temperature in enumerate((0.0, 0.7)):
        _run(tmp_path / str(number), ("Cold", "Hot")[number], {}, temperature=temperature)
    loaded = load_runs(tmp_path)
    for name in ("Cold", f"{_ATLAS} (temperature=0.0)", "temperature=0.0"):
        assert Comparison(loaded, against=name).hypotheses.against == "Cold"


def test_a_name_changes_nothing_that_is_asked(arena: Arena) -> None:
    """Runs with a name and without have one identity; the name lives on in all that is made of
    a run, and a run is named afterwards."""
    words = ("episodes=4", "simulation=kuhn_poker", "agents=llm_vs_random", "seed=3")
    named = ("agents.player_0.display_name=Atlas 70B", "agents.player_1.display_name=Uniform")
    assert arena("hydra.run.dir=bare", *words).code == 0
    assert arena("hydra.run.dir=named", *words, *named).code == 0
    assert arena("hydra.run.dir=listed", *words, "model.display_name=Dice").code == 0
    identities = {
        read_json(Path(run) / layout.RUN)["identity"] for run in ("bare", "named", "listed")
    }
    assert len(identities) == 1
    assert "display_name" not in str(load_yaml(Path("bare/config.yaml").read_text())["agents"])
    assert _names("named") == {"Atlas 70B", "Uniform"}
    assert _names("listed") == {"Dice", "random"}
    assert arena("resume", "named").code == 0
    assert arena("resume", "named", "episodes=6").code == 0
    assert _names("named") == {"Atlas 70B", "Uniform"}
    for run in ("named", "listed"):
        before = _names(run)
        assert arena("replay", run, "--output", f"{run}-again").code == 0
        assert _names(f"{run}-again") == before
    resumed = arena("resume", "bare", "agents.player_0.display_name=Late")
    assert resumed.code == 0
    assert "player_0 is now called Late\n" in resumed.err
    assert _names("bare") == {"Late", "random"}
    for shard in ("0/2", "1/2"):
        there = f"hydra.run.dir=part{shard[0]}"
        assert arena(there, *words, *named, f"shard={shard}").code == 0
    assert arena("merge", "part0", "part1", "--output", "whole").code == 0
    assert _names("whole") == {"Atlas 70B", "Uniform"}


def test_a_name_is_a_text_of_one_line(arena: Arena) -> None:
    for key in ("agents.player_1", "agents.player_0", "model"):
        ran = arena("agents=llm_vs_random", f"{key}.display_name='a\nb'")
        assert ran.code == 2
        assert "display_name is 'a\\nb'; it must be a text of one line" in ran.err
    ran = arena(
        "agents=llm_vs_random", "catalog.models=[{name: scripted_first, display_name: ' '}]"
    )
    assert ran.code == 2
    assert "display_name" in ran.err


def _run(
    path: Path,
    agent: str | None,
    models: Mapping[str, str],
    *,
    seed: int = 0,
    temperature: float = 0.1,
) -> None:
    catalog = {"models": [{"name": model, "display_name": name} for model, name in models.items()]}
    config: dict[str, Any] = {"catalog": catalog} if models else {}
    players = {"player_0": Player(_ATLAS, temperature=temperature), "player_1": Player()}
    made = make_run(path, players, episodes=8, seed=seed, config=config)
    if agent is not None:
        file = made / "config.yaml"
        told = load_yaml(file.read_text(encoding="utf-8"))
        told["agents"]["player_0"]["display_name"] = agent
        file.write_text(yaml.safe_dump(told), encoding="utf-8")


def _names(run: str) -> set[str]:
    return set(Comparison(load_runs(run)).standings.table["competitor"])
