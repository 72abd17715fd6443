"""Totals of a run, and its limits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from game_reasoning_arena.backends.limits import CHARS_PER_TOKEN, most_tokens
from game_reasoning_arena.errors import (
    BudgetReached,
)
from game_reasoning_arena.recording.decoding import reply_of
from game_reasoning_arena.records import Outcome, Reply, Request


@dataclass(kw_only=True)
class Totals:
    """The calls, tokens and money that a run has used.

    ``cost_usd`` sums known prices; ``unpriced`` counts the calls without one. ``estimated`` are
    tokens of calls without token counts, by the length of their texts; only a budget counts them.
    """

    calls: int = 0
    requests: int = 0
    failed_calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0
    unpriced: int = 0
    untokened: int = 0
    client_s: float = 0.0
    latency_s: float = 0.0
    distorted: int = 0
    estimated: int = 0

    def add(self, reply: Reply, *, first: bool = False, written: int = 0) -> None:
        """Count an answer; one from the cache has used nothing.

        Args:
            reply: the answer.
            first: whether the call began before any call was answered. Such calls open connections
                and begin together, so they are not counted as distorted.
            written: characters of the prompt, to estimate tokens where none are reported.
        """
        if reply.from_cache:
            return
        self.calls += 1
        self.requests += 1 + reply.retries
        self.prompt_tokens += reply.prompt_tokens or 0
        self.completion_tokens += reply.completion_tokens or 0
        if reply.prompt_tokens is None and reply.completion_tokens is None:
            self.untokened += 1
        if reply.prompt_tokens is None:
            self.estimated += written // CHARS_PER_TOKEN
        if reply.completion_tokens is None:
            characters = len(reply.text) + len(reply.reasoning or "")
            self.estimated += -(-characters // CHARS_PER_TOKEN)
        if reply.cost_usd is None:
            self.unpriced += 1
        else:
            self.cost_usd += reply.cost_usd
        if reply.latency_s and reply.client_s is not None:
            self.client_s += reply.client_s
            self.latency_s += reply.latency_s
            longest = max(DISTORTION * reply.latency_s, DISTORTION_S)
            self.distorted += not first and reply.client_s > longest

    def add_line(self, line: Mapping[str, Any], *, first: bool = False) -> None:
        """Count a line of ``responses.jsonl`` as its call was counted; see :meth:`add`."""
        if line.get("outcome") in (None, Outcome.CONTEXT_OVERFLOW):
            self.failed_calls += 1
            self.requests += 1 + (line.get("retries") or 0)
        else:
            self.add(
                reply_of(line), first=first, written=character_count(line.get("messages") or ())
            )

    def merge(self, other: Totals) -> None:
        """Add another run's totals."""
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))

    @property
    def tokens(self) -> int:
        """Reported prompt and completion tokens, and estimates for calls without counts."""
        return self.prompt_tokens + self.completion_tokens + self.estimated

    def as_dict(self) -> dict[str, Any]:
        """Return the totals for ``run.json``; a cost is null as soon as one call's is unknown.

        Failed calls report no cost; if no call was answered, the cost is unknown.
        """
        nothing_known = self.calls == 0 and self.failed_calls > 0
        tokens_known = self.untokened == 0 and not nothing_known
        return {
            "calls": self.calls,
            "requests": self.requests,
            "failed_calls": self.failed_calls,
            "prompt_tokens": self.prompt_tokens if tokens_known else None,
            "completion_tokens": self.completion_tokens if tokens_known else None,
            "cost_usd": self.cost_usd if self.unpriced == 0 and not nothing_known else None,
            "known_cost_usd": self.cost_usd,
            "calls_without_price": self.unpriced,
            "calls_without_token_counts": self.untokened,
            "calls_distorted_by_client": self.distorted,
            **({"estimated_tokens": self.estimated} if self.estimated else {}),
        }


def character_count(messages: Iterable[Mapping[str, Any]]) -> int:
    """Return the number of characters of messages."""
    return sum(len(message.get("content") or "") for message in messages)


#: A call is distorted if the client added more than this share of the provider's time, and more
#: than these seconds.
DISTORTION = 0.25


DISTORTION_S = 0.02


#: After so many answers their mean estimates the next call's use; before, its upper limit does.
MEAN_FROM = 8


@dataclass(kw_only=True)
class Budget:
    """Limits of a run or, when shared, of a sweep; None is no limit.

    Tokens and money are known only when an answer is there. So that concurrent calls do not pass a
    limit together, a call waits while those in flight may use up what is left; a single call may
    pass the limit by its own size.
    """

    usd: float | None = None
    tokens: int | None = None
    calls: int | None = None
    totals: Totals = field(default_factory=Totals)
    in_flight: int = 0
    name: str = "budget"
    _waiting: list[asyncio.Future[None]] = field(default_factory=list, repr=False)

    def enter(self) -> None:
        """Take a place for one call.

        Raises:
            BudgetReached: no place is left.
        """
        spent = self.totals
        if self.calls is not None and spent.calls + spent.failed_calls + self.in_flight >= (
            self.calls
        ):
            raise BudgetReached(f"{self.name}.calls={self.calls} is used up")
        if self.tokens is not None and spent.tokens >= self.tokens:
            raise BudgetReached(f"{self.name}.tokens={self.tokens} is used up")
        if self.usd is not None and spent.cost_usd >= self.usd:
            raise BudgetReached(f"{self.name}.usd={self.usd} is used up")
        self.in_flight += 1

    def leave(self) -> None:
        """Give the place back."""
        self.in_flight -= 1
        waiting, self._waiting = self._waiting, []
        for turn in waiting:
            if not turn.done():
                turn.set_result(None)

    def must_wait(self, request: Request) -> bool:
        """Return whether this call should wait for one of those in flight."""
        if self.in_flight == 0 or (self.tokens is None and self.usd is None):
            return False
        spent, calls = self.totals, self.in_flight + 1
        known = spent.calls >= MEAN_FROM
        if self.tokens is not None:
            each = spent.tokens / spent.calls if known else sum(most_tokens(request))
            if spent.tokens + calls * each > self.tokens:
                return True
        if self.usd is not None:
            price = spent.cost_usd / spent.calls if known else _highest_price(request)
            return spent.cost_usd + calls * price > self.usd
        return False

    async def wait_for_call(self) -> None:
        """Wait until a call in flight is done."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        await turn


def _highest_price(request: Request) -> float:
    """Return USD that a request is not likely to exceed; 0 where the price is not known."""
    from game_reasoning_arena.backends.openai.usage import Usage
    from game_reasoning_arena.backends.prices import cost_usd

    model = request.model
    prompt, completion = most_tokens(request)
    usage = Usage(prompt_tokens=prompt, completion_tokens=completion)
    return cost_usd(model, usage) or 0.0
