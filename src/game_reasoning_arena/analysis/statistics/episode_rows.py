"""Rows of the standings, from what the runs recorded: each kind of episode is worked out once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from game_reasoning_arena.analysis.statistics.competitors import Competitor, PlayerKey, players
from game_reasoning_arena.process.text import plain
from game_reasoning_arena.recording.frames import LoadedRuns, rows

POLICIES: Final = ("loss", "drop", "as-played")

#: Status of an episode that began (somebody was asked) but has no line in episodes.jsonl.
UNFINISHED: Final = "unfinished"


def returns_under(policy: str) -> str:
    """Return the name of the column of returns in which failures cost what ``policy`` says."""
    return f"returns_{policy}"


def finished_rows(loaded: LoadedRuns, competitors: dict[PlayerKey, Competitor]) -> pd.DataFrame:
    """Return rows of the episodes that were written down."""
    games = [_game_string(loaded, run) for run in range(len(loaded.readers))]
    episodes = loaded.episodes
    seatings: dict[Any, tuple[int, _Seating]] = {}
    endings: dict[Any, tuple[int, _Ending]] = {}
    kinds = np.empty((len(episodes), 2), dtype=np.int64)
    for row, line in enumerate(rows(episodes[_READ])):
        seats = line.seats or ()
        seating = seatings.get((line.run, seats))
        if seating is None:
            made = _seating(line.run, seats, competitors)
            seating = seatings[line.run, seats] = (len(seatings), made)
        failed = tuple((line.failed or {}).items())
        key = line.status, line.returns, failed, line.substituted, len(seats), line.scores
        ending = endings.get(key)
        if ending is None:
            ending = endings[key] = (len(endings), _ending(*key))
        kinds[row] = seating[0], ending[0]
    sizes = np.array([len(one.player) for _, one in seatings.values()], dtype=np.int64)
    players = sizes[kinds[:, 0]] if len(sizes) else np.zeros(0, dtype=np.int64)
    of = np.repeat(np.arange(len(episodes)), players)
    seat = np.arange(len(of)) - np.repeat(np.cumsum(players) - players, players)

    def taken(
        kind: int, every: Mapping[Any, tuple[int, Any]], name: str, dtype: Any = object
    ) -> Any:
        parts = [getattr(one, name) for _, one in every.values()]
        flat = np.empty(sum(map(len, parts)), dtype=dtype)
        flat[:] = [value for part in parts for value in part]
        starts = np.cumsum([0, *(len(part) for part in parts)])[:-1]
        return flat[starts[kinds[of, kind]] + seat] if len(of) else flat[:0]

    short = episodes["game"].astype(object).to_numpy()
    by_run = np.array([g.partition("(")[0] for g in games], dtype=object)
    run = episodes["run"].to_numpy()
    full = np.where(by_run[run] == short, np.array(games, dtype=object)[run], short.astype(str))
    limit = episodes["move_limit"].fillna(False).to_numpy(dtype=bool)
    table = pd.DataFrame(
        {
            "run": run[of],
            "episode": episodes["episode"].to_numpy()[of],
            "seed": episodes["seed"].to_numpy()[of],
            "deal": _deals(episodes["seed"].to_numpy(), episodes["prompt"], episodes["expected"])[
                of
            ],
            "copy": episodes["line"].fillna(0).to_numpy(dtype=np.int64)[of],
            "game": pd.Series(full[of], dtype=object),
            "seat": seat,
            "player": taken(0, seatings, "player"),
            "competitor": taken(0, seatings, "competitor"),
            "against": taken(0, seatings, "against"),
            "rival": taken(0, seatings, "rival"),
            "players": players[of],
            "status": episodes["status"].astype(object).to_numpy()[of],
            "cause": taken(1, endings, "cause"),
            "failed": taken(1, endings, "failed", bool),
            "touched": taken(1, endings, "touched", bool),
            "substituted": taken(1, endings, "substituted", bool),
            "move_limit": limit[of],
            "returns": taken(1, endings, "returns", np.float64),
            **{policy: taken(1, endings, policy.replace("-", "_")) for policy in POLICIES},
        }
    )
    both = table.groupby(["run", "episode"])["failed"].transform("all") & table["touched"]
    # Nobody's answer to a prompt is against another.
    asked = episodes["prompt"].notna().to_numpy()[of]
    table.loc[both | asked, "rival"] = None
    return table


#: The columns of episodes from which rows are made.
_READ: Final = ["run", "seats", "status", "returns", "failed", "substituted", "scores"]


@dataclass(frozen=True, slots=True)
class _Seating:
    """Who sits where in one run, a tuple per column."""

    player: tuple[str, ...]
    competitor: tuple[str, ...]
    against: tuple[str, ...]
    rival: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class _Ending:
    """What became of every seat, a tuple per column."""

    cause: tuple[str | None, ...]
    failed: tuple[bool, ...]
    touched: tuple[bool, ...]
    substituted: tuple[bool, ...]
    returns: tuple[float, ...]
    loss: tuple[str | None, ...]
    drop: tuple[str | None, ...]
    as_played: tuple[str | None, ...]


def _seating(run: int, seats: Sequence[str], competitors: dict[PlayerKey, Competitor]) -> _Seating:
    for name in seats:
        if (run, name) not in competitors:
            competitors[run, name] = Competitor(
                plain(name), {"type": "unknown"}, False, plain(name), plain(name)
            )
    labels = [competitors[run, name].label for name in seats]
    return _Seating(
        tuple(seats),
        tuple(labels),
        tuple(
            " | ".join(label for i, label in enumerate(labels) if i != seat)
            for seat in range(len(seats))
        ),
        tuple(labels[::-1]) if len(labels) == 2 else (None,) * len(labels),
    )


def _ending(
    status: str,
    returns: Sequence[float] | None,
    failed: Sequence[tuple[int, str]],
    substituted: Sequence[int] | None,
    players: int,
    scores: Sequence[float | None] | None = None,
) -> _Ending:
    why = dict(failed)
    results = [_results(status, returns, seat, players, why) for seat in range(players)]
    touched = bool(why) and status in ("completed", "forfeit")
    return _Ending(
        tuple(why.get(seat) or None for seat in range(players)),
        tuple(seat in why for seat in range(players)),
        (touched,) * players,
        tuple(seat in (substituted or ()) for seat in range(players)),
        _paid(returns, scores, players),
        *(tuple(result[i] for result in results) for i in range(len(POLICIES))),
    )


def _paid(
    returns: Sequence[float] | None, scores: Sequence[float | None] | None, players: int
) -> tuple[float, ...]:
    """What each seat got: the game's returns, or what answers to a prompt are worth."""
    if returns:
        return tuple(returns)
    if scores:  # right answers are nobody's win over another
        return tuple(math.nan if score is None else score for score in scores)
    return (math.nan,) * players


def _deals(
    seeds: NDArray[np.int64], prompts: pd.Series[Any], expected: pd.Series[Any]
) -> NDArray[np.int64]:
    """What is the same luck: the seed of a game; of prompts, the prompt, whatever the repeat."""
    asked = prompts.notna().to_numpy()
    if not asked.any():
        return seeds
    named = prompts[asked].astype(str) + "\0" + expected[asked].astype(str)
    codes = pd.factorize(named)[0]
    deals = seeds.copy()
    deals[asked] = codes
    return deals


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


def unfinished_rows(loaded: LoadedRuns, competitors: dict[PlayerKey, Competitor]) -> pd.DataFrame:
    """Return rows for episodes that were asked about but never written down."""
    asked = loaded.responses[["run", "episode", "seed", "seat", "player"]].drop_duplicates()
    done = pd.MultiIndex.from_frame(loaded.episodes[["run", "episode"]])
    asked = asked[~pd.MultiIndex.from_frame(asked[["run", "episode"]]).isin(done)]
    found: list[dict[str, Any]] = []
    open_: dict[tuple[int, int], dict[int, tuple[str, int]]] = {}
    for line in rows(asked):
        if (line.run, line.player) in competitors:
            open_.setdefault((line.run, line.episode), {})[line.seat] = (line.player, line.seed)
    for (run, episode), seats in open_.items():
        names = players(loaded, run)
        if len(names) == 2 and len(seats) == 1:
            ((seat, (name, seed)),) = seats.items()
            other = names[1 - names.index(name)]
            seats[1 - seat] = (other, seed)
        for seat, (name, seed) in sorted(seats.items()):
            others = [competitors[run, n].label for s, (n, _) in sorted(seats.items()) if s != seat]
            found.append(
                {
                    "run": run,
                    "episode": episode,
                    "seed": seed,
                    "deal": seed,
                    "copy": 0,
                    "game": _game_string(loaded, run),
                    "seat": seat,
                    "player": name,
                    "competitor": competitors[run, name].label,
                    "against": " | ".join(others),
                    "rival": others[0] if len(others) == 1 and len(names) == 2 else None,
                    "players": len(names),
                    "status": UNFINISHED,
                    "cause": None,
                    "failed": False,
                    "touched": False,
                    "substituted": False,
                    "move_limit": False,
                    "returns": math.nan,
                    **dict.fromkeys(POLICIES),
                }
            )
    return pd.DataFrame(found)


def prompts_file(config: Mapping[str, Any]) -> str | None:
    """Return the short name of a run's prompts file, without folders and ending; None for games."""
    simulation = config.get("simulation")
    if not isinstance(simulation, Mapping) or simulation.get("type") != "prompts":
        return None
    name = PurePath(str(simulation.get("file") or "prompts")).name
    return name.partition(".")[0] or name


def _game_string(loaded: LoadedRuns, run: int) -> str:
    """The game with its parameters, as configured; its short name where that is not known."""
    simulation = loaded.readers[run].config.get("simulation")
    if isinstance(simulation, dict) and simulation.get("type") == "prompts":
        files = {prompts_file(reader.config) for reader in loaded.readers} - {None}
        mine = prompts_file(loaded.readers[run].config)
        return "prompts" if len(files) < 2 else f"prompts({mine})"
    configured = simulation.get("game") if isinstance(simulation, dict) else None
    known = loaded.runs["game"].iloc[run]
    return str(configured or (known if isinstance(known, str) else "unknown game"))
