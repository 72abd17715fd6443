"""`arena verify` reproduces known answers, and reports deviations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from game_reasoning_arena.simulation.open_spiel import known_answers
from game_reasoning_arena.simulation.open_spiel.answer_checks import Check, sampled
from game_reasoning_arena.simulation.open_spiel.known_answers import verify
from tests.arena import Arena, run_json

RANDOM_PLAY = (
    *("tic_tac_toe", "kuhn_poker", "leduc_poker", "liars_dice", "matrix_rps", "matrix_pd"),
    *("connect_four", "hex", "breakthrough(rows=6,columns=6)", "othello", "chess"),
)
SOLVED = ("kuhn_poker", "leduc_poker", "liars_dice")
PLAYERS = ("random", "solver", "table")
EXACT = ("value of the game", "NashConv of optimal play")
#: What is known of games: random play, optimal play, exact values, what uniform play concedes.
KNOWN = {
    *(f"{game}, random v random" for game in RANDOM_PLAY),
    *(f"{game}, {which}" for game in SOLVED for which in ("optimal v optimal", *EXACT)),
    "tic_tac_toe, optimal v random",
    "tic_tac_toe, random v optimal",
    *(f"{game}, {of} of uniform play" for game in SOLVED[:2] for of in ("NashConv", "value")),
    *(f"{game}, regret of random play" for game in ("tic_tac_toe", *SOLVED[:2])),
    *(f"{game}, {a} v {b}" for game in SOLVED[:2] for a in PLAYERS for b in PLAYERS),
    *(f"tic_tac_toe, {a} v {b}" for a in PLAYERS[:2] for b in PLAYERS[:2]),
}


def test_known_answers_are_reproduced_and_noted_in_later_runs(
    arena: Arena, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert run_json(arena("episodes=1").directory)["verified"] is None
    told: list[str] = []
    checks: list[Check] = []

    def kept(progress: Callable[[str], None]) -> list[Check]:
        def tell(name: str) -> None:
            told.append(name)
            progress(name)

        checks.extend(verify(tell))
        return checks

    with monkeypatch.context() as patched:
        patched.setattr(known_answers, "verify", kept)
        ran = arena("verify")
    assert ran.code == 0, ran.out
    assert "OFF" not in ran.out
    assert f"{len(checks)} of {len(checks)} known answers" in ran.out
    assert [check for check in checks if not check.ok] == []
    assert len(told) == len(set(told))
    for check in checks:
        assert check.name in ran.out
        assert (check.z is None) == (check.se is None)
        if check.se:
            assert check.band >= 4 * check.se
    assert {check.name.rpartition(":")[0] or check.name for check in checks} == KNOWN
    noted = run_json(arena("episodes=1").directory)["verified"]
    assert (noted["failed"], noted["checks"]) == (0, len(checks))


def test_an_answer_that_is_off_fails(
    arena: Arena, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    right = sampled("right", 0.5, 0.51, 0.01)
    off = sampled("off by five", 0.5, 0.55, 0.01)
    monkeypatch.setattr(known_answers, "verify", lambda _: [right, off])
    ran = arena("verify")
    assert ran.code == 1
    assert "1 of 2" in ran.out
    assert ran.out.count("OFF") == 1
    # The verdict can be checked by eye: how far it is off, and how far it may be.
    (line,) = [line for line in ran.out.splitlines() if line.startswith("off by five")]
    assert line.split()[3:] == ["0.5", "0.55", "+0.05", "±0.04", "+5.00", "OFF"]
    assert "at most 4 standard errors off" in ran.out
