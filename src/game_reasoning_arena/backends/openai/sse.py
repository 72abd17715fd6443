"""Answers put together: from one JSON object, or from server-sent events as they come."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


class ByteStream(Protocol):
    """Whatever gives bytes in pieces, such as aiohttp's ``response.content``."""

    def iter_any(self) -> AsyncIterator[bytes]:
        """The pieces as they come."""
        ...


async def events(stream: ByteStream) -> AsyncIterator[bytes]:
    """The data of each event; ``[DONE]``, comments and other fields are left out.

    The protocol puts one JSON object on one ``data:`` line, so events are lines here.
    """
    rest = b""
    async for piece in stream.iter_any():
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            if (data := _data(line)) is not None:
                yield data
    if (data := _data(rest)) is not None:
        yield data


def _data(line: bytes) -> bytes | None:
    if not line.startswith(b"data:"):
        return None
    data = line[5:].strip()
    return None if data in (b"", b"[DONE]") else data


@dataclass(slots=True)
class Collected:
    """What of an answer has come so far. Times are monotonic seconds."""

    choices: bool = False
    finish_reason: str | None = None
    refusal: str = ""
    model: str | None = None
    usage: Mapping[str, Any] | None = None
    first_at: float | None = None  # first token, thinking included
    last_at: float | None = None
    _text: list[str] = field(default_factory=list)
    _reasoning: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The answer, ``<think>`` tags included."""
        return "".join(self._text)

    @property
    def reasoning(self) -> str | None:
        """The thinking that came in a field of its own; None if there was none."""
        return "".join(self._reasoning) or None

    @property
    def decode_s(self) -> float | None:
        """Seconds from the first token to the last; None unless the answer was streamed."""
        if self.first_at is None or self.last_at is None:
            return None
        return self.last_at - self.first_at

    @property
    def ended(self) -> bool:
        """Whether the end was announced; an answer without choices has nothing to announce."""
        return self.finish_reason is not None or not self.choices

    def add_answer(self, answer: Mapping[str, Any]) -> bool:
        """A whole answer at once; False if it is not of the protocol."""
        choices = answer.get("choices")
        if not isinstance(choices, list):
            return False
        self.model, self.usage = answer.get("model"), answer.get("usage")
        if choices:
            self.add(choices[0].get("message") or {}, choices[0].get("finish_reason"))
        return True

    def add_event(self, event: Mapping[str, Any], now: float) -> None:
        """One event of a stream, which came at ``now``."""
        self.model = event.get("model") or self.model
        self.usage = event.get("usage") or self.usage
        for choice in (event.get("choices") or [])[:1]:
            self.add(choice.get("delta") or {}, choice.get("finish_reason"), now)

    def add(
        self, said: Mapping[str, Any], finish_reason: str | None, now: float | None = None
    ) -> None:
        """A message, or a part of it that came at ``now``."""
        self.choices = True
        self.finish_reason = finish_reason or self.finish_reason
        self.refusal += said.get("refusal") or ""
        text = _plain(said.get("content"))
        reasoning = said.get("reasoning_content") or said.get("reasoning")
        if text:
            self._text.append(text)
        if isinstance(reasoning, str) and reasoning:
            self._reasoning.append(reasoning)
        if now is not None and (text or reasoning):
            self.last_at = now
            if self.first_at is None:
                self.first_at = now


def _plain(content: object) -> str:
    """Content is a text, or a list of parts of which some are text."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))
    return ""
