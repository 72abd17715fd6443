"""What a swept setting does: its effect over all models and games, and whether models differ in it.

Two values of the setting are compared in every two episodes that one model played with each of
them on the same deal, from the same seat, against the same others. The differences of a deal are
added up over models and seats, so that the deal is the unit, as for verdicts between competitors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from game_reasoning_arena.analysis.statistics.competitors import (
    ASKED_HOW,
    Competitor,
    PlayerKey,
    model_names,
    short_value,
)
from game_reasoning_arena.analysis.statistics.intervals import student_mean, without_interval
from game_reasoning_arena.analysis.statistics.leaderboard import SHOWN
from game_reasoning_arena.analysis.statistics.measures import (
    Floats,
    Measure,
    mean_of_sums,
    measure_of,
    values,
)
from game_reasoning_arena.analysis.statistics.sign_flips import holm, sign_flip_test
from game_reasoning_arena.analysis.statistics.standings import Standings
from game_reasoning_arena.analysis.tables.estimates import UNKNOWN, Estimate
from game_reasoning_arena.analysis.tables.forms import Column, Table
from game_reasoning_arena.recording.config_text import flatten, frozen
from game_reasoning_arena.recording.frames import LoadedRuns


@dataclass(slots=True)
class Effect:
    """The difference that a change of a setting makes, in one game or in all.

    Attributes:
        game: the game; None for all of them.
        model: whose effect; None for all models; of an interaction, the first of two.
        other: of an interaction, the second model; None for an effect.
        values: the setting's two values: the second one's results minus the first one's.
        measure: what is compared.
        difference: mean difference per episode.
        deals: how many deals show it.
        p: of the sign-flip test by deal; ``adjusted`` after Holm's correction over the table.
    """

    game: str | None
    model: str | None
    other: str | None
    values: tuple[str, str]
    measure: Measure
    difference: Estimate
    deals: int
    p: float | None
    adjusted: float | None = None


def effects(loaded: LoadedRuns, standings: Standings, policy: str, key: str) -> list[Effect]:
    """Return the effects of a setting: over all games and models, by game, by model, and apart.

    Args:
        loaded: the runs.
        standings: of them.
        policy: how forfeits count.
        key: the setting's dotted key; see :func:`factor_keys.swept_key`.
    """
    table = _with_levels(loaded, standings, key)
    levels = sorted(table["level"].unique(), key=_order)
    found: list[Effect] = []
    for pair in combinations(levels, 2):
        by_game = {
            str(game): _differences(part, pair, policy, measure)
            for game, part in table.groupby("game", sort=False)
            if (measure := measure_of(part)) is not None
        }
        scores = [
            _differences(part, pair, policy, _rate(part)).assign(game=str(game))
            for game, part in table.groupby("game", sort=False)
            if str(game) in by_game
        ]
        if len(scores) > 1:
            every = pd.concat(scores, ignore_index=True)
            every["deal"] = every["game"] + "\n" + every["deal"].astype(str)
            rate = Measure.SCORE
            found += _of_models(None, pair, rate, every, standings)
        for game, gaps in by_game.items():
            measure = measure_of(table[table["game"] == game]) or Measure.SCORE
            found += _of_models(game, pair, measure, gaps, standings)
    tested = [effect for effect in found if effect.p is not None]
    for effect, p in zip(tested, holm([e.p or 0.0 for e in tested]), strict=True):
        effect.adjusted = p
    return found


def effects_table(found: Sequence[Effect], key: str) -> Table:
    """Return the effects as a table."""
    measures = {effect.measure for effect in found}
    name = key.rpartition(".")[2]
    table = Table(
        "factors",
        f"What {name} does",
        [
            Column("game", "game", names_row=True),
            Column("values", name, names_row=True),
            Column("model", "model", names_row=True),
            *(
                Column(m.value, f"{SHOWN[m][0]} difference [95 %]", SHOWN[m][2])
                for m in Measure
                if m in measures
            ),
            Column("deals", "deals", "count"),
            Column("p", "p", "p"),
            Column("adjusted", "p (Holm)", "p"),
        ],
    )
    for effect in found:
        model = effect.model or "all models"
        table.rows.append(
            {
                "game": effect.game or "all games",
                "values": f"{effect.values[1]} - {effect.values[0]}",
                "model": f"{model} against {effect.other}" if effect.other else model,
                effect.measure.value: effect.difference,
                "deals": effect.deals,
                "p": effect.p,
                "adjusted": effect.adjusted,
            }
        )
    table.notes.append(
        "Sign-flip test by deal of episodes that differ in this setting alone: same model, deal, "
        "seat and opponents. MODEL against MODEL is the interaction: the first one's effect minus "
        "the other's. All games together are compared by score."
    )
    table.notes += without_interval(effect.difference for effect in found)
    if not any(effect.deals for effect in found):
        table.notes.append(
            "Nothing can be compared: no model played the same deals with two of the values. Sweep "
            "the setting with the same seeds."
        )
    return table


def _with_levels(loaded: LoadedRuns, standings: Standings, key: str) -> pd.DataFrame:
    """The models' rows with the setting's value and the model without it."""
    levels = {
        run: short_value(flatten(reader.config).get(key))
        for run, reader in enumerate(loaded.readers)
    }
    units = _units(standings.competitors, _setting_of(key))
    table = standings.table
    asked = {c.label for c in standings.competitors.values() if c.asked}
    table = table[table["competitor"].isin(asked)].copy()
    table["level"] = table["run"].map(levels)
    bare = {c.unsplit: units[competitor] for competitor, c in standings.competitors.items()}
    table["unit"] = [
        units[int(run), str(player)]
        for run, player in zip(table["run"], table["player"], strict=True)
    ]
    table["others"] = [
        " | ".join(bare.get(name, name) for name in str(against).split(" | "))
        for against in table["against"]
    ]
    return table


def _setting_of(key: str) -> str:
    """How a competitor's settings call what stands in the configuration at a key."""
    first, _, rest = key.partition(".")
    if first == "simulation":
        return ASKED_HOW.get(rest.partition(".")[0], key)
    if first == "agents":
        rest = rest.partition(".")[2]
    elif first != "model":
        rest = key
    return rest.removeprefix("sampling.")


def _units(competitors: Mapping[PlayerKey, Competitor], own: str) -> dict[PlayerKey, str]:
    """A competitor's name without one of its settings."""
    short = model_names(competitors)
    by_base: dict[str, dict[bytes, int]] = {}
    found: dict[PlayerKey, tuple[str, int]] = {}
    for one, competitor in competitors.items():
        base = str(competitor.settings.get("model") or competitor.settings.get("type"))
        bare = {k: v for k, v in flatten(competitor.settings).items() if k != own}
        numbers = by_base.setdefault(base, {})
        found[one] = base, numbers.setdefault(frozen(bare), len(numbers) + 1)
    return {
        one: short[base] if len(by_base[base]) == 1 else f"{short[base]} #{number}"
        for one, (base, number) in found.items()
    }


def _differences(
    part: pd.DataFrame, pair: tuple[str, str], policy: str, measure: Measure
) -> pd.DataFrame:
    """Differences of two episodes that differ in the setting alone: unit, deal, gap."""
    part = part.assign(value=values(part, policy, measure))
    keys = ["unit", "deal", "seat", "others"]
    part = part.assign(repeat=part.groupby([*keys, "level"], sort=False).cumcount())
    sides = [part[part["level"] == level].set_index([*keys, "repeat"])["value"] for level in pair]
    both = pd.concat(sides, axis=1, join="inner", keys=["first", "second"]).dropna()
    gaps = (both["second"] - both["first"]).rename("gap").reset_index()
    return gaps[["unit", "deal", "gap"]]


def _of_models(
    game: str | None,
    pair: tuple[str, str],
    measure: Measure,
    gaps: pd.DataFrame,
    standings: Standings,
) -> Iterator[Effect]:
    """The effect over all models, of each, and the differences of these."""
    limits = standings.limits.get(game) if game else None
    span = measure.span(limits)

    def effect(some: pd.DataFrame, model: str | None) -> Effect:
        by_deal = some.groupby("deal", sort=False)["gap"].agg(["sum", "count"])
        sums = by_deal["sum"].to_numpy(dtype=np.float64)
        counts = by_deal["count"].to_numpy(dtype=np.float64)
        if not len(sums):
            return Effect(game, model, None, pair, measure, UNKNOWN, 0, None)
        gap = mean_of_sums(sums, counts, measure, limits, difference=True)
        return Effect(game, model, None, pair, measure, gap, len(sums), sign_flip_test(sums))

    yield effect(gaps, None)
    models = sorted(gaps["unit"].unique())
    if len(models) < 2:
        return
    for model in models:
        yield effect(gaps[gaps["unit"] == model], model)
    means = gaps.groupby(["unit", "deal"])["gap"].mean().unstack("unit")
    for a, b in combinations(models, 2):
        apart: Floats = (means[a] - means[b]).dropna().to_numpy(dtype=np.float64)
        if len(apart):
            # A difference of two differences, each of which lies within the span.
            widest = None if span is None else (-2 * span, 2 * span)
            difference = student_mean(apart, np.ones(len(apart)), widest)
            p = sign_flip_test(apart)
            yield Effect(game, a, b, pair, measure, difference, len(apart), p)


def _rate(part: pd.DataFrame) -> Measure:
    return Measure.ACCURACY if measure_of(part) is Measure.ACCURACY else Measure.SCORE


def _order(level: str) -> tuple[int, float, str]:
    """Numbers by size, before texts."""
    try:
        return 0, float(level), level
    except ValueError:
        return 1, 0.0, level
