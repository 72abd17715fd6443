"""The columns of the tables that ``arena assess`` makes possible: decisions and luck."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from game_reasoning_arena.recording.columns import Get, Spec


def _chess(name: str) -> Get:
    def take(line: Mapping[str, Any]) -> Any:
        judged = line.get("chess")
        return judged.get(name) if isinstance(judged, dict) else None

    return take


def _best(line: Mapping[str, Any]) -> str | None:
    names = line.get("best_text")
    return None if names is None else ", ".join(names)


#: The columns of ``decisions``: one row per decision of an assessed run.
DECISIONS: Final[dict[str, Spec]] = {
    "run": Spec("int32", "row of `runs`"),
    "episode": Spec("int64", "number of the episode in its run"),
    "seed": Spec("int64", "seed of the episode"),
    "seat": Spec("int16", "seat that decided"),
    "player": Spec("category", "player's name in the run"),
    "turn": Spec("int32", "decision nodes before this one"),
    "action": Spec("Int64", "engine's action number; null for a forfeit"),
    "action_text": Spec("category", "engine's name of the action"),
    "by": Spec("category", "player, substitute or forfeit"),
    "legal": Spec("int32", "how many moves were legal"),
    "best": Spec("category", "the moves that cannot be told apart from the best", _best),
    "value_played": Spec("float64", "value of the move, in returns, from the mover's side"),
    "value_best": Spec("float64", "value of the best move"),
    "regret": Spec("float64", "their difference; null for a substitute's move"),
    "optimal": Spec("boolean", "whether it cannot be told apart from the best; null as regret"),
    "exact": Spec("boolean", "whether values are computed rather than searched"),
    "evaluator": Spec("category", "what valued the moves"),
    "response_regret": Spec("float64", "regret against the opponent as it plays; null if unknown"),
    "cp_before": Spec("float64", "chess: centipawns before the move", _chess("cp_before")),
    "cp_after": Spec("float64", "chess: centipawns after it", _chess("cp_after")),
    "win_before": Spec("float64", "chess: win % before the move", _chess("win_before")),
    "win_after": Spec("float64", "chess: win % after it", _chess("win_after")),
    "accuracy": Spec("float64", "chess: accuracy of the move, %", _chess("accuracy")),
    "judgement": Spec("category", "chess: inaccuracy, mistake or blunder", _chess("judgement")),
}

#: The columns of ``luck``: one row per episode and seat of an assessed run.
LUCK: Final[dict[str, Spec]] = {
    "run": Spec("int32", "row of `runs`"),
    "episode": Spec("int64", "number of the episode in its run"),
    "seed": Spec("int64", "seed of the episode"),
    "seat": Spec("int16", "seat"),
    "player": Spec("category", "player's name in the run"),
    "returns": Spec("float64", "return, after a forfeit the least that the game can pay"),
    "adjusted_return": Spec("float64", "the return without luck"),
    "chance_luck": Spec("float64", "what chance gave; null if not computed"),
    "opponent_luck": Spec("float64", "what the opponent's moves gave; null if not known"),
    "hidden_luck": Spec("float64", "what own moves gained from what was hidden; null as that"),
    "reference_value": Spec("float64", "what the game is worth to the seat; null if not known"),
    "method": Spec("category", "known_opponent, chance or none"),
    "forfeit": Spec("boolean", "whether the episode ended by a forfeit"),
}
