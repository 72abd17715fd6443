"""Episodes that end by an exception of the engine or of a user's class; the run continues."""

from __future__ import annotations

import logging

from game_reasoning_arena.errors import ArenaError, UserError
from game_reasoning_arena.process.faults import describe_fault, fault_of
from game_reasoning_arena.records import EpisodePlan, EpisodeRecord, Status
from game_reasoning_arena.running.ledger import Ledger

log = logging.getLogger(__name__)

#: Faults in a row, without an episode that came to its end between, after which a run stops: then
#: it is not the episode, and every further one would be paid for in vain.
MOST_IN_A_ROW = 8


class EpisodeFaults:
    """Records each fault as the end of its episode, and detects when the run itself is broken."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._faults = 0
        self._in_a_row = 0
        self._ended = 0  # episodes that had ended, in any way, after the last fault
        self._before = {e.episode: e.error for e in ledger.past.replaced}
        self._last: Exception | None = None

    def take(self, plan: EpisodePlan, error: Exception) -> None:
        """Record an episode that ended by ``error``; stop the run after many faults in a row."""
        ledger = self._ledger
        log.error("episode %d ended by a fault", plan.episode, exc_info=error)
        if ledger.counts.total() > self._ended:
            self._in_a_row = 0
        cause = str(error) if isinstance(error, UserError) else f"fault: {describe_fault(error)}"
        ledger.episode(
            EpisodeRecord(
                run_id=ledger.run_id,
                episode=plan.episode,
                seed=plan.seed,
                game=ledger.experiment.simulation.name,
                seats=plan.seats,
                status=Status.ERROR,
                winner=None,
                returns=None,
                forfeit=None,
                move_limit=False,
                turns=0,
                moves=(),
                duration_s=0.0,
                error=cause,
            )
        )
        self._last = error
        self._faults += 1
        self._ended = ledger.counts.total()
        if self._before.get(plan.episode) == cause:
            return  # as in an earlier sitting: it is nothing new about the run
        self._in_a_row += 1
        if self._in_a_row >= MOST_IN_A_ROW:
            self._fail(error)
            ledger.meter.stop(f"{self._in_a_row} episodes in a row ended by a fault")

    def close(self) -> None:
        """Make the last fault the run's if no episode ended in any other way."""
        if self._last is not None and self._ledger.counts.total() == self._faults:
            self._fail(self._last)

    def _fail(self, error: Exception) -> None:
        ledger = self._ledger
        failure = error if isinstance(error, ArenaError) else fault_of(error)
        ledger.failure = ledger.failure or failure
