"""Build an answer from a message or from its pieces, without trusting any field's type."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from game_reasoning_arena.backends.openai.finish import WORDS, Meaning, meaning_of, worst
from game_reasoning_arena.backends.openai.usage import Usage, read_usage
from game_reasoning_arena.process.text import in_unicode

#: Types of content parts that hold visible text, and those that hold thinking.
_SAID = frozenset({"text", "output_text", "input_text"})
_THOUGHT = frozenset(
    {"thinking", "reasoning", "reasoning_text", "reasoning_content", "summary_text", "thought"}
    | {"redacted_thinking", "reasoning.text", "reasoning.summary", "reasoning.encrypted"}
)
#: Fields of a part that may hold its text, whatever its type.
_TEXTS = ("text", "thinking", "reasoning", "reasoning_content", "content", "value", "summary")

#: The deepest nesting of parts that is read.
_DEEPEST = 8

#: Fields of a message that hold something other than text; their names are recorded.
_OTHER_FIELDS = ("tool_calls", "function_call", "audio", "images")


class Unreadable(ValueError):
    """The response does not follow the protocol; the text names the part."""


class Ended(Exception):
    """The provider reports a failure inside an apparent success.

    Args:
        error: its error object, or the finish reason.
    """

    def __init__(self, error: object) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(slots=True)
class Answer:
    """The part of an answer received so far. Times are monotonic seconds."""

    choices: bool = False
    model: str | None = None
    usage: Usage = field(default_factory=Usage)
    first_at: float | None = None  # first token, thinking included
    last_at: float | None = None
    done: bool = False  # nothing more belongs to it
    _finish: str | None = None
    _native: str | None = None
    _text: list[str] = field(default_factory=list)
    _thoughts: list[str] = field(default_factory=list)
    _refusal: list[str] = field(default_factory=list)
    _others: dict[str, None] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The visible text, thinking in tags included."""
        return in_unicode("".join(self._text))

    @property
    def reasoning(self) -> str | None:
        """The thinking in fields or parts of its own; None if there is none."""
        return in_unicode("".join(self._thoughts)) or None

    @property
    def decode_s(self) -> float | None:
        """Seconds from the first token to the last; None unless the answer was streamed."""
        if self.first_at is None or self.last_at is None:
            return None
        return self.last_at - self.first_at

    @property
    def finished(self) -> bool:
        """Whether its end was announced."""
        return self.done or self._finish is not None

    @property
    def finish_reason(self) -> str | None:
        """The protocol's finish reason; the provider's own word if none fits."""
        meaning = worst(self._finish, self._native)
        if meaning is not None and meaning in WORDS:
            return WORDS[meaning]
        return None if self._finish is None else in_unicode(self._finish)

    @property
    def refused(self) -> bool:
        """Whether the model, or a filter before it, declined to answer."""
        return bool(self._refusal) or worst(self._finish, self._native) is Meaning.REFUSAL

    @property
    def details(self) -> dict[str, Any]:
        """Return further details of the answer for the record."""
        found: dict[str, Any] = {}
        kept = self.finish_reason
        if self._finish != kept or meaning_of(self._native) not in (None, meaning_of(kept)):
            words = filter(None, dict.fromkeys((self._finish, self._native)))
            found["finish_reason"] = " / ".join(map(in_unicode, words))
        if refusal := in_unicode("".join(self._refusal)):
            found["refusal"] = refusal
        if self._others:
            found["parts"] = list(self._others)
        if self.usage.reported_usd is not None:
            found["reported_usd"] = self.usage.reported_usd
        return found

    def add_head(self, body: Mapping[str, Any]) -> None:
        """Read the model's name and the token counts from a body or event."""
        if isinstance(model := body.get("model"), str) and model:
            self.model = in_unicode(model)
        if usage := body.get("usage"):
            counted = read_usage(usage)
            if counted != Usage():
                self.usage = counted

    def add_choice(
        self, choice: Mapping[str, Any], message: object, now: float | None = None
    ) -> None:
        """Add a choice with its message, or with a part of it that came at ``now``.

        Raises:
            Ended: the choice holds an error, or ended with one.
            Unreadable: its message is no message.
        """
        self.choices = True
        if error := choice.get("error"):
            raise Ended(error)
        finish, native = choice.get("finish_reason"), choice.get("native_finish_reason")
        if finish or native:
            self._finish = _word(finish) or self._finish
            self._native = _word(native) or self._native
        if message is not None:
            if not isinstance(message, dict):
                raise Unreadable(f"a message that is {_kind(message)}")
            self.add_message(message, now)
        if (finish or native) and worst(self._finish, self._native) is Meaning.ERROR:
            raise Ended(f"the answer ended with {' / '.join(self._words())}")

    def add_message(self, message: Mapping[str, Any], now: float | None = None) -> None:
        """Add a message, or a part of it that came at ``now``."""
        before = len(self._text), len(self._thoughts)
        self._add_content(message.get("content"), _DEEPEST)
        self._add_reasoning(message)
        if refusal := message.get("refusal"):
            self._add_refusal(refusal)
        for name in _OTHER_FIELDS:
            if message.get(name):
                self._others[name] = None
        if now is not None and before != (len(self._text), len(self._thoughts)):
            self.last_at = now
            if self.first_at is None:
                self.first_at = now

    def _words(self) -> list[str]:
        return [repr(word) for word in dict.fromkeys((self._finish, self._native)) if word]

    def _add_reasoning(self, message: Mapping[str, Any]) -> None:
        for name in ("reasoning_content", "reasoning", "thinking", "reasoning_details"):
            if (value := message.get(name)) and (text := _texts(value, _DEEPEST)):
                self._thoughts.append(text)  # the others repeat it
                return

    def _add_refusal(self, refusal: object) -> None:
        if isinstance(refusal, bool | int | float):
            text = "refused" if refusal is True else ""
        else:
            text = _texts(refusal, _DEEPEST) or json.dumps(refusal, default=str)
        if text:
            self._refusal.append(text)

    def _add_content(self, content: object, depth: int) -> None:
        if content is None or content == "":
            return
        if isinstance(content, str):
            self._text.append(content)
        elif isinstance(content, list) and depth:
            for part in content:
                self._add_content(part, depth - 1)
        elif isinstance(content, dict):
            self._add_part(content, depth)
        else:
            self._others[_kind(content)] = None

    def _add_part(self, part: Mapping[str, Any], depth: int) -> None:
        kind = part.get("type")
        if kind is None and isinstance(part.get("text"), str):
            kind = "text"
        if not isinstance(kind, str) or not kind:
            self._others["object"] = None
        elif kind in _SAID:
            if text := _texts(part.get("text"), depth):
                self._text.append(text)
        elif kind in _THOUGHT:
            if text := _texts(part, depth):
                self._thoughts.append(text)
        elif kind == "refusal":
            self._add_refusal(part.get("refusal"))
        else:
            self._others[in_unicode(kind)] = None


def _texts(value: object, depth: int) -> str:
    """Return all text in a text, a list of parts, or a part."""
    if isinstance(value, str):
        return value
    if depth and isinstance(value, list):
        return "".join(_texts(part, depth - 1) for part in value)
    if depth and isinstance(value, dict):
        return next((text for name in _TEXTS if (text := _texts(value.get(name), depth - 1))), "")
    return ""


def _word(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _kind(value: object) -> str:
    names = {str: "text", list: "list", bool: "boolean", int: "number", float: "number"}
    return "object" if isinstance(value, dict) else names.get(type(value), "null")
