"""Token counts and costs as providers report them; what can be neither is unknown, no error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: Greater numbers are no token counts.
_MOST = 10**12

#: No call costs so many USD; greater numbers are another currency, or something else.
_MOST_USD = 10**5


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts; None where the provider reports none."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None
    reported_usd: float | None = None  # the charge that the provider reports


def read_usage(usage: object) -> Usage:
    """Return the counts of a ``usage`` object, which may be of any type.

    Thinking counts as completion, as it is billed. Some providers (xAI) report it beside the
    completion instead; this is detected by a total that is the sum of all three.
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
        reported_usd=_reported_usd(usage),
    )


def count(value: object) -> int | None:
    """Return a JSON number as a count; None for anything that cannot be one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # A comparison with NaN is false, so that it is no count either.
    if not 0 <= value <= _MOST or value != int(value):
        return None
    return int(value)


def _reported_usd(usage: Mapping[str, Any]) -> float | None:
    """USD of a call by its provider: a number (OpenRouter) or an object with a total (Perplexity).

    With a key of one's own, OpenRouter charges only its fee and reports the maker's bill beside it.
    """
    cost = usage.get("cost")
    charged = _amount(cost.get("total_cost") if isinstance(cost, dict) else cost)
    if charged is None or usage.get("is_byok") is not True:
        return charged
    upstream = _amount(_mapping(usage.get("cost_details")).get("upstream_inference_cost"))
    return None if upstream is None else charged + upstream


def _amount(value: object) -> float | None:
    """A JSON number as USD; None for anything that cannot be a price."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= _MOST_USD else None  # of NaN neither is true


def _first(*values: object) -> int | None:
    return next((known for value in values if (known := count(value)) is not None), None)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
