"""Running totals of a run: one row per player and seat, for ``summary.csv`` and the table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from game_reasoning_arena.process.quantiles import Quantiles
from game_reasoning_arena.records import (
    FAILURES,
    EpisodeRecord,
    Model,
    MoveBy,
    Outcome,
    ResponseRecord,
    Status,
)


class _Player(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def model(self) -> Model | None: ...


# Looking up an enumeration's member takes as long as counting a move.
_SUBSTITUTE, _COMPLETED = MoveBy.SUBSTITUTE, Status.COMPLETED


@dataclass(kw_only=True, slots=True)
class _Row:
    episodes: int = 0
    wins: int = 0
    draws: int = 0
    losses: int = 0
    answered: int = 0
    score: float = 0.0
    scored: int = 0
    forfeits: int = 0
    errors: int = 0
    unfinished: int = 0
    cut: int = 0
    returns: float = 0.0
    returned: int = 0
    moves: int = 0
    substitutes: int = 0
    calls: int = 0
    from_cache: int = 0
    outages: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    latencies: Quantiles = field(default_factory=Quantiles)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    untokened: int = 0
    cost: float = 0.0
    unpriced: int = 0


class Summary:
    """Counts every response and episode of a run, once."""

    def __init__(self, players: Sequence[_Player]) -> None:
        self._players = {player.name: player for player in players}
        self._rows: dict[tuple[str, int], _Row] = {}
        # The rows of a seat order, and whether any player in it can fail.
        self._orders: dict[tuple[str, ...], tuple[list[_Row], bool]] = {}
        self.failures: Counter[str] = Counter()

    def response(self, record: ResponseRecord) -> None:
        """Count one attempt."""
        row = self._row(record.player, record.seat)
        if record.outcome is None:
            row.outages += 1
            return
        row.outcomes[record.outcome] += 1
        if record.outcome in FAILURES:
            self.failures[record.outcome] += 1
        if record.from_cache:  # its times, tokens and cost belong to an earlier run
            row.from_cache += 1
            return
        row.calls += 1
        if record.outcome is Outcome.CONTEXT_OVERFLOW:  # a call without an answer, and its price
            return
        if record.latency_s is not None:
            row.latencies.add(record.latency_s)
        row.prompt_tokens += record.prompt_tokens or 0
        row.completion_tokens += record.completion_tokens or 0
        row.untokened += record.completion_tokens is None
        row.cost += record.cost_usd or 0.0
        row.unpriced += record.cost_usd is None

    def episode(self, record: EpisodeRecord) -> None:
        """Count one episode for every player in it."""
        rows, fallible = self._seated(record.seats)
        if fallible or record.scores is not None:
            self._answers(rows, record)
        returns = record.returns if record.status is _COMPLETED else None
        best, shared = None, False
        if returns is not None and len(returns) > 1:  # a single seat neither wins nor loses
            best = max(returns)
            shared = returns.count(best) > 1
        # Chance moves have seat -1, at which no player sits.
        moved = [move.seat for move in record.moves]
        for seat, row in enumerate(rows):
            row.episodes += 1
            row.moves += moved.count(seat)
            if returns is None:
                continue
            mine = returns[seat]
            row.returns += mine
            row.returned += 1
            row.cut += record.move_limit
            if best is None:
                continue
            if mine < best:
                row.losses += 1
            elif shared:
                row.draws += 1
            else:
                row.wins += 1
        if returns is None:
            self._without_returns(rows, record)

    @staticmethod
    def _answers(rows: list[_Row], record: EpisodeRecord) -> None:
        for move in record.moves:
            if move.by is _SUBSTITUTE:
                rows[move.seat].substitutes += 1
        for row, score in zip(rows, record.scores or (), strict=False):
            if score is not None:
                row.score += score
                row.scored += 1

    @staticmethod
    def _without_returns(rows: list[_Row], record: EpisodeRecord) -> None:
        forfeit = record.forfeit if record.status is Status.FORFEIT else None
        for seat, row in enumerate(rows):
            if record.status is _COMPLETED:  # prompts: there is nothing to win
                row.answered += 1
            elif record.status is Status.ERROR:
                row.errors += 1
            elif forfeit is None:
                row.unfinished += 1
            elif seat in forfeit.seats:
                row.forfeits += 1
                row.losses += 1
            elif len(rows) == 2:  # the other one failed
                row.wins += 1
            else:
                row.unfinished += 1

    def rows(self) -> list[dict[str, Any]]:
        """Return one row per player and seat, in order; None where a number is unknown."""
        return [
            self._as_dict(player, seat, row) for (player, seat), row in sorted(self._rows.items())
        ]

    def _seated(self, seats: tuple[str, ...]) -> tuple[list[_Row], bool]:
        known = self._orders.get(seats)
        if known is None:
            rows = [self._row(player, seat) for seat, player in enumerate(seats)]
            dice_only = all(self._players[player].type == "random" for player in seats)
            known = self._orders[seats] = (rows, not dice_only)
        return known

    def _row(self, player: str, seat: int) -> _Row:
        key = (player, seat)
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = _Row()
        return row

    def _as_dict(self, name: str, seat: int, row: _Row) -> dict[str, Any]:
        player = self._players[name]
        asked = player.model is not None
        # The cost of calls without an answer is unknown.
        unanswered = row.outcomes[Outcome.CONTEXT_OVERFLOW]
        known = asked and (row.calls > unanswered or not (row.outages or unanswered))
        return {
            "player": name,
            "seat": seat,
            "type": player.type,
            "model": player.model.name if player.model else None,
            "episodes": row.episodes,
            "wins": row.wins,
            "draws": row.draws,
            "losses": row.losses,
            "answered": row.answered,
            "scored": row.scored,
            "mean_score": row.score / row.scored if row.scored else None,
            "forfeits": row.forfeits,
            "errors": row.errors,
            "unfinished": row.unfinished,
            "cut_at_limit": row.cut,
            "mean_return": row.returns / row.returned if row.returned else None,
            "episodes_with_return": row.returned,
            "moves": row.moves,
            "substituted_moves": row.substitutes,
            "calls": row.calls if asked else None,
            "from_cache": row.from_cache if asked else None,
            "outages": row.outages if asked else None,
            **{outcome.value: row.outcomes[outcome] if asked else None for outcome in FAILURES},
            "latency_p50_s": row.latencies.at(0.5),
            "latency_p95_s": row.latencies.at(0.95),
            "prompt_tokens": row.prompt_tokens if known and not row.untokened else None,
            "completion_tokens": row.completion_tokens if known and not row.untokened else None,
            "cost_usd": row.cost if known and not row.unpriced else None,
        }
