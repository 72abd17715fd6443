"""JSON answers, compared key by key."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from game_reasoning_arena.agents.asking import Verdict
from game_reasoning_arena.records import Outcome, Reply
from game_reasoning_arena.simulation.prompts.columns import Item
from game_reasoning_arena.simulation.prompts.scorers.base import (
    Found,
    Scored,
    Scorer,
    Unreadable,
    read_reply,
)
from game_reasoning_arena.simulation.prompts.scorers.objects import last_object


class JsonKeys(Scorer):
    """Right if the last JSON object of the answer has the expected values under its keys.

    Args:
        keys: the keys to compare; null takes all of the expected object.
        partial: whether the score is the share of equal keys, rather than all or nothing.
        extra: whether other keys are allowed.
    """

    name: ClassVar[str] = "json"
    reads: ClassVar[tuple[str, ...]] = ("line", "whole")

    def __init__(
        self,
        *,
        read: str = "whole",
        keys: Sequence[str] | None = None,
        partial: bool = False,
        extra: bool = True,
    ) -> None:
        super().__init__(read=read)
        self.keys = None if keys is None else list(keys)
        self.partial = partial
        self.extra = extra

    def key(self, item: Item) -> Mapping[str, Any]:
        expected = item.expected
        if isinstance(expected, str):
            try:
                expected = json.loads(expected)
            except (ValueError, RecursionError) as error:
                raise Unreadable(f"is no JSON: {expected!r:.60} ({error})") from error
        if not isinstance(expected, dict) or not expected:
            raise Unreadable(f"is {expected!r:.60}, and no JSON object with keys")
        if missing := [key for key in self.keys or () if key not in expected]:
            raise Unreadable(
                f"has no key {missing[0]!r}, which simulation.scorer.keys names; it has "
                f"{', '.join(expected)}"
            )
        return {key: expected[key] for key in self.keys or expected}

    def shown(self, item: Item, key: Mapping[str, Any]) -> str:
        return json.dumps(key, ensure_ascii=False, sort_keys=True)

    def judge(self, reply: Reply, item: Item, key: Mapping[str, Any]) -> Verdict:
        outcome, found, reasoning, visible = read_reply(reply, self.read)
        value = None if found is None else last_object(found.text)
        if value is None:
            if outcome is Outcome.ANSWERED:
                outcome = Outcome.UNPARSABLE
            return Verdict(
                outcome,
                reasoning=reasoning,
                visible=visible,
                score=0.0,
                scored_as=f"{self.name}:{outcome.value}",
            )
        equal = [
            name for name, wanted in key.items() if name in value and same(value[name], wanted)
        ]
        beyond = value.keys() - key.keys() if not self.extra else ()
        share = len(equal) / len(key)
        score = 0.0 if beyond else share if self.partial else float(share == 1)
        picked = {name: value[name] for name in key if name in value}
        return Verdict(
            Outcome.ANSWERED,
            form="json",
            answer=found.text if found else None,
            reasoning=reasoning,
            visible=visible,
            score=score,
            scored_as=f"{self.name}:{len(equal)}/{len(key)}" + (":extra" if beyond else ""),
            answer_text=json.dumps(picked, ensure_ascii=False, sort_keys=True)[:500],
        )

    def score(self, found: Found, item: Item, key: Any) -> Scored:
        """Raise: replies are judged whole; see :meth:`judge`."""
        raise NotImplementedError


def same(mine: Any, wanted: Any) -> bool:
    """Return whether two JSON values are equal; numbers by value, true is not 1."""
    if isinstance(mine, bool) or isinstance(wanted, bool):
        return mine is wanted
    if isinstance(mine, int | float) and isinstance(wanted, int | float):
        return mine == wanted or math.isclose(mine, wanted, rel_tol=1e-9)
    if isinstance(mine, dict) and isinstance(wanted, dict):
        return mine.keys() == wanted.keys() and all(same(mine[k], wanted[k]) for k in wanted)
    if isinstance(mine, list) and isinstance(wanted, list):
        return len(mine) == len(wanted) and all(map(same, mine, wanted))
    return type(mine) is type(wanted) and bool(mine == wanted)
