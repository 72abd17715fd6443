"""Read the bytes of a chat completion as an answer or a failure.

One interpretation for the ``direct`` and ``litellm`` backends, streamed and not:

reader = BodyReader()
for piece in pieces:
    reader.feed(piece, time.monotonic())
answer = reader.answer(model)
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import Any

import orjson

from game_reasoning_arena.backends.openai import protocol
from game_reasoning_arena.backends.openai.answer import Answer, Ended, Unreadable
from game_reasoning_arena.backends.openai.sse import Event, EventParser
from game_reasoning_arena.errors import BackendError
from game_reasoning_arena.records import Model

_BOM = b"\xef\xbb\xbf"
#: Beginnings of a stream of events. JSON begins with none of these.
_EVENT_STARTS = (b"data:", b"event:", b"retry:", b"id:", b":")
_LONGEST_START = max(map(len, _EVENT_STARTS))
#: Most values in one JSON text, each of which takes up to 100 bytes of memory. An answer of 64,000
#: tokens with the probabilities of 20 alternatives for each holds fewer.
MOST_VALUES = 6_000_000


class NotJson(ValueError):
    """The bytes are not JSON."""


class BodyReader:
    """Collects the body of a success, a JSON object or a stream of events."""

    def __init__(self) -> None:
        self.collected = Answer()
        self.seen = b""  # its first bytes
        self._start = b""  # until it shows what the body is; white space before it is left out
        self._body = bytearray()
        self._parser: EventParser | None = None
        self._error: Exception | None = None

    @property
    def ended(self) -> bool:
        """Whether the end or an error was announced, so that nothing more is awaited."""
        return self._parser is not None and (self.collected.done or self._error is not None)

    def feed(self, piece: bytes, now: float) -> None:
        """Take bytes that came at ``now`` (monotonic seconds)."""
        if len(self.seen) < protocol.QUOTABLE:
            self.seen += piece[: protocol.QUOTABLE - len(self.seen)]
        if self._parser is not None:
            self._take(self._parser.feed(piece), now)
        elif self._body:
            self._body += piece
        else:
            self._begin(piece, now)

    def answer(self, model: Model) -> Answer:
        """Return the answer after the whole body was read.

        Raises:
            EmptyReplyError: a success without any choice.
            BackendError: an error, or a body outside the protocol; by its type.
        """
        try:
            if self._parser is None:
                self._read_whole(self._body or self._start)
            else:
                self._take(self._parser.close(), None)
                if self._error is not None:
                    raise self._error
        except Ended as ended:
            raise protocol.error_in_body(model, ended.error, status=None) from None
        except NotJson as error:
            raise protocol.not_json(model, error.args[0]) from None
        except Unreadable as error:
            raise protocol.unexpected(model, str(error), self.seen) from None
        if self.collected.choices and not self.collected.finished:
            raise protocol.cut_off(model)
        if not self.collected.choices:
            raise protocol.no_choice(model)
        return self.collected

    def failure(self, model: Model, status: int, headers: Mapping[str, str]) -> BackendError:
        """Return the error for the body of a failure, by its HTTP status and headers."""
        error: object = protocol.beginning(model, self.seen)
        if self._parser is not None:
            self._take(self._parser.close(), None)
            if isinstance(self._error, Ended):
                error = self._error.error
        else:
            with contextlib.suppress(NotJson, Unreadable):
                body = parse(self._body or self._start)
                error = body if error_of(body) is None else error_of(body)
        return protocol.error_in_body(model, error, status=status, headers=headers)

    def _begin(self, piece: bytes, now: float) -> None:
        """Detect a stream of events or JSON by the first bytes, as servers mislabel both."""
        self._start = (self._start + piece).lstrip().removeprefix(_BOM).lstrip()
        if self._start.startswith(_EVENT_STARTS):
            self._parser = EventParser()
            self._take(self._parser.feed(self._start), now)
        elif len(self._start) >= _LONGEST_START:
            self._body += self._start

    def _take(self, events: list[Event], now: float | None) -> None:
        for event in events:
            if self.collected.done or self._error is not None:
                return  # anything after [DONE] is ignored
            try:
                self._take_event(event, now)
            except (Ended, Unreadable, NotJson) as error:
                self._error = error

    def _take_event(self, event: Event, now: float | None) -> None:
        for data in _messages(event):
            if data == b"[DONE]":
                self.collected.done = True
                return
            content = parse(data)
            if event.name == "error":
                raise Ended(error_of(content, certain=True))
            if content is None:
                continue
            if not isinstance(content, dict):
                raise Unreadable("an event that is no object")
            if (error := error_of(content)) is not None:
                raise Ended(error)
            self._add_event(content, now)

    def _add_event(self, event: Mapping[str, Any], now: float | None) -> None:
        collected = self.collected
        collected.add_head(event)
        choice = _first_choice(event.get("choices"))
        if choice is None:
            return
        delta = choice.get("delta")
        collected.add_choice(choice, choice.get("message") if delta is None else delta, now)

    def _read_whole(self, raw: bytes | bytearray) -> None:
        body = parse(raw)
        if isinstance(body, list) and len(body) == 1:
            body = body[0]  # Gemini wraps its errors so
        if not isinstance(body, dict):
            raise Unreadable("an answer that is no object")
        if (error := error_of(body)) is not None:
            raise Ended(error)
        choices = body.get("choices")
        if not isinstance(choices, list):
            raise Unreadable("an answer without choices")
        self.collected.add_head(body)
        choice = _first_choice(choices)
        if choice is not None:
            self.collected.add_choice(choice, choice.get("message"))
            if choice.get("message") is None:
                raise Unreadable("a choice without a message")
            self.collected.done = True


def parse(data: bytes | bytearray) -> Any:
    """Parse JSON text.

    Accepts what servers send and strict parsers refuse: halves of surrogate pairs, bytes that are
    not UTF-8, NaN.

    Raises:
        NotJson: it is no JSON.
        Unreadable: it has too many values.
    """
    if len(data) > MOST_VALUES and sum(map(data.count, (b",", b"{", b"["))) > MOST_VALUES:
        raise Unreadable(f"a body of more than {MOST_VALUES:,} values")
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(data.decode(errors="replace"))
    except (ValueError, RecursionError):
        raise NotJson(data) from None


def error_of(body: object, *, certain: bool = False) -> object | None:
    """Return the error object of a body or event; None if it holds none.

    Args:
        body: the JSON value.
        certain: whether its place makes it an error, such as an event of the type ``error``.
    """
    if not isinstance(body, dict):
        return (body or "an error without a text") if certain else None
    error = body.get("error")
    if error or (certain and "error" in body):
        return error if isinstance(error, Mapping | str | list) else body
    if certain:
        return body
    if isinstance(body.get("choices"), list):
        return None
    message = body.get("message") or body.get("detail") or body.get("msg") or body.get("errors")
    if body.get("object") == "error" or body.get("type") == "error" or message:
        return body
    return None


def _messages(event: Event) -> list[bytes]:
    """Return the JSON texts of an event: one, unless a server omits the blank lines between."""
    lines = [line for line in map(bytes.strip, event.lines) if line]
    if len(lines) < 2:
        return lines
    data = b"\n".join(lines)
    try:
        parse(data)
    except NotJson:
        return lines
    return [data]


def _first_choice(choices: object) -> Mapping[str, Any] | None:
    if not isinstance(choices, list):
        return None
    return next((choice for choice in choices if isinstance(choice, dict)), None)
