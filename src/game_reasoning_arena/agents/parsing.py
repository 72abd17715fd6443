"""Read a reply to a turn by its declared answer alone.

The declared forms are ``line`` (a line ``Final Answer: X``) and ``json`` (an object with
``action``). The last declaration counts; a blank one takes back earlier ones. Prose without a
declaration is never searched for a move. ``reading.forms`` lists the deviations that are forgiven;
they are recorded as ``parse_form``, for example ``line+emphasis+full_stop``.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from game_reasoning_arena.agents.asking import Verdict
from game_reasoning_arena.agents.naming import Names
from game_reasoning_arena.agents.reading.declarations import Declared, declared_line
from game_reasoning_arena.agents.reading.forms import joined
from game_reasoning_arena.agents.reading.heads import read_answer
from game_reasoning_arena.agents.reading.json_objects import declared_object
from game_reasoning_arena.agents.reading.remarks import Meaning
from game_reasoning_arena.agents.thinking import separate
from game_reasoning_arena.records import Outcome, Reply

AnswerForm = Literal["line", "json"]

#: Finish reasons of answers that the token limit cut.
CUT = frozenset({"length", "max_tokens"})

_OUTCOMES = {
    Meaning.ONE: Outcome.LEGAL,
    Meaning.SEVERAL: Outcome.UNPARSABLE,
    Meaning.UNCLEAR: Outcome.UNPARSABLE,
    Meaning.ILLEGAL: Outcome.ILLEGAL,
    Meaning.NOTHING: Outcome.UNPARSABLE,
}


def declared_json(text: str, names: Names) -> Declared | None:
    """Return the last declared object's answer; None if there is none, or it is blank."""
    found = declared_object(text)
    if found is None or not found.text:
        return None
    reading = read_answer(found.text, names)
    return Declared(found.text, reading, found.forms, reasoning=found.reasoning)


def judge(reply: Reply, form: AnswerForm, names: Names) -> Verdict:
    """Return the verdict on a reply to a turn with these legal actions.

    A reply cut by the token limit counts as truncated if it has no declared answer, began another
    one, or stops inside one that could continue to name another legal action.
    """
    visible, thoughts = separate(reply.text)
    reasoning = reply.reasoning if reply.reasoning is not None else thoughts
    cut = reply.finish_reason in CUT
    if reply.refused:
        return Verdict(Outcome.REFUSED, reasoning=reasoning, visible=visible)
    if not visible.strip():
        outcome = Outcome.TRUNCATED if cut else Outcome.EMPTY
        return Verdict(outcome, reasoning=reasoning, visible=visible)
    declared = declared_json(visible, names) if form == "json" else declared_line(visible, names)
    if declared is None:
        outcome = Outcome.TRUNCATED if cut else Outcome.UNPARSABLE
        return Verdict(outcome, reasoning=reasoning, visible=visible)
    if reasoning is None:
        reasoning = declared.reasoning
    return _verdict(declared, names, cut=cut, reasoning=reasoning, visible=visible)


def _verdict(
    declared: Declared, names: Names, *, cut: bool, reasoning: str | None, visible: str
) -> Verdict:
    reading = declared.reading
    actions, written = reading.actions, joined(*declared.forms, *reading.forms)
    if cut and declared.open_end and not _is_complete(declared, names):
        return Verdict(
            Outcome.TRUNCATED,
            form=written,
            answer=declared.text,
            reasoning=reasoning,
            visible=visible,
        )
    outcome = _OUTCOMES[reading.meaning]
    legal = outcome is Outcome.LEGAL
    return Verdict(
        outcome,
        action=actions[0] if legal else None,
        action_text=names.label(actions[0]) if legal else declared.text,
        form=written,
        answer=declared.text,
        fits=() if legal else tuple(names.label(action) for action in actions),
        reasoning=reasoning,
        visible=visible,
    )


def _is_complete(declared: Declared, names: Names) -> bool:
    """Return whether a cut answer names one action and cannot continue to name another."""
    reading = declared.reading
    if reading.meaning is not Meaning.ONE or "remark" in reading.forms:
        return False
    return not _begun(declared.text, reading.actions, names)


def _begun(answer: str, actions: Collection[int], names: Names) -> bool:
    """Return whether an answer is the beginning of another action's name."""
    start = answer.casefold()
    return any(
        action not in actions and label.casefold().startswith(start)
        for action, label in zip(names.actions, names.labels, strict=True)
    )
