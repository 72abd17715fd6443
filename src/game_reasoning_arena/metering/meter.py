"""Wrappers between players and backends: counting, budgets, stopping, recorded answers.

Each has the same ``complete`` as a backend, so that players need not know of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from game_reasoning_arena.errors import (
    BackendError,
    BudgetReached,
    Interrupted,
)
from game_reasoning_arena.metering.budget import Budget, Totals, character_count
from game_reasoning_arena.process.secrets import redacted
from game_reasoning_arena.process.text import in_unicode
from game_reasoning_arena.records import Asker, Reply, Request

#: The text fields of a reply.
_TEXTS = ("text", "reasoning", "finish_reason", "served_model")


class Meter:
    """Counts every call of a run, keeps its budgets, and stops it.

    Args:
        budgets: the run's own, and those it shares.
        redact: applied to answers, so that players see the same text as the record holds.
    """

    def __init__(self, *budgets: Budget, redact: Callable[[str], str] | None = None) -> None:
        self._redact = redact
        self.totals = Totals()
        self.in_flight = 0
        self.stopping: str | None = None
        self.fatal: BackendError | None = None
        self.budget_note: str | None = None
        self._budgets = budgets
        self._answered: set[str] = set()  # endpoints that have answered

    def stop(self, why: str) -> None:
        """Let calls in flight finish, and refuse new ones."""
        self.stopping = self.stopping or why

    def wrap(self, asker: Asker) -> Asker:
        """Return ``asker`` with metering."""
        return _Metered(asker, self)

    async def ask(self, asker: Asker, request: Request) -> Reply:
        """Ask through the meter.

        Raises:
            Interrupted: the run is being stopped.
            BudgetReached: a budget is spent.
            BackendError: there is no answer.
        """
        entered = await self._enter(request)
        first = request.model.endpoint not in self._answered
        self.in_flight += 1
        try:
            reply = await asker.complete(request)
        except BackendError as error:
            self._count_failure(error)
            raise
        finally:
            self.in_flight -= 1
            for budget in entered:
                budget.leave()
        for totals in self._all_totals():
            totals.add(reply, first=first, written=character_count(request.messages))
        self._answered.add(request.model.endpoint)
        return self._without_secrets(reply)

    def _without_secrets(self, reply: Reply) -> Reply:
        """Return a reply that is safe to write, store and show."""
        changed: dict[str, Any] = {}
        for name in _TEXTS:
            text = getattr(reply, name)
            if text and (kept := self._clean(text)) is not text:
                changed[name] = kept
        if reply.details and self._redact is not None:
            changed["details"] = redacted(reply.details, self._redact)
        return replace(reply, **changed) if changed else reply

    async def _enter(self, request: Request) -> list[Budget]:
        """Take a place in each budget, waiting if necessary; return these budgets.

        Raises:
            Interrupted: the run is being stopped.
            BudgetReached: a budget is spent.
        """
        if self.stopping is not None:
            raise Interrupted(self.stopping)
        entered: list[Budget] = []
        try:
            for budget in self._budgets:
                while budget.must_wait(request):
                    await budget.wait_for_call()
                    if self.stopping is not None:
                        raise Interrupted(self.stopping)
                budget.enter()
                entered.append(budget)
        except BaseException as error:
            for budget in entered:
                budget.leave()
            if isinstance(error, BudgetReached):
                self.budget_note = str(error)
            raise
        return entered

    def _count_failure(self, error: BackendError) -> None:
        """Count a call without an answer; stop the run if the next call would fail, too."""
        for totals in self._all_totals():
            totals.failed_calls += 1
            totals.requests += 1 + error.retries
        if error.stops_run and self.fatal is None:
            self.fatal = error
            self.stop(str(error))

    def _all_totals(self) -> list[Totals]:
        return [self.totals, *(budget.totals for budget in self._budgets)]

    def _clean(self, text: str) -> str:
        """Return a text that is safe to write: without secrets, and valid Unicode."""
        if self._redact is not None:
            text = self._redact(text)
        return in_unicode(text)


class _Metered:
    def __init__(self, asker: Asker, meter: Meter) -> None:
        self._asker = asker
        self._meter = meter

    async def complete(self, request: Request) -> Reply:
        return await self._meter.ask(self._asker, request)
