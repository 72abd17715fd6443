"""Latency, tokens, cost and failed answers per competitor; unknown stays unknown."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from game_reasoning_arena.analysis.statistics.clusters import deals_of
from game_reasoning_arena.analysis.statistics.competitors import model_names
from game_reasoning_arena.analysis.statistics.intervals import rates_together
from game_reasoning_arena.analysis.statistics.measures import Measure, mean_of, values
from game_reasoning_arena.analysis.statistics.standings import Standings
from game_reasoning_arena.analysis.tables.estimates import Estimate
from game_reasoning_arena.analysis.tables.forms import Column, Table, Value
from game_reasoning_arena.recording.frames import LoadedRuns
from game_reasoning_arena.records import FAILURES

#: A client that adds more than this share to the median latency has distorted it.
DISTORTED = 0.10


def labelled(loaded: LoadedRuns, standings: Standings) -> pd.DataFrame:
    """Return responses with a column ``competitor``; a view of the same data otherwise."""
    table = loaded.responses
    players = table["player"].astype("category").cat
    place = {str(name): number for number, name in enumerate(players.categories)}
    labels = np.full((len(loaded.readers), len(place) + 1), None, dtype=object)  # last: no player
    for (run, player), competitor in standings.competitors.items():
        if player in place:
            labels[run, place[player]] = competitor.label
    return table.assign(competitor=labels[table["run"].to_numpy(), players.codes.to_numpy()])


def called(responses: pd.DataFrame) -> pd.DataFrame:
    """Leave out answers from the cache, whose times, tokens and cost are an earlier run's."""
    return responses[~responses["from_cache"].fillna(False).astype(bool)]


def answered_calls(responses: pd.DataFrame) -> pd.DataFrame:
    """Return the calls with times, tokens and a price: a prompt that did not fit has none."""
    calls = called(responses)
    outcome = calls["outcome"]
    return calls[outcome.notna() & (outcome != "context_overflow")]


def _cached(competitor: object, part: pd.DataFrame, so: str) -> list[str]:
    """A sentence where answers came from the cache."""
    n = len(part) - len(called(part))
    if not n:
        return []
    answers = int(part["outcome"].notna().sum())
    return [f"{competitor}: {n} of {answers} answers came from the cache: {so}."]


def latency_table(responses: pd.DataFrame) -> Table:
    """Return times of answered calls."""
    table = Table(
        "latency",
        "Latency of answered calls (provider's time, seconds)",
        [
            Column("competitor", "competitor", names_row=True),
            Column("calls", "calls", "count"),
            Column("p50", "p50", "seconds"),
            Column("p95", "p95", "seconds"),
            Column("p99", "p99", "seconds"),
            Column("ttft", "TTFT p50", "seconds"),
            Column("ttft95", "TTFT p95", "seconds"),
            Column("speed", "tokens/s", "number"),
            Column("queue", "queue p50", "seconds"),
            Column("queue95", "queue p95", "seconds"),
            Column("client", "client p50", "seconds"),
            Column("retries", "retries", "count"),
            Column("outages", "outages", "count"),
        ],
    )
    for competitor, part in responses.groupby("competitor", sort=False, dropna=True):
        table.notes += _cached(competitor, part, "their times are an earlier run's, and left out")
        answered = answered_calls(part)
        latency = _quantiles(answered["latency_s"], (0.5, 0.95, 0.99))
        ttft = _quantiles(answered["ttft_s"], (0.5, 0.95))
        queue = _quantiles(answered["queue_s"], (0.5, 0.95))
        (client,) = _quantiles(answered["client_s"], (0.5,))
        table.rows.append(
            {
                "competitor": str(competitor),
                "calls": len(answered),
                "p50": latency[0],
                "p95": latency[1],
                # With fewer than 100 answers p99 would be the maximum under another name.
                "p99": latency[2] if answered["latency_s"].count() >= 100 else None,
                "ttft": ttft[0],
                "ttft95": ttft[1],
                "speed": _speed(answered),
                "queue": queue[0],
                "queue95": queue[1],
                "client": client,
                "retries": _total(called(part)["retries"]),
                "outages": int(part["outcome"].isna().sum()),
            }
        )
        if latency[0] and client and client > DISTORTED * latency[0]:
            table.notes.append(
                f"{competitor}: this client's own work added {client:.3f} s to a median of "
                f"{latency[0]:.3f} s. Episodes took longer by it; latencies too where the system "
                "keeps no arrival times (all but Linux). Lower `concurrency`"
                + (", or use direct_." if set(part["backend"]) == {"litellm"} else ".")
            )
    return table


def failures_table(responses: pd.DataFrame) -> Table:
    """Return what answers were, as shares of all answers."""
    table = Table(
        "failures",
        "Failed answers, % of all answers",
        [
            Column("competitor", "competitor", names_row=True),
            Column("answers", "answers", "count"),
            Column("failed", "failed % [95 %]", "percent"),
            *(Column(str(k), k.replace("_", " "), "percent", rare=True) for k in FAILURES),
            Column("first", "first tries failed %", "percent"),
        ],
    )
    every = responses[responses["outcome"].notna()]
    rates = outcome_rates(every, FAILURES)
    for competitor, answered in every.groupby("competitor", sort=False, dropna=True):
        counts = answered["outcome"].value_counts()
        first = answered[answered["attempt"] == 0]
        row: dict[str, Value] = {
            "competitor": str(competitor),
            "answers": len(answered),
            "failed": rates[str(competitor)],
            "first": float(first["outcome"].isin(FAILURES).mean()) if len(first) else None,
        }
        for kind in map(str, FAILURES):
            seen = int(counts.get(kind, 0))
            row[kind] = seen / len(answered) if len(answered) else None
        table.rows.append(row)
    return table


def outcome_rates(answered: pd.DataFrame, outcomes: Collection[str]) -> dict[str, Estimate]:
    """Return the share of some outcomes among each competitor's answers, by deal."""
    return rates_together(
        {
            str(competitor): (part["outcome"].isin(outcomes), part["seed"])
            for competitor, part in answered.groupby("competitor", sort=False, dropna=True)
        }
    )


def cost_table(responses: pd.DataFrame, standings: Standings, policy: str) -> Table:
    """Return tokens and money, per game and per win."""
    table = Table(
        "cost",
        "Tokens and cost (US dollars)",
        [
            Column("competitor", "competitor", names_row=True),
            Column("games", "episodes asked in", "count"),
            Column("prompt", "prompt tokens", "count"),
            Column("cached", "cached prompt tokens", "count"),
            Column("completion", "completion tokens", "count"),
            Column("reasoning", "reasoning tokens", "count"),
            Column("per_answer", "completion tokens/answer", "number"),
            Column("cost", "cost $", "usd"),
            Column("per_game", "$/episode", "usd"),
            Column("per_win", "$/win", "usd"),
        ],
    )
    wins = standings.table[standings.table[policy] == "win"].groupby("competitor").size()
    for competitor, part in responses.groupby("competitor", sort=False, dropna=True):
        free = _cached(
            competitor,
            part,
            "they used nothing of these runs, so that what an episode or a win costs is not shown",
        )
        table.notes += free
        games = len(part[["run", "episode"]].drop_duplicates())
        answered = answered_calls(part)
        nothing = 0.0 if called(part).empty else None
        cost = _total(answered["cost_usd"], nothing)
        won = int(wins.get(str(competitor), 0))
        completion = _total(answered["completion_tokens"], nothing)
        table.rows.append(
            {
                "competitor": str(competitor),
                "games": games,
                "prompt": _total(answered["prompt_tokens"], nothing),
                "cached": _total(answered["cached_tokens"], nothing),
                "completion": completion,
                "reasoning": _total(answered["reasoning_tokens"], nothing),
                "per_answer": None if not completion else completion / len(answered),
                "cost": cost,
                "per_game": None if cost is None or not games or free else cost / games,
                "per_win": None if cost is None or not won or free else cost / won,
            }
        )
        priced = int(answered["cost_usd"].notna().sum())
        if 0 < priced < len(answered):
            table.notes.append(
                f"{competitor}: the cost of {len(answered) - priced} of {len(answered)} answers is "
                f"unknown, so its cost is; the known part is "
                f"${answered['cost_usd'].sum():.5f}."
            )
    if table.rows and all(row["cost"] is None for row in table.rows):
        table.notes.append("No cost is known: local models and unknown prices have none.")
    return table


def judges_table(loaded: LoadedRuns) -> Table:
    """Return what the models took that judged answers: they are nobody's cost."""
    table = Table(
        "judges",
        "Judges of answers",
        [
            Column("model", "judge", names_row=True),
            Column("calls", "calls", "count"),
            Column("grades", "grades", "count"),
            Column("prompt", "prompt tokens", "count"),
            Column("completion", "completion tokens", "count"),
            Column("cost", "cost $", "usd"),
        ],
    )
    judging = [number for number, reader in enumerate(loaded.readers) if reader.run.judges]
    if not judging:
        return table
    every = loaded.responses
    asked = every[every["run"].isin(judging) & (every["turn"] > 0)]
    for model, part in asked.groupby("model", sort=False, observed=True):
        answered = answered_calls(part)
        table.rows.append(
            {
                "model": str(model),
                "calls": len(called(part)),
                "grades": int(part["score"].notna().sum()),
                "prompt": _total(answered["prompt_tokens"]),
                "completion": _total(answered["completion_tokens"]),
                "cost": _total(answered["cost_usd"]),
            }
        )
    return table


def _quantiles(values: pd.Series[Any], at: tuple[float, ...]) -> list[float | None]:
    known = values.dropna().to_numpy(dtype=np.float64)
    if not len(known):
        return [None] * len(at)
    return [float(v) for v in np.quantile(known, at)]


def _total(values: pd.Series[Any], of_none: float | None = None) -> float | None:
    """A sum; None as soon as one part is unknown."""
    if not len(values):
        return of_none
    if values.isna().any():
        return None
    return float(values.sum())


def _speed(answered: pd.DataFrame) -> float | None:
    """Median completion tokens per second: after the first token where that is timed."""
    tokens = answered["completion_tokens"].astype("Float64")
    decode = answered["decode_s"]
    timed = decode.notna() & (decode > 0) & (tokens > 1)
    if timed.any():
        return float(((tokens[timed] - 1) / decode[timed]).median())
    whole = answered["latency_s"].notna() & (answered["latency_s"] > 0) & tokens.notna()
    if not whole.any():
        return None
    return float((tokens[whole] / answered.loc[whole, "latency_s"]).median())


def temperature_points(
    standings: Standings, policy: str, measures: Mapping[str, Measure]
) -> dict[tuple[str, str], dict[float, Estimate]]:
    """Return what is measured by (model, game) over temperature, for those seen at two or more.

    Args:
        standings: of the runs.
        policy: how forfeits count.
        measures: what is measured, by game.
    """
    names = model_names(standings.competitors)
    table = standings.table
    at: dict[tuple[str, str], dict[float, Estimate]] = {}
    settings = {
        competitor: (names[str(c.settings.get("model"))], float(c.settings["temperature"]))
        for competitor, c in standings.competitors.items()
        if c.asked and c.settings.get("temperature") is not None
    }
    codes, players = pd.MultiIndex.from_frame(table[["run", "player"]]).factorize()
    conditions = pd.Series([settings.get((int(run), str(player))) for run, player in players])
    of = conditions.astype(object).to_numpy()[codes]
    every: Iterable[tuple[Any, pd.DataFrame]] = table.groupby([table["game"], of], sort=False)
    for (game, (model, temperature)), part in every:
        if (measure := measures.get(str(game))) is None:
            continue
        limits = standings.limits.get(str(game))
        value = mean_of(values(part, policy, measure), deals_of(part), measure, limits)
        if value.known:
            at.setdefault((model, str(game)), {})[temperature] = value
    return {key: dict(sorted(points.items())) for key, points in at.items() if len(points) > 1}
