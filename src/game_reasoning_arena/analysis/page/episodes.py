"""The episodes of some runs, packed for the report's page.

An index with a few numbers per episode is read when the page opens; the episodes themselves lie in
chunks that are unpacked when one is looked at. Both are JSON, gzipped and in base64, so nothing a
model wrote can end an element of the page. Texts of prompts are kept once per chunk.
"""

from __future__ import annotations

import base64
import gzip
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import Any, Final

import numpy as np
import orjson
import pandas as pd

from game_reasoning_arena.analysis.compare import Comparison
from game_reasoning_arena.analysis.page.judgements import LEVELS, Judgements
from game_reasoning_arena.analysis.page.prompts import PromptMarks
from game_reasoning_arena.analysis.statistics.competitors import run_names
from game_reasoning_arena.recording.frames import LoadedRuns, rows
from game_reasoning_arena.records import FAILURES

#: A chunk is closed when it holds this many characters of JSON, or this many episodes.
CHUNK_CHARS: Final = 400_000
CHUNK_EPISODES: Final = 200

#: Kinds of failure in the order of the index's bits.
KINDS: Final = (*FAILURES, "outage", "substitute")

_KEPT: Final = (
    "seat", "turn", "attempt", "sample", "model", "outcome", "action_text", "finish_reason",
    "latency_s", "ttft_s", "queue_s", "retries", "prompt_tokens", "completion_tokens",
    "reasoning_tokens", "cost_usd", "from_cache", "served_model", "error", "text", "reasoning",
)  # fmt: skip

_RESULTS: Final = {"win": "w", "draw": "d", "loss": "l"}


class _Chunk:
    """Episodes that share a table of texts."""

    def __init__(self) -> None:
        self.episodes: list[bytes] = []
        self._texts: dict[str, int] = {}
        self.chars = 0

    def add(
        self,
        row: Mapping[str, Any],
        responses: list[dict[str, Any]],
        decisions: list[dict[str, Any]],
    ) -> None:
        packed = []
        for line in responses:
            kept = {key: line.get(key) for key in _KEPT}
            kept["messages"] = [
                [self._text(str(m.get("role"))), self._text(str(m.get("content")))]
                for m in line.get("messages") or ()
            ]
            packed.append(kept)
        asked = None
        if row.get("scores") is not None:
            asked = {key: _known(row[key]) for key in ("group", "expected")}
            asked |= {"prompt": str(row["prompt"]), "answers": list(row["answers"] or ())}
        episode = orjson.dumps(
            {
                "moves": row["moves"] or [],
                "responses": packed,
                "returns": row["returns"],
                "error": row["error"],
                "asked": asked,
                "decisions": decisions,
            }
        )
        self.chars += len(episode)
        self.episodes.append(episode)

    def _text(self, text: str) -> int:
        known = self._texts.setdefault(text, len(self._texts))
        if known == len(self._texts) - 1:
            self.chars += len(text)
        return known

    def pack(self) -> str:
        texts = orjson.dumps(list(self._texts))
        return pack(b'{"texts":' + texts + b',"episodes":[' + b",".join(self.episodes) + b"]}")


def pack(data: bytes) -> str:
    """Gzip in base64; the same data give the same text."""
    return base64.b64encode(gzip.compress(data, compresslevel=6, mtime=0)).decode("ascii")


class EpisodeStore:
    """Walks over the episodes of a comparison once, giving chunks; the index is ready afterwards.

    Args:
        comparison: the runs; their ``episodes`` must have been loaded with moves.
        heed: called with the run and each line of its responses, since they are read only once.
    """

    def __init__(self, comparison: Comparison, heed: Callable[[int, dict[str, Any]], None]) -> None:
        self._loaded = comparison.loaded
        self._standings = comparison.standings
        self._policy = comparison.policy
        self._heed = heed
        self._responses = _Responses(comparison.loaded)
        self._columns: dict[str, list[Any]] = defaultdict(list)
        self._names: dict[str, dict[Any, int]] = defaultdict(dict)
        self._failures = self._find_failures()
        self._prompts = PromptMarks(comparison.answers)
        self._judgements = Judgements(comparison.judged, comparison.standings.limits)

    def chunks(self) -> Iterator[str]:
        """Packed chunks, in order; episodes lie in the order of runs and numbers."""
        chunk, number = _Chunk(), 0
        for row, seats in self._walk():
            if chunk.episodes and (
                chunk.chars >= CHUNK_CHARS or len(chunk.episodes) >= CHUNK_EPISODES
            ):
                yield chunk.pack()
                chunk, number = _Chunk(), number + 1
            self._index(row, seats, number, len(chunk.episodes))
            responses = self._responses.of(row["run"], row["episode"])
            for line in responses:
                self._heed(row["run"], line)
            chunk.add(row, responses, self._judgements.of(row["run"], row["episode"]))
        if chunk.episodes:
            yield chunk.pack()

    def index(self) -> str:
        """The packed index; complete once :meth:`chunks` is exhausted."""
        names = {kind: list(known) for kind, known in self._names.items()}
        games = [
            {"name": name, "short": name.partition("(")[0], "parameters": game_parameters(name)}
            for name in names.get("game", [])
        ]
        return pack(
            orjson.dumps(
                {
                    "runs": run_names(self._loaded),
                    "labels": names.get("label", []),
                    "games": games,
                    "statuses": names.get("status", []),
                    "causes": names.get("cause", []),
                    "kinds": KINDS,
                    "levels": LEVELS if self._judgements else (),
                    "groups": names.get("group", []),
                    "scored": bool(self._prompts),
                    "seatings": names.get("seating", []),
                    "episodes": {name: self._columns[name] for name in _COLUMNS},
                }
            )
        )

    def _walk(self) -> Iterator[tuple[dict[str, Any], list[Any]]]:
        """Each episode's line (or what is known of it) with its seats from the standings."""
        order = ["run", "episode"]
        lines = rows(self._loaded.episodes[list(_LINE)].sort_values(order, kind="stable"))
        table = self._standings.table.sort_values([*order, "seat"], kind="stable")
        table = table[list(_SEAT)].assign(result=self._standings.table[self._policy])
        line = next(lines, None)
        for key, group in groupby(rows(table), key=lambda row: (int(row.run), int(row.episode))):
            while line is not None and (line.run, line.episode) < key:
                line = next(lines, None)
            found = dict.fromkeys(_LINE)
            if line is not None and (line.run, line.episode) == key:
                found = line._asdict()
            returns = found["returns"]
            found |= {
                "run": key[0],
                "episode": key[1],
                "error": _known(found["error"]),
                "returns": None if returns is None else list(returns),
            }
            yield found, list(group)

    def _index(self, row: Mapping[str, Any], seats: Sequence[Any], chunk: int, place: int) -> None:
        seating = tuple((self._code("label", s.competitor), s.player) for s in seats)
        results = "".join(_RESULTS.get(s.result, "-") for s in seats)
        forfeits = [i for i, s in enumerate(seats) if _known(s.cause)]
        failures = self._failures.get((row["run"], row["episode"]), 0)
        if any(s.substituted for s in seats):
            failures |= 1 << KINDS.index("substitute")
        if seats[0].status == "error":
            failures |= 1 << KINDS.index("outage")
        cause = seats[forfeits[0]].cause if forfeits else None
        values = {
            "run": row["run"],
            "number": row["episode"],
            "seed": str(seats[0].seed),  # as text: a browser's numbers have 53 bits
            "game": self._code("game", seats[0].game),
            "seating": self._code("seating", seating),
            "results": results,
            "status": self._code("status", str(seats[0].status)),
            "forfeit": forfeits[0] if forfeits else None,
            "cause": self._code("cause", str(cause)) if cause else None,
            "turns": _number(row["turns"]),
            "duration": _number(row["duration_s"]),
            "failures": failures,
            "cut": int(seats[0].move_limit),
            "judged": self._judgements.worst(row["run"], row["episode"], len(seats)),
            "chunk": chunk,
            "place": place,
            **self._prompts.of(row["run"], row["episode"], len(seats)),
        }
        if values["group"] is not None:
            values["group"] = self._code("group", values["group"])
        for name in _COLUMNS:
            self._columns[name].append(values[name])

    def _code(self, kind: str, value: Any) -> int:
        known = self._names[kind]
        return known.setdefault(value, len(known))

    def _find_failures(self) -> dict[tuple[int, int], int]:
        """Kinds of failed answers by episode, as bits."""
        responses = self._loaded.responses
        bits = pd.Series(0, index=responses.index)
        for bit, kind in enumerate(FAILURES):
            bits[responses["outcome"] == kind] = 1 << bit
        bits[responses["outcome"].isna()] = 1 << KINDS.index("outage")
        marked = pd.DataFrame(
            {"run": responses["run"], "episode": responses["episode"], "bits": bits}
        )
        marked = marked[marked["bits"] > 0].drop_duplicates()
        totals: dict[tuple[int, int], int] = {}
        for run, episode, value in zip(
            marked["run"], marked["episode"], marked["bits"], strict=True
        ):
            key = (int(run), int(episode))
            totals[key] = totals.get(key, 0) | int(value)
        return totals


class _Responses:
    """The responses of each episode, read from the runs' files in the order of the episodes.

    Args:
        loaded: the runs; what they know of their responses says where each line is.
    """

    def __init__(self, loaded: LoadedRuns) -> None:
        self._readers = loaded.readers
        table = loaded.responses
        keys = [table[name].to_numpy() for name in _ORDER]
        # A resumed run may hold an outage and, later, the answer to the same question.
        order = np.lexsort(keys[::-1])
        self._offsets = loaded.response_offsets[order]
        run, episode = keys[0][order], keys[1][order]
        self._first = np.searchsorted(run, np.arange(len(self._readers) + 1))
        starts = np.flatnonzero(np.r_[True, (np.diff(run) != 0) | (np.diff(episode) != 0)])
        ends = np.r_[starts[1:], len(run)]
        self._counts = {
            (int(run[start]), int(episode[start])): int(end - start)
            for start, end in zip(starts, ends, strict=True)
            if end > start
        }
        self._run = -1
        self._lines: Iterator[dict[str, Any]] = iter(())

    def of(self, run: int, episode: int) -> list[dict[str, Any]]:
        """Return the responses of an episode; episodes are asked for in order, each once."""
        if run != self._run:
            own = self._offsets[self._first[run] : self._first[run + 1]]
            self._run, self._lines = run, self._readers[run].responses_from(own.tolist())
        return list(islice(self._lines, self._counts.get((run, episode), 0)))


#: What responses are sorted by.
_ORDER: Final = ("run", "episode", "turn", "seat", "attempt", "sample")

#: What is read of an episode's line, and of its seats in the standings.
_LINE: Final = (
    "run", "episode", "moves", "returns", "error", "turns", "duration_s", "scores", "group",
    "expected", "prompt", "answers",
)  # fmt: skip
_SEAT: Final = (
    "run", "episode", "seed", "game", "competitor", "player", "cause", "substituted", "status",
    "move_limit",
)  # fmt: skip

_COLUMNS: Final = (
    "run", "number", "seed", "game", "seating", "results", "status", "forfeit", "cause", "turns",
    "duration", "failures", "cut", "judged", "chunk", "place", "prompt", "name", "group", "marks",
    "differ",
)  # fmt: skip


def game_parameters(game: str) -> dict[str, str]:
    """The parameters in an engine's game string, as text: ``hex(board_size=5)``."""
    found = re.fullmatch(r"\w+\((.*)\)", game)
    if not found or "(" in found[1]:
        return {}
    pairs = (part.partition("=") for part in found[1].split(",") if "=" in part)
    return {name.strip(): value.strip() for name, _, value in pairs}


def _known(value: Any) -> Any:
    return None if value is None or (not isinstance(value, str) and pd.isna(value)) else value


def _number(value: Any) -> float | int | None:
    value = _known(value)
    return None if value is None else int(value) if float(value).is_integer() else float(value)
