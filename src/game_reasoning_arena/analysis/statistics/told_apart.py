"""Runs that repeat the same deals with the same settings are told apart, and compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from game_reasoning_arena.analysis.statistics.competitors import Competitor, PlayerKey
from game_reasoning_arena.analysis.statistics.names import apart

_DEAL = ["competitor", "game", "deal", "seat", "player", "opponent"]


def doubles(
    table: pd.DataFrame, competitors: Mapping[PlayerKey, Competitor], asked: bool
) -> set[tuple[str, int]]:
    """Return (label, run) wherever another run holds the same deal under the same label.

    Args:
        table: of the standings.
        competitors: the competitor behind every player of every run.
        asked: whether to look among models or among the others.
    """
    if table["run"].nunique() < 2:
        return set()
    wanted = {c.label for c in competitors.values() if c.asked is asked}
    some = table[table["competitor"].isin(wanted)]
    if some.empty:
        return set()
    opponent = some["rival"].where(some["rival"].notna(), some["against"])
    same = some.assign(opponent=opponent).groupby(_DEAL, sort=False)["run"]
    again = same.transform("min") != same.transform("max")
    found = some.loc[again, ["competitor", "run"]].drop_duplicates()
    return {
        (str(label), int(run)) for label, run in zip(found["competitor"], found["run"], strict=True)
    }


def tails(
    table: pd.DataFrame, found: set[tuple[str, int]], names: Sequence[str]
) -> dict[tuple[str, int], str]:
    """Return what is put after a label in a run, for labels that are told apart by run.

    The runs of such a label that repeat no other stay together.
    """
    split = {label for label, _ in found}
    seen = table.loc[table["competitor"].isin(split), ["competitor", "run"]].drop_duplicates()
    alone: dict[str, set[int]] = {label: set() for label in split}
    for label, run in zip(seen["competitor"], seen["run"], strict=True):
        if (label, run) not in found:
            alone[label].add(int(run))
    texts = {(label, run): f" [{names[run]}]" for label, run in found}
    for label, runs in alone.items():
        for run in runs:
            texts[label, run] = f" [{names[run]}]" if len(runs) == 1 else " [other runs]"
    return texts


def split(
    competitors: dict[PlayerKey, Competitor],
    table: pd.DataFrame,
    texts: Mapping[tuple[str, int], str],
) -> None:
    """Put the runs' tails after their labels, in the mapping and in two columns of the table.

    Runs that each gave the player a name of its own are known by that name. ``against`` keeps the
    label without the run, so that opponents with the same settings stay the same opponents.
    """
    named = _names(competitors, texts)
    for (run, player), competitor in list(competitors.items()):
        if (tail := texts.get((competitor.label, run))) is not None:
            twin = competitor.twin_of
            competitors[run, player] = replace(
                competitor,
                label=named[competitor.label, tail],
                full=competitor.full + tail,
                twin_of=twin and twin + tail,
            )
    for column in ("rival", "competitor"):
        seen = table[[column, "run"]].drop_duplicates()
        for label, run in zip(seen[column], seen["run"], strict=True):
            if (tail := texts.get((label, run))) is not None:
                mine = (table[column] == label) & (table["run"] == run)
                table.loc[mine, column] = named[label, tail]


def _names(
    competitors: Mapping[PlayerKey, Competitor], texts: Mapping[tuple[str, int], str]
) -> dict[tuple[str, str], str]:
    """The new label for each label and tail."""
    given: dict[tuple[str, str], set[str | None]] = {}
    for (run, _), competitor in competitors.items():
        if (tail := texts.get((competitor.label, run))) is not None:
            given.setdefault((competitor.label, tail), set()).add(competitor.given)
    known = {key: next(iter(names)) for key, names in given.items() if len(names) == 1}
    taken = {c.label for (run, _), c in competitors.items() if (c.label, run) not in texts}
    ways: dict[str, list[str]] = {}
    for label, tail in given:
        own = [known.get(key) for key in given if key[0] == label]
        name = known.get((label, tail))
        distinct = None not in own and len(set(own)) == len(own)
        usable = name is not None and distinct and name not in taken
        ways[label + tail] = [*([str(name)] if usable else []), label + tail]
    names = apart(ways)
    return {(label, tail): names[label + tail] for label, tail in given}
