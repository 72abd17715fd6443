"""The answer first: who leads at each game, by how much, how sure, and over all games."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from game_reasoning_arena.analysis.statistics.clusters import deals_of
from game_reasoning_arena.analysis.statistics.letters import letters
from game_reasoning_arena.analysis.statistics.measures import Measure, mean_of, measure_of, values
from game_reasoning_arena.analysis.statistics.pairs import Pair
from game_reasoning_arena.analysis.statistics.standings import Standings, of_prompts
from game_reasoning_arena.analysis.tables.estimates import UNKNOWN, Estimate
from game_reasoning_arena.analysis.tables.forms import Column
from game_reasoning_arena.process.text import first_few

if TYPE_CHECKING:
    import pandas as pd

#: How a measure is called, and the kind of column and of difference that shows it.
SHOWN: Final = {
    Measure.SCORE: ("score %", "percent", "points"),
    Measure.RETURN: ("mean return", "signed", "signed"),
    Measure.ACCURACY: ("accuracy %", "percent", "points"),
}


@dataclass(frozen=True, slots=True)
class Place:
    """A competitor's place at one game, or over all.

    ``letters`` are shared by competitors that are not told apart; empty where nothing was tested.
    ``full`` is the whole name with the settings that differ. ``baseline`` is a player that is no
    model, or settings that met themselves (``self_play``), which are a control: shown apart,
    without a rank.
    """

    competitor: str
    full: str
    value: Estimate
    episodes: int
    letters: str = ""
    baseline: bool = False
    self_play: bool = False


@dataclass(frozen=True, slots=True)
class Board:
    """One game: the competitors by the measure, best first, and a sentence of what it comes to."""

    game: str
    measure: Measure
    places: Sequence[Place]
    baselines: Sequence[Place]
    sentence: str


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """All games, and the results over all of them of those who played them all.

    ``overall`` holds the mean of the scores at each game, every game weighing the same.
    ``unranked`` holds the reason for each game without a leaderboard.
    """

    boards: Sequence[Board]
    overall: Sequence[Place] = field(default_factory=tuple)
    left_out: Sequence[str] = field(default_factory=tuple)
    unranked: Sequence[str] = field(default_factory=tuple)


def leaderboard(
    standings: Standings,
    pairs: Sequence[Pair],
    policy: str,
    *,
    measure: Measure | None = None,
    only: Sequence[str] = (),
) -> Leaderboard:
    """Return the leaderboards of all games.

    Args:
        standings: of the runs.
        pairs: those that were tested, for letters and sentences.
        policy: how forfeits count.
        measure: what is shown; None for what is tested at each game.
        only: labels to show; empty for all.
    """
    known = {c.label: c for c in standings.competitors.values()}
    boards: list[Board] = []
    unranked: list[str] = []
    scores: dict[str, dict[str, Place]] = {}
    for game, part in standings.table.groupby("game", sort=False):
        what = measure or measure_of(part)
        if what is None:
            unranked.append(_unranked(str(game), part))
            continue
        limits = standings.limits.get(str(game))
        ranked = {c.label for c in known.values() if c.asked and c.twin_of is None}
        places = []
        for label, rows in part.groupby("competitor", sort=False):
            if only and label not in only:
                continue
            competitor, deals = known[str(label)], deals_of(rows)
            rate = Measure.ACCURACY if what is Measure.ACCURACY else Measure.SCORE
            place = Place(
                competitor.label,
                competitor.full,
                mean_of(values(rows, policy, what), deals, what, limits),
                len(rows),
                baseline=bool(ranked) and competitor.label not in ranked,
                self_play=competitor.twin_of is not None,
            )
            places.append(place)
            score = mean_of(values(rows, policy, rate), deals, rate)
            scores.setdefault(competitor.label, {})[str(game)] = replace(place, value=score)
        boards.append(_board(str(game), what, places, [p for p in pairs if p.game == game]))
    overall, left_out = _overall(scores, [board.game for board in boards])
    return Leaderboard(boards, overall, left_out, unranked)


def _unranked(game: str, part: pd.DataFrame) -> str:
    """Why a game has no leaderboard."""
    if bool(of_prompts(part["game"]).all()):
        answered = int((part["status"] == "completed").sum())
        return (
            f"{game}: {answered:,} prompts answered, none scored, so that nothing is ranked. Give "
            "expected answers and a scorer (simulation.columns.answer, simulation.scorer) to rank."
        )
    return f"{game}: nothing is known yet; no episode was decided."


def _board(game: str, measure: Measure, places: list[Place], pairs: Sequence[Pair]) -> Board:
    places.sort(key=lambda place: -math.inf if place.value.value is None else -place.value.value)
    places.sort(key=lambda place: place.value.value is None)
    models = [place for place in places if not place.baseline]
    order = [place.competitor for place in models]
    between = [p for p in pairs if p.p is not None and p.a in order and p.b in order]
    apart = {frozenset((p.a, p.b)) for p in between if p.resolved and not p.one_seat}
    shown = letters(order, apart) if _all_pairs(order, between) else {}
    models = [replace(place, letters=shown.get(place.competitor, "")) for place in models]
    baselines = [place for place in places if place.baseline]
    sentence = _sentence(game, measure, models, baselines, pairs)
    return Board(game, measure, models, baselines, sentence)


def _all_pairs(order: Sequence[str], between: Sequence[Pair]) -> bool:
    """Whether every two models were tested, so that a shared letter says something."""
    return len(order) > 1 and len(between) == len(order) * (len(order) - 1) // 2


def _sentence(
    game: str,
    measure: Measure,
    models: Sequence[Place],
    baselines: Sequence[Place],
    pairs: Sequence[Pair],
) -> str:
    """Who leads, by how much, how sure, and how many episodes more it would take."""
    known = [place for place in models if place.value.value is not None]
    if not known:
        return f"{game}: nothing is known yet; no episode was decided."
    first = known[0]
    rivals = known[1:] or [place for place in baselines if place.value.value is not None]
    by_names = {frozenset((pair.a, pair.b)): pair for pair in pairs}
    met = [
        (place, pair)
        for place in rivals
        if (pair := by_names.get(frozenset((first.competitor, place.competitor))))
        and pair.p is not None
    ]
    if not met:
        other = next((p for p in pairs if p.p is None and first.competitor in (p.a, p.b)), None)
        why = "no test compares it with another" if other is None else other.verdict()
        return f"{game}: {first.competitor} has {_value(first, measure)}; {why}."
    behind = [place for place, pair in met if _better(pair, first.competitor)]
    level = [(place, pair) for place, pair in met if not pair.resolved]
    fixed = [(place, pair) for place, pair in met if pair.resolved and pair.one_seat]
    if len(behind) == len(met):
        place, pair = met[0]
        return (
            f"{game}: {first.competitor} leads with {_value(first, measure)}, "
            f"{_gap(pair, first.competitor, measure)} ahead of {place.competitor} ({_sure(pair)})."
        )
    if level:
        return _level_sentence(game, measure, first, level, len(behind))
    place, pair = (fixed or met)[0]
    if fixed:
        ahead = first if (pair.a == first.competitor) == (pair.lead() > 0) else place
        return (
            f"{game}: {ahead.competitor} is ahead, but nobody changed seats, which may be the "
            f"reason ({_sure(pair)}). Play with seats=rotate to tell."
        )
    # Ahead by the mean of all its games, behind in those that can be compared.
    return (
        f"{game}: {first.competitor} has the highest {SHOWN[measure][0].rstrip(' %')}, but in "
        f"games that can be compared {place.competitor} is better ({_sure(pair)})."
    )


def _level_sentence(
    game: str, measure: Measure, first: Place, level: Sequence[tuple[Place, Pair]], behind: int
) -> str:
    """Who is first where some are not told apart from it, and what would tell."""
    alike = [place.competitor for place, pair in level if pair.alike]
    open_ = [(place, pair) for place, pair in level if not pair.alike]
    parts = [f"{game}: no leader for sure. {first.competitor} is first with"]
    parts.append(_value(first, measure))
    if alike:
        parts[-1] += ","
        parts.append(f"the same on every deal as {first_few(alike, 1)}")
    if open_:
        parts[-1] += ","
        others = first_few((place.competitor for place, _ in open_), 1)
        parts.append(f"not told apart from {others}")
    if behind:
        parts[-1] += ";"
        parts.append(f"{behind} behind for sure")
    parts[-1] += "."
    if open_:
        place, pair = open_[0]
        parts.append(_needed(pair, place))
    return " ".join(parts)


def _better(pair: Pair, competitor: str) -> bool:
    ahead = pair.a if pair.lead() > 0 else pair.b
    return pair.resolved and not pair.one_seat and ahead == competitor


def _value(place: Place, measure: Measure) -> str:
    """Such as ``score 62.5 % [50.1, 73.4]``."""
    heading, kind, _ = SHOWN[measure]
    text = Column("value", heading, kind).show(place.value)
    if kind != "percent":
        return f"{heading} {text}"
    number, bracket, interval = text.partition(" [")
    return f"{heading.rstrip(' %')} {number} %{bracket}{interval}"


def _gap(pair: Pair, first: str, measure: Measure) -> str:
    """The difference that was tested, from the leader's side."""
    gap = pair.difference if pair.a == first else pair.difference.negated()
    text = Column("gap", "", SHOWN[measure][2]).show(gap)
    return f"{text.lstrip('+')} points" if SHOWN[measure][2] == "points" else text.lstrip("+")


def _sure(pair: Pair) -> str:
    p = pair.adjusted if pair.adjusted is not None else pair.p
    assert p is not None
    text = "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
    corrected = ", Holm" if pair.adjusted is not None and pair.adjusted != pair.p else ""
    return f"{text}{corrected}, {pair.n:,} episodes of each"


def _needed(pair: Pair, other: Place) -> str:
    """Return what would distinguish the first from another."""
    if pair.hopeless or pair.needed is None:
        return f"Too few deals differ to tell it from {other.competitor}: play more."
    return (
        f"About {pair.needed:,} episodes of each (now {pair.n:,}) would tell it from "
        f"{other.competitor}."
    )


def _overall(
    scores: Mapping[str, Mapping[str, Place]], games: Sequence[str]
) -> tuple[list[Place], list[str]]:
    """Return the mean scores of those who played all games, and the names of the others."""
    if len(games) < 2:
        return [], []
    places, left_out = [], []
    for competitor, by_game in scores.items():
        known = [by_game[game] for game in games if game in by_game]
        if len(known) < len(games) or any(place.value.value is None for place in known):
            left_out.append(competitor)
            continue
        value = mean_of_estimates([place.value for place in known])
        episodes = sum(place.episodes for place in known)
        places.append(replace(known[0], value=value, episodes=episodes))
    places.sort(key=lambda place: -(place.value.value or 0.0))
    return places, left_out


def mean_of_estimates(parts: Sequence[Estimate]) -> Estimate:
    """Return the unweighted mean of independent estimates, with its interval from theirs.

    Source: G. Y. Zou and A. Donner (2008), Construction of confidence limits about effect measures,
    Statistics in Medicine 27, 1693-1702: the distances to each limit add up as squares.
    """
    if not parts or any(part.value is None for part in parts):
        return UNKNOWN
    k, n = len(parts), sum(part.n for part in parts)
    value = sum(part.value or 0.0 for part in parts) / k
    low = high = 0.0
    for part in parts:
        if part.value is None or part.low is None or part.high is None:
            return Estimate(value, None, None, n)
        low = math.hypot(low, part.value - part.low)
        high = math.hypot(high, part.high - part.value)
    return Estimate(value, value - low / k, value + high / k, n)
