"""Tables of assessed runs: what they say is what the files beside the runs say."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from game_reasoning_arena.analysis.compare import Comparison
from game_reasoning_arena.recording.frames import load_runs
from tests.arena import Arena, lines


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "solutions"))


def tables(*paths: Path | str) -> dict[str, Any]:
    comparison = Comparison(load_runs(*paths, notice=lambda _: None))
    return {table.key: table for table in comparison.tables}


def test_the_tables_hold_the_means_of_the_files(arena: Arena) -> None:
    run = arena(
        "simulation=kuhn_poker", "agents=llm_vs_solver", "assess=true", "episodes=120"
    ).directory
    found = tables(run)
    decisions, luck = lines(run / "decisions.jsonl"), lines(run / "luck.jsonl")
    for competitor, player in (("scripted_random", "player_0"), ("solver", "player_1")):
        (row,) = [row for row in found["decisions"].rows if row["competitor"] == competitor]
        mine = [line for line in decisions if line["player"] == player]
        assert row["decisions"] == len(mine)
        assert row["regret"].value == pytest.approx(statistics.mean(d["regret"] for d in mine))
        assert row["optimal"].value == pytest.approx(statistics.mean(d["optimal"] for d in mine))
        assert row["regret"].low <= row["regret"].value <= row["regret"].high
        (row,) = [row for row in found["adjusted_returns"].rows if row["competitor"] == competitor]
        ours = [line for line in luck if line["player"] == player]
        for column, name in (("returns", "returns"), ("adjusted", "adjusted_return")):
            assert row[column].value == pytest.approx(statistics.mean(x[name] for x in ours))
    rows = {row["competitor"]: row for row in found["adjusted_returns"].rows}
    assert rows["scripted_random"]["removed"] == "chance and opponent"
    assert rows["scripted_random"]["worth"] > 3 * rows["scripted_random"]["episodes"]
    assert rows["solver"]["removed"] == "chance"
    assert sum(row["decisions"] for row in found["regret_by_turn"].rows) == len(decisions)
    assert {row["bin"] for row in found["regret_by_moves"].rows} == {"2"}


def test_two_are_compared_on_the_same_deals(arena: Arena) -> None:
    words = ("simulation=kuhn_poker", "agents=llm_vs_solver", "assess=true", "episodes=200")
    arena(*words, "hydra.run.dir=random")
    arena(*words, "hydra.run.dir=first", "agents.player_0.model=scripted_first")
    found = tables("random", "first")["judged_pairs"].rows
    asked = [row for row in found if {row["a"], row["b"]} == {"scripted_random", "scripted_first"}]
    by_measure = {row["measure"]: row for row in asked}
    assert set(by_measure) == {"regret, solver", "adjusted return, solver"}
    for row in asked:
        assert 0 < row["p"] <= row["adjusted"] <= 1
        assert row["tested"] == 100
    # Regret: more of it is worse, whoever is named first.
    row = by_measure["regret, solver"]
    worse = row["a"] if row["difference"].value > 0 else row["b"]
    assert row["ahead" if worse == row["b"] else "behind"] > 0
    if "better" in row["verdict"]:
        assert not row["verdict"].startswith(worse)


def test_what_is_the_same_on_every_deal_has_an_interval_wherever_limits_are_known(
    arena: Arena,
) -> None:
    models = "agents.player_0.model=scripted_first,scripted_random"
    words = ("simulation=kuhn_poker", "episodes=6", "assess=true", "sampling.temperature=0,0.7")
    assert arena("-m", *words, models, "hydra.sweep.dir=swept").code == 0
    found = Comparison(load_runs(Path("swept"), notice=lambda _: None), by="temperature")
    judged = next(table for table in found.judged_tables if table.key == "judged_pairs")
    alike = [row for row in judged.rows if row["verdict"] == "the same on every deal"]
    bounds = {row["measure"]: (row["difference"].low, row["difference"].high) for row in alike}
    low, high = bounds["regret, solver"]
    assert -4 < low < 0 < high < 4
    assert bounds["adjusted return, solver"] == (None, None)
    assert any(note.startswith("no interval: ") for note in judged.notes)
    assert found.factors is not None
    (between,) = [row for row in found.factors.rows if "against" in row["model"]]
    for row in found.factors.rows:
        assert row["return"].low < row["return"].value == 0 < row["return"].high
    (whole,) = [row for row in found.factors.rows if row["model"] == "all models"]
    assert between["return"].high == pytest.approx(2 * whole["return"].high)


def test_without_an_assessment_there_is_no_table(arena: Arena) -> None:
    run = arena("simulation=kuhn_poker", "episodes=4").directory
    assert not {"decisions", "adjusted_returns", "judged_pairs"} & set(tables(run))
    other = arena("simulation=kuhn_poker", "episodes=4", "seed=1", "assess=true").directory
    notes = tables(run, other)["decisions"].notes
    assert any("not assessed, so not in these tables" in note for note in notes)
    told = json.loads((other / "assessment.json").read_text())
    told |= {"status": "unfinished", "episodes": {"assessed": 2, "ended": 4}}
    (other / "assessment.json").write_text(json.dumps(told))
    notes = tables(other)["decisions"].notes
    assert any("2 of 4 ended episodes are assessed" in note for note in notes)


def test_compare_of_assessed_runs_loads_no_engine(arena: Arena) -> None:
    run = arena("simulation=kuhn_poker", "episodes=4", "assess=true").directory.resolve()
    script = (
        "import sys; from game_reasoning_arena.cli import run_command; "
        f"run_command(['compare', {str(run)!r}, '--json', 'out.json']); "
        "sys.stderr.write(str('pyspiel' in sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stderr.endswith("False")
    told = " ".join(ran.stdout.split())
    assert "kuhn_poker: " in told
    assert " decides best" in told
    assert "Results without luck" in arena("compare", str(run), "--all").out
    content = json.loads(Path("out.json").read_text())
    assert content["tables"]["decisions"]["rows"]


def test_substitutes_and_forfeits(arena: Arena) -> None:
    words = ("simulation=kuhn_poker", "agents.player_0.model=scripted_sloppy", "assess=true")
    more = ("on_failure.rethinks=0", "episodes=60")
    run = arena(*words, *more, "on_failure.policy=random").directory
    decisions = lines(run / "decisions.jsonl")
    substitutes = [line for line in decisions if line["by"] == "substitute"]
    assert substitutes
    assert {line["regret"] for line in substitutes} == {None}
    (row,) = [r for r in tables(run)["decisions"].rows if r["competitor"] == "scripted_sloppy"]
    mine = [line for line in decisions if line["player"] == "player_0"]
    assert row["decisions"] == len(mine) - len(substitutes)
    run = arena(*words, *more).directory
    (row,) = [r for r in tables(run)["decisions"].rows if r["competitor"] == "scripted_sloppy"]
    assert row["forfeits"] == sum(d["by"] == "forfeit" for d in lines(run / "decisions.jsonl"))
    assert row["forfeits"] > 0


def test_plots_of_what_was_judged(arena: Arena) -> None:
    words = ("agents=llm_vs_solver", "assess=true", "episodes=20")
    arena("-m", "simulation=kuhn_poker,tic_tac_toe", *words, "hydra.sweep.dir=two")
    assert arena("compare", "two", "--plots", "plots").code == 0
    for name in ("regret", "adjusted", "regret_by_turn"):
        text = Path(f"plots/{name}.svg").read_text()
        assert "kuhn_poker" in text
        assert "scripted_random" in text
    assert "tic_tac_toe" in Path("plots/regret.svg").read_text()
    arena("simulation=kuhn_poker", "episodes=4", "hydra.run.dir=plain")
    assert arena("compare", "plain", "--plots", "plain_plots").code == 0
    assert not Path("plain_plots/regret.svg").exists()
