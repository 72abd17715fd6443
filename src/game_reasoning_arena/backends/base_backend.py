"""The one interface that agents use: a request goes in, a reply or a BackendError comes out.

Authors of a backend implement :meth:`BaseLLMBackend.generate`, one try without any policy. Users
call :meth:`BaseLLMBackend.complete`, which adds the same policy for all: limits per endpoint, one
retry layer, the deadline, timing.
"""

from __future__ import annotations

import asyncio
import logging
import random
import reprlib
import time
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from inspect import isawaitable
from pathlib import Path
from typing import Any, Self

from msgspec.structs import replace

from game_reasoning_arena.agents.thinking import joined, separate
from game_reasoning_arena.backends.limits import MOST_BYTES, Lane
from game_reasoning_arena.errors import BackendError, Fault, RateLimitedError, TimeoutExceededError
from game_reasoning_arena.records import Model, Reply, Request

log = logging.getLogger(__name__)

#: The status with which some providers report overload, where others use 429.
_OVERLOADED = 529

#: Waits of at least so many seconds are logged.
LONG_WAIT_S = 10.0

#: Fields of a reply that users' own backends most often fill wrongly; None is allowed, too.
_OF_A_REPLY: tuple[tuple[str, type | tuple[type, ...]], ...] = (
    *((name, str) for name in ("text", "reasoning", "finish_reason")),
    *((name, int) for name in ("prompt_tokens", "completion_tokens")),
    *((name, (int, float)) for name in ("latency_s", "cost_usd")),
)


class BaseLLMBackend(ABC):
    """Access to models. Used as an async context manager, on one event loop only.

    Args:
        timeout_s: seconds that one try may take, from the permit to the last byte.
        deadline_s: seconds that one request may take with all its tries and the waits between
            them. Waiting for our own limits does not count, as it is no sign of an outage.
        max_retries: tries after the first; only temporary errors are tried again.
        backoff_s: upper end of the first random wait between tries; it doubles with every try.
        backoff_max_s: the longest such wait. A longer Retry-After of the provider is obeyed.
        max_concurrency: requests in flight at once per endpoint, None for no limit. A provider's
            own ``max_concurrency`` takes precedence.
        client_share: keep fewer in flight while this process adds more than this share to the
            provider's time (0.5: half of it), so that times stay the provider's; None turns
            this off.
        most_bytes: the most bytes of one answer's body, decompressed; a longer one fails the
            call.
    """

    #: Number of processes that share the client's work on calls; their capacity grows with it.
    processes: int = 1

    #: Answer forms (line, json) in which ``Request.constraint`` is enforced; in others
    #: ``constrain_to_legal`` is refused.
    constrains: frozenset[str] = frozenset()

    #: Whether thinking is to be separated from the text of replies; False if that was done before.
    separates_thinking: bool = True

    #: Installed packages whose versions its answers depend on.
    packages: Sequence[str] = ()

    #: Whether calls cost nothing.
    free: bool = False

    #: A sentence on how far equal requests get equal answers; None if there is nothing to report.
    repeats: str | None = "seeds are sent where taken; providers do not promise repeats."

    #: Advice for a process that is too busy with this backend's calls.
    quicker: str | None = None

    def __init__(
        self,
        *,
        timeout_s: float = 120.0,
        deadline_s: float = 600.0,
        max_retries: int = 5,
        backoff_s: float = 1.0,
        backoff_max_s: float = 60.0,
        max_concurrency: int | None = 64,
        client_share: float | None = None,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        for name, value in {"timeout_s": timeout_s, "deadline_s": deadline_s}.items():
            if value <= 0:
                raise ValueError(f"{name} must be more than 0 seconds, not {value}")
        if most_bytes < 1:
            raise ValueError(f"most_bytes must be 1 or more, not {most_bytes}")
        if max_retries < 0:
            raise ValueError(f"max_retries must be 0 or more, not {max_retries}")
        if max_concurrency is not None and max_concurrency < 1:
            raise ValueError(f"max_concurrency must be 1 or more, not {max_concurrency}")
        self.timeout_s = timeout_s
        self.deadline_s = deadline_s
        self.max_retries = max_retries
        self.backoff_s = backoff_s
        self.backoff_max_s = backoff_max_s
        self.max_concurrency = max_concurrency
        self.client_share = client_share
        self.most_bytes = most_bytes
        self._lanes: dict[str, Lane] = {}
        self._logged: set[tuple[str, str]] = set()
        # By endpoint, the end of waits already logged and the name of the awaited provider.
        self._announced: dict[str, tuple[float, str]] = {}
        # Only the length of waits comes from here, nothing that a result depends on.
        self._jitter = random.Random()

    @abstractmethod
    async def generate(self, request: Request) -> Reply:
        """Answer one request, once; raise a BackendError if there is no answer.

        Set ``started_at`` and ``latency_s`` if the backend measures better than its caller when the
        request was on the wire. A BackendError may carry both in ``timing``, and in ``sent`` the
        parameters that were sent.
        """

    async def complete(self, request: Request) -> Reply:
        """Answer under limits, deadline and retries.

        Raises:
            BackendError: of the last try; ``retries`` and ``timing`` describe the tries before.
            Fault: ``generate`` returned no reply.
        """
        lane = self._lane(request.model)
        retries = 0
        queue_s = 0.0  # all waiting on this side
        spent_s = 0.0  # time that counts towards the deadline
        while True:
            asked = time.monotonic()
            permit = await lane.enter(request)
            began, began_at = time.monotonic(), time.time()
            queue_s += began - asked
            limit_s = min(self.timeout_s, self.deadline_s - spent_s)
            used: Reply | None = None
            try:
                async with asyncio.timeout(limit_s) as timer:
                    answer = self.generate(request)
                    if not isawaitable(answer):
                        raise self._broken(
                            f"gave {type(answer).__name__} at once; write it as `async def "
                            "generate(self, request)`, and work that blocks as `await "
                            "asyncio.to_thread(...)` in it"
                        )
                    reply = self._kept_to_contract(await answer)
                if self.separates_thinking:
                    reply = _separated(reply)
                used = self._timed(reply, began, began_at, queue_s, retries)
                return used
            except TimeoutError as error:
                if not timer.expired():
                    raise  # raised by the backend itself, not by our timeout
                failure: BackendError = TimeoutExceededError(
                    f"{request.model.name}: no complete answer within {limit_s:g} s."
                )
                failure.__cause__ = error
                failure.sent = self.outgoing(request)
            except BackendError as error:
                failure = error
            finally:
                lane.leave(permit, used)
            took = time.monotonic() - began
            spent_s += took
            self._note(failure, took, began_at, queue_s, retries)
            if isinstance(failure, RateLimitedError) or failure.status == _OVERLOADED:
                asked_s = failure.retry_after
                lane.throttled(permit, asked_s and min(asked_s, self.deadline_s))
            if not failure.retryable or retries >= self.max_retries:
                raise failure
            pause = self._pause(retries, failure.retry_after)
            if spent_s + pause >= self.deadline_s:
                raise self._too_long(failure)
            self._log_retry(request.model, failure)
            self._log_wait(request.model, failure, pause)
            await asyncio.sleep(pause)
            retries += 1
            queue_s += pause
            spent_s += pause

    def _too_long(self, failure: BackendError) -> BackendError:
        """Return a failure that explains why it is not retried, if the provider asked for a long
        wait.
        """
        if failure.retry_after is not None:
            failure.message += (
                f" It asks to wait {failure.retry_after:.0f} s, which is more than is left of the "
                f"{self.deadline_s:g} s that one request may take (deadline_s)."
            )
            failure.args = (failure.message,)
        return failure

    def outgoing(self, request: Request) -> dict[str, Any]:
        """Return what a request sends, without the conversation, if that is known beforehand."""
        return {}

    def check(self, models: Sequence[Model]) -> list[str]:
        """Return the problems with these models that can be known before anything starts."""
        return []

    def notes(self, models: Sequence[Model]) -> list[str]:
        """Return notes for readers of the records on how these models are served."""
        return []

    def choices(self, models: Sequence[Model]) -> Mapping[str, Mapping[str, Any]]:
        """Return the choices that engines of this process made for these models.

        By model name, then by choice; known once the backend has started. Empty for models that are
        served elsewhere.
        """
        return {}

    def recording(self, model: Model) -> Path | None:
        """Return the run directory whose answers the model gives; None for a real model."""
        return None

    def keys_of(self, models: Sequence[Model]) -> Collection[str] | None:
        """Return the variables of the keys that serving these models needs; None if any may be."""
        return {name for model in models if model.provider for name in model.provider.variables}

    def loads(self, models: Sequence[Model]) -> Mapping[str, Any]:
        """Return what serving these models needs in this process, by keys equal if it is shared.

        The values are the backend's own, for :meth:`no_room_for`.
        """
        return {}

    @classmethod
    def no_room_for(cls, loads: Mapping[str, Any]) -> list[str]:
        """Return why these loads (from backends of this class) do not fit side by side; else
        nothing.

        Jobs of a sweep that do not fit together are played one after the other.
        """
        return []

    def loading(self, models: Sequence[Model]) -> str | None:
        """Return what :meth:`start` will do if it takes long, for the waiting user; else None."""
        return None

    async def start(self, models: Sequence[Model]) -> None:
        """Prepare to serve ``models`` (load engines, open sessions). Called once before use."""

    async def aclose(self) -> None:
        """Free all resources. Called once, also after failures."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *what: object) -> None:
        await self.aclose()

    def _log_retry(self, model: Model, failure: BackendError) -> None:
        """Log a retry once per kind of failure; minutes may pass until all tries are used up."""
        failure_key = (model.endpoint, failure.kind)
        if failure_key not in self._logged:
            self._logged.add(failure_key)
            log.warning(
                "%s Trying again, up to %d times (each kind of failure is logged once).",
                failure,
                self.max_retries,
            )

    def _log_wait(self, model: Model, failure: BackendError, pause: float) -> None:
        """Log a long wait, once for all calls that wait together."""
        if pause < LONG_WAIT_S:
            return
        until = time.monotonic() + pause
        logged_until, _ = self._announced.get(model.endpoint, (0.0, ""))
        if until > logged_until + LONG_WAIT_S / 2:
            waiting = model.provider.name if model.provider else model.name
            self._announced[model.endpoint] = (until, waiting)
            reason = "as it asks" if failure.retry_after is not None else "after several failures"
            log.warning("Waiting %.0f s for %s, %s.", pause, waiting, reason)

    def waits(self) -> dict[str, float]:
        """Return the seconds left of the long waits in progress, by provider or model."""
        now = time.monotonic()
        return {name: until - now for until, name in self._announced.values() if until > now}

    def _kept_to_contract(self, reply: object) -> Reply:
        if not isinstance(reply, Reply):
            raise self._broken(
                f"gave {type(reply).__name__}, but must return a "
                "game_reasoning_arena.records.Reply: Reply(text=...)"
            )
        for name, kind in _OF_A_REPLY:
            value = getattr(reply, name)
            if not (isinstance(value, kind) or (value is None and name != "text")):
                wanted = "a text ('' where a model says nothing)" if kind is str else "a number"
                raise self._broken(
                    f"gave a Reply whose {name} is {reprlib.repr(value)}; it must be {wanted}"
                )
        return reply

    def _broken(self, how: str) -> Fault:
        return Fault(f"{type(self).__name__}.generate {how}.")

    def _lane(self, model: Model) -> Lane:
        endpoint = model.endpoint
        lane = self._lanes.get(endpoint)
        if lane is None:
            lane = self._lanes[endpoint] = Lane(
                model.provider, self.max_concurrency, self.client_share, processes=self.processes
            )
        return lane

    def _pause(self, retries: int, retry_after: float | None) -> float:
        """Return the seconds to wait: "full jitter" (M. Brooker, AWS Architecture Blog, 2015)."""
        longest = min(self.backoff_max_s, self.backoff_s * 2.0 ** min(retries, 60))
        jitter = self._jitter.uniform(0.0, longest)
        # Some jitter on top of Retry-After keeps the waiting calls from returning all at once.
        return jitter if retry_after is None else retry_after + min(jitter, 0.1 * retry_after)

    @staticmethod
    def _timed(reply: Reply, began: float, began_at: float, queue_s: float, retries: int) -> Reply:
        took = time.monotonic() - began
        latency_s = reply.latency_s
        queue_s += reply.queue_s or 0.0
        client_s = reply.client_s
        if latency_s is None:
            latency_s = took  # the backend does not measure the wire
        elif client_s is None:
            client_s = max(0.0, took - latency_s - (reply.queue_s or 0.0))
        return replace(
            reply,
            latency_s=latency_s,
            client_s=client_s,
            queue_s=queue_s,
            started_at=began_at if reply.started_at is None else reply.started_at,
            retries=retries,
        )

    @staticmethod
    def _note(
        failure: BackendError, took: float, began_at: float, queue_s: float, retries: int
    ) -> None:
        failure.retries = retries
        known = failure.timing
        latency_s = known.get("latency_s", took)
        failure.timing = {
            "started_at": known.get("started_at", began_at),
            "latency_s": latency_s,
            "queue_s": queue_s,
            "client_s": max(0.0, took - latency_s) if "latency_s" in known else None,
        }


def _separated(reply: Reply) -> Reply:
    """Return a reply with the visible text in ``text`` and all thinking in ``reasoning``."""
    text, thinking = separate(reply.text)
    if thinking is None:
        return reply if text == reply.text else replace(reply, text=text)
    return replace(reply, text=text, reasoning=joined(reply.reasoning, thinking))
