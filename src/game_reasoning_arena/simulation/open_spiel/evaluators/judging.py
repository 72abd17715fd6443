"""The results of judging an episode, and the records made of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from game_reasoning_arena.errors import UserError
from game_reasoning_arena.recording.judgements import ChessJudgement, DecisionRecord, LuckRecord

#: Values closer than this are equal.
SAME = 1e-9


class NoReplay(UserError):
    """A recorded episode's moves are not those of the game."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement of one position and the move played in it, from the mover's side.

    ``values`` holds one value for each of ``actions``; None where only the best and the played
    move were valued.
    """

    actions: Sequence[int]
    texts: Sequence[str]
    best: tuple[int, ...]
    value_best: float
    value_played: float
    optimal: bool
    exact: bool
    values: Sequence[float] | None
    chess: ChessJudgement | None = None


@dataclass(slots=True)
class Judged:
    """The records of one episode."""

    episode: int
    decisions: list[DecisionRecord] = field(default_factory=list)
    luck: list[LuckRecord] = field(default_factory=list)


class Judge(Protocol):
    """Measures recorded episodes of one run."""

    def facts(self) -> dict[str, Any]:
        """Return what the judgement rests on, for ``assessment.json``."""
        ...

    def judge(self, episode: Mapping[str, Any]) -> Judged:
        """Measure one line of ``episodes.jsonl``.

        Raises:
            NoReplay: its moves are not those of the game.
        """
        ...

    def close(self) -> None:
        """Free what the judge holds."""
        ...


@dataclass(frozen=True, slots=True)
class Step:
    """A recorded move of an episode; a forfeit has no action and comes last."""

    number: int
    seat: int
    player: str | None
    turn: int | None
    action: int | None
    text: str | None
    by: str


def steps(episode: Mapping[str, Any]) -> Iterator[Step]:
    """Yield the moves of an episode, then its forfeit if there is one."""
    number = -1
    for number, move in enumerate(episode["moves"]):
        yield Step(
            number,
            move["seat"],
            move.get("player"),
            move.get("turn"),
            move["action"],
            move["text"],
            move["by"],
        )
    forfeit = episode.get("forfeit")
    if forfeit is not None:
        seat, player = forfeit["seat"], forfeit["player"]
        yield Step(number + 1, seat, player, episode.get("turns"), None, None, "forfeit")


def place(
    episode: Mapping[str, Any],
    step: Step,
    player: int,
    actions: Sequence[int],
    texts: Sequence[str],
) -> int:
    """Return the index of a step's action among those of its position; -1 for a forfeit.

    Raises:
        NoReplay: another seat is to move there, or there is no such move.
    """
    if step.seat != player:
        mover = "chance" if player < 0 else f"seat {player}" if actions else "nobody"
        raise _no_replay(episode, step, f"there {mover} is to move")
    if step.action is None:
        return -1
    try:
        at = actions.index(step.action)
    except ValueError:
        raise _no_replay(episode, step, "there is no such move there") from None
    if texts[at] != step.text:
        raise _no_replay(episode, step, f"the engine calls that move {texts[at]!r}")
    return at


def _no_replay(episode: Mapping[str, Any], step: Step, why: str) -> NoReplay:
    what = "the forfeit" if step.action is None else f"move {step.number} ({step.text!r})"
    return NoReplay(f"episode {episode['episode']} does not replay at {what}: {why}")


def decision(
    episode: Mapping[str, Any],
    step: Step,
    verdict: Verdict,
    *,
    evaluator: str,
    response_regret: float | None,
) -> DecisionRecord:
    """Return the record of one decision."""
    own = step.by != "substitute"
    names = dict(zip(verdict.actions, verdict.texts, strict=True))
    return DecisionRecord(
        run_id=episode["run_id"],
        episode=episode["episode"],
        seed=episode["seed"],
        seat=step.seat,
        player=str(step.player),
        turn=step.turn or 0,
        action=step.action,
        action_text=step.text,
        by=step.by,
        legal=len(verdict.actions),
        best=verdict.best,
        best_text=tuple(names[action] for action in verdict.best),
        value_played=verdict.value_played,
        value_best=verdict.value_best,
        regret=max(0.0, verdict.value_best - verdict.value_played) if own else None,
        optimal=verdict.optimal if own else None,
        exact=verdict.exact,
        evaluator=evaluator,
        response_regret=response_regret if own else None,
        chess=verdict.chess if own else None,
    )


def from_values(
    actions: Sequence[int],
    texts: Sequence[str],
    values: Sequence[float],
    at: int,
    *,
    forfeited: float,
    tolerance: float = SAME,
) -> Verdict:
    """Return the verdict where every legal move's value is known without sampling.

    Args:
        actions: the legal moves.
        texts: their names.
        values: their values to the mover.
        at: index of the played move; -1 for a forfeit.
        forfeited: the value of a forfeit to the mover.
        tolerance: values closer than this are equal.
    """
    top = max(values)
    best = tuple(a for a, v in zip(actions, values, strict=True) if top - v <= tolerance)
    played = forfeited if at < 0 else values[at]
    return Verdict(
        actions, texts, best, top, played, at >= 0 and top - played <= tolerance, True, values
    )


def luck_line(
    episode: Mapping[str, Any], seat: int, returns: float | None, **found: Any
) -> LuckRecord:
    """Return the record of one seat's luck."""
    return LuckRecord(
        run_id=episode["run_id"],
        episode=episode["episode"],
        seed=episode["seed"],
        seat=seat,
        player=episode["seats"][seat],
        returns=returns,
        forfeit=episode.get("forfeit") is not None,
        **found,
    )


def counted_returns(
    episode: Mapping[str, Any], forfeited: float, total: float
) -> Sequence[float] | None:
    """Return each seat's return: as recorded, or after a forfeit the least for the seat that
    forfeited.

    Args:
        episode: the line.
        forfeited: the least return of the game.
        total: the sum of the returns of all seats.
    """
    forfeit = episode.get("forfeit")
    if forfeit is None:
        found: Sequence[float] | None = episode.get("returns")
        return found
    players = len(episode["seats"])
    others = (total - forfeited) / max(1, players - 1)
    return [forfeited if seat == forfeit["seat"] else others for seat in range(players)]
