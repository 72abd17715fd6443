"""One row per episode and seat: who sat there, against whom, and what became of it.

Policies for episodes in which a player ran out of legal answers (it forfeited, or the run put a
random move in its place):

- ``loss``: that player lost, and its only opponent won, whatever came after; the default. Two who
  failed in the same turn, where players move at the same time, both lost, and neither to the other.
- ``drop``: the episode counts for nobody.
- ``as-played``: the record as it stands: substituted moves are taken as the player's own, a forfeit
  is a loss as the run's rules say.

An outage, a spent budget and an unfinished episode are never a loss. They stay among the episodes
that began, and are shown apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import pandas as pd

from game_reasoning_arena.analysis.statistics.competitors import (
    Competitor,
    Who,
    competitors,
    players,
    repeated,
    run_names,
)
from game_reasoning_arena.analysis.tables.plain import plain
from game_reasoning_arena.recording.frames import LoadedRuns, rows

POLICIES: Final = ("loss", "drop", "as-played")
SCORES: Final = {"win": 1.0, "draw": 0.5, "loss": 0.0}

#: The game of runs of prompts.
PROMPTS: Final = "prompts"

#: Status of an episode that began (somebody was asked) but has no line in episodes.jsonl.
UNFINISHED: Final = "unfinished"


@dataclass(slots=True)
class Standings:
    """The table, and what its labels stand for.

    ``table`` has a row per episode and seat: run, episode, seed, game, seat, player, who (label),
    against (the others' labels by seat, joined by " | "), rival (the only opponent's label; None if
    there are several, or if both failed in the same turn), players, status, cause (why this seat
    forfeited, or None), substituted, move_limit, returns, and a column per policy: win, draw, loss
    or None.
    """

    table: pd.DataFrame
    who: dict[Who, Competitor]
    notes: list[str] = field(default_factory=list)

    def label(self, run: int, player: str) -> str:
        """The label of a player of a run."""
        return self.who[run, player].label


def standings(loaded: LoadedRuns) -> Standings:
    """Gather every episode of every run.

    Reads ``loaded.responses``, to know of episodes that began without finishing.
    """
    who = competitors(loaded)
    seated = [*_finished(loaded, who), *_unfinished(loaded, who)]
    notes: list[str] = []
    for asked in (True, False):  # those who are asked first: their names tell the others' deals
        doubles = repeated(
            (
                row["who"],
                row["run"],
                (
                    row["game"],
                    row["seed"],
                    row["seat"],
                    row["player"],
                    row["rival"] or row["against"],
                ),
            )
            for row in seated
            if row["seat"] is not None and who[row["run"], row["player"]].asked is asked
        )
        if doubles:
            _split(who, seated, _tails(seated, doubles, run_names(loaded)))
            if asked:
                named = ", ".join(sorted({label for label, _ in doubles}))
                notes.append(
                    "Players with the same settings played the same deals in several runs, so "
                    f"these are told apart by run: {named}."
                )
    table = pd.DataFrame(seated, columns=_COLUMNS)
    table["returns"] = table["returns"].astype("float64")
    return Standings(table, who, notes)


def decides(rows: pd.DataFrame) -> bool:
    """Whether these episodes can be won or lost; answers to prompts cannot."""
    if len(rows) and bool((rows["game"] == PROMPTS).all()):
        return False
    completed = rows[rows["status"] == "completed"]
    return completed.empty or bool(completed["returns"].notna().any())


_COLUMNS = [
    "run", "episode", "seed", "game", "seat", "player", "who", "against", "rival", "players",
    "status", "cause", "substituted", "move_limit", "returns", *POLICIES,
]  # fmt: skip


def _finished(loaded: LoadedRuns, who: dict[Who, Competitor]) -> Iterator[dict[str, Any]]:
    games = [_game_string(loaded, run) for run in range(len(loaded.readers))]
    for line in rows(loaded.episodes):
        seats: Sequence[str] = line.seats or ()
        run = line.run
        for name in seats:
            if (run, name) not in who:
                who[run, name] = Competitor(plain(name), {"type": "unknown"}, False, plain(name))
        labels = [who[run, name].label for name in seats]
        game = games[run] if games[run].partition("(")[0] == line.game else str(line.game)
        failed = line.failed or {}
        nobody_won = len(failed) == len(seats)
        for seat, name in enumerate(seats):
            results = _results(line.status, line.returns, seat, len(seats), failed)
            yield {
                "run": run,
                "episode": line.episode,
                "seed": line.seed,
                "game": game,
                "seat": seat,
                "player": name,
                "who": labels[seat],
                "against": " | ".join(label for i, label in enumerate(labels) if i != seat),
                "rival": labels[1 - seat] if len(labels) == 2 and not nobody_won else None,
                "players": len(seats),
                "status": line.status,
                "cause": failed.get(seat) or None,
                "substituted": seat in (line.substituted or ()),
                "move_limit": bool(line.move_limit) if line.move_limit is not pd.NA else False,
                "returns": line.returns[seat] if line.returns else None,
                **dict(zip(POLICIES, results, strict=True)),
            }


def _results(
    status: str,
    returns: Sequence[float] | None,
    seat: int,
    players: int,
    failed: Mapping[int, str],
) -> tuple[str | None, str | None, str | None]:
    """Win, draw, loss or None under each policy."""
    final = None
    if status == "completed" and returns is not None and players > 1:
        best = max(returns)
        if returns[seat] < best:
            final = "loss"
        else:
            final = "draw" if sum(value == best for value in returns) > 1 else "win"
    if not failed or status not in ("completed", "forfeit"):
        return final, final, final
    blamed = None
    if players > 1:
        blamed = "loss" if seat in failed else "win" if players == 2 else None
    return blamed, None, blamed if status == "forfeit" else final


def _unfinished(loaded: LoadedRuns, who: dict[Who, Competitor]) -> list[dict[str, Any]]:
    """Rows for episodes that were asked about but never written down."""
    asked = loaded.responses[["run", "episode", "seed", "seat", "player"]].drop_duplicates()
    done = set(zip(loaded.episodes["run"], loaded.episodes["episode"], strict=True))
    found = []
    open_: dict[tuple[int, int], dict[int, tuple[str, int]]] = {}
    for line in rows(asked):
        if (line.run, line.episode) not in done and (line.run, line.player) in who:
            open_.setdefault((line.run, line.episode), {})[line.seat] = (line.player, line.seed)
    for (run, episode), seats in open_.items():
        names = players(loaded, run)
        if len(names) == 2 and len(seats) == 1:
            ((seat, (name, seed)),) = seats.items()
            other = names[1 - names.index(name)]
            seats[1 - seat] = (other, seed)
        for seat, (name, seed) in sorted(seats.items()):
            others = [who[run, n].label for s, (n, _) in sorted(seats.items()) if s != seat]
            found.append(
                {
                    "run": run,
                    "episode": episode,
                    "seed": seed,
                    "game": _game_string(loaded, run),
                    "seat": seat,
                    "player": name,
                    "who": who[run, name].label,
                    "against": " | ".join(others),
                    "rival": others[0] if len(others) == 1 and len(names) == 2 else None,
                    "players": len(names),
                    "status": UNFINISHED,
                    "cause": None,
                    "substituted": False,
                    "move_limit": False,
                    "returns": None,
                    **dict.fromkeys(POLICIES),
                }
            )
    return found


def _game_string(loaded: LoadedRuns, run: int) -> str:
    """The game with its parameters, as configured; its short name where that is not known."""
    simulation = loaded.readers[run].config.get("simulation")
    configured = simulation.get("game") if isinstance(simulation, dict) else None
    known = loaded.runs["game"].iloc[run]
    return str(configured or (known if isinstance(known, str) else "unknown game"))


def _tails(
    seated: Sequence[Mapping[str, Any]], doubles: set[tuple[str, int]], names: Sequence[str]
) -> dict[tuple[str, int], str]:
    """What is put after a label in a run, for labels that are told apart by run.

    The runs of such a label that repeat no other stay together.
    """
    split = {label for label, _ in doubles}
    alone: dict[str, set[int]] = {label: set() for label in split}
    for row in seated:
        if row["who"] in split and (row["who"], row["run"]) not in doubles:
            alone[row["who"]].add(row["run"])
    tails = {(label, run): f" [{names[run]}]" for label, run in doubles}
    for label, runs in alone.items():
        for run in runs:
            tails[label, run] = f" [{names[run]}]" if len(runs) == 1 else " [other runs]"
    return tails


def _split(
    who: dict[Who, Competitor],
    seated: list[dict[str, Any]],
    tails: Mapping[tuple[str, int], str],
) -> None:
    """Put the runs' tails after their labels, in ``who`` and in ``who`` and ``rival``.

    ``against`` keeps the label without the run, so that opponents with the same settings stay the
    same opponents.
    """
    for (run, player), competitor in list(who.items()):
        if (tail := tails.get((competitor.label, run))) is not None:
            twin = competitor.twin_of
            who[run, player] = replace(
                competitor, label=competitor.label + tail, twin_of=twin and twin + tail
            )
    for row in seated:
        for column in ("rival", "who"):
            if (tail := tails.get((row[column], row["run"]))) is not None:
                row[column] += tail
