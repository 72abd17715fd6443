"""Sentences about the result of an assessment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from game_reasoning_arena.assessment.assess import Assessed
from game_reasoning_arena.recording.judgement_totals import totals_by_player


def sentences(assessed: Assessed) -> Iterator[str]:
    """Yield sentences about the assessment of a run and about its players' decisions."""
    facts = assessed.facts
    counts = facts.get("counts", {})
    before = assessed.episodes - assessed.judged
    earlier = f" ({before} of them before)" if before else ""
    yield (
        f"{assessed.directory}: {counts.get('decisions', 0)} decisions in {assessed.episodes} "
        f"episodes{earlier}, by {_evaluator(facts)}"
    )
    for player, totals in totals_by_player(assessed.directory).items():
        yield f"  {player}: {totals}"
    for note in facts.get("notes", ()):
        yield f"  note: {note}"


def _evaluator(facts: Any) -> str:
    evaluator = facts.get("evaluator", {})
    parts = [str(evaluator.get("method", facts.get("by")))]
    for key in ("engine", "nodes", "simulations", "exploitability"):
        if evaluator.get(key):
            value = evaluator[key]
            parts.append(f"{key} {value:.1e}" if isinstance(value, float) else f"{key} {value}")
    return ", ".join(parts)
