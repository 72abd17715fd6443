"""From lines and files of a run directory to records, checked by type.

Lines are read as dicts whose fields have the types of their record's (:func:`line_decoder`);
missing fields are null to readers, so that older runs stay readable. Resuming a run makes records
of the lines (:func:`episode_of`, :func:`response_of`), which is strict.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Required,
    TypedDict,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import msgspec
from msgspec import Struct

from game_reasoning_arena.errors import ContextOverflowError, DamagedRecordError
from game_reasoning_arena.process.files import read_file
from game_reasoning_arena.recording import layout
from game_reasoning_arena.recording.judgements import DecisionRecord, LuckRecord
from game_reasoning_arena.records import (
    CallKey,
    EpisodeRecord,
    Message,
    Outcome,
    Reply,
    ResponseRecord,
    Status,
)

_R = TypeVar("_R", bound=Struct)
_T = TypeVar("_T")

#: The records whose lines a file holds.
_RECORDS: dict[str, type[Struct]] = {
    layout.EPISODES: EpisodeRecord,
    layout.RESPONSES: ResponseRecord,
    layout.DECISIONS: DecisionRecord,
    layout.LUCK: LuckRecord,
}

#: Fields that every line must have.
_NEEDED: dict[type[Struct], frozenset[str]] = {
    EpisodeRecord: frozenset({"episode", "seats", "status"}),
    ResponseRecord: frozenset({"episode", "seat", "player"}),
}


@functools.cache
def line_decoder(name: str) -> Callable[[bytes], dict[str, Any]]:
    """Return what makes a dict of a line of the file with this name.

    It raises :class:`msgspec.MsgspecError` for a line that is damaged, also where the fields of an
    episode contradict each other.
    """
    record = _RECORDS.get(name)
    kind = dict[str, Any] if record is None else _line_type(record)
    decode: Callable[[bytes], dict[str, Any]] = msgspec.json.Decoder(kind).decode
    return decode if name != layout.EPISODES else functools.partial(_checked_episode, decode)


def _line_type(record: type[Struct], within: tuple[type[Struct], ...] = ()) -> Any:
    """Return the TypedDict of a record's line: lists for tuples, texts for enumerations."""
    hints = get_type_hints(record, include_extras=True)
    fields: dict[str, Any] = {}
    for field in msgspec.structs.fields(record):
        if record in within and _mentions(hints[field.name], record):
            continue  # one level of a recursive type
        plain = _plain(hints[field.name], (*within, record))
        needed = field.name in _NEEDED[record] if record in _NEEDED else field.required
        if needed:
            fields[field.name] = Required[plain]
        else:
            fields[field.name] = Union[plain, None]  # noqa: UP007 (made at run time)
    return TypedDict(f"{record.__name__}Line", fields, total=False)  # type: ignore[operator]


def _mentions(hint: Any, record: type[Struct]) -> bool:
    return hint is record or any(_mentions(part, record) for part in get_args(hint))


def _plain(hint: Any, within: tuple[type[Struct], ...]) -> Any:
    """Return the form in which a field of this type is read from JSON."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return hint
    if origin in (Union, UnionType):
        return Union[tuple(_plain(part, within) for part in parts)]  # noqa: UP007
    if origin is tuple:
        return list[_plain(parts[0], within)]  # type: ignore[misc]
    if hint is Message:
        return dict[str, str]
    if isinstance(hint, type) and issubclass(hint, Struct):
        return _line_type(hint, within)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return str
    return hint if hint in (int, float, str, bool, NoneType, Any) else dict[str, Any]


def problem_of(error: Exception) -> str:
    """Return the problem with a line or a value in a few words: the field, what it must be."""
    if not isinstance(error, msgspec.ValidationError):
        return "it is no JSON"
    what, _, place = str(error).replace("`", "").partition(" - at ")
    what = what[:1].lower() + what[1:]
    field = place.removeprefix("key in ").removeprefix("$").lstrip(".")
    return f"{field}: {what}" if field else what


def _record_of(line: Mapping[str, Any], record: type[_R]) -> _R:
    filled = dict(_absent(record))
    filled.update((name, value) for name, value in line.items() if value is not None)
    try:
        return msgspec.convert(filled, record)
    except (msgspec.ValidationError, OverflowError) as error:
        raise DamagedRecordError(problem_of(error)) from error


@functools.cache
def _absent(record: type[Struct]) -> dict[str, Any]:
    """Return what a line of an older version lacks, by field."""
    hints = get_type_hints(record, include_extras=True)
    needed = _NEEDED[record]
    return {n: _nothing(hints[n]) for n in record.__struct_fields__ if n not in needed}


def _nothing(kind: Any) -> Any:
    """Return what stands for an unknown value of a type: null where that is possible."""
    origin = get_origin(kind)
    if origin is Annotated:
        return _nothing(get_args(kind)[0])
    if origin in (Union, UnionType):
        return None
    return {int: 0, float: 0.0, str: "", bool: False, tuple: ()}.get(origin or kind, {})


def read_record(path: Path, kind: type[_T]) -> _T:
    """Return the content of a JSON file, checked by type.

    Raises:
        FileNotFoundError: there is none.
        DamagedRecordError: it cannot be read, or a key is of another type.
    """
    try:
        return msgspec.json.decode(read_file(path), type=kind)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DamagedRecordError(f"{path} cannot be read: {error.strerror or error}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DamagedRecordError(f"{path} is damaged: {problem_of(error)}") from error


def record_or_none(path: Path, kind: type[_T]) -> _T | None:
    """Return the content of a JSON file, checked by type, or None if it cannot be read (yet)."""
    try:
        return read_record(path, kind)
    except (OSError, DamagedRecordError):
        return None


def key_of(line: Mapping[str, Any]) -> CallKey:
    """Return which question a line of ``responses.jsonl`` answers."""
    return CallKey(
        episode=line["episode"],
        seat=line["seat"],
        turn=line.get("turn") or 0,
        attempt=line.get("attempt") or 0,
        sample=line.get("sample") or 0,
    )


def reply_of(line: Mapping[str, Any]) -> Reply:
    """Return the reply that a line of ``responses.jsonl`` records.

    Raises:
        ContextOverflowError: the prompt did not fit, and there was none.
    """
    if line.get("outcome") == Outcome.CONTEXT_OVERFLOW:
        raise _overflow_of(line)
    return Reply(
        text=line.get("text") or "",
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
        from_cache=line.get("from_cache") or False,
        details=line.get("details") or {},
    )


def _overflow_of(line: Mapping[str, Any]) -> ContextOverflowError:
    error_fields = line.get("error") or {}
    error = ContextOverflowError(
        str(error_fields.get("message") or ""), status=error_fields.get("status")
    )
    error.retries = line.get("retries") or 0
    error.sent = line.get("sent") or {}
    error.timing = {
        name: line.get(name) for name in ("started_at", "latency_s", "queue_s", "client_s")
    }
    return error


def episode_of(line: Mapping[str, Any]) -> EpisodeRecord:
    """Return a line of ``episodes.jsonl`` as a record.

    Raises:
        DamagedRecordError: a field is of another type.
    """
    return _record_of(line, EpisodeRecord)


def response_of(line: Mapping[str, Any]) -> ResponseRecord:
    """Return a line of ``responses.jsonl`` as a record.

    Raises:
        DamagedRecordError: a field is of another type.
    """
    return _record_of(line, ResponseRecord)


def _checked_episode(decode: Callable[[bytes], dict[str, Any]], line: bytes) -> dict[str, Any]:
    found = decode(line)
    if problem := _contradiction(found):
        raise msgspec.ValidationError(problem)
    return found


#: Fields of an episode that hold one value per seat.
_BY_SEAT = ("returns", "scores", "answers", "labels")


def _contradiction(episode: Mapping[str, Any]) -> str | None:
    """Return how the fields of an episode's line contradict each other, or None."""
    seats, forfeit = episode["seats"], episode.get("forfeit")
    for name in _BY_SEAT:
        values = episode.get(name)
        if values is not None and len(values) != len(seats):
            return f"{name}: {len(values)} values for {len(seats)} seats"
    if any(move["seat"] >= len(seats) for move in episode.get("moves") or ()):
        return f"moves: a seat beyond the {len(seats)} of the episode"
    if (episode["status"] == Status.FORFEIT) != (forfeit is not None):
        return f"forfeit: {'somebody' if forfeit else 'nobody'}, in an episode {episode['status']}"
    failed = () if forfeit is None else (forfeit, *(forfeit.get("also") or ()))
    if not all(one["seat"] < len(seats) and seats[one["seat"]] == one["player"] for one in failed):
        return "forfeit: its player does not sit at its seat"
    return _wrong_winner(episode, {one["seat"] for one in failed})


def _wrong_winner(episode: Mapping[str, Any], failed: set[int]) -> str | None:
    winner, seats, returns = episode.get("winner"), episode["seats"], episode.get("returns")
    if winner is None:
        return None
    if winner not in seats:
        return f"winner: {winner!r} sits at no seat"
    if seats.index(winner) in failed:
        return f"winner: {winner!r}, who forfeited"
    if returns is not None and returns[seats.index(winner)] < max(returns):
        return f"winner: {winner!r}, whose return is not the highest"
    return None
