"""Records from the lines of ``responses.jsonl`` and ``episodes.jsonl``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from game_reasoning_arena.errors import (
    ContextOverflowError,
)
from game_reasoning_arena.records import (
    CallKey,
    EpisodeRecord,
    Forfeit,
    Move,
    Outcome,
    Reply,
    ResponseRecord,
    Status,
)


def key_of(line: Mapping[str, Any]) -> CallKey:
    """Which question a line of ``responses.jsonl`` answers."""
    return CallKey(
        episode=line["episode"],
        seat=line["seat"],
        turn=line["turn"],
        attempt=line["attempt"],
        sample=line.get("sample") or 0,
    )


def reply_of(line: Mapping[str, Any]) -> Reply:
    """The reply that a line of ``responses.jsonl`` records.

    Raises:
        ContextOverflowError: the prompt did not fit, and there was none.
    """
    if line.get("outcome") == Outcome.CONTEXT_OVERFLOW:
        raise _overflow_of(line)
    return Reply(
        text=line["text"] or "",
        reasoning=line.get("reasoning"),
        finish_reason=line.get("finish_reason"),
        refused=line.get("outcome") == "refused",
        started_at=line.get("started_at"),
        latency_s=line.get("latency_s"),
        ttft_s=line.get("ttft_s"),
        decode_s=line.get("decode_s"),
        queue_s=line.get("queue_s"),
        client_s=line.get("client_s"),
        retries=line.get("retries") or 0,
        prompt_tokens=line.get("prompt_tokens"),
        completion_tokens=line.get("completion_tokens"),
        reasoning_tokens=line.get("reasoning_tokens"),
        cached_tokens=line.get("cached_tokens"),
        cost_usd=line.get("cost_usd"),
        served_model=line.get("served_model"),
        sent=line.get("sent") or {},
        dropped=tuple(line.get("dropped") or ()),
        from_cache=line.get("from_cache", False),
        details=line.get("details") or {},
    )


def _overflow_of(line: Mapping[str, Any]) -> ContextOverflowError:
    told = line.get("error") or {}
    error = ContextOverflowError(told.get("message") or "", status=told.get("status"))
    error.retries = line.get("retries") or 0
    error.sent = line.get("sent") or {}
    error.timing = {
        name: line.get(name) for name in ("started_at", "latency_s", "queue_s", "client_s")
    }
    return error


def episode_of(line: Mapping[str, Any]) -> EpisodeRecord:
    """A line of ``episodes.jsonl`` as a record."""
    values: dict[str, Any] = {name: line.get(name) for name in EpisodeRecord.__struct_fields__}
    values["status"] = Status(line["status"])
    values["seats"] = tuple(line["seats"])
    values["returns"] = None if line["returns"] is None else tuple(line["returns"])
    values["moves"] = tuple(Move(**move) for move in line["moves"])
    if line["forfeit"] is not None:
        values["forfeit"] = _forfeit_of(line["forfeit"])
    return EpisodeRecord(**values)


def _forfeit_of(line: Mapping[str, Any]) -> Forfeit:
    also = tuple(_forfeit_of(other) for other in line.get("also", ()))
    return Forfeit(**{**line, "cause": Outcome(line["cause"]), "also": also})


def response_of(line: Mapping[str, Any]) -> ResponseRecord:
    """A line of ``responses.jsonl`` as a record."""
    values: dict[str, Any] = {name: line.get(name) for name in ResponseRecord.__struct_fields__}
    values["outcome"] = None if line["outcome"] is None else Outcome(line["outcome"])
    values["retries"] = line.get("retries") or 0
    return ResponseRecord(**values)
