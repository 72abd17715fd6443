"""The cost of a call: as its provider reports it, else its tokens at known prices.

Prices are the model's own entry's, else those of the table that comes with LiteLLM, which is not
imported for it; both in USD. An unknown price is None, never 0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from game_reasoning_arena.backends.openai.usage import Usage
from game_reasoning_arena.backends.price_table import entry_of
from game_reasoning_arena.backends.price_table import table as table
from game_reasoning_arena.records import PRICES, Model

_ABOVE = re.compile(r"input_cost_per_token_above_(\d+)k_tokens$")


def prices_of(model: Model) -> Mapping[str, Any] | None:
    """Return USD per token by the table's names; None if unknown."""
    if model.prices:
        return {PRICES[name]: price / 1e6 for name, price in model.prices.items()}
    return None if model.provider is None else entry_of(model.provider.name, model.model_id)


def known_to_think(model: Model) -> bool:
    """Return whether LiteLLM's table lists a model as one that thinks before it answers."""
    if model.provider is None:
        return False
    entry = entry_of(model.provider.name, model.model_id)
    return entry is not None and entry.get("supports_reasoning") is True


def cost_usd(model: Model, usage: Usage) -> float | None:
    """Return the USD of one call; None where none is reported and a price or count is not known."""
    if usage.reported_usd is not None:
        return usage.reported_usd
    entry = prices_of(model)
    prompt, completion = usage.prompt_tokens, usage.completion_tokens
    if entry is None or prompt is None or completion is None:
        return None
    tier = _tier(entry, prompt)
    paid_in = entry.get("input_cost_per_token" + tier, entry.get("input_cost_per_token"))
    paid_out = entry.get("output_cost_per_token" + tier, entry.get("output_cost_per_token"))
    if paid_in is None or paid_out is None:
        return None
    cached = min(usage.cached_tokens or 0, prompt)
    paid_cached = entry.get("cache_read_input_token_cost" + tier)
    if paid_cached is None:
        paid_cached = entry.get("cache_read_input_token_cost", paid_in)
    reasoning = min(usage.reasoning_tokens or 0, completion)
    paid_reasoning = entry.get("output_cost_per_reasoning_token", paid_out)
    return float(
        (prompt - cached) * paid_in
        + cached * paid_cached
        + (completion - reasoning) * paid_out
        + reasoning * paid_reasoning
    )


def _tier(entry: Mapping[str, Any], prompt_tokens: int) -> str:
    """Return the suffix of the prices for a prompt of this length."""
    limits = [int(found[1]) for name in entry if (found := _ABOVE.match(name))]
    passed = [limit for limit in limits if prompt_tokens > limit * 1000]
    return f"_above_{max(passed)}k_tokens" if passed else ""
