"""What stands between the players and the backends: counting, budget, stopping, recalling.

Each is a wrapper with the same ``complete`` as a backend, so that players cannot tell.
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
from game_reasoning_arena.metering.budget import Budget, Totals, written_in
from game_reasoning_arena.process.secrets import redacted
from game_reasoning_arena.process.text import in_unicode
from game_reasoning_arena.records import Asker, Reply, Request

#: The texts of a reply.
_TEXTS = ("text", "reasoning", "finish_reason", "served_model")


class Meter:
    """Counts every call of a run, keeps its budgets, and stops it.

    Args:
        budgets: the run's own, and those it shares.
        redact: applied to answers, so that what players see of them is what is on disk.
    """

    def __init__(self, *budgets: Budget, redact: Callable[[str], str] | None = None) -> None:
        self._redact = redact
        self.totals = Totals()
        self.in_flight = 0
        self.stopping: str | None = None
        self.fatal: BackendError | None = None
        self.budget_note: str | None = None
        self._budgets = budgets
        self._heard: set[str] = set()  # endpoints that have answered

    def stop(self, why: str) -> None:
        """Let what is in flight finish, and nothing new begin."""
        self.stopping = self.stopping or why

    def over(self, asker: Asker) -> Asker:
        """``asker``, metered."""
        return _Metered(asker, self)

    async def ask(self, asker: Asker, request: Request) -> Reply:
        """Ask under the meter.

        Raises:
            Interrupted: the run is being stopped.
            BudgetReached: a budget is spent.
            BackendError: no answer could be had.
        """
        entered = await self._enter(request)
        first = request.model.endpoint not in self._heard
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
            totals.add(reply, first=first, written=written_in(request.messages))
        self._heard.add(request.model.endpoint)
        return self._without_secrets(reply)

    def _without_secrets(self, reply: Reply) -> Reply:
        """Return a reply as it can be written, stored and shown."""
        changed: dict[str, Any] = {}
        for name in _TEXTS:
            text = getattr(reply, name)
            if text and (kept := self._kept(text)) is not text:
                changed[name] = kept
        if reply.details and self._redact is not None:
            changed["details"] = redacted(reply.details, self._redact)
        return replace(reply, **changed) if changed else reply

    async def _enter(self, request: Request) -> list[Budget]:
        """Return the budgets in which the call has taken a place, once there is one in each.

        Raises:
            Interrupted: the run is being stopped.
            BudgetReached: a budget is spent.
        """
        if self.stopping is not None:
            raise Interrupted(self.stopping)
        entered: list[Budget] = []
        try:
            for budget in self._budgets:
                while budget.crowded(request):
                    await budget.turn()
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
        """Count a call that got no answer; stop the run where the next one would get none too."""
        for totals in self._all_totals():
            totals.failed_calls += 1
            totals.requests += 1 + error.retries
        if error.stops_run and self.fatal is None:
            self.fatal = error
            self.stop(str(error))

    def _all_totals(self) -> list[Totals]:
        return [self.totals, *(budget.totals for budget in self._budgets)]

    def _kept(self, text: str) -> str:
        """A text as it can be written: without secrets, and in Unicode."""
        if self._redact is not None:
            text = self._redact(text)
        return in_unicode(text)


class _Metered:
    def __init__(self, asker: Asker, meter: Meter) -> None:
        self._asker = asker
        self._meter = meter

    async def complete(self, request: Request) -> Reply:
        return await self._meter.ask(self._asker, request)
