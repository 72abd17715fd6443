"""Verdicts of whole designs: what takes part, what a failure costs, what is no evidence."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from game_reasoning_arena.analysis.statistics.competitors import Competitor
from game_reasoning_arena.analysis.statistics.hypotheses import Hypotheses, hypotheses
from game_reasoning_arena.analysis.statistics.measures import Measure
from game_reasoning_arena.analysis.statistics.pairs import Pair, compare_pairs
from game_reasoning_arena.analysis.statistics.sign_flips import holm, sign_flip_test
from game_reasoning_arena.analysis.statistics.standings import Standings
from game_reasoning_arena.analysis.statistics.verdicts import pairs_table
from game_reasoning_arena.analysis.tables.estimates import Estimate
from game_reasoning_arena.errors import UserError
from tests.analysis.statistics.made_standings import Table


def _versus_random(
    rng: np.random.Generator, chances: dict[str, float], seeds: int, *, poker: bool = False
) -> Standings:
    """Each player meets the same random opponent on the same deals, once from each seat; a seed has
    its own luck, which all players share."""
    table = Table()
    for seed, luck in enumerate(rng.normal(0.0, 0.15, size=seeds)):
        for label, chance in chances.items():
            for seat in (0, 1):
                won = rng.random() < min(0.98, max(0.02, chance + (-1) ** seat * luck))
                pot = float(rng.choice([1, 3, 5, 9], p=[0.5, 0.25, 0.15, 0.1])) if poker else 1.0
                sides = (label, "random") if seat == 0 else ("random", label)
                table.play(*sides, seed, float(won == (seat == 0)), pot=pot)
    return table.standings()


def only(pairs: list[Pair], *names: str) -> Pair:
    """The pair of two names."""
    (found,) = [pair for pair in pairs if {pair.a, pair.b} == set(names)]
    return found


def test_head_to_head_games_of_a_round_robin_count() -> None:
    """A beats B in all 40 games, and both are level with C on all deals."""
    table = Table()
    for deal in range(20):
        table.play("a", "b", deal, 1.0)
        table.play("b", "a", deal, 0.0)
        for competitor in "ab":
            table.play(competitor, "c", deal, float(deal % 2))
            table.play("c", competitor, deal, float(deal % 2))
    pairs = compare_pairs(table.standings(), "loss")
    pair = only(pairs, "a", "b")
    assert pair.basis == "met and same deals"
    assert (pair.met, pair.matched, pair.tested) == (40, 40, 20)
    assert (pair.ahead, pair.equal, pair.behind) == (20, 0, 0)
    assert pair.verdict() == "a is better"
    assert pair.p == pytest.approx(2 / 2**20)
    assert pair.score.value == pytest.approx(0.5)
    assert pair.head_to_head is not None
    assert (pair.head_to_head.won, pair.head_to_head.drawn, pair.head_to_head.lost) == (40, 0, 0)
    (row,) = [r for r in pairs_table(pairs).rows if {r["a"], r["b"]} == {"a", "b"}]
    assert row["met"] == "40 / 0 / 0"
    assert row["basis"] == "met and same deals"


def test_a_total_of_a_deal_is_the_points_that_one_has_more() -> None:
    """In a round robin the contrast of a deal is A's points minus B's, whoever they were from."""
    rng = np.random.default_rng(1)
    table, deals = Table(), 7
    for deal in range(deals):
        for one, other in itertools.permutations("abcd", 2):
            table.play(one, other, deal, float(rng.choice([0.0, 0.5, 1.0])))
    seen = table.standings()
    score = seen.table.assign(points=seen.table["loss"].map({"win": 1.0, "draw": 0.5, "loss": 0.0}))
    points = score.pivot_table(index="deal", columns="competitor", values="points", aggfunc="sum")
    pairs = compare_pairs(seen, "loss")
    for pair in pairs:
        totals = (points[pair.a] - points[pair.b]).to_numpy()
        assert pair.p == pytest.approx(sign_flip_test(totals))
        assert pair.score.value == pytest.approx(totals.sum() / (6 * deals))
        assert pair.tested == deals
    assert [pair.adjusted for pair in pairs] == holm([pair.p for pair in pairs if pair.p])


def test_a_forfeit_costs_what_the_game_can_cost() -> None:
    """A model that fails in most of its poker games is no better for those it chose to finish."""
    rng = np.random.default_rng(2)
    table = Table()
    for deal in range(60):
        for first, second in (("a", "random"), ("random", "a")):
            seat = 0 if first == "a" else 1
            failed = seat if rng.random() < 0.6 else None
            pot = float(rng.choice([1, 3]))
            table.play(first, second, deal, float(seat == 0), pot=pot, failed=failed)
        for first, second in (("b", "random"), ("random", "b")):
            pot = float(rng.choice([1, 3]))
            table.play(first, second, deal, float(rng.random() < 0.5), pot=pot)
    seen = table.standings()
    verdicts = {}
    for policy in ("loss", "drop", "as-played"):
        pair = only(compare_pairs(seen, policy), "a", "b")
        assert pair.measure is Measure.RETURN
        assert pair.depends_on_policy
        verdicts[policy] = pair.verdict()
    assert verdicts["loss"] == "b is better, but it depends on how forfeits count"
    assert verdicts["drop"] == "a is better, but it depends on how forfeits count"
    assert verdicts["as-played"] == verdicts["loss"]


def test_copies_are_one_observation() -> None:
    """Twenty seeds of two players that always move alike: one game per seating."""
    table = Table()
    for deal in range(20):
        table.play("a", "b", deal, 1.0, copy=1)
        table.play("b", "a", deal, 0.0, copy=2)
    (pair,) = compare_pairs(table.standings(), "loss")
    assert (pair.deals, pair.tested, pair.n) == (20, 1, 40)
    assert pair.p == 1.0
    assert pair.verdict() == "too few distinct deals differ to show anything"
    assert pair.score.low is None
    assert any("copies of each other count as one" in note for note in pairs_table([pair]).notes)


def test_one_sides_copies_leave_the_others_games_their_news() -> None:
    """A always plays the same game against C, B another in each deal: twenty observations of B."""
    rng = np.random.default_rng(3)
    table = Table()
    for deal in range(20):
        table.play("a", "c", deal, 1.0, copy=1)
        table.play("b", "c", deal, float(rng.random() < 0.3))
    pair = only(compare_pairs(table.standings(), "loss"), "a", "b")
    assert (pair.deals, pair.tested) == (20, 20)
    assert pair.verdict() == "a is better"


def test_different_deals_are_not_tested() -> None:
    table = Table()
    for deal in range(30):
        table.play("a", "random", deal, 1.0)
        table.play("b", "random", deal + 100, float(deal % 2))
        table.play("c", "mcts", deal, 0.5)
    pairs = compare_pairs(table.standings(("random", "mcts")), "loss")
    pair = only(pairs, "a", "b")
    assert (pair.basis, pair.p) == ("same opponents", None)
    assert pair.verdict() == "a ahead (unpaired, uncorrected)"
    assert only(pairs, "a", "c").verdict() == "cannot be compared"


@pytest.mark.parametrize("poker", [False, True])
def test_equal_players_are_resolved_in_5_of_100(poker: bool) -> None:
    rng = np.random.default_rng(20)
    repeats = 60
    resolved = 0
    for _ in range(repeats):
        (pair,) = compare_pairs(_versus_random(rng, {"a": 0.6, "b": 0.6}, 20, poker=poker), "loss")
        assert pair.basis == "same deals"
        assert pair.measure is (Measure.RETURN if poker else Measure.SCORE)
        resolved += pair.resolved
    assert resolved / repeats <= 0.05 + 4 * math.sqrt(0.05 * 0.95 / repeats)


def test_what_is_needed_is_more_than_what_did_not_do() -> None:
    rng = np.random.default_rng(21)
    for _ in range(4):
        pairs = compare_pairs(
            _versus_random(rng, {"a": 0.6, "b": 0.5, "c": 0.45, "d": 0.5}, 20), "loss"
        )
        assert len(pairs) == 6
        for pair in pairs:
            if not pair.resolved and pair.needed is not None:
                assert pair.needed > pair.n
                assert pair.hypotheses == sum(not other.resolved for other in pairs)


def test_only_what_is_asked_about_is_corrected_for() -> None:
    rng = np.random.default_rng(22)
    seen = _versus_random(rng, {"a": 0.7, "b": 0.5, "c": 0.5, "lab/d-70b": 0.5}, 20)
    every = compare_pairs(seen, "loss")
    assert len(every) == 6
    assert not any("random" in (pair.a, pair.b) for pair in every)
    for words, wanted in (
        ({"against": "a"}, {("b", "a"), ("c", "a"), ("lab/d-70b", "a")}),
        ({"against": "random"}, {(x, "random") for x in ("a", "b", "c", "lab/d-70b")}),
        ({"pairs": "a:b, c:d-70b"}, {("a", "b"), ("c", "lab/d-70b")}),
        ({"pairs": "a:b,a:b"}, {("a", "b")}),
    ):
        pairs = compare_pairs(seen, "loss", hypotheses(seen.competitors, **words))
        assert {(pair.a, pair.b) for pair in pairs} == wanted
        assert [p.adjusted for p in pairs] == holm([p.p for p in pairs if p.p is not None])
        assert {p.family for p in pairs} == {len(wanted)}


def test_one_model_alone_is_compared_with_who_is_there() -> None:
    seen = _versus_random(np.random.default_rng(1), {"a": 0.7}, 5)
    assert [(pair.a, pair.b) for pair in compare_pairs(seen, "loss")] == [("a", "random")]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"against": "mode"}, "'mode' is a part of several names: model_a, model_b"),
        ({"against": "modle_a"}, "nobody is called 'modle_a'. Did you mean 'model_a'"),
        ({"pairs": "model_a"}, "'model_a' is no pair. It takes A:B"),
        ({"pairs": "model_a:model_a"}, "names model_a twice"),
        ({"pairs": ","}, "names no pair"),
        ({"pairs": "model_a:x"}, "nobody is called 'x'"),
        ({"pairs": "model_a:model_b", "against": "model_a"}, "Give one of them"),
    ],
)
def test_names_that_are_nobodys_are_refused(words: dict[str, str], said: str) -> None:
    table = Table()
    table.play("model_a", "model_b", 1, 1.0)
    with pytest.raises(UserError, match="(?s)" + said.replace("(", r"\(")):
        hypotheses(table.standings().competitors, **words)


def test_names_may_hold_colons_and_commas() -> None:
    table = Table()
    table.play("qwen:7b (temperature=0.0, top_p=1.0)", "qwen:7b (temperature=1.0)", 1, 1.0)
    seen = table.standings()
    pairs = "qwen:7b (temperature=0.0, top_p=1.0):qwen:7b (temperature=1.0)"
    assert len(compare_pairs(seen, "loss", hypotheses(seen.competitors, pairs=pairs))) == 1
    assert hypotheses(seen.competitors) == Hypotheses()


_FAR, _NEAR = Estimate(0.5, 0.2, 0.8), Estimate(0.3, -0.1, 0.8)
_MORE, _LESS = Estimate(2.0, 1.0, 3.0), Estimate(-2.0, -3.0, -1.0)


@pytest.mark.parametrize(
    ("score", "returns", "p", "adjusted", "said"),
    [
        (_FAR, None, 0.01, 0.01, None),
        (_NEAR, None, 0.20, 0.20, None),
        (_FAR, None, 0.01, 0.08, "corrected for all pairs that were asked about"),
        (_FAR, None, 0.08, 0.08, "its level holds for few deals"),
        (_NEAR, None, 0.01, 0.01, "its level holds for few deals"),
        (_FAR, _MORE, 0.01, 0.01, None),
        (_FAR, _LESS, 0.01, 0.01, "it is of the returns"),
        (_NEAR, _MORE, 0.08, 0.08, "its level holds for few deals"),
    ],
)
def test_where_interval_and_test_disagree_the_reader_is_told_what_decides(
    score: Estimate, returns: Estimate | None, p: float, adjusted: float, said: str | None
) -> None:
    measure = Measure.SCORE if returns is None else Measure.RETURN
    pair = Pair("chess", "a", "b", measure, met=20, score=score, p=p, adjusted=adjusted)
    pair.returns = returns or Estimate(None)
    pair.difference = returns or score
    notes = [note for note in pairs_table([pair]).notes if note.startswith("a and b: ")]
    assert len(notes) == (said is not None)
    for note in notes:
        assert "The test decides" in note
        assert said is not None
        assert said in note


def test_where_returns_are_tested_returns_name_the_better() -> None:
    pair = Pair("poker", "often", "much", Measure.RETURN, met=9, score=_FAR, returns=_LESS, p=0.01)
    pair.difference, pair.adjusted = _LESS, 0.01
    assert pair.verdict() == "much is better"


@pytest.mark.parametrize(
    ("hypotheses_", "deals", "hopeless"), [(1, 5, True), (1, 6, False), (6, 7, True), (6, 8, False)]
)
def test_too_few_differing_deals_can_show_nothing(
    hypotheses_: int, deals: int, hopeless: bool
) -> None:
    pair = Pair("chess", "a", "b", p=1.0, adjusted=1.0, ahead=deals, hypotheses=hypotheses_)
    assert pair.hopeless is hopeless
    assert pair.verdict().startswith("too few deals differ" if hopeless else "not resolved")


_DRAWN = st.lists(
    st.tuples(
        st.sampled_from(["ab", "ba", "ac", "ca", "bc", "cb", "ad", "da", "bd"]),
        st.integers(0, 6),
        st.sampled_from([0.0, 0.5, 1.0]),
        st.sampled_from([None, None, None, 0, 1]),
    ),
    min_size=4,
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(_DRAWN, st.sampled_from(["loss", "drop"]))
def test_a_count_that_shares_no_code_agrees(
    games: list[tuple[str, int, float, int | None]], policy: str
) -> None:
    """Any games of four players, repeated, unequal, forfeited: by loops, fractions and all ways."""
    table = Table()
    for names, deal, score, failed in games:
        first, second = tuple(names)
        table.play(first, second, deal, score, failed=failed)
    chances = []
    found = compare_pairs(table.standings(()), policy)
    for pair in found:
        totals, differences = _by_hand(games, pair.a, pair.b, policy)
        if not differences:
            assert pair.p is None
            continue
        seen = abs(sum(totals.values()))
        ways = list(itertools.product((1, -1), repeat=len(totals)))
        far = [abs(sum(s * t for s, t in zip(w, totals.values(), strict=True))) for w in ways]
        chances.append(sum(one >= seen for one in far) / len(ways))
        assert pair.p == pytest.approx(chances[-1], abs=1e-9)
        assert pair.score.value == pytest.approx(float(sum(totals.values()) / differences))
        assert (pair.tested, pair.n) == (len(totals), differences)
    for pair, p in zip([one for one in found if one.p is not None], chances, strict=True):
        ranked = sorted(chances)
        steps = [min(1.0, (len(ranked) - k) * q) for k, q in enumerate(ranked) if q <= p + 1e-9]
        assert pair.adjusted == pytest.approx(max(steps), abs=1e-8)


def _by_hand(
    games: list[tuple[str, int, float, int | None]], a: str, b: str, policy: str
) -> tuple[dict[int, Fraction], int]:
    """Totals by deal and the number of differences, as the documentation says them."""
    totals: dict[int, Fraction] = {}
    number = 0
    worth = []
    for names, deal, score, failed in games:
        first, second = tuple(names)
        points: Fraction | None = Fraction(score)
        if failed is not None:
            points = None if policy == "drop" else Fraction(failed)
        worth.append((first, second, deal, points))

    def add(deal: int, gap: Fraction) -> None:
        nonlocal number
        totals[deal] = totals.get(deal, Fraction(0)) + gap
        number += 1

    for first, second, deal, points in worth:
        if {first, second} == {a, b} and points is not None:
            add(deal, (2 * points - 1) * (1 if first == a else -1))
    for deal in sorted({deal for _, _, deal, _ in worth}):
        for other in sorted({name for game in games for name in game[0]} - {a, b}):
            for seat in (0, 1):
                sides = []
                for mine in (a, b):
                    wanted = (mine, other) if seat == 0 else (other, mine)
                    sides.append([p for f, s, d, p in worth if (f, s, d) == (*wanted, deal)])
                for one, two in zip(*sides, strict=False):
                    if one is not None and two is not None:
                        add(deal, (one - two) * (1 if seat == 0 else -1))
    return totals, number


def test_settings_that_met_themselves_are_corrected_apart() -> None:
    table = Table()
    for deal in range(10):
        for one, other in itertools.permutations("ab", 2):
            table.play(one, other, deal, float(one == "a"))
            table.play("c as player_0", "c as player_1", deal, 0.5)
    seen = table.standings()
    for place in (0, 1):
        name = f"c as player_{place}"
        seen.competitors[0, name] = Competitor(name, {}, True, name, name, "c")
    pairs = compare_pairs(seen, "loss")
    assert [(pair.a, pair.family) for pair in pairs] == [("a", 1), ("c as player_0", 1)]
    assert pairs[0].adjusted == pairs[0].p
    assert any("one pair (1 controls apart)" in note for note in pairs_table(pairs).notes)
