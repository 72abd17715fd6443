"""Real runs of designs in which a comparison once claimed what was not so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from game_reasoning_arena.analysis.compare import Comparison
from game_reasoning_arena.analysis.statistics.measures import Measure
from game_reasoning_arena.analysis.statistics.results import groups, results_table, tally
from game_reasoning_arena.analysis.statistics.standings import POLICIES, standings
from game_reasoning_arena.analysis.tables.forms import Table
from game_reasoning_arena.recording import load_runs
from game_reasoning_arena.recording.encoding import encode
from game_reasoning_arena.records import EpisodeRecord, Forfeit, Move, MoveBy, Outcome, Status
from tests.arena import Arena

_NEVER = [f"backend.scripted.{way}=0" for way in ("illegal", "truncated", "empty")]


def compared(*paths: str, **more: Any) -> Comparison:
    """A comparison of run directories."""
    return Comparison(load_runs(*paths, notice=lambda _: None), **more)


def table(comparison: Comparison, key: str) -> Table:
    """One of its tables."""
    return next(table for table in comparison.tables if table.key == key)


def test_poker_forfeits_cost_what_the_game_can_cost(arena: Arena) -> None:
    """A model that fails in half its games is not better for the games that it finishes."""
    for model, name in (("scripted_sloppy", "sloppy"), ("scripted_random", "steady")):
        ran = arena(
            f"hydra.run.dir={name}", "simulation=leduc_poker", "agents=llm_vs_random",
            f"agents.player_0.model={model}", "episodes=60", "on_failure.rethinks=0",
            "backend.scripted.unparsable=0.3", *_NEVER,
        )  # fmt: skip
        assert ran.code == 0, ran.err
    assert json.loads(Path("steady/run.json").read_text())["utility"] == [-13.0, 13.0]
    verdicts = {}
    for policy in POLICIES:
        comparison = compared("sloppy", "steady", policy=policy)
        (pair,) = comparison.pairs
        assert pair.measure is Measure.RETURN
        assert pair.depends_on_policy
        rows = {row["competitor"]: row for row in table(comparison, "results").rows}
        forfeits = rows["scripted_sloppy"]["forfeits"]
        assert forfeits > 15
        counted = 60 - (forfeits if policy == "drop" else 0)
        assert rows["scripted_sloppy"]["played_out"] == counted
        verdicts[policy] = pair.verdict()
    assert verdicts["loss"] == "scripted_random is better, but it depends on how forfeits count"
    assert "scripted_sloppy is better" not in verdicts.values()
    told = arena("compare", "sloppy", "steady", "--all").out
    assert "a forfeit returns -13, the least that the game can pay, its only opponent 13" in told
    assert verdicts["drop"].endswith("but it depends on how forfeits count")


def test_substituted_moves_are_the_runs_own_in_returns_too(arena: Arena) -> None:
    for model, name in (("scripted_sloppy", "sloppy"), ("scripted_random", "steady")):
        ran = arena(
            f"hydra.run.dir={name}", "simulation=leduc_poker", "agents=llm_vs_random",
            f"agents.player_0.model={model}", "episodes=40", "on_failure.rethinks=0",
            "on_failure.policy=random", "backend.scripted.unparsable=0.4", *_NEVER,
        )  # fmt: skip
        assert ran.code == 0, ran.err
    found = {policy: compared("sloppy", "steady", policy=policy).pairs[0] for policy in POLICIES}
    assert len({pair.p for pair in found.values()}) == 3
    assert found["loss"].returns.value != found["as-played"].returns.value
    assert found["drop"].n < found["as-played"].n == 40
    assert found["loss"].verdict().startswith("scripted_random is better, but it depends")


def test_games_that_are_copies_are_no_evidence(arena: Arena) -> None:
    ran = arena(
        "hydra.run.dir=copies", "simulation=tic_tac_toe", "agents=llm_vs_llm", "episodes=40",
        "agents.player_0.model=scripted_first", "agents.player_1.model=scripted_first",
        "agents.player_0.sampling.temperature=0", "agents.player_1.sampling.temperature=0.5",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    comparison = compared("copies")
    (pair,) = comparison.pairs
    assert (pair.n, pair.deals, pair.tested) == (40, 20, 1)
    assert pair.verdict() == "the same on every deal"
    for row in table(comparison, "results").rows:
        assert (row["began"], row["distinct"]) == (40, 2)
        assert row["score"].low is None
    (caveat,) = [c for c in comparison.caveats if "nothing in them is random" in c]
    assert caveat.startswith("tic_tac_toe: 40 games of scripted_first T=0")
    assert "are only 2 different ones" in caveat
    (fit,) = comparison.ratings["tic_tac_toe"]
    assert all(rating.low is None for rating in fit.ratings.values())
    told = arena("compare", "copies", "--all").out
    assert "distinct games" in told
    # With a random opponent each deal is news, however steady the model.
    ran = arena(
        "hydra.run.dir=news", "simulation=tic_tac_toe", "agents=llm_vs_random", "episodes=40",
        "agents.player_0.model=scripted_first", "agents.player_0.sampling.temperature=0",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    (pair,) = compared("news").pairs
    assert pair.tested == pair.deals == 20


def test_rates_of_0_and_1_are_drawn_and_shown(arena: Arena) -> None:
    """Twenty of twenty won, whose interval reached to 0.9999999999999999."""
    ran = arena(
        "hydra.run.dir=clean", "simulation=tic_tac_toe", "agents=llm_vs_random", "episodes=20",
        "agents.player_0.model=scripted_sloppy", "on_failure.rethinks=0",
        "backend.scripted.unparsable=1", *_NEVER,
    )  # fmt: skip
    assert ran.code == 0, ran.err
    (row,) = [r for r in table(compared("clean"), "results").rows if r["competitor"] == "random"]
    assert row["win"].value == row["win"].high == row["score"].high == 1.0
    ran = arena("compare", "clean", "--plots", "plots", "--json", "told.json")
    assert ran.code == 0, ran.err
    assert (Path("plots") / "results.png").is_file()
    ran = arena("report", "clean")
    assert ran.code == 0, ran.err


def test_rows_of_games_of_three_add_up(arena: Arena) -> None:
    ran = arena(
        "hydra.run.dir=three", "simulation=openspiel", "simulation.game=leduc_poker(players=3)",
        "agents=llm_vs_random", "agents.player_0.model=scripted_sloppy", "on_failure.rethinks=0",
        "+agents.player_2.type=random", "episodes=30", "backend.scripted.unparsable=0.4", *_NEVER,
    )  # fmt: skip
    assert ran.code == 0, ran.err
    for policy in POLICIES:
        rows = {r["competitor"]: r for r in table(compared("three", policy=policy), "results").rows}
        assert rows["scripted_sloppy"]["forfeits"] > 5
        for row in rows.values():
            parts = row["win"].value + row["draw"] + row["loss"].value
            assert parts + row["void"] + row["error"] + row["open"] == pytest.approx(1.0)
        ended_by_another = rows["random as player_1"]["void"] * 30
        assert ended_by_another == pytest.approx(rows["scripted_sloppy"]["forfeits"])


def test_a_sweep_of_all_against_all_asks_what_it_is_asked(arena: Arena) -> None:
    models = "scripted_random,scripted_sloppy,scripted_first"
    ran = arena(
        "-m", "simulation=kuhn_poker", "agents=llm_vs_llm", "episodes=20",
        f"agents.player_0.model={models}", f"agents.player_1.model={models}",
        "hydra.sweep.dir=all",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    told = arena("compare", "all", "--all", "--json", "every.json")
    assert told.code == 0, told.err
    assert "corrected for the 3 pairs (3 controls apart) asked about" in told.out
    assert "met and same deals" in told.out
    told = arena("compare", "all", "--all", "--against", "scripted_first", "--json", "one.json")
    assert "corrected for the 2 pairs asked about" in told.out
    told = arena("compare", "all", "--table", "pairs", "--pairs", "scripted_random:scripted_first")
    assert "corrected for the one pair asked about" in told.out
    every, one = (
        {(r["a"], r["b"]): r for r in json.loads(Path(name).read_text())["tables"]["pairs"]["rows"]}
        for name in ("every.json", "one.json")
    )
    assert len(every) == 6
    assert set(one) == {(a, "scripted_first") for a in ("scripted_random", "scripted_sloppy")}
    for pair, row in one.items():
        assert row["p"] == every[pair]["p"]
        assert row["adjusted"] <= every[pair]["adjusted"]
        assert row["n"] == 80
    for words, said in (
        (("--against", "scripted_frist"), "Did you mean 'scripted_first'"),
        (("--against", "scripted"), "is a part of several names"),
        (("--pairs", "scripted_first"), "It takes A:B"),
    ):
        refused = arena("compare", "all", *words)
        assert refused.code == 2
        assert said in refused.err


_STATUS = st.sampled_from([*Status][:4] + [Status.COMPLETED, Status.FORFEIT] * 3)
_EPISODES = st.lists(
    st.tuples(
        _STATUS, st.lists(st.sampled_from([-1.0, 0.0, 2.0]), min_size=4, max_size=4),
        st.integers(0, 3), st.booleans(),
    ),
    max_size=12,
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 4), _EPISODES)
def test_what_became_of_episodes_adds_up_to_those_that_began(
    tmp_path_factory: pytest.TempPathFactory,
    players: int,
    drawn: list[tuple[Status, list[float], int, bool]],
) -> None:
    path = tmp_path_factory.mktemp("run")
    names = tuple(f"player_{seat}" for seat in range(players))
    lines = [_episode(number, names, *one) for number, one in enumerate(drawn)]
    (path / "episodes.jsonl").write_bytes(b"".join(encode(line) + b"\n" for line in lines))
    (path / "responses.jsonl").write_bytes(b"")
    agents = {
        name: {"type": "random" if i else "llm", "model": f"m{i}"} for i, name in enumerate(names)
    }
    (path / "config.yaml").write_text(yaml.safe_dump({"agents": agents}))
    (path / "run.json").write_bytes(orjson.dumps({"players": agents, "status": "completed"}))
    found = standings(load_runs(path, notice=lambda _: None))
    assert len(found.table) == players * len(drawn)
    for policy in POLICIES:
        for _, _, part in groups(found.table):
            assert sum(tally(part, policy).values()) == len(part) == len(drawn)
        for row in results_table(found, policy).rows:
            if row["win"].known:
                rates: list[Any] = [row["win"].value, row["loss"].value]
                rates += [row[key] for key in ("draw", "void", "error", "open")]
                assert sum(rates) == pytest.approx(1.0)


def _episode(
    number: int,
    names: tuple[str, ...],
    status: Status,
    returns: list[float],
    seat: int,
    substituted: bool,
) -> EpisodeRecord:
    """An episode that ended somehow, perhaps with a move that was put in for somebody."""
    seat %= len(names)
    played = status is Status.COMPLETED
    by = MoveBy.SUBSTITUTE if substituted and played else MoveBy.PLAYER
    failed = Forfeit(seat=seat, player=names[seat], cause=Outcome.ILLEGAL)
    return EpisodeRecord(
        run_id="run", episode=number, seed=number // 2, game="made_up", seats=names, status=status,
        winner=None, returns=tuple(returns[: len(names)]) if played else None,
        forfeit=failed if status is Status.FORFEIT else None, move_limit=False, turns=1,
        moves=(Move(turn=0, seat=seat, player=names[seat], action=1, text="x", by=by),),
        duration_s=0.1, error="transient: 503" if status is Status.ERROR else None,
    )  # fmt: skip
