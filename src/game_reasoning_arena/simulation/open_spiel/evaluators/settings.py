"""Settings of evaluators; imports no engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

#: Values of ``--by``.
EVALUATORS: Final = ("auto", "solver", "mcts", "uci", "connect_four")


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluatorSettings:
    """Settings of evaluators.

    ``simulations`` and ``seed`` belong to mcts, ``nodes`` and ``engine`` to uci, ``iterations`` to
    the solver where information is hidden.
    """

    by: str = "auto"
    simulations: int = 1000
    nodes: int = 10_000
    engine: str = "stockfish"
    iterations: int = 1000
    seed: int = 0

    def used(self, by: str) -> dict[str, Any]:
        """Return the settings that an evaluator's results depend on."""
        names = {
            "solver": ("iterations",),
            "mcts": ("simulations", "seed"),
            "uci": ("engine", "nodes"),
            "connect_four": (),
        }[by]
        return {name: getattr(self, name) for name in names}
