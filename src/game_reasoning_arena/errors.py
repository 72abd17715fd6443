"""The types of all errors.

ArenaError
├── UserError               the user's input; exit code 2, printed without a traceback
│   ├── ConfigProblems      several of them at once
│   └── DamagedRecordError  a run directory holds something that its program never writes
├── BudgetReached           a budget is spent; exit code 3, what is finished is kept
├── Interrupted             the run is being stopped; unfinished episodes are left to resume
├── PlayerFailure           a player failed and on_failure.policy is raise
├── ScorerFailure           a scorer of the user's own failed; the answers are kept
├── ReplayMiss              a replayed run was asked for an answer that it does not hold
├── CacheError              the response cache cannot be read; no answer is paid for twice
├── RunStorageError         the run directory cannot be written (disk full, removed, read-only)
├── Fault                   an unexpected exception ended a run
└── BackendError            there is no answer: an outage, never a bad move
    ├── AuthError           401, 403, a missing key            fatal: stops the run
    ├── BadRequestError     400, 422, refused parameters   fatal for this call
    │   └── NotFoundError   404: no such model or address  fatal: stops the run
    ├── ContextOverflowError  the prompt does not fit the model
    ├── QuotaError          the account is empty               fatal: stops the run
    ├── RateLimitedError    429                                retried
    ├── TimeoutExceededError  the deadline of the call passed  retried
    ├── TransientError      5xx, dropped or refused connection retried
    ├── EmptyReplyError     a success without any choice       retried
    └── EngineDeadError     the local engine died              fatal: stops the run

All of them survive pickling, so they cross process borders.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar


class ArenaError(Exception):
    """Base of all errors raised on purpose."""

    exit_code: ClassVar[int] = 1


class UserError(ArenaError):
    """The user's input is wrong: its message gives the value, what is possible, the next step."""

    exit_code: ClassVar[int] = 2


class ConfigProblems(UserError):
    """All problems of a configuration at once.

    Args:
        problems: one complete sentence or short paragraph each, most basic first.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(self.problems)


def problems_of(error: UserError) -> Sequence[str]:
    """Return the problems of a user's error, one sentence or paragraph each."""
    return error.problems if isinstance(error, ConfigProblems) else (str(error),)


class DamagedRecordError(UserError):
    """A line or a file of a run directory is not what this program writes; names the field."""


class BudgetReached(ArenaError):
    """The budget of a run or sweep is spent."""

    exit_code: ClassVar[int] = 3


class Interrupted(ArenaError):
    """The run is being stopped: no new question may be asked."""

    exit_code: ClassVar[int] = 130


class PlayerFailure(ArenaError):
    """A player gave no legal move and ``on_failure.policy`` is ``raise``."""


class ScorerFailure(ArenaError):
    """A user's scorer raised an exception, or returned no score."""


class ReplayMiss(ArenaError):
    """A recorded run holds no answer to this request."""


class CacheError(ArenaError):
    """The response cache cannot be read; its answers must not be paid for again."""


class RunStorageError(ArenaError):
    """The run directory cannot be written any more."""


class Fault(ArenaError):
    """An unexpected exception in our code or the user's."""


class BackendError(ArenaError):
    """There is no answer.

    Args:
        message: what happened, already free of secrets.
        status: HTTP status, if one was received.
        retry_after: seconds that the provider asked to wait, if it did.
    """

    kind: ClassVar[str] = "transient"
    retryable: ClassVar[bool] = False
    stops_run: ClassVar[bool] = False

    def __init__(
        self, message: str, *, status: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.retry_after = retry_after
        self.retries = 0  # set by the retry layer: requests sent before the last one
        self.timing: dict[str, Any] = {}  # started_at, latency_s, queue_s, client_s of the last try
        self.sent: dict[str, Any] = {}  # what the last try sent, without the conversation

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.message,), self.__dict__)


class AuthError(BackendError):
    """The key is missing, wrong, or not allowed to do this."""

    kind = "auth"
    stops_run = True


class QuotaError(BackendError):
    """The account has nothing left to spend."""

    kind = "quota"
    stops_run = True


class BadRequestError(BackendError):
    """The provider refuses this request, and would again."""

    kind = "bad_request"


class NotFoundError(BadRequestError):
    """There is no such model, or nothing at this address: every call would fail."""

    kind = "not_found"
    stops_run = True


class ContextOverflowError(BackendError):
    """The prompt is longer than the model's context."""

    kind = "context_overflow"


class RateLimitedError(BackendError):
    """Too many requests."""

    kind = "rate_limited"
    retryable = True


class TimeoutExceededError(BackendError):
    """The call's deadline passed."""

    kind = "timeout"
    retryable = True


class TransientError(BackendError):
    """The provider or the network failed in a way that may pass."""

    kind = "transient"
    retryable = True


class EmptyReplyError(BackendError):
    """A success without any choice in it."""

    kind = "empty"
    retryable = True


class EngineDeadError(BackendError):
    """The local inference engine is gone."""

    kind = "engine_dead"
    stops_run = True


def near(value: str, options: Iterable[str], *, n: int = 3) -> list[str]:
    """Return options similar to ``value``, best first, without regard to case.

    Options with ``value`` after their last slash come before those that are only similar.
    """
    by_lower = {option.lower(): option for option in options}
    tails = [by_lower[o] for o in by_lower if "/" in o and o.rpartition("/")[2] == value.lower()]
    if tails:
        return sorted(tails)[:n]
    return [
        by_lower[m] for m in difflib.get_close_matches(value.lower(), by_lower, n=n, cutoff=0.6)
    ]


def did_you_mean(close: Sequence[str]) -> str:
    """Return a question about near matches, and a space; nothing without any."""
    return f"Did you mean {' or '.join(map(repr, close))}? " if close else ""


def choose_from(value: str, options: Iterable[str], *, limit: int = 12) -> str:
    """Return the end of an error about an unknown name: a near match if any, then the options."""
    listed = sorted(options)
    shown = ", ".join(listed[:limit]) + (
        f", ... ({len(listed)} in all)" if len(listed) > limit else ""
    )
    hint = did_you_mean(near(value, listed))
    return f"{hint}Possible: {shown}." if listed else hint.strip()
