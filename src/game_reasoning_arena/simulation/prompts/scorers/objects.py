"""Find JSON objects in the text of a model."""

from __future__ import annotations

import json
import re
from typing import Any

_LANGUAGE = re.compile(r"[A-Za-z+#]{0,20}[ \t]{0,8}\n")

#: The most opening braces to try, from the last one on; each try is linear in the text.
_TRIES = 64


def fenced(text: str) -> list[str]:
    """Return the contents of code fences, without the name of a language."""
    blocks = text.split("```")[1::2]
    return [
        _LANGUAGE.sub("", block, count=1) if _LANGUAGE.match(block) else block for block in blocks
    ]


def last_object(text: str) -> dict[str, Any] | None:
    """Return the last outermost JSON object of a text, alone, in a fence, or amid prose.

    Returns:
        None if there is none.
    """
    for candidate in (text, *reversed(fenced(text)[-8:])):
        if isinstance(value := _parsed(candidate.strip()), dict):
            return value
    decoder = json.JSONDecoder()
    start, end, best = text.rfind("}") + 1, 0, None
    for _ in range(_TRIES):
        start = text.rfind("{", 0, start)
        if start < 0:
            break
        try:
            value, stop = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        if stop > end:  # it encloses the one found before, or is the first
            best, end = value, stop
    return best


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
