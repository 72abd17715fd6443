"""How answers were read, per competitor, and whether the reading could decide between them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, Final

import pandas as pd

from game_reasoning_arena.analysis.statistics.costs import outcome_rates
from game_reasoning_arena.analysis.statistics.intervals import difference_of_means, rates_together
from game_reasoning_arena.analysis.statistics.standings import Standings
from game_reasoning_arena.analysis.tables.estimates import Estimate
from game_reasoning_arena.analysis.tables.forms import Column, Table
from game_reasoning_arena.recording.frames import LoadedRuns
from game_reasoning_arena.recording.mendable import Failures, limit_of

#: Forms that are the declared form itself.
PLAIN = frozenset({"line", "json", "whole"})
#: Forms whose forgiving takes a judgement of what was meant; the others are dress.
JUDGED = frozenset(
    {"lead", "separator", "lead_in", "remark", "notation", "repaired", "wrapped", "prose"}
)
#: Differences of shares that are worth a warning: unparsable answers, answers read by judgement.
UNPARSABLE_GAP = 0.05
JUDGED_GAP = 0.25
#: Forms that are listed per competitor.
MOST_LISTED = 8


def readings_table(responses: pd.DataFrame) -> Table:
    """Return how each competitor's answers were read, as shares of all its answers."""
    table = Table(
        "reading",
        "How answers were read, % of all answers",
        [
            Column("competitor", "competitor", names_row=True),
            Column("answers", "answers", "count"),
            Column("plain", "as asked %", "percent"),
            Column("dressed", "dress forgiven %", "percent"),
            Column("judged", "words or notation forgiven %", "percent"),
            Column("unparsable", "unparsable % [95 %]", "percent"),
            Column("forms", "share per parse_form"),
        ],
    )
    every = responses[responses["outcome"].notna()]
    unparsable = outcome_rates(every, ["unparsable"])
    for competitor, answered in every.groupby("competitor", sort=False, dropna=True):
        if not len(answered):
            continue
        how = _how(answered)
        table.rows.append(
            {
                "competitor": str(competitor),
                "answers": len(answered),
                "plain": float((how == "plain").mean()),
                "dressed": float((how == "dressed").mean()),
                "judged": float((how == "judged").mean()),
                "unparsable": unparsable[str(competitor)],
                "forms": _shares(answered),
            }
        )
    return table


def reading_caveats(responses: pd.DataFrame, standings: Standings) -> list[str]:
    """Return warnings where the reading of some two competitors differs by much at a game.

    Differences are reported where their 95 % interval leaves out 0 and they are as large as
    ``UNPARSABLE_GAP`` or ``JUDGED_GAP``; deals are the unit. One warning for all games of what
    could not be read, and one of what was read by judgement.
    """
    games = standings.table.drop_duplicates("run").set_index("run")["game"]
    answered = responses[responses["outcome"].notna() & responses["competitor"].notna()]
    answered = answered.assign(game=answered["run"].map(games), how=_how(answered))
    found: list[list[_Gap]] = [[] for _ in _WARNED]
    for game, part in answered.groupby("game", sort=False, observed=True):
        judged = {
            str(competitor): (mine["how"] == "judged", mine["seed"])
            for competitor, mine in part.groupby("competitor", sort=False)
        }
        shares = (outcome_rates(part, ["unparsable"]), rates_together(judged))
        for gaps, mine, (least, _) in zip(found, shares, _WARNED, strict=True):
            gaps += [
                (str(game), a, mine[a].value or 0.0, b, mine[b].value or 0.0)
                for a, b in combinations(mine, 2)
                if _differ(mine, a, b, least)
            ]
    return [_warning(gaps, how) for gaps, (_, how) in zip(found, _WARNED, strict=True) if gaps]


#: A game, and two competitors with the share of each.
_Gap = tuple[str, str, float, str, float]


def _how(answered: pd.DataFrame) -> pd.Series:
    """Return for each answer: plain, dressed, judged, or none where no move was read."""
    kinds = {form: _kind(str(form)) for form in answered["parse_form"].dropna().unique()}
    read = answered["outcome"].isin(["legal", "answered"]) & answered["parse_form"].notna()
    return answered["parse_form"].astype(object).map(kinds).where(read, "none").fillna("none")


def _kind(form: str) -> str:
    parts = set(form.split("+"))
    if parts & JUDGED:
        return "judged"
    return "plain" if parts <= PLAIN else "dressed"


def _shares(answered: pd.DataFrame) -> str:
    """Return the commonest forms with their shares, as text."""
    counts = answered["parse_form"].astype(object).fillna("no answer found").value_counts()
    listed = [f"{form} {n / len(answered):.1%}" for form, n in counts.iloc[:MOST_LISTED].items()]
    if len(counts) > MOST_LISTED:
        rest = counts.iloc[MOST_LISTED:].sum() / len(answered)
        listed.append(f"{len(counts) - MOST_LISTED} others {rest:.1%}")
    return ", ".join(listed)


_WARNED: Final = (
    (UNPARSABLE_GAP, "could not be read"),
    (JUDGED_GAP, "were read by forgiving words or another notation"),
)


def _differ(shares: Mapping[str, Estimate], a: str, b: str, least: float) -> bool:
    gap = difference_of_means(shares[a], shares[b])
    if gap.value is None or gap.low is None or gap.high is None:
        return False
    return abs(gap.value) >= least and not gap.low <= 0 <= gap.high


def _warning(gaps: Sequence[_Gap], how: str) -> str:
    """The pair that differs most, and how many more do, in which games."""
    game, a, share_a, b, share_b = max(gaps, key=lambda gap: abs(gap[2] - gap[4]))
    others = [name for name in dict.fromkeys(gap[0] for gap in gaps) if name != game]
    also = f"also {', '.join(others[:3])}" + (" ..." if len(others) > 3 else "")
    more = [also] if others else []
    if len(gaps) > 1:
        more.append(f"{len(gaps) - 1} more pairs")
    tail = f" ({'; '.join(more)})" if more else ""
    return (
        f"READING: in {game}, {share_a:.1%} of {a}'s answers {how}, and {share_b:.1%} of {b}'s"
        f"{tail}. That may decide alone: --table reading."
    )


def mendable_failures(loaded: LoadedRuns, responses: pd.DataFrame) -> list[str]:
    """Return failures that a setting would have mended, per competitor, in plain words."""
    found: dict[str, None] = {}
    for (run, player, competitor), failures in _counted(responses).items():
        config = loaded.readers[run].config
        agents: Any = config.get("agents")
        simulation: Any = config.get("simulation")
        simulation = simulation if isinstance(simulation, Mapping) else None
        options = agents.get(player) if isinstance(agents, Mapping) else None
        options = options if isinstance(options, Mapping) else {}
        for sentence in failures.mendable(player, options, simulation).values():
            found[f"{competitor}: {sentence}"] = None
    return list(found)


def _counted(responses: pd.DataFrame) -> dict[tuple[int, str, str], Failures]:
    """How the answers of each player of each run failed, by (run, player, competitor)."""
    known = responses[responses["competitor"].notna()]
    thought = (known["reasoning_chars"].fillna(0) > 0) | (known["reasoning_tokens"].fillna(0) > 0)
    kinds = pd.DataFrame(
        {
            **{name: known[name] for name in ("run", "player", "competitor", "outcome")},
            "thought": thought.astype(bool),
            "declared": known["parse_form"].notna(),
            "requested": known["requested"].astype(object).fillna("{}"),
        }
    )
    counts: Any = kinds.groupby(list(kinds), sort=False, observed=True).size()
    found: dict[tuple[int, str, str], Failures] = {}
    for (run, player, competitor, outcome, thinks, declared, requested), count in counts.items():
        found.setdefault((int(run), str(player), str(competitor)), Failures()).add(
            str(outcome),
            thought=bool(thinks),
            declared=bool(declared),
            limit=_limit(str(requested)),
            count=int(count),
        )
    return found


def _limit(requested: str) -> int | None:
    settings = json.loads(requested)
    return limit_of(settings, {}) if isinstance(settings, dict) else None
