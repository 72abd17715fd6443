"""The columns of the tables that ``load_runs`` gives: names, dtypes, units, and how rows fill them.

Unknown values are null (NaN, NA, NaT, None), never 0. Times are seconds, money is US dollars,
instants are UTC. A column that an older run does not have is null throughout.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
import pandas as pd

from game_reasoning_arena.errors import UserError

Get = Callable[[Mapping[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class Spec:
    """One column: its dtype, what it means, and how it is taken from a line."""

    dtype: str
    meaning: str
    take: Get | None = None


def _length(name: str) -> Get:
    def take(line: Mapping[str, Any]) -> int | None:
        text = line.get(name)
        return None if text is None else len(text)

    return take


def _settings(name: str) -> Get:
    """Return sampling as JSON text with sorted keys, without the seed, which always differs."""

    def take(line: Mapping[str, Any]) -> str | None:
        settings = line.get(name)
        if settings is None:
            return None
        kept = {key: value for key, value in settings.items() if key != "seed"}
        try:
            return orjson.dumps(kept, option=orjson.OPT_SORT_KEYS).decode()
        except TypeError:  # a number beyond 64 bits
            return json.dumps(kept, sort_keys=True)

    return take


def _part(name: str, part: str) -> Get:
    def take(line: Mapping[str, Any]) -> Any:
        whole = line.get(name)
        return whole.get(part) if isinstance(whole, dict) else None

    return take


def _names(name: str) -> Get:
    def take(line: Mapping[str, Any]) -> str | None:
        names = line.get(name)
        return None if names is None else ",".join(map(str, names))

    return take


def _tuple(name: str) -> Get:
    def take(line: Mapping[str, Any]) -> tuple[Any, ...] | None:
        values = line.get(name)
        return None if values is None else tuple(values)

    return take


def _substituted(line: Mapping[str, Any]) -> tuple[int, ...] | None:
    moves = line.get("moves")
    if moves is None:
        return None
    return tuple(dict.fromkeys(m["seat"] for m in moves if m.get("by") == "substitute"))


def _failed(line: Mapping[str, Any]) -> dict[int, str] | None:
    """Return the seats first without a legal answer, with the cause ("" where a move was made)."""
    forfeit = line.get("forfeit")
    if isinstance(forfeit, dict):
        return {one["seat"]: one["cause"] for one in (forfeit, *(forfeit.get("also") or ()))}
    moves = line.get("moves")
    if moves is None:
        return None
    substitutes = [m for m in moves if m.get("by") == "substitute"]
    return {m["seat"]: "" for m in substitutes if m["turn"] == substitutes[0]["turn"]}


def _line(line: Mapping[str, Any]) -> int | None:
    """Return a number of 53 bits for the moves; None where chance moved: then no game is a copy."""
    moves = line.get("moves")
    if not moves or any(m["seat"] < 0 for m in moves):
        return None
    return hash(tuple([(m["seat"], m["action"]) for m in moves])) & (2**53 - 1)


#: The columns of ``responses``: one row per attempt (and sample).
RESPONSES: Final[dict[str, Spec]] = {
    "run": Spec("int32", "row of `runs`"),
    "episode": Spec("int64", "number of the episode in its run"),
    "seed": Spec("int64", "seed of the episode"),
    "seat": Spec("int16", "seat that was asked"),
    "player": Spec("category", "player's name in the run"),
    "turn": Spec("int32", "decision nodes before this one"),
    "attempt": Spec("int16", "0 for the first try, then rethinks"),
    "sample": Spec("int16", "number of the vote"),
    "model": Spec("category", "full model name"),
    "backend": Spec("category", "prefix of the model name"),
    "provider": Spec("category", "API provider; null for local engines"),
    "outcome": Spec("category", "legal, illegal, ...; null when there was no answer"),
    "action": Spec("Int64", "engine's action number; null unless legal"),
    "action_text": Spec("category", "engine's name of the action"),
    "parse_form": Spec("category", "form in which the answer was found"),
    "finish_reason": Spec(
        "category",
        "why the answer ended: stop, length, content_filter, tool_calls, or another word of the "
        "provider",
    ),
    "details": Spec(
        "category",
        "what else the provider reported about the answer, as JSON: its own finish_reason where it "
        "differs, a refusal's text, parts that hold no text, the USD that it reported",
        _settings("details"),
    ),
    "started_at": Spec("datetime", "when the request went out"),
    "latency_s": Spec("float64", "seconds from the request on the wire to the last byte"),
    "ttft_s": Spec("float64", "seconds to the first token"),
    "decode_s": Spec("float64", "seconds from the first token to the last"),
    "queue_s": Spec("float64", "seconds that the client made it wait before"),
    "client_s": Spec("float64", "seconds that the client's own work added"),
    "retries": Spec("Int64", "failed requests before this one"),
    "prompt_tokens": Spec("Int64", "tokens"),
    "completion_tokens": Spec("Int64", "tokens, reasoning included where the provider counts so"),
    "reasoning_tokens": Spec("Int64", "tokens"),
    "cached_tokens": Spec("Int64", "tokens of the prompt that the provider had cached"),
    "cost_usd": Spec("float64", "US dollars"),
    "from_cache": Spec(
        "boolean", "whether an earlier run's call was answered so; times, tokens and cost are its"
    ),
    "requested": Spec("category", "sampling asked for, as JSON", _settings("requested")),
    "sent": Spec("category", "sampling sent without the seed, as JSON", _settings("sent")),
    "dropped": Spec(
        "category", "parameters that were not sent, joined by commas", _names("dropped")
    ),
    "constrained": Spec("boolean", "whether only legal moves could be answered"),
    "served_model": Spec("category", "model that the provider reports it used"),
    "error_kind": Spec(
        "category", "kind of outage; null when there was an answer", _part("error", "kind")
    ),
    "error_status": Spec("Int64", "HTTP status of the outage", _part("error", "status")),
    "score": Spec("float64", "what the answer to a prompt is worth, 0 to 1; a judge's grade"),
    "scored_as": Spec("category", "scorer and rule by which it was scored"),
    "answer_text": Spec("object", "answer to a prompt in its plainest form"),
    "label": Spec("float64", "score of the scorer that a judge is checked against"),
    "text_chars": Spec("Int64", "characters of the answer", _length("text")),
    "reasoning_chars": Spec("Int64", "characters of the reasoning", _length("reasoning")),
    "text": Spec("object", "the answer; only on request"),
    "reasoning": Spec("object", "the reasoning; only on request"),
    "messages": Spec("object", "list of messages as sent; only on request"),
    "error": Spec("object", "the outage as recorded; only on request"),
}

#: Columns that are left out by default: they are most of a run's bytes.
BODIES: Final = ("text", "reasoning", "messages", "error")

#: The columns of ``episodes``: one row per line of ``episodes.jsonl``.
EPISODES: Final[dict[str, Spec]] = {
    "run": Spec("int32", "row of `runs`"),
    "episode": Spec("int64", "number of the episode in its run"),
    "seed": Spec("int64", "seed: episodes that share it are the same deal"),
    "game": Spec("category", "short name of the game"),
    "prompt": Spec("object", "`id` in the prompts file, else the number there; null for games"),
    "group": Spec("category", "group of the prompt"),
    "expected": Spec("object", "right answer to the prompt"),
    "scores": Spec("object", "tuple by seat: worth of the answer, 0 to 1", _tuple("scores")),
    "answers": Spec("object", "tuple by seat: answer in its plainest form", _tuple("answers")),
    "labels": Spec("object", "tuple by seat: what a judge is checked against", _tuple("labels")),
    "status": Spec("category", "completed, forfeit, error, budget or interrupted"),
    "winner": Spec("category", "player's name; null for a draw or no single best"),
    "forfeit_player": Spec("category", "who forfeited", _part("forfeit", "player")),
    "forfeit_seat": Spec("Int64", "where they sat", _part("forfeit", "seat")),
    "forfeit_cause": Spec("category", "outcome of the last attempt", _part("forfeit", "cause")),
    "move_limit": Spec("boolean", "ended by `max_moves`"),
    "turns": Spec("Int64", "decision nodes"),
    "duration_s": Spec("float64", "seconds"),
    "error": Spec("object", "what ended an episode of status error"),
    "seats": Spec("object", "tuple: player at each seat", _tuple("seats")),
    "returns": Spec("object", "tuple of floats by seat; null unless played out", _tuple("returns")),
    "substituted": Spec("object", "tuple of seats for which moves were substituted", _substituted),
    "failed": Spec(
        "object",
        "dict: seats that ran out of legal answers, in the first turn in which any did, and the "
        "cause of their forfeit, empty where a move was substituted",
        _failed,
    ),
    "line": Spec(
        "Int64", "a number that games with the same moves share; null where chance moved", _line
    ),
    "moves": Spec("object", "list of moves; only on request"),
}


@dataclass(slots=True)
class _Filler:
    """One column while rows arrive: compact arrays, one per chunk."""

    spec: Spec
    parts: list[Any] = field(default_factory=list)
    codes: dict[Any, int] = field(default_factory=dict)

    def add(self, values: tuple[Any, ...]) -> None:
        kind = self.spec.dtype
        if kind == "category":
            codes = self.codes
            part = [-1 if v is None else codes.setdefault(v, len(codes)) for v in values]
            self.parts.append(np.array(part, dtype=np.int32))
        elif kind in ("float64", "datetime", "Int64", "boolean"):
            self.parts.append(np.array(values, dtype=np.float64))  # None becomes NaN
        elif kind == "object":
            self.parts.append(np.fromiter(values, dtype=object, count=len(values)))
        else:
            filled = [0 if v is None else v for v in values]
            self.parts.append(np.array(filled, dtype=kind))

    def finish(self) -> Any:
        kind = self.spec.dtype
        empty = {"category": np.int32, "object": object}.get(kind)
        plain = kind if kind.islower() and kind not in ("category", "datetime", "boolean") else None
        data = (
            np.concatenate(self.parts)
            if self.parts
            else np.empty(0, dtype=empty or plain or np.float64)
        )
        self.parts.clear()
        if kind == "category":
            return pd.Categorical.from_codes(
                data, categories=pd.Index([str(c) for c in self.codes])
            )
        if kind == "datetime":
            return pd.to_datetime(pd.Series(data), unit="s", utc=True).array
        if kind in ("Int64", "boolean"):
            missing = np.isnan(data)
            whole = np.where(missing, 0, data)
            if kind == "Int64":
                return pd.arrays.IntegerArray(whole.astype(np.int64), missing)
            return pd.arrays.BooleanArray(whole.astype(bool), missing)
        return pd.Series(data, dtype=object) if kind == "object" else data


class TableBuilder:
    """Collects chosen columns from lines, in chunks, without keeping the lines.

    Args:
        specs: the columns, in order.
        chunk: rows held as Python objects before they become arrays.
    """

    def __init__(self, specs: Mapping[str, Spec], *, chunk: int = 8192) -> None:
        self._fillers = {name: _Filler(spec) for name, spec in specs.items()}
        self._plain = [name for name, spec in specs.items() if spec.take is None and name != "run"]
        self._taken = [(n, s.take) for n, s in specs.items() if s.take is not None]
        self._rows: list[tuple[Any, ...]] = []
        self._chunk = chunk

    def add(self, run: int, line: Mapping[str, Any]) -> None:
        """Add a row from a line."""
        get = line.get
        row = [get(name) for name in self._plain]
        row += [take(line) for _, take in self._taken]
        row.append(run)
        self._rows.append(tuple(row))
        if len(self._rows) >= self._chunk:
            self.flush()

    def extend(
        self, run: int, lines: Iterable[Mapping[str, Any]], *, origin: Path | None = None
    ) -> None:
        """Add a row from each line of a directory; errors name the directory.

        Raises:
            UserError: a line holds a value that does not fit its column.
        """
        try:
            for line in lines:
                self.add(run, line)
            self.flush()
        except UserError as error:
            raise UserError(f"{origin or 'lines'}: {error}") from error

    def flush(self) -> None:
        """Turn the rows added so far into arrays; a value that does not fit a column is raised
        here.
        """
        if not self._rows:
            return
        names = [*self._plain, *(name for name, _ in self._taken), "run"]
        for name, values in zip(names, zip(*self._rows, strict=True), strict=True):
            if name in self._fillers:
                self._fill(name, values)
        self._rows.clear()

    def _fill(self, name: str, values: tuple[Any, ...]) -> None:
        try:
            self._fillers[name].add(values)
        except (TypeError, ValueError, OverflowError) as error:
            raise UserError(
                f"a line holds something that does not fit the column {name!r} "
                f"({self._fillers[name].spec.dtype}): {error}. The directory was written by "
                "something else, or damaged."
            ) from error

    def frame(self) -> pd.DataFrame:
        """Return the table; the builder is empty afterwards."""
        self.flush()
        data = {name: filler.finish() for name, filler in self._fillers.items()}
        return pd.DataFrame(data, copy=False)
