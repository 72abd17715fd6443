"""Token counts as providers report them; what cannot be a count is unknown, never an error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: No call has so many tokens; greater numbers are something else.
_MOST = 10**12


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts; None where the provider did not say."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None


def read_usage(usage: object) -> Usage:
    """Return the counts of a ``usage`` object, whatever stands in its place.

    Thinking counts as completion, which is how it is billed. Some providers report it beside the
    completion instead (xAI): that is so where the total is the sum of all three.
    """
    if not isinstance(usage, dict):
        return Usage()
    prompt_details = _mapping(usage.get("prompt_tokens_details"))
    completion_details = _mapping(usage.get("completion_tokens_details"))
    prompt = count(usage.get("prompt_tokens"))
    completion = count(usage.get("completion_tokens"))
    reasoning = _first(completion_details.get("reasoning_tokens"), usage.get("reasoning_tokens"))
    total = count(usage.get("total_tokens"))
    if (
        None not in (prompt, completion, total)
        and reasoning
        and total == (prompt or 0) + (completion or 0) + reasoning
    ):
        completion = (completion or 0) + reasoning
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        reasoning_tokens=reasoning,
        cached_tokens=_first(
            prompt_details.get("cached_tokens"),
            usage.get("prompt_cache_hit_tokens"),  # DeepSeek
            usage.get("cached_tokens"),  # Moonshot
        ),
    )


def count(value: object) -> int | None:
    """Return a JSON number as a count; None for anything that cannot be one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # A comparison with NaN is false, so that it is no count either.
    if not 0 <= value <= _MOST or value != int(value):
        return None
    return int(value)


def _first(*values: object) -> int | None:
    return next((known for value in values if (known := count(value)) is not None), None)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
