"""Limits per endpoint: concurrent requests, rates per minute, and how they adapt to overload.

No library fits: ``aiolimiter`` cannot give back what a request reserved and did not use (tokens),
lets a full minute's worth through at once, and knows nothing of concurrency that adapts.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from dataclasses import dataclass

from game_reasoning_arena.process.open_files import connections_possible
from game_reasoning_arena.records import DEFAULT_MAX_TOKENS, Provider, Reply, Request

#: Share of a minute's allowance that may be sent in one burst.
BURST = 0.05

#: Failures in a row, without a success between, after which the whole endpoint waits.
BURST_OF_429 = 3

#: Initial concurrency of a lane that watches the client.
SLOW_START = 32.0

#: Number of answers over which a lane sums up the client's own time.
WINDOW = 16

#: Seconds that a client may always add: one call's own work, on a slow machine.
CLIENT_FLOOR_S = 0.03

#: Characters per token for estimates of a prompt's size; corrected by the billed tokens.
CHARS_PER_TOKEN = 4

#: The most bytes of a body, decompressed, in an honest answer: a million tokens, each an event of
#: its own.
MOST_BYTES = 256 << 20


class Pace:
    """A rate per minute as a bucket that may go into debt, which the next requests wait off.

    In any 60 seconds at most ``per_minute`` (one more at the very edge) is let through. Pure
    arithmetic on the clock that the caller reads, so that it can be tested without one.

    Args:
        per_minute: allowance per 60 seconds; a burst is at least 1 of it.
    """

    def __init__(self, per_minute: float) -> None:
        if per_minute <= 0:
            raise ValueError(f"a limit per minute must be more than 0, not {per_minute}")
        self.capacity = max(1.0, BURST * per_minute)
        # The burst is taken from the rate, so that a burst and what follows fit the minute.
        self.rate = (per_minute - self.capacity + 1.0) / 60.0  # per second
        self._level = self.capacity
        self._at: float | None = None

    def reserve(self, amount: float, now: float) -> float:
        """Take ``amount`` at time ``now`` (s); returns the seconds to wait before going ahead."""
        if self._at is not None:
            gained = max(0.0, now - self._at) * self.rate
            self._level = min(self.capacity, self._level + gained)
        self._at = now
        self._level -= amount
        return max(0.0, -self._level / self.rate)

    def give_back(self, amount: float) -> None:
        """Return unused tokens of a reservation; a negative amount takes more."""
        self._level = min(self.capacity, self._level + amount)


@dataclass(slots=True)
class Permit:
    """A permit to send one request."""

    began: float  # monotonic seconds
    tokens: float  # reserved of the tokens per minute


class Lane:
    """The queue of one endpoint: adaptive concurrency, rates per minute, first come first served.

    Concurrency follows additive increase and multiplicative decrease (Chiu and Jain, 1989): a 429
    halves it, at most once per round of requests, and every answer raises it by a fraction, so that
    a full round of answers raises it by one. After several 429s in a row the whole lane also waits
    as long as the provider asked.

    With ``client_share`` the lane also asks no more than this process can carry: when the client
    added more than this share to the provider's time over the last ``WINDOW`` answers, a quarter
    fewer are asked for. Such a lane starts at ``SLOW_START`` and gains a place with every answer
    until that first happens (slow start; Jacobson, 1988). Where ``processes`` share that work, it
    starts so many times higher and finds its way back so many times faster.
    """

    def __init__(
        self,
        provider: Provider | None,
        max_concurrency: int | None,
        client_share: float | None = None,
        *,
        processes: int = 1,
    ) -> None:
        own = provider.max_concurrency if provider else None
        most = own if own is not None else max_concurrency
        if most is not None and most < 1:
            raise ValueError(f"max_concurrency must be 1 or more, not {most}")
        possible = float(connections_possible())  # more would fail in the middle of the run
        self.most = possible if most is None else min(float(most), possible)
        self.allowed = self.most if client_share is None else min(self.most, SLOW_START * processes)
        self._starting = client_share is not None
        self._client_share = client_share
        # Sums over the window. The first calls pay for imports and connections and do not count.
        self._seen, self._client_s, self._latency_s = -2 * WINDOW * processes, 0.0, 0.0
        # A watched lane recovers faster: only this process pays if it asks for too much.
        self._step = 1.0 if client_share is None else 4.0 * processes
        self.in_flight = 0
        self._peak = 0  # most in flight since the last reduction
        self.paused_until = 0.0
        self._streak = 0
        self._reduced_at = 0.0
        self._waiting: deque[asyncio.Future[None]] = deque()
        rpm = provider.requests_per_minute if provider else None
        tpm = provider.tokens_per_minute if provider else None
        self._requests = Pace(rpm) if rpm else None
        self._tokens = Pace(tpm) if tpm else None

    async def enter(self, request: Request) -> Permit:
        """Wait for a turn; requests that wait here hold no permit."""
        now = time.monotonic()
        tokens = sum(most_tokens(request)) if self._tokens else 0.0
        delay = max(
            self.paused_until - now,
            self._requests.reserve(1.0, now) if self._requests else 0.0,
            self._tokens.reserve(tokens, now) if self._tokens else 0.0,
        )
        try:
            while delay > 0:
                await asyncio.sleep(delay)
                delay = self.paused_until - time.monotonic()
            if self.in_flight < self.allowed and not self._waiting:
                self.in_flight += 1
            else:
                await self._stand_in_line()
        except asyncio.CancelledError:
            self._forget(tokens)
            raise
        self._peak = max(self._peak, self.in_flight)
        return Permit(began=time.monotonic(), tokens=tokens)

    def leave(self, permit: Permit, reply: Reply | None) -> None:
        """Return the permit, with the answer if there is one."""
        self.in_flight -= 1
        if reply is not None:
            self._streak = 0
            if self._overloaded(permit, reply):
                self._reduce(permit, 0.75)
            elif self.allowed < self.most:
                gain = 1.0 if self._starting else self._step / self.allowed
                self.allowed = min(self.most, self.allowed + gain)
            used = (reply.prompt_tokens, reply.completion_tokens)
            if self._tokens and None not in used:
                self._tokens.give_back(permit.tokens - sum(n or 0 for n in used))
        self._wake()

    def throttled(self, permit: Permit, retry_after: float | None) -> None:
        """Reduce concurrency after "too many requests", once per round."""
        self._streak += 1
        if self._tokens:
            self._tokens.give_back(permit.tokens)  # a refused request is not billed
        self._reduce(permit, 0.5)
        if retry_after is not None and self._streak >= BURST_OF_429:
            self.paused_until = max(self.paused_until, time.monotonic() + retry_after)

    def _reduce(self, permit: Permit, factor: float) -> None:
        if permit.began >= self._reduced_at:  # not if it was sent before the last reduction
            self._reduced_at = time.monotonic()
            self._starting = False
            # Reduce from the number in flight, not from an allowance that was never used.
            self.allowed = max(1.0, min(self.allowed, float(self._peak)) * factor)
            self._peak = self.in_flight

    def _overloaded(self, permit: Permit, reply: Reply) -> bool:
        """Return whether a window of answers is full, and this process added too much to them."""
        if self._client_share is None or permit.began < self._reduced_at:
            return False
        if reply.client_s is None or reply.latency_s is None:
            return False
        self._seen += 1
        if self._seen <= 0:
            return False
        self._client_s += reply.client_s
        self._latency_s += reply.latency_s
        if self._seen < WINDOW:
            return False
        floor = CLIENT_FLOOR_S * self._seen
        too_much = self._client_s > max(floor, self._client_share * self._latency_s)
        self._seen, self._client_s, self._latency_s = 0, 0.0, 0.0
        return too_much

    async def _stand_in_line(self) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # the permit came at the same moment
                self.in_flight -= 1
                self._wake()
            else:
                with contextlib.suppress(ValueError):  # already removed when it was woken
                    self._waiting.remove(turn)
            raise

    def _wake(self) -> None:
        while self._waiting and self.in_flight < self.allowed:
            turn = self._waiting.popleft()
            if not turn.done():
                self.in_flight += 1
                turn.set_result(None)

    def _forget(self, tokens: float) -> None:
        if self._requests:
            self._requests.give_back(1.0)
        if self._tokens:
            self._tokens.give_back(tokens)


def most_tokens(request: Request) -> tuple[int, int]:
    """Return the prompt and completion tokens that a request is not likely to exceed."""
    written = sum(len(message["content"]) for message in request.messages)
    return written // CHARS_PER_TOKEN, request.sampling.max_tokens or DEFAULT_MAX_TOKENS
