"""Players who run out of legal answers in the same turn: both lost, and neither to the other."""

from __future__ import annotations

import pytest

from game_reasoning_arena.analysis.statistics.results import fits
from game_reasoning_arena.analysis.statistics.standings import standings
from game_reasoning_arena.recording import load_runs
from tests.arena import Arena


@pytest.mark.parametrize("policy", ["forfeit", "random"])
def test_nobody_wins_where_both_fail(arena: Arena, policy: str) -> None:
    ran = arena(
        "simulation=matrix_rps",
        "agents=llm_vs_llm",
        "agents.player_0.model=scripted_sloppy",
        "agents.player_1.model=scripted_sloppy",
        f"on_failure.policy={policy}",
        "on_failure.rethinks=0",
        "episodes=200",
    )
    assert ran.code == 0, ran.err
    loaded = load_runs(str(ran.directory))
    table = standings(loaded).table
    failed = loaded.episodes["failed"].map(len)
    assert {0, 1, 2} == set(failed)
    for n, pair in table.groupby(table["episode"].map(dict(enumerate(failed)))):
        results = pair.groupby("episode")["loss"].agg(lambda s: "".join(sorted(s)))
        expected = {0: {"drawdraw", "losswin"}, 1: {"losswin"}, 2: {"lossloss"}}[int(n)]
        assert set(results) == expected
        assert pair["rival"].isna().all() == (n == 2)
        assert pair["drop"].isna().all() == (n > 0)
    (fit,) = [fit for found in fits(standings(loaded), "loss").values() for fit in found]
    assert fit.games == int((failed < 2).sum())
