"""Scorers of the user's own: a Python function or class that ``_target_`` names.

``def score(answer: str, expected, row: dict, **settings)`` returns true or false, a number from 0
to 1, or ``{"score": ..., "answer": ...}``. An ``async def`` is waited for after the reply is
recorded, so that it may take its time (tests in a sandbox, a service).
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
    """Asks a callable.

    Args:
        call: takes the answer, the expected answer as the file has it, and the row.
        target: its dotted name, for records and errors.
        read: where the answer is looked for.
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
        """Return what the callable says.

        Raises:
            ScorerFailure: it failed, or said no score.
        """
        try:
            said = self._call(found.text, key, dict(item.row))
        except Exception as error:  # a program of the user's may raise anything
            raise self._told(item, error) from error
        return self._scored(said, item)

    async def rate(self, pending: Pending) -> Scored:
        """Return what the coroutine says.

        Raises:
            ScorerFailure: it failed, or said no score.
        """
        item = pending.item
        try:
            said = await self._call(pending.answer, pending.key, dict(item.row))
        except Exception as error:
            raise self._told(item, error) from error
        return self._scored(said, item)

    def _scored(self, said: Any, item: Item) -> Scored:
        answer = None
        if isinstance(said, Mapping):
            said, answer = said.get("score"), said.get("answer")
        if callable(item_of := getattr(said, "item", None)):  # numpy's numbers
            said = item_of()
        if isinstance(said, bool | int | float) and 0 <= said <= 1:
            return Scored(float(said), "", None if answer is None else str(answer)[:500])
        raise ScorerFailure(
            f"{WHERE}={self._target} returned {said!r:.80} for the prompt {item.name!r}. It must "
            'return true or false, a number from 0 to 1, or {"score": number}.'
        )

    def _told(self, item: Item, error: Exception) -> ScorerFailure:
        return ScorerFailure(
            f"{WHERE}={self._target} failed for the prompt {item.name!r}: {describe_fault(error)}. "
            "The answers are kept: mend it, then resume the run."
        )


def load_scorer(target: str, settings: Mapping[str, Any]) -> Scorer:
    """Return the scorer that a dotted name stands for, which the caller knows to be trusted.

    A function is called with the settings by name, a class is made with them, and a subclass of
    :class:`Scorer` is one itself.

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
