"""The interface of scorers: find the answer in a reply and score it."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from game_reasoning_arena.agents.asking import PENDING, Questions, Verdict
from game_reasoning_arena.agents.parsing import CUT
from game_reasoning_arena.agents.reading.declarations import Written, written_line
from game_reasoning_arena.agents.reading.forms import joined
from game_reasoning_arena.agents.thinking import separate
from game_reasoning_arena.errors import UserError
from game_reasoning_arena.records import EpisodePlan, Outcome, Reply
from game_reasoning_arena.simulation.prompts.columns import Item
from game_reasoning_arena.simulation.prompts.scorers.objects import last_object

#: Places of the answer in a reply, by the value of ``simulation.scorer.read``.
READS = {
    "line": "the last line `Final Answer: X`, as in games",
    "json": 'the last JSON object, its "answer"',
    "whole": "the whole visible text",
    "last_number": "the line; without one what stands behind the last `####`, else the last number",
}


class Unreadable(ValueError):
    """An expected answer that a scorer cannot read; its message gives reason and next step."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A score from 0 to 1, the rule that gave it, and the answer in its plainest form.

    ``readable`` is false where the declared answer is none that the scorer can read.
    """

    score: float
    rule: str
    answer: str | None
    readable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """An answer that is scored after it was recorded.

    ``questions`` asks the judge; None where no model judges. ``question`` is the question's text.
    """

    plan: EpisodePlan
    seat: int
    item: Item
    key: Any
    question: str
    answer: str
    questions: Questions | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """An answer found in a reply, as written, and the forms in which it was found."""

    text: str
    forms: tuple[str, ...]
    rule: str = ""


class Scorer(ABC):
    """Scores replies to the prompts of a run.

    Args:
        read: the place of the answer, see :data:`READS`.

    Attributes:
        needs_answer: whether every row must have an expected answer.
        later: whether the score comes after the reply was recorded (a judge, a coroutine).
    """

    name: ClassVar[str]
    reads: ClassVar[tuple[str, ...]] = ("line", "json", "whole")
    needs_answer: bool = True
    later: bool = False

    def __init__(self, *, read: str = "line") -> None:
        if read not in self.reads:
            raise UserError(
                f"simulation.scorer.read={read}: the scorer {self.name} takes "
                f"{', '.join(self.reads)}."
            )
        self.read = read

    @abstractmethod
    def key(self, item: Item) -> Any:
        """Return the expected answer of a row in the form that :meth:`score` compares with.

        Raises:
            Unreadable: this scorer cannot compare with it.
        """

    @abstractmethod
    def score(self, found: Found, item: Item, key: Any) -> Scored:
        """Return the score of an answer; must not raise."""

    async def rate(self, pending: Pending) -> Scored | None:
        """Return a score that comes later; None where there is none."""
        raise NotImplementedError

    def example(self, item: Item, key: Any) -> str:
        """Return the answer of an example made from this row, in the form that prompts ask for."""
        right = self.shown(item, key) or ""
        if self.read in ("line", "last_number"):
            return f"Final Answer: {right}"
        return json.dumps({"answer": right}, ensure_ascii=False) if self.read == "json" else right

    def shown(self, item: Item, key: Any) -> str | None:
        """Return the expected answer in the form shown to people."""
        expected = item.expected
        return None if expected is None else expected if isinstance(expected, str) else str(key)

    def judge(self, reply: Reply, item: Item, key: Any) -> Verdict:
        """Return the verdict on a reply, with answer and score; a reply without answer scores 0."""
        outcome, found, reasoning, visible = read_reply(reply, self.read)
        if found is None or self.later:
            return Verdict(
                outcome,
                form=joined(*found.forms) if found else None,
                answer=found.text if found else None,
                reasoning=reasoning,
                visible=visible,
                score=None if self.later and found is not None else 0.0,
                scored_as=f"{self.name}:{PENDING if found is not None else outcome.value}",
                answer_text=found.text if found and self.read != "whole" else None,
            )
        scored = self.score(found, item, key)
        rule = ":".join(part for part in (self.name, found.rule, scored.rule) if part)
        return Verdict(
            outcome if scored.readable else Outcome.UNPARSABLE,
            form=joined(*found.forms),
            answer=found.text,
            reasoning=reasoning,
            visible=visible,
            score=scored.score,
            scored_as=rule,
            answer_text=scored.answer,
        )


def read_reply(reply: Reply, how: str) -> tuple[Outcome, Found | None, str | None, str]:
    """Return the outcome of a reply, the answer found, its reasoning, and its visible text.

    A declared answer that the token limit may have cut counts as truncated, as in games. With
    ``whole`` the text is taken as it stands, and only the outcome reports the cut.
    """
    visible, thoughts = separate(reply.text)
    reasoning = reply.reasoning if reply.reasoning is not None else thoughts
    cut = reply.finish_reason in CUT
    if reply.refused:
        return Outcome.REFUSED, None, reasoning, visible
    if not visible.strip():
        return (Outcome.TRUNCATED if cut else Outcome.EMPTY), None, reasoning, visible
    if how == "whole":
        outcome = Outcome.TRUNCATED if cut else Outcome.ANSWERED
        return outcome, Found(visible.strip(), ("whole",)), reasoning, visible
    declared = declared_object(visible) if how == "json" else written_line(visible)
    if declared is None and how == "last_number" and not cut:
        return Outcome.ANSWERED, Found(visible, ("prose",)), reasoning, visible
    if declared is None or (cut and declared.open_end):
        return (Outcome.TRUNCATED if cut else Outcome.UNPARSABLE), None, reasoning, visible
    if reasoning is None:
        reasoning = declared.reasoning
    return Outcome.ANSWERED, Found(declared.text, declared.forms), reasoning, visible


def declared_object(text: str) -> Written | None:
    """Return the ``answer`` of the last JSON object of a text; None where there is none."""
    found = last_object(text)
    if found is None or found.get("answer") in (None, ""):
        return None
    answer, why = found["answer"], found.get("reasoning")
    written = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
    return Written(written.strip(), ("json",), reasoning=why if isinstance(why, str) else None)


def peeled(found: Found) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the answer, then the answer with more and more decoration removed."""
    from game_reasoning_arena.agents.reading import dressing

    if found.forms == ("whole",):
        yield found.text, ()
        return
    for text, forms, _ in dressing.peeled(found.text):
        yield text, forms
