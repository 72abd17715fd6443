"""The records of an assessment: measured decisions, and results without luck."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from game_reasoning_arena.records import Index, Place, Whole


class ChessJudgement(Struct, frozen=True, kw_only=True):
    """An engine's judgement of a chess move, from the mover's side.

    Centipawns are before and after the move (a mate counts as 1,000), win chances and the move's
    accuracy are percentages by Lichess's published formulas; ``judgement`` is inaccuracy, mistake,
    blunder or None.
    """

    cp_before: Whole
    cp_after: Whole
    win_before: float
    win_after: float
    accuracy: float
    judgement: str | None


class DecisionRecord(Struct, frozen=True, kw_only=True):
    """One line of ``decisions.jsonl``: one decision of a seat, measured against the best one.

    Values and regret are in units of the game's returns, from the mover's side. ``by`` is player,
    substitute or forfeit. A substitute's move is nobody's decision: ``regret``, ``optimal`` and
    ``response_regret`` are None. ``action`` is None where the player forfeited. ``legal`` counts
    the legal moves, ``best`` lists those that cannot be told apart from the best, ``best_text``
    names them. ``response_regret`` is the regret against the best response to the opponents as
    they are; None where how they play is not known.
    """

    run_id: str
    episode: Index
    seed: Whole
    seat: Place
    player: str
    turn: Index
    action: Whole | None
    action_text: str | None
    by: str
    legal: Index
    best: tuple[Whole, ...]
    best_text: tuple[str, ...]
    value_played: float
    value_best: float
    regret: float | None
    optimal: bool | None
    exact: bool
    evaluator: str
    response_regret: float | None = None
    chess: ChessJudgement | None = None


class LuckRecord(Struct, frozen=True, kw_only=True):
    """One line of ``luck.jsonl``: one seat's result in an episode, without luck.

    ``returns = adjusted_return + chance_luck + opponent_luck + hidden_luck``, where what is not
    known counts as 0. A forfeit's ``returns`` are those that the assessment counts for it.
    ``reference_value`` is what the game is worth to the seat at its beginning, None where that is
    not known. ``method`` is ``known_opponent``, ``chance`` or ``none``.
    """

    run_id: str
    episode: Index
    seed: Whole
    seat: Place
    player: str
    returns: float | None
    adjusted_return: float | None
    chance_luck: float | None
    opponent_luck: float | None
    hidden_luck: float | None
    reference_value: float | None
    method: str
    forfeit: bool = False


#: The keys of ``assessment.json`` and their types.
_FACTS: Mapping[str, Any] = {
    **dict.fromkeys(("run_id", "by", "python", "identity", "status"), str),
    **dict.fromkeys(("settings", "evaluator"), dict[str, Any]),
    **dict.fromkeys(("known_policies", "versions"), dict[str, str]),
    **dict.fromkeys(("assessed_at", "duration_s"), float),
    **dict.fromkeys(("episodes", "counts"), dict[str, Index]),
    "format_version": int,
    "exact": bool,
    "notes": list[str],
}


def checked_facts(content: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return what an ``assessment.json`` holds, and the keys left out since they are damaged."""
    facts: dict[str, Any] = {}
    damaged: list[str] = []
    for key, value in content.items():
        try:
            facts[key] = msgspec.convert(value, _FACTS.get(key, Any))
        except msgspec.ValidationError:
            damaged.append(key)
    return facts, damaged
