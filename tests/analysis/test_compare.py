"""`arena compare` end to end: what it tells, what it cannot tell, in every form."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from game_reasoning_arena.analysis.compare import Comparison
from game_reasoning_arena.analysis.plots import results as plot_results
from game_reasoning_arena.analysis.plots import spread as plot_spread
from game_reasoning_arena.analysis.plots import standing as plot_standing
from game_reasoning_arena.analysis.plots.figures import INK, _drawn, plots, svg_texts
from game_reasoning_arena.analysis.plots.style import COLUMN, PAGE
from game_reasoning_arena.analysis.statistics.intervals import wilson
from game_reasoning_arena.analysis.statistics.measures import Measure
from game_reasoning_arena.analysis.statistics.standings import SCORES, standings
from game_reasoning_arena.analysis.tables.forms import Table
from game_reasoning_arena.cli import run_command
from game_reasoning_arena.errors import UserError
from game_reasoning_arena.recording import load_runs
from game_reasoning_arena.records import Status
from tests.analysis.make_answers import make_answers
from tests.analysis.make_runs import Player, make_run
from tests.arena import Arena


def _versus_random(model: str, **more: object) -> dict[str, Player]:
    return {"player_0": Player(model, **more), "player_1": Player()}  # type: ignore[arg-type]


def _quiet(*paths: Path) -> Comparison:
    return Comparison(load_runs(*paths, notice=lambda _: None))


def _results(of: Path | Comparison) -> Table:
    (table,) = (_quiet(of) if isinstance(of, Path) else of).chosen(["results"])
    return table


def test_rates_add_up_over_every_episode_that_began(tmp_path: Path) -> None:
    make_run(tmp_path / "a", _versus_random("vllm_a", fail=0.05), episodes=80, outages=0.1)
    comparison = _quiet(tmp_path / "a")
    (row,) = [r for r in _results(comparison).rows if r["competitor"] == "a"]
    total = row["win"].value + row["draw"] + row["loss"].value + row["error"] + row["open"]
    assert total == pytest.approx(1.0)
    assert row["began"] == 80
    assert row["error"] > 0
    assert row["forfeits"] > 0


def test_one_opponent_of_many_models_is_known_by_its_deals(arena: Arena) -> None:
    """Six models play the same ten deals: the opponent's row holds ten, not 120."""
    ran = arena(
        "-m", "simulation=kuhn_poker", "episodes=20", "agents.player_0.model=scripted_sloppy",
        "agents.player_0.sampling.temperature=0.1,0.2,0.3,0.4,0.5,0.6", "hydra.sweep.dir=six",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    (row,) = [r for r in _results(Path("six")).rows if r["competitor"] == "random"]
    assert row["began"] == 120
    for result in ("win", "loss"):
        rate = row[result]
        plain = wilson(round(rate.value * 120), 120)
        assert rate.high - rate.low > 2 * (plain.high - plain.low)
        assert rate.low == pytest.approx(row["score"].low, abs=0.06)


def test_policies_differ_just_where_a_player_failed(tmp_path: Path) -> None:
    make_run(tmp_path / "a", _versus_random("vllm_a", fail=0.1), episodes=60, substitute=True)
    table = standings(load_runs(tmp_path / "a")).table
    touched = table.groupby("episode")["substituted"].transform("any")
    assert touched.any()
    mine = table[table["competitor"] == "a"]
    mine_touched = touched[mine.index]
    assert (mine.loc[mine_touched, "loss"] == "loss").all()
    assert mine.loc[mine_touched, "drop"].isna().all()
    assert mine.loc[mine_touched, "as-played"].notna().all()
    calm = mine[~mine_touched]
    assert (calm["loss"] == calm["drop"]).all()
    assert (calm["loss"] == calm["as-played"]).all()
    pair_sums = table.groupby("episode")["loss"].apply(lambda s: s.map(SCORES).sum())
    assert (pair_sums == 1.0).all()


def test_models_are_paired_by_deal_and_a_real_difference_is_found(tmp_path: Path) -> None:
    make_run(tmp_path / "good", _versus_random("vllm_good"), episodes=120)
    make_run(tmp_path / "bad", _versus_random("vllm_bad", fail=0.4), episodes=120)
    comparison = _quiet(tmp_path)
    (pair,) = [p for p in comparison.pairs if {p.a, p.b} == {"good", "bad"}]
    assert pair.basis == "same deals"
    assert (pair.met, pair.matched, pair.n) == (0, 120, 120)
    assert (pair.deals, pair.tested) == (60, 60)
    assert pair.resolved
    assert pair.verdict().startswith("good is better")
    assert pair.depends_on_policy
    assert "depends on how forfeits count" in pair.verdict()
    assert comparison.differences.rows
    assert not any(c.startswith("CONFOUNDED") for c in comparison.caveats)


def test_direct_meetings_are_paired_by_seed(tmp_path: Path) -> None:
    players = {"player_0": Player("vllm_a"), "player_1": Player("vllm_b", fail=0.5)}
    make_run(tmp_path / "run", players, episodes=40)
    comparison = _quiet(tmp_path)
    (pair,) = comparison.pairs
    assert pair.basis == "met"
    assert (pair.met, pair.matched, pair.tested) == (40, 0, 20)
    assert pair.resolved
    assert pair.head_to_head is not None
    assert pair.head_to_head.games == 40
    (table,) = [table for table in comparison.tables if table.key == "pairs"]
    (row,) = table.rows
    # What is shown is what was tested: the three parts of the record add up to it.
    assert (row["tested"], row["n"]) == (20, 40)
    assert sum(map(int, str(row["record"]).split(" / "))) == 20
    assert sum(map(int, str(row["met"]).split(" / "))) == 40


def test_the_same_settings_twice_are_told_apart_by_run(tmp_path: Path) -> None:
    for name in ("first", "second"):
        make_run(tmp_path / name, _versus_random("vllm_a"), episodes=60)
    comparison = _quiet(tmp_path)
    labels = {pair.a for pair in comparison.pairs} | {pair.b for pair in comparison.pairs}
    assert {"a [first]", "a [second]"} <= labels
    (pair,) = [p for p in comparison.pairs if "random" not in (p.a, p.b)]
    assert pair.basis == "same deals"
    assert not pair.resolved
    assert any("told apart by run" in caveat for caveat in comparison.caveats)


def test_more_deals_of_the_same_settings_are_one_competitor(tmp_path: Path) -> None:
    make_run(tmp_path / "first", _versus_random("vllm_a"), episodes=40, seed=1)
    make_run(tmp_path / "second", _versus_random("vllm_a"), episodes=40, seed=2)
    (row,) = [r for r in _results(tmp_path).rows if r["competitor"] == "a"]
    assert row["began"] == 80


def test_labels_name_what_differs(tmp_path: Path) -> None:
    for number, temperature in enumerate((0.0, 0.9)):
        players = _versus_random("vllm_a", temperature=temperature)
        make_run(tmp_path / str(number), players, episodes=10)
    make_run(tmp_path / "self", {f"player_{i}": Player("vllm_b") for i in (0, 1)}, episodes=10)
    labels = {c.label for c in standings(load_runs(tmp_path)).competitors.values()}
    assert labels == {
        "a T=0",
        "a T=0.9",
        "b as player_0",
        "b as player_1",
        "random",
    }


def test_a_confounded_comparison_is_loud(tmp_path: Path) -> None:
    make_run(tmp_path / "a", _versus_random("vllm_a"), episodes=10)
    make_run(
        tmp_path / "b",
        _versus_random("vllm_b", system="You are a pirate."),
        episodes=10,
        config={"on_failure": {"policy": "random", "rethinks": 0}},
        packages={"game-reasoning-arena": "9.9", "open_spiel": "2.0.2"},
    )
    comparison = _quiet(tmp_path)
    line = comparison.caveats[0]
    assert line.startswith("CONFOUNDED")
    for what in ("on_failure.policy", "packages game-reasoning-arena", "system prompt of player_0"):
        assert what in line or what in str([r["what"] for r in comparison.differences.rows])
    assert any("-You play to win." in d for d in comparison.as_dict()["prompt_diffs"])
    assert any("+You are a pirate." in d for d in comparison.as_dict()["prompt_diffs"])


def test_unknown_cost_stays_unknown(tmp_path: Path) -> None:
    make_run(tmp_path / "a", _versus_random("vllm_a"), episodes=10)
    make_run(tmp_path / "b", _versus_random("litellm_b", cost_usd=0.01), episodes=10)
    rows = {r["competitor"]: r for r in _quiet(tmp_path).chosen(["cost"])[0].rows}
    assert rows["a"]["cost"] is None
    assert rows["a"]["per_win"] is None
    asked = len(load_runs(tmp_path / "b").responses)
    assert rows["b"]["cost"] == pytest.approx(0.01 * asked)
    assert rows["b"]["per_game"] == pytest.approx(0.01 * asked / 10)


def test_answers_from_the_cache_cost_and_time_nothing(tmp_path: Path) -> None:
    path = make_run(tmp_path / "a", _versus_random("litellm_a", cost_usd=0.01), episodes=10)
    file = path / "responses.jsonl"
    kept = [orjson.loads(line) for line in file.read_bytes().splitlines()]
    for line in kept[:7]:
        line |= {"from_cache": True, "latency_s": 99.0}
    file.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in kept))
    comparison = _quiet(path)
    assert comparison.loaded.responses["from_cache"].sum() == 7
    tables = {table.key: table for table in comparison.tables}
    (cost,), (latency,) = tables["cost"].rows, tables["latency"].rows
    assert cost["cost"] == pytest.approx(0.01 * (len(kept) - 7))
    assert cost["completion"] == 20 * (len(kept) - 7)
    assert cost["per_game"] is None
    assert latency["calls"] == len(kept) - 7
    assert latency["p99"] is None or latency["p99"] < 99
    assert tables["failures"].rows[0]["answers"] == len(kept)
    said = f"a: 7 of {len(kept)} answers came from the cache"
    assert any(note.startswith(said) for note in tables["cost"].notes)
    assert any(note.startswith(said) for note in tables["latency"].notes)
    axis = plot_spread.latency_distributions(comparison).axes[0]
    assert axis.get_xlim()[1] < 50


def test_prompts_that_were_not_scored_are_named_beside_those_that_were(tmp_path: Path) -> None:
    scored = make_answers(tmp_path / "scored", {"a": [[1.0], [0.0]]})
    bare = make_answers(
        tmp_path / "bare", {"a": [[None], [None]]}, simulation={"file": "other.jsonl"}
    )
    comparison = _quiet(scored, bare)
    first, second = comparison.sections
    assert first.rows
    assert "2 prompts answered, none scored" in second.sentence
    assert comparison.as_dict()["verdicts"] == [first.sentence, second.sentence]


def test_what_cannot_be_told_is_said(tmp_path: Path) -> None:
    one = make_run(tmp_path / "one", _versus_random("vllm_a"), episodes=10)
    assert "One run with one model" in _quiet(one).caveats[0]
    other = make_run(tmp_path / "other", _versus_random("vllm_b"), game="connect_four", episodes=10)
    assert any("share no game" in c for c in _quiet(one, other).caveats)
    deals = make_run(tmp_path / "deals", _versus_random("vllm_c"), episodes=10, seed=5)
    (pair,) = [p for p in _quiet(one, deals).pairs if {p.a, p.b} == {"a", "c"}]
    assert pair.basis == "same opponents"
    assert "unpaired" in pair.verdict()
    empty = make_run(tmp_path / "empty", _versus_random("vllm_d"), episodes=0)
    assert any("no episode has begun" in c for c in _quiet(empty).caveats)


def test_a_run_in_progress_counts_what_began(tmp_path: Path) -> None:
    path = make_run(tmp_path / "run", _versus_random("vllm_a"), episodes=20, status=Status.RUNNING)
    lines = (path / "episodes.jsonl").read_bytes().splitlines(keepends=True)
    (path / "episodes.jsonl").write_bytes(b"".join(lines[:15]) + lines[15][:30])
    comparison = _quiet(path)
    assert any("in progress" in c and "15 of 20" in c for c in comparison.caveats)
    (row,) = [r for r in _results(comparison).rows if r["competitor"] == "a"]
    assert row["began"] == 20
    assert row["open"] == pytest.approx(5 / 20)
    assert any("torn" in notice for notice in comparison.loaded.notices)


def test_what_a_budget_stopped_is_not_finished(arena: Arena) -> None:
    words = ("agents=llm_vs_random", "episodes=12", "concurrency=4", "budget.calls=18")
    assert arena("hydra.run.dir=poor", *words).code == 3
    loaded = load_runs("poor")
    ended = int((loaded.episodes["status"] == "completed").sum())
    assert 0 < ended < len(loaded.episodes)
    assert loaded.runs["finished"].tolist() == [ended]
    (caveat,) = [c for c in Comparison(loaded).caveats if c.startswith("poor: ")]
    assert caveat == (
        f"poor: {ended} of 12 planned episodes are finished (status budget); `arena resume` "
        "finishes the rest. Episodes that end early finish first, so the finished ones are no "
        "random sample."
    )


def test_what_was_interrupted_is_no_random_sample(tmp_path: Path) -> None:
    path = make_run(
        tmp_path / "run", _versus_random("vllm_a"), episodes=20, status=Status.INTERRUPTED
    )
    lines = (path / "episodes.jsonl").read_bytes().splitlines(keepends=True)
    stopped = [line.replace(b'"completed"', b'"interrupted"') for line in lines[15:]]
    (path / "episodes.jsonl").write_bytes(b"".join(lines[:15] + stopped))
    (caveat,) = [c for c in _quiet(path).caveats if c.startswith("run: ")]
    assert "15 of 20" in caveat
    assert "no random sample" in caveat


def test_poker_is_judged_by_its_returns(tmp_path: Path) -> None:
    for name in ("a", "b"):
        make_run(tmp_path / name, _versus_random(f"vllm_{name}"), game="leduc_poker", episodes=40)
    (pair,) = [p for p in _quiet(tmp_path).pairs if {p.a, p.b} == {"a", "b"}]
    assert pair.measure is Measure.RETURN
    assert pair.p is not None
    assert pair.difference == pair.returns
    assert pair.returns.known


def test_every_form_holds_the_same_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(tmp_path / "runs/a", _versus_random("vllm_a_1", fail=0.05, rethink=0.1), episodes=40)
    make_run(tmp_path / "runs/b", _versus_random("vllm_b|$x", temperature=0.9), episodes=40)
    out = tmp_path / "out"
    words = ["compare", str(tmp_path / "runs"), "--all"]
    for form in ("csv", "markdown", "latex", "json"):
        words += [f"--{form}", str(out / f"table.{form}")]
    words += ["--plots", str(out / "plots"), "--reasoning", str(out / "reasoning.csv")]
    assert run_command(words) == 0
    shown = capsys.readouterr().out
    told = json.loads((out / "table.json").read_text())
    rows = told["tables"]["results"]["rows"]
    rate = f"{100 * rows[0]['win']['value']:.1f} [{100 * rows[0]['win']['low']:.1f}"
    assert rate in shown
    assert rate.replace("[", "\\[") in (out / "table.markdown").read_text()
    latex = (out / "table.latex").read_text()
    assert rate in latex
    assert r"vllm\_b\textbar{}\$x" in latex
    assert latex.count(r"\toprule") == latex.count(r"\bottomrule") == latex.count(r"\midrule")
    long = pd.read_csv(out / "table.csv")
    win = long.query("table == 'results' and row == 0 and column == 'win'").iloc[0]
    assert float(win["value"]) == rows[0]["win"]["value"]
    assert win["low"] == rows[0]["win"]["low"]
    names = {path.name for path in (out / "plots").iterdir()}
    assert {"results.png", "results.svg", "latency.png", "pairs.svg", "failures.png"} <= names
    assert (out / "plots/results.png").read_bytes()[:4] == b"\x89PNG"
    reasons = list(csv.DictReader((out / "reasoning.csv").read_text().splitlines()))
    assert reasons
    assert {row["block"] for row in reasons if row["outcome"] == "legal"} == {"True"}


def test_errors_are_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["compare", str(tmp_path / "none")]) == 2
    assert "does not exist" in capsys.readouterr().err
    assert run_command(["compare", str(tmp_path)]) == 2
    assert "is empty" in capsys.readouterr().err
    run = make_run(tmp_path / "run", _versus_random("vllm_a"), episodes=2)
    assert run_command(["compare", str(run), "--forfeits", "lose"]) == 2
    assert "'loss'" in capsys.readouterr().err
    (tmp_path / "file").touch()
    assert run_command(["compare", str(run), "--csv", str(tmp_path / "file/x.csv")]) == 2
    assert "cannot be written" in capsys.readouterr().err
    with pytest.raises(UserError):
        load_runs(tmp_path / "file")


def test_a_foreign_directory_needs_no_engine_and_no_client(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", _versus_random("vllm_a"), episodes=4)
    told = orjson.loads((run / "run.json").read_bytes())
    told["surprise"] = {"x": [1]}
    (run / "run.json").write_bytes(orjson.dumps(told))
    script = (
        "import sys; from game_reasoning_arena.cli import run_command;"
        f"code = run_command(['compare', {str(run)!r}]);"
        "print(code, [m for m in ('litellm', 'vllm', 'pyspiel', 'torch') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip().endswith("0 []")


def test_every_model_against_every_model_is_one_competitor_each(tmp_path: Path) -> None:
    """A sweep plays each pairing twice, under exchanged names, and each model against itself."""
    strong, weak = Player("vllm_a"), Player("vllm_b", fail=0.3)
    for number, (one, other) in enumerate(
        [(strong, strong), (strong, weak), (weak, strong), (weak, weak)]
    ):
        make_run(tmp_path / str(number), {"player_0": one, "player_1": other}, episodes=40)
    comparison = _quiet(tmp_path)
    results = {row["competitor"]: row for row in _results(comparison).rows}
    assert set(results) == {
        "a", "b", "a as player_0", "a as player_1", "b as player_0",
        "b as player_1",
    }  # fmt: skip
    assert results["a"]["began"] == results["b"]["began"] == 80
    assert results["a as player_0"]["began"] == 40
    pairs = {(pair.a, pair.b): pair for pair in comparison.pairs}
    assert {frozenset(key) for key in pairs} == {
        frozenset({"a", "b"}),
        frozenset({"a as player_0", "a as player_1"}),
        frozenset({"b as player_0", "b as player_1"}),
    }
    assert pairs["a", "b"].verdict().startswith("a is better")
    (fit,) = comparison.ratings["tic_tac_toe"]
    assert list(fit.ratings) == ["a", "b"]
    assert fit.games == 80


def test_only_runs_that_repeat_deals_are_told_apart(tmp_path: Path) -> None:
    for name in ("first", "second"):
        make_run(tmp_path / name, _versus_random("vllm_a"), episodes=10)
    make_run(tmp_path / "third", _versus_random("vllm_a"), game="leduc_poker", episodes=10)
    labels = {row["competitor"] for row in _results(tmp_path).rows} - {"random"}
    assert labels == {"a [first]", "a [second]", "a [third]"}
    make_run(tmp_path / "fourth", _versus_random("vllm_a"), game="chess", episodes=10)
    labels = {row["competitor"] for row in _results(tmp_path).rows} - {"random"}
    assert labels == {"a [first]", "a [second]", "a [other runs]"}


def test_rows_that_do_not_compare_are_named(tmp_path: Path) -> None:
    strong, weak = Player("vllm_a"), Player("vllm_b")
    make_run(tmp_path / "a", {"player_0": strong, "player_1": Player()}, episodes=10)
    make_run(tmp_path / "b", {"player_0": weak, "player_1": Player()}, episodes=10)
    alike = _quiet(tmp_path)
    assert "met different opponents" not in " ".join(_results(alike).notes)
    make_run(tmp_path / "c", {"player_0": strong, "player_1": Player("vllm_c")}, episodes=10)
    (note,) = [n for n in _results(tmp_path).notes if "met different opponents" in n]
    assert note.startswith("tic_tac_toe: a and b (one of 2 such pairs)")


def test_a_row_of_runs_that_differ_says_so(tmp_path: Path) -> None:
    for name, moves in (("a", 4), ("b", 9)):
        make_run(
            tmp_path / name,
            _versus_random(f"vllm_{name}"),
            episodes=10,
            config={"simulation": {"game": "tic_tac_toe", "max_moves": moves}},
        )
    (note,) = [n for n in _results(tmp_path).notes if "one row of runs" in n]
    assert note == (
        "random, tic_tac_toe: one row of runs between which these differ: "
        "config simulation.max_moves."
    )


def test_pairs_that_share_nothing_are_named_and_fill_no_rows(tmp_path: Path) -> None:
    for number, model in enumerate(("vllm_a", "vllm_b")):
        players = {"player_0": Player(model), "player_1": Player(f"other_{model}")}
        make_run(tmp_path / model, players, episodes=10, seed=number)
    (table,) = [table for table in _quiet(tmp_path).tables if table.key == "pairs"]
    assert {frozenset((row["a"], row["b"])) for row in table.rows} == {
        frozenset({"a", "other_vllm_a"}),
        frozenset({"b", "other_vllm_b"}),
    }
    (note,) = [note for note in table.notes if "cannot be compared" in note]
    assert note.startswith("a and b; a and other_vllm_b; ")


def test_control_characters_of_others_reach_no_terminal_and_no_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    """A provider's or a file's text must not colour, turn or erase what a reader sees."""
    evil = "\x1b[31m\u202e\u2066\x00 $#&_{}~^\\|<script> 漢"
    for name in ("a", "b"):
        player = Player(f"vllm_{evil}{name}", system=evil + name, served=evil + name)
        make_run(tmp_path / "runs" / name, {"player_0": player, "player_1": Player()}, episodes=4)
    out = tmp_path / "out"
    words = ["compare", str(tmp_path / "runs"), "--all", "--plots", str(out)]
    words += ["--latex", str(out / "t.tex"), "--markdown", str(out / "t.md")]
    assert run_command(words) == 0
    told = capsys.readouterr()
    texts = [
        told.out,
        told.err,
        *(path.read_text() for path in out.iterdir() if path.suffix not in (".png", ".pdf")),
    ]
    assert "[U+001B][31m[U+202E][U+2066][U+0000]" in told.out
    for text in texts:
        assert not {"\x1b", "\u202e", "\u2066", "\x00"} & set(text)
    assert not [str(w.message) for w in recwarn if "Glyph" in str(w.message)]


def test_a_setting_of_its_own_for_each_model_confounds(tmp_path: Path) -> None:
    def line(*players: Player) -> str:
        home = tmp_path / str(len(list(tmp_path.iterdir())))
        for number, player in enumerate(players):
            own = {"type": "llm", "model": player.model, "system_prompt": player.system}
            agents = {"player_0": own, "player_1": {"type": "random"}}
            make_run(
                home / str(number),
                {"player_0": player, "player_1": Player()},
                episodes=6,
                config={"agents": agents},
            )
        caveats = _quiet(home).caveats
        return next((c for c in caveats if c.startswith("CONFOUNDED")), "")

    same = line(Player("vllm_a"), Player("vllm_b"))
    assert same == ""
    hot = line(Player("vllm_a", temperature=0.0), Player("vllm_b", temperature=0.9))
    assert "temperature" in hot
    prompted = line(Player("vllm_a", system="Be bold."), Player("vllm_b", system="Be careful."))
    assert "system_prompt" in prompted
    # Each model at both temperatures: what comes from which can be told.
    crossed = [Player(m, temperature=t) for m in ("vllm_a", "vllm_b") for t in (0.0, 0.9)]
    assert line(*crossed) == ""
    # One model under two prompts: the prompt is what is compared.
    assert line(Player("vllm_a", system="Be bold."), Player("vllm_a", system="Be careful.")) == ""


def test_two_models_of_one_run_can_be_confounded_too(tmp_path: Path) -> None:
    players = {
        "player_0": Player("vllm_a", temperature=0.0),
        "player_1": Player("vllm_b", temperature=0.9),
    }
    make_run(tmp_path / "run", players, episodes=6)
    line = _quiet(tmp_path).caveats[0]
    assert line.startswith(
        "CONFOUNDED: besides who played, these differ: temperature of the players"
    )


def test_only_those_are_named_between_whom_a_setting_differs(tmp_path: Path) -> None:
    def line(name: str, *runs: tuple[dict[str, Player], int]) -> str:
        for number, (players, moves) in enumerate(runs):
            make_run(
                tmp_path / name / str(number),
                players,
                episodes=6,
                config={"simulation": {"game": "tic_tac_toe", "max_moves": moves}},
            )
        caveats = _quiet(tmp_path / name).caveats
        return next((c for c in caveats if c.startswith("CONFOUNDED")), "")

    both = {"player_0": Player("vllm_a"), "player_1": Player("vllm_b")}
    assert line("one", (both, 4), (_versus_random("vllm_c"), 9)) == (
        "CONFOUNDED: besides who played, these differ between the runs: "
        "config simulation.max_moves (4: a, b; 9: c). "
        "A difference between competitors with different values may come from that."
    )
    # Only one of the values stood where the two met; the other is of games against somebody else.
    assert line("met", (both, 4), (_versus_random("vllm_a"), 9)) == ""
    players = [("vllm_a", 0.1), ("vllm_b", 0.1), ("vllm_c", 0.9)]
    runs = [(_versus_random(model, temperature=at), 4) for model, at in players]
    assert "temperature of the players (0.1: a, b; 0.9: c). " in line("own", *runs)


def test_a_plot_that_cannot_show_all_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plot_spread, "_MOST_COLUMNS", 2)
    for module in (plot_spread, plot_results, plot_standing):
        monkeypatch.setattr(module, "MOST_ROWS", 2)
    for name in "abc":
        player = Player(f"vllm_{name}", fail=0.2)
        make_run(tmp_path / name, {"player_0": player, "player_1": Player()}, episodes=6)
    texts = svg_texts(_quiet(tmp_path))
    said = {name: re.findall(r"\(the first \d of \d\)", text) for name, text in texts.items()}
    assert said["results"] == ["(the first 2 of 4)"]
    assert said["leaderboard"] == ["(the first 2 of 3)"]
    assert said["pairs"] == said["latency"] == said["failures"] == ["(the first 2 of 3)"]


def test_where_the_time_of_profiled_runs_went(tmp_path: Path) -> None:
    plain = make_run(tmp_path / "plain", {"player_0": Player("vllm_a"), "player_1": Player()})
    timed = make_run(tmp_path / "timed", {"player_0": Player("vllm_a"), "player_1": Player()})
    part = {"seconds": 1.0, "count": 10, "mean_s": 0.1, "overlaps": False}
    parts = {"parse": part, "wire": {**part, "seconds": 8.0, "overlaps": True}}
    profile = {"wall_s": 4.0, "cpu_s": 3.0, "idle_s": 1.0, "parts": parts}
    (timed / "profile.json").write_bytes(orjson.dumps(profile))
    (table,) = (t for t in _quiet(plain, timed).tables if t.key == "time")
    assert [(row["part"], row["share"]) for row in table.rows] == [
        ("wire", None),
        ("parse", 0.25),
        ("idle", 0.25),
    ]
    assert {row["run"] for row in table.rows} == {"timed"}
    (none,) = (t for t in _quiet(plain).tables if t.key == "time")
    assert not none.rows
    for damaged in ("[", '{"x": ' + "[" * 100_000):
        (timed / "profile.json").write_text(damaged)
        with pytest.warns(UserWarning, match=r"profile\.json is damaged"):
            assert load_runs(timed).readers[0].profile is None


def test_a_seat_that_was_not_reached_is_no_other_prompt(tmp_path: Path) -> None:
    whole = make_run(tmp_path / "whole", _versus_random("vllm_a"))
    short = make_run(tmp_path / "short", _versus_random("vllm_a"))
    for run, seats in ((whole, (0, 1)), (short, (0,))):
        kept = []
        for line in (run / "responses.jsonl").read_bytes().splitlines():
            record = orjson.loads(line)
            if record["seat"] in seats:
                told = f"You sit at seat {record['seat']}."
                record["messages"][0] = {"role": "system", "content": told}
                kept.append(orjson.dumps(record))
        (run / "responses.jsonl").write_bytes(b"\n".join(kept) + b"\n")
    assert not any("CONFOUNDED" in caveat for caveat in _quiet(whole, short).caveats)


def _out_of_view(figure: Figure) -> Iterator[Text]:
    """Labels of ticks that matplotlib keeps and does not draw."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                if not low <= tick.get_loc() <= high:
                    yield from (tick.label1, tick.label2)


@pytest.mark.parametrize("width", [PAGE, COLUMN])
def test_no_plot_cuts_its_words_off(tmp_path: Path, width: float) -> None:
    """With two competitors figures are at their smallest."""
    make_run(tmp_path / "a", _versus_random("vllm_a", fail=0.2), episodes=20)
    comparison = _quiet(tmp_path)
    drawn = 0
    for name, draw in plots().items():
        figure = _drawn(draw, comparison, INK, width)
        if figure is None:
            continue
        drawn += 1
        inside = figure.bbox.padded(1)
        for text in set(figure.findobj(Text)) - set(_out_of_view(figure)):
            if text.get_visible() and text.get_text().strip():
                box = text.get_window_extent()
                assert inside.containsx(box.x0), (name, text.get_text())
                assert inside.containsx(box.x1), (name, text.get_text())
                assert inside.containsy(box.y0), (name, text.get_text())
                assert inside.containsy(box.y1), (name, text.get_text())
    assert drawn >= 4


def test_a_backend_that_only_one_model_needs_is_no_confounder(tmp_path: Path) -> None:
    players = {"direct_lab/a": {"direct": {"stream": True, "max_retries": 5}}, "vllm_b": {}}
    for number, (model, backend) in enumerate(players.items()):
        provider = {"lab": {"api_base": "http://127.0.0.1:1/v1"}} if backend else {}
        config = {"backend": backend, "provider": provider}
        packages = {"game-reasoning-arena": "1", **({"litellm": "1"} if backend else {})}
        place = tmp_path / str(number)
        make_run(place, _versus_random(model), config=config, packages=packages)
    comparison = _quiet(tmp_path)
    assert [c for c in comparison.caveats if "CONFOUNDED" in c] == []
    told = [row["what"] for row in comparison.differences.rows]
    assert "config backend.direct" in told
    assert not any("stream" in str(what) for what in told)
    # The same backend with other settings is one.
    config = {"backend": {"direct": {"stream": False, "max_retries": 5}}}
    make_run(tmp_path / "2", _versus_random("direct_lab/c"), config=config)
    assert "config backend.direct.stream" in _quiet(tmp_path).caveats[0]
    assert "max_retries" not in _quiet(tmp_path).caveats[0]


def test_equal_players_who_never_change_seats_are_not_told_apart(arena: Arena) -> None:
    """Two random players: the first seat wins tic-tac-toe more often."""
    words = ("agents=llm_vs_random", "episodes=400", "seed=2")
    assert arena("hydra.run.dir=fixed", "seats=fixed", *words).code == 0
    told = arena("compare", "fixed", "--all").out
    assert "scripted_random is ahead, but nobody changed seats" in told
    assert "nobody changed seats, so a rating holds the worth of its player's seat" in told
    assert "scripted_random is better" not in told


def test_games_against_several_opponents_are_counted_apart(tmp_path: Path) -> None:
    make_run(tmp_path / "a", _versus_random("vllm_a"), episodes=10)
    players = {"player_0": Player("vllm_a"), "player_1": Player("vllm_b")}
    make_run(tmp_path / "b", players, episodes=6)
    comparison = _quiet(tmp_path)
    (note,) = [note for note in _results(comparison).notes if "several opponents" in note]
    assert note == ("one row of games against several opponents: a (random 10, b 6).")
    ratings = next(table for table in comparison.tables if table.key == "ratings")
    assert {row["competitor"]: row["games"] for row in ratings.rows} == {
        "a": 16, "random": 10, "b": 6,
    }  # fmt: skip


def test_the_same_games_are_counted_once(arena: Arena, tmp_path: Path) -> None:
    assert arena("-m", "shard=all/2", "episodes=8", "hydra.sweep.dir=parts").code == 0
    assert arena("merge", "parts", "--output", "whole").code == 0
    shutil.copytree(tmp_path / "whole", tmp_path / "copy")
    ran = arena("compare", "whole", "parts", "copy", "--all")
    assert ran.out.count("is a part of whole, which was merged: left out.") == 2
    assert "note: copy is a copy of whole (the same run): left out." in ran.out
    (row,) = [r for r in _results(tmp_path).rows if r["competitor"] == "scripted_random"]
    assert row["began"] == 8


def test_prompts_are_neither_won_nor_lost(arena: Arena) -> None:
    words = ("simulation=prompts", "agents=llm_vs_llm", "agents.player_1.model=scripted_first")
    assert arena("hydra.run.dir=asked", *words).code == 0
    told = arena("compare", "asked", "--all").out
    assert "win %" not in told.replace("episodes win", "")
    assert "Which is better" not in told
    assert "Score %" not in told


def test_all_of_an_answer_to_a_prompt_is_what_was_said(arena: Arena, tmp_path: Path) -> None:
    assert arena("hydra.run.dir=asked", "simulation=prompts", "agents=llm").code == 0
    ran = arena("compare", "asked", "--reasoning", "words.csv", "--plots", "plots")
    assert "game ended" not in ran.out
    assert "undecided" not in ran.out
    words = pd.read_csv(tmp_path / "words.csv")
    said = load_runs("asked", columns=["text"]).responses["text"].str.strip()
    assert (words["chars"] == said.str.len()).all()
    assert (words["words"] > 10).all()


def test_prompts_have_no_bars_of_results(arena: Arena, tmp_path: Path) -> None:
    """Also where none was answered."""
    assert arena("hydra.run.dir=asked", "simulation=prompts", "agents=llm").code == 0
    assert plot_results.results_bars(_quiet(Path("asked"))) is None
    lines = (tmp_path / "asked/episodes.jsonl").read_text().replace('"completed"', '"error"')
    (tmp_path / "asked/episodes.jsonl").write_text(lines)
    assert plot_results.results_bars(_quiet(Path("asked"))) is None
    make_run(tmp_path / "played", _versus_random("vllm_a"), episodes=4)
    figure = plot_results.results_bars(_quiet(Path("asked"), Path("played")))
    assert figure is not None
    assert [axis.get_title() for axis in figure.axes] == ["tic_tac_toe"]


def test_players_of_games_of_three_are_not_said_to_have_decided_nothing(arena: Arena) -> None:
    ran = arena(
        "hydra.run.dir=three", "simulation=openspiel", "simulation.game=leduc_poker(players=3)",
        "agents=llm_vs_llm", "agents.player_1.model=scripted_first", "+agents.player_2.type=random",
        "episodes=6",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    told = arena("compare", "three", "--all").out
    assert told.count("not tested: more than two played") == 1
    told = arena("compare", "three", "--against", "random", "--all").out
    assert told.count("not tested: more than two played") == 2
    assert "no game between them was decided" not in told
    assert "games of more than two players are not paired within an episode" in told


def test_players_who_only_failed_together_have_met(arena: Arena) -> None:
    fails = [f"backend.scripted.{way}=0" for way in ("illegal", "truncated", "empty")]
    ran = arena(
        "hydra.run.dir=both", "simulation=matrix_rps", "agents=llm_vs_llm", "episodes=4",
        "agents.player_0.model=scripted_sloppy", "agents.player_1.model=scripted_sloppy",
        "agents.player_1.sampling.temperature=0.7", "on_failure.rethinks=0",
        "backend.scripted.unparsable=1", *fails,
    )  # fmt: skip
    assert ran.code == 0, ran.err
    told = arena("compare", "both", "--all").out
    assert "no game between them was decided" in told
    assert "met different opponents" not in told


@pytest.mark.parametrize("option", ["--csv", "--json", "--markdown", "--latex", "--reasoning"])
def test_a_runs_records_are_not_written_over(arena: Arena, tmp_path: Path, option: str) -> None:
    assert arena("hydra.run.dir=mine", "episodes=2").code == 0
    for name in ("run.json", "responses.jsonl", "episodes.jsonl"):
        before = (tmp_path / "mine" / name).read_bytes()
        for words in (("compare", "mine", option), ("report", "mine", "--output")):
            ran = arena(*words, f"mine/{name}")
            assert ran.code == 2
            assert f"mine/{name} is a record of the run in mine. Name another file." in ran.err
        assert (tmp_path / "mine" / name).read_bytes() == before
