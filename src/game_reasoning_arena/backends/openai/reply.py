"""Make a reply from an answer and the times of its request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from game_reasoning_arena.backends.openai.answer import Answer
from game_reasoning_arena.backends.openai.wire import Wire
from game_reasoning_arena.records import Reply


def reply_of(
    answer: Answer,
    wire: Wire,
    *,
    sent: Mapping[str, Any],
    cost_usd: float | None,
    dropped: tuple[str, ...] = (),
) -> Reply:
    """Return the reply for an answer.

    Args:
        answer: the complete answer.
        wire: holds the times of the request.
        sent: the parameters that were sent, without the conversation.
        cost_usd: its cost; None where unknown.
        dropped: names of parameters that were left out.
    """
    ttft_s = None
    if answer.first_at is not None and wire.sent_at is not None:
        ttft_s = max(0.0, answer.first_at - wire.sent_at)
    return Reply(
        text=answer.text,
        reasoning=answer.reasoning,
        finish_reason=answer.finish_reason,
        refused=answer.refused,
        started_at=wire.started_at,
        latency_s=wire.latency_s,
        ttft_s=ttft_s,
        decode_s=answer.decode_s,
        prompt_tokens=answer.usage.prompt_tokens,
        completion_tokens=answer.usage.completion_tokens,
        reasoning_tokens=answer.usage.reasoning_tokens,
        cached_tokens=answer.usage.cached_tokens,
        cost_usd=cost_usd,
        served_model=answer.model,
        sent=sent,
        dropped=dropped,
        details=answer.details,
    )
