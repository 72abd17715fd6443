"""The head of a comparison: letters, names, sentences, and what fits on a screen."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from game_reasoning_arena.analysis.compare import Comparison
from game_reasoning_arena.analysis.statistics.leaderboard import leaderboard, mean_of_estimates
from game_reasoning_arena.analysis.statistics.letters import letters
from game_reasoning_arena.analysis.tables.estimates import Estimate
from game_reasoning_arena.analysis.tables.head import HEIGHT, WIDTH, Section, head_lines
from game_reasoning_arena.errors import UserError
from game_reasoning_arena.recording import load_runs
from tests.analysis.make_runs import Player, make_run


@given(st.integers(1, 7).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.sampled_from(
    list(combinations(range(n), 2)) or [(0, 0)])))))  # fmt: skip
def test_names_share_a_letter_just_where_they_are_not_told_apart(
    drawn: tuple[int, set[tuple[int, int]]],
) -> None:
    n, pairs = drawn
    names = [f"m{i}" for i in range(n)]
    apart = {frozenset((f"m{a}", f"m{b}")) for a, b in pairs if a != b}
    found = letters(names, apart)
    for a, b in combinations(names, 2):
        shared = set(found[a]) & set(found[b])
        assert bool(shared) == (frozenset((a, b)) not in apart)
    assert all(found.values())


def test_letters_of_a_chain() -> None:
    apart = {frozenset("ac"), frozenset("ad"), frozenset("bd")}
    assert letters("abcd", apart) == {"a": "a", "b": "ab", "c": "bc", "d": "c"}


def test_the_mean_of_estimates_covers() -> None:
    """Games of different length and strength: 95 % of the intervals hold the mean of the rates."""
    rng = np.random.default_rng(7)
    rates, sizes = np.array([0.3, 0.5, 0.8]), np.array([40, 100, 60])
    covered = 0
    for _ in range(2000):
        parts = []
        for rate, n in zip(rates, sizes, strict=True):
            seen = rng.binomial(n, rate) / n
            half = 1.96 * np.sqrt(seen * (1 - seen) / n)
            parts.append(Estimate(seen, seen - half, seen + half, int(n)))
        mean = mean_of_estimates(parts)
        assert mean.low is not None
        assert mean.high is not None
        covered += mean.low <= rates.mean() <= mean.high
    assert 0.93 <= covered / 2000 <= 0.97


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 5)), min_size=1, max_size=6),
    st.lists(st.text(max_size=400), max_size=9),
)
def test_the_head_fits_on_a_screen(games: list[tuple[int, int]], caveats: list[str]) -> None:
    sections = [
        Section(
            f"game_{g}: " + "a long sentence about nobody in particular " * 4,
            ["#", "competitor", "episodes", "score % [95 %]", "group"],
            [[str(i), f"a-model-of-some-name-{i}" * 4, "100", "50.0 [40.0, 60.0]", "a"]
             for i in range(rows)],
            [["", "random (baseline)", "100", "50.0 [40.0, 60.0]", ""]] * marked,
        )
        for g, (rows, marked) in enumerate(games)
    ]  # fmt: skip
    lines = head_lines(sections, caveats, "More: --all")
    assert len(lines) <= HEIGHT
    assert all(len(line) <= WIDTH for line in lines)
    assert lines[-1] == "More: --all"
    for block in "\n".join(lines).split("\n\n"):
        if block.startswith("game_") and "\n  #" in block:
            _, marked = games[int(block[len("game_")])]
            assert ("(baseline)" in block) == bool(marked)


@pytest.mark.parametrize("remarks", [0, 2])
def test_leaderboards_are_whole_before_remarks_and_long_caveats(remarks: int) -> None:
    headings = ["#", "competitor", "episodes", "score % [95 %]"]
    rows = [[str(i), f"model-{i}", "100", "50.0 [40.0, 60.0]"] for i in range(1, 9)]
    marked = [["", "random (baseline)", "100", "50.0 [40.0, 60.0]"]]
    text = "nobody leads for sure, and much remains to be played before anybody does so " * 3
    games = [Section(f"game_{g}: {text}", headings, rows, marked) for g in range(2)]
    over_all = Section("Over all.", headings, rows, marked, whole=True, table="overall")
    asides = [Section("a remark " * 30 + "(--table x)", (), (), aside=True)] * remarks
    lines = head_lines([*games, over_all, *asides], ["grave, and long " * 20] * 3, "More: --all")
    assert len(lines) <= HEIGHT
    blocks = "\n".join(lines).split("\n\n")
    for block in blocks[:2]:
        assert [line.split()[0] for line in block.split("\n")[-10:]] == [
            "#", *map(str, range(1, 9)), "random"
        ]  # fmt: skip
    assert "(baseline)" in blocks[2]
    assert "more: --table overall" in blocks[2]
    assert any(line.startswith("! grave") for line in lines)
    few = head_lines([games[0], *asides], ["grave"], "More: --all")
    assert sum(line.startswith("a remark") for line in few) == remarks


def test_settings_that_change_nothing_are_the_same_on_every_deal(tmp_path: Path) -> None:
    for model in ("vllm_a", "vllm_b"):
        players = {"player_0": Player(model), "player_1": Player()}
        make_run(tmp_path / model, players, episodes=20)
    comparison = Comparison(load_runs(tmp_path, notice=lambda _: None))
    (pair,) = comparison.pairs
    alike = replace(pair, ahead=0, equal=pair.tested, behind=0, p=1.0, adjusted=1.0, needed=None)
    assert alike.verdict() == "the same on every deal"
    (board,) = leaderboard(comparison.standings, [alike], "loss").boards
    second = board.places[1].competitor
    assert board.sentence.endswith(f"], the same on every deal as {second}.")


def _two_games(tmp_path: Path) -> Comparison:
    for game in ("tic_tac_toe", "kuhn_poker"):
        for model, fail in (("vllm_strong", 0.0), ("vllm_weak", 0.6)):
            players = {"player_0": Player(model, fail=fail), "player_1": Player()}
            make_run(tmp_path / f"{game}-{model}", players, episodes=120, game=game)
    return Comparison(load_runs(tmp_path, notice=lambda _: None))


def test_the_answer_stands_first(tmp_path: Path) -> None:
    comparison = _two_games(tmp_path)
    found = comparison.leaderboard
    assert {board.game for board in found.boards} == {"tic_tac_toe", "kuhn_poker"}
    for board in found.boards:
        assert [place.competitor for place in board.places] == ["strong", "weak"]
        assert [place.letters for place in board.places] == ["a", "b"]
        assert [place.competitor for place in board.baselines] == ["random"]
        assert board.sentence.startswith(f"{board.game}: strong leads with ")
    assert [place.competitor for place in found.overall if not place.baseline] == ["strong", "weak"]
    alone = Comparison(comparison.loaded.of_games(["kuhn_poker"])).leaderboard
    assert [board.game for board in alone.boards] == ["kuhn_poker"]
    assert not alone.overall


def test_what_does_not_exist_is_told_with_what_does(tmp_path: Path) -> None:
    comparison = _two_games(tmp_path)
    with pytest.raises(UserError, match="kuhn_poker"):
        comparison.loaded.of_games(["kuhn"])
    with pytest.raises(UserError, match="leaderboard"):
        comparison.chosen(["leaderbord"])
    with pytest.raises(UserError, match="score"):
        Comparison(comparison.loaded, measure="scores")
    only = Comparison(comparison.loaded, only=["strong"]).leaderboard
    assert [place.competitor for board in only.boards for place in board.places] == [
        "strong",
        "strong",
    ]


@pytest.mark.parametrize("games", [2, 6, 30])
def test_what_holds_over_all_games_is_always_in_the_head(games: int) -> None:
    headings = ["#", "competitor", "episodes", "score % [95 %]"]
    rows = [[str(i), f"model-{i}", "100", "50.0 [40.0, 60.0]"] for i in range(1, 13)]
    text = "nobody leads for sure and much remains to be played " * 4
    each = [Section(f"game_{g}: {text}", headings, rows) for g in range(games)]
    over_all = Section("Over all games: model-1 leads.", headings, rows, whole=True)
    caveats = ["something could turn this " * 5] * 3
    lines = head_lines([*each, over_all], caveats, "More: --all")
    assert len(lines) <= HEIGHT
    assert max(map(len, lines)) <= WIDTH
    at = lines.index("Over all games: model-1 leads.")
    assert lines[at + 2].split()[:2] == ["1", "model-1"]
    tables = sum(line.split()[:1] == ["#"] for line in lines)
    if games == 2:
        assert tables == 3
    else:  # tables are left out before sentences are
        assert tables == 1
        assert any(line.startswith(f"... leaderboards of {games} games") for line in lines)
    assert sum(line.startswith("game_") for line in lines) == min(
        games, 6 if games == 30 else games
    )
