"""Scorers of the user's own: a Python function or class that ``_target_`` names.

``def score(answer: str, expected, row: dict, **settings)`` returns true or false, a number from 0
to 1, or ``{"score": ..., "answer": ...}``. An ``async def`` is awaited after the reply is recorded
and may take its time (tests in a sandbox, a service).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from game_reasoning_arena.agents.asking import Verdict
from game_reasoning_arena.errors import ScorerFailure, UserError
from game_reasoning_arena.process.faults import describe_fault
from game_reasoning_arena.process.targets import import_named
from game_reasoning_arena.records import Reply
from game_reasoning_arena.simulation.prompts.columns import Item
from game_reasoning_arena.simulation.prompts.scorers.base import (
    Found,
    Pending,
    Scored,
    Scorer,
)

WHERE = "simulation.scorer._target_"


class Custom(Scorer):
    """Scores by a callable.

    Args:
        call: takes the answer, the expected answer as in the file, and the row.
        target: its dotted name, for records and errors.
        read: the place of the answer.
        needs_answer: whether every row must have an expected answer.
    """

    name: ClassVar[str] = "callable"
    reads: ClassVar[tuple[str, ...]] = ("line", "json", "whole", "last_number")

    def __init__(
        self,
        call: Callable[..., Any],
        *,
        target: str,
        read: str = "whole",
        needs_answer: bool = False,
    ) -> None:
        super().__init__(read=read)
        self.needs_answer = needs_answer
        self.later = inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(
            getattr(call, "__call__", None)  # noqa: B004 (its own coroutine, if it has one)
        )
        self._call = call
        self._target = target

    def key(self, item: Item) -> Any:
        return item.expected

    def shown(self, item: Item, key: Any) -> str | None:
        return None if key is None else str(key)

    def judge(self, reply: Reply, item: Item, key: Any) -> Verdict:
        return super().judge(reply, item, key)

    def score(self, found: Found, item: Item, key: Any) -> Scored:
        """Return the callable's score.

        Raises:
            ScorerFailure: it failed, or returned no score.
        """
        try:
            returned = self._call(found.text, key, dict(item.row))
        except Exception as error:  # a user's program may raise anything
            raise self._failure(item, error) from error
        return self._scored(returned, item)

    async def rate(self, pending: Pending) -> Scored:
        """Return the coroutine's score.

        Raises:
            ScorerFailure: it failed, or returned no score.
        """
        item = pending.item
        try:
            returned = await self._call(pending.answer, pending.key, dict(item.row))
        except Exception as error:
            raise self._failure(item, error) from error
        return self._scored(returned, item)

    def _scored(self, returned: Any, item: Item) -> Scored:
        answer = None
        if isinstance(returned, Mapping):
            returned, answer = returned.get("score"), returned.get("answer")
        if callable(item_of := getattr(returned, "item", None)):  # numpy's numbers
            returned = item_of()
        if isinstance(returned, bool | int | float) and 0 <= returned <= 1:
            return Scored(float(returned), "", None if answer is None else str(answer)[:500])
        raise ScorerFailure(
            f"{WHERE}={self._target} returned {returned!r:.80} for the prompt {item.name!r}. It "
            'must return true or false, a number from 0 to 1, or {"score": number}.'
        )

    def _failure(self, item: Item, error: Exception) -> ScorerFailure:
        return ScorerFailure(
            f"{WHERE}={self._target} failed for the prompt {item.name!r}: {describe_fault(error)}. "
            "The answers are kept: correct it, then resume the run."
        )


def load_scorer(target: str, settings: Mapping[str, Any]) -> Scorer:
    """Return the scorer of a dotted name; the caller has checked that it is trusted.

    A function is called with the settings by name, a class is constructed with them, and a subclass
    of :class:`Scorer` is used as it is.

    Raises:
        UserError: there is no such name, or it does not take these settings.
    """
    found = import_named(target, where=WHERE)
    if not callable(found):
        raise UserError(f"{WHERE} is {target!r}, which is no function and no class.")
    own = dict(settings)
    try:
        if isinstance(found, type) and issubclass(found, Scorer):
            return found(**own)
        kept = {key: own.pop(key) for key in ("read", "needs_answer") if key in own}
        if isinstance(found, type):
            return Custom(found(**own), target=target, **kept)
        inspect.signature(found).bind("", None, {}, **own)
    except TypeError as error:
        raise UserError(f"{WHERE}={target}: {error}. It takes (answer, expected, row).") from error
    if inspect.iscoroutinefunction(found):

        async def later(answer: str, expected: Any, row: dict[str, Any]) -> Any:
            return await found(answer, expected, row, **own)

        return Custom(later, target=target, **kept)
    return Custom(
        lambda answer, expected, row: found(answer, expected, row, **own), target=target, **kept
    )
