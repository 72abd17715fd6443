"""What a swept setting does: over models and games, and where models differ in it."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from game_reasoning_arena.analysis.compare import Comparison
from game_reasoning_arena.analysis.statistics.factor_keys import swept_key
from game_reasoning_arena.analysis.statistics.factors import Effect, effects, effects_table
from game_reasoning_arena.errors import UserError
from game_reasoning_arena.recording import load_runs
from game_reasoning_arena.recording.frames import rows
from tests.analysis.make_runs import Player, make_run


def _sweep(tmp_path: Path, fails: dict[tuple[str, float], float], episodes: int = 60) -> Comparison:
    for (model, temperature), fail in fails.items():
        player = Player(model, temperature=temperature, fail=fail)
        make_run(
            tmp_path / f"{model}-{temperature}",
            {"player_0": player, "player_1": Player()},
            episodes=episodes,
            config={"sampling": {"temperature": temperature}},
        )
    return Comparison(load_runs(tmp_path, notice=lambda _: None))


def _found(comparison: Comparison, key: str = "temperature") -> list[Effect]:
    whole = swept_key(comparison.loaded, key)
    return effects(comparison.loaded, comparison.standings, "loss", whole)


def test_an_effect_of_one_model_is_found_and_is_its_own(tmp_path: Path) -> None:
    comparison = _sweep(
        tmp_path,
        {
            ("vllm_steady", 0.0): 0.0,
            ("vllm_steady", 0.7): 0.0,
            ("vllm_shaky", 0.0): 0.0,
            ("vllm_shaky", 0.7): 0.9,
        },
        episodes=120,
    )
    found = {(e.model, e.other): e for e in _found(comparison)}
    shaky, steady = found["shaky", None], found["steady", None]
    assert shaky.values == ("0.0", "0.7")
    assert shaky.difference.value is not None
    assert shaky.difference.value < -0.2
    assert shaky.adjusted is not None
    assert shaky.adjusted < 0.01
    assert steady.adjusted is not None
    assert steady.adjusted > 0.05
    apart = found["shaky", "steady"]
    assert apart.adjusted is not None
    assert apart.adjusted < 0.05
    whole = found[None, None].difference.value
    assert whole is not None
    assert steady.difference.value is not None
    assert whole == pytest.approx((shaky.difference.value + steady.difference.value) / 2)


def test_an_effect_is_the_mean_difference_of_the_same_deals(tmp_path: Path) -> None:
    """Computed anew from the files, without our pairing, and tested by drawing signs."""
    comparison = _sweep(tmp_path, {("vllm_a", 0.0): 0.0, ("vllm_a", 1.0): 0.3}, episodes=40)
    (effect,) = _found(comparison)
    points = {}
    for run, name in enumerate(comparison.loaded.runs["path"]):
        lines = comparison.loaded.episodes
        for line in rows(lines[lines["run"] == run]):
            seat = list(line.seats).index("player_0")
            point = 0.0 if line.status == "forfeit" else (np.sign(line.returns[seat]) + 1) / 2
            points[Path(name).name.endswith("1.0"), line.seed, seat] = point
    gaps = pd.Series(
        {
            (seed, seat): points[True, seed, seat] - points[False, seed, seat]
            for high, seed, seat in points
            if high
        }
    )
    assert effect.difference.value == pytest.approx(gaps.mean())
    by_deal = gaps.groupby(level=0).sum().to_numpy()
    assert effect.deals == len(by_deal)
    drawn = stats.permutation_test(
        (by_deal,), np.sum, permutation_type="samples", n_resamples=20_000, random_state=1
    )
    assert effect.p == pytest.approx(drawn.pvalue, abs=0.02)


def test_settings_are_known_by_their_last_part(tmp_path: Path) -> None:
    comparison = _sweep(tmp_path, {("vllm_a", 0.0): 0.0, ("vllm_a", 1.0): 0.0}, episodes=4)
    assert swept_key(comparison.loaded, "temperature") == "sampling.temperature"
    with pytest.raises(UserError, match="temperature"):
        swept_key(comparison.loaded, "temprature")


def test_what_is_no_setting_of_players_is_no_factor(tmp_path: Path) -> None:
    for model, game, seed, temperature in product(
        ("vllm_a", "vllm_b"), ("tic_tac_toe", "kuhn_poker"), (1, 2), (0.0, 0.7)
    ):
        make_run(
            tmp_path / f"{model}-{game}-{seed}-{temperature}",
            {"player_0": Player(model, temperature=temperature), "player_1": Player()},
            game=game,
            episodes=2,
            seed=seed,
            config={
                "seed": seed,
                "sampling": {"temperature": temperature},
                "simulation": {"game": game, "rules": f"Play {game}."},
                "catalog": {"models": [{"name": model}]},
            },
        )
    comparison = Comparison(load_runs(tmp_path, notice=lambda _: None))
    for key, reason in {
        "model": "models are what is compared",
        "agents.player_0.model": "models are what is compared",
        "game": "leaderboard of its own",
        "seed": "averaged over",
        "rules": "follows from the game",
        "models": "follows from the models",
        "nothing": "no such setting",
    }.items():
        with pytest.raises(UserError, match=reason) as refused:
            swept_key(comparison.loaded, key)
        assert str(refused.value).endswith("Possible: temperature.")
    for key in ("temperature", "sampling.temperature"):
        table = effects_table(_found(comparison, key), key)
        assert {row["values"] for row in table.rows} == {"0.7 - 0.0"}
        assert all(row["deals"] for row in table.rows)
