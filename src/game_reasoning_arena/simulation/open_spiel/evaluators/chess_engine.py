"""Chess moves valued by an engine that speaks UCI, with the formulas that Lichess publishes.

Sources: https://lichess.org/page/accuracy (win % from centipawns, accuracy of a move from the win %
before and after it); lichess-org/lila, modules/tree and modules/analyse (a score counts at most
1,000 centipawns, a mate as much; a move that loses 5, 10 or 15 points of win % is an inaccuracy, a
mistake or a blunder).
"""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pyspiel

from game_reasoning_arena.recording.judgements import ChessJudgement
from game_reasoning_arena.simulation.open_spiel.evaluators.judging import Verdict
from game_reasoning_arena.simulation.open_spiel.evaluators.perfect import Moves
from game_reasoning_arena.simulation.open_spiel.loading import State
from game_reasoning_arena.simulation.open_spiel.uci import Engine, position_command

#: Scores are cut at so many centipawns.
CEILING = 1000
#: Points of win % that a move must lose to be called so, worst first.
JUDGEMENTS = ((15.0, "blunder"), (10.0, "mistake"), (5.0, "inaccuracy"))
#: Points of win % within which two searches of the default size agree in nine positions of ten
#: (measured): of the best move before it is played, and of the position after it.
RESOLVED = 2.0
_REMEMBERED = 100_000


def win_percent(cp: float) -> float:
    """Return the chance to win, 0 to 100, of a side that is so many centipawns ahead."""
    cut = max(-CEILING, min(CEILING, cp))
    return 50 + 50 * (2 / (1 + math.exp(-0.00368208 * cut)) - 1)


def accuracy_percent(before: float, after: float) -> float:
    """Return a move's accuracy, 0 to 100, from the mover's win % before and after it."""
    if after >= before:
        return 100.0
    raw = 103.1668 * math.exp(-0.04354 * (before - after)) - 3.1669
    return max(0.0, min(100.0, raw))


def judgement(before: float, after: float) -> str | None:
    """Return the name of a move that changes the mover's win % so; None for a good move."""
    return next((name for lost, name in JUDGEMENTS if before - after >= lost), None)


class ChessEngine:
    """Values the played move and the engine's own.

    Args:
        path: the engine's program.
        nodes: of each search; not a time, so that it gives the same on every machine.
    """

    name = "uci"

    def __init__(self, path: str, nodes: int) -> None:
        self._runner = asyncio.Runner()
        self._nodes = nodes
        self._engine: Engine = self._runner.run(Engine.start(path, {"Threads": "1"}))
        self._known: dict[str, tuple[str, int]] = {}

    def verdict(self, state: State, moves: Moves, at: int, forfeited: float) -> Verdict:
        """Return the value of the played move beside that of the engine's own."""
        wanted, cp_before = self._searched(state)
        best = self._action(state, moves, wanted)
        before = win_percent(cp_before)
        top = before / 50 - 1
        if at < 0:
            return Verdict(
                moves.actions, moves.texts, (best,), top, forfeited, False, False, None, None
            )
        played = moves.actions[at]
        cp_after, after = self._after(state.child(played), moves.player)
        mine = played == best
        return Verdict(
            actions=moves.actions,
            texts=moves.texts,
            best=(best,),
            value_best=top,
            value_played=top if mine else min(top, after / 50 - 1),
            optimal=mine or before - after <= RESOLVED,
            exact=False,
            values=None,
            chess=ChessJudgement(
                cp_before=_cut(cp_before),
                cp_after=_cut(cp_after),
                win_before=before,
                win_after=after,
                accuracy=accuracy_percent(before, after),
                judgement=None if mine else judgement(before, after),
            ),
        )

    def outcomes(self, state: State, moves: Moves) -> None:
        """Return None: chess has no chance."""

    def value(self, state: State) -> float | None:
        """Return None: not computed."""
        return None

    def facts(self) -> dict[str, Any]:
        """Return the engine's name and the size of its searches."""
        return {
            "method": "search by a UCI engine",
            "engine": self._engine.name,
            "nodes": self._nodes,
            "resolves_win_percent": RESOLVED,
        }

    def close(self) -> None:
        """End the engine."""
        self._runner.run(self._engine.stop())
        self._runner.close()

    def _after(self, state: State, mover: int) -> tuple[int, float]:
        """Return centipawns and win % of the side that has just moved."""
        if state.is_terminal():
            result = state.returns()[mover]
            return int(CEILING * result), 50 + 50 * result
        cp = -self._searched(state)[1]
        return cp, win_percent(cp)

    def _searched(self, state: State) -> tuple[str, int]:
        command = position_command(state)
        known = self._known.get(command)
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            found = self._runner.run(self._engine.search(command, f"nodes {self._nodes}"))
            known = self._known[command] = (found[0], found[1] or 0)
        return known

    @staticmethod
    def _action(state: State, moves: Moves, move: str) -> int:
        board = state.board()
        for action in moves.actions:
            if pyspiel.chess.action_to_move(action, board).to_lan() == move:
                return action
        raise ValueError(f"the engine's move {move!r} is not legal")


def _cut(cp: int) -> int:
    return max(-CEILING, min(CEILING, cp))
