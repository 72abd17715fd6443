"""The choices of a question, from the shapes that benchmark files use."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from game_reasoning_arena.process.text import in_unicode

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Missing(LookupError):
    """A row lacks a column."""


class Choice(Struct, frozen=True):
    """One of the answers to choose from."""

    label: str
    text: str


def choices_of(value: Any, column: str) -> tuple[Choice, ...]:
    """Return choices with their labels, from the shapes that benchmark files use.

    These are a list of texts, a list of objects with ``text`` and ``label``, an object of two such
    lists, or an object from labels to texts; each also as JSON text.

    Raises:
        Missing: the value has another shape, or a choice is left without a letter.
    """
    if value in (None, "", [], {}):
        return ()
    if isinstance(value, str):
        value = from_json(value)
    if isinstance(value, Mapping):
        texts, labels = value.get("text"), value.get("label", value.get("labels"))
        if isinstance(texts, list):
            return _with_labels(texts, labels, column)
        return _with_labels(list(value.values()), [str(key) for key in value], column)
    if not isinstance(value, list):
        raise Missing(
            f"has no list of choices under '{column}', but {value!r:.60}. A CSV cell holds them as "
            'JSON: ["one", "two"]'
        )
    if all(isinstance(one, Mapping) and "text" in one for one in value):
        labels = [one.get("label") for one in value]
        return _with_labels(
            [one["text"] for one in value], None if None in labels else labels, column
        )
    return _with_labels(value, None, column)


def _with_labels(texts: Sequence[Any], labels: Any, column: str) -> tuple[Choice, ...]:
    if labels is None:
        if len(texts) > len(LETTERS):
            raise Missing(
                f"has {len(texts)} choices under '{column}', so that some are left without a "
                f"letter. Give labels: {{'text': [...], 'label': [...]}}"
            )
        labels = list(LETTERS[: len(texts)])
    labels = [str(label).strip() for label in labels] if isinstance(labels, list) else []
    if len(labels) != len(texts) or not all(labels) or len(set(labels)) < len(labels):
        raise Missing(
            f"has {len(texts)} choices under '{column}' and the labels {', '.join(labels) or '-'}: "
            "each choice needs one letter of its own."
        )
    return tuple(
        Choice(label, usable(text if isinstance(text, str) else str(text), column))
        for label, text in zip(labels, texts, strict=True)
    )


def usable(prompt: object, column: str) -> str:
    if not isinstance(prompt, str) or not prompt.strip():
        raise Missing(f'has no text under \'{column}\' (JSONL: {{"prompt": "..."}}).')
    if in_unicode(prompt) != prompt:
        raise Missing(
            f"has half a character under '{column}': of \\ud800 to \\udfff only pairs can be sent."
        )
    return prompt


def from_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
