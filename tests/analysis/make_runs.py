"""Run directories made from the record dataclasses, with games really played by the engine."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pyspiel
import yaml

from game_reasoning_arena.recording.encoding import encode
from game_reasoning_arena.records import (
    FORMAT_VERSION,
    EpisodeRecord,
    Forfeit,
    Message,
    Move,
    MoveBy,
    Outcome,
    ResponseRecord,
    Status,
)

Write = Callable[["Question"], str]


@dataclass(frozen=True)
class Question:
    """What a synthetic answer may depend on."""

    player: str
    episode: int
    turn: int
    action_text: str


@dataclass(frozen=True)
class Player:
    """A synthetic player; ``model`` None is a random player, which leaves no responses."""

    model: str | None = None
    temperature: float = 0.1
    fail: float = 0.0  # share of decisions that fail for good
    rethink: float = 0.0  # share of decisions with one illegal answer first
    latency_s: float = 0.2
    cost_usd: float | None = None
    system: str | None = "You play to win."
    served: str | None = None
    form: str = "line"  # parse_form of its legal answers
    answer: Write = field(
        default=lambda q: f"I take it to block the threat.\nFinal Answer: {q.action_text}"
    )
    reasoning: Write | None = None


def make_run(
    path: Path,
    players: Mapping[str, Player],
    *,
    game: str = "tic_tac_toe",
    episodes: int = 10,
    seed: int = 0,
    outages: float = 0.0,
    substitute: bool = False,
    status: Status = Status.COMPLETED,
    config: Mapping[str, Any] | None = None,
    packages: Mapping[str, str] | None = None,
    seats: int = 2,
) -> Path:
    """Write a run directory; episodes 2k and 2k+1 share a seed with the seats swapped."""
    path.mkdir(parents=True)
    run_id = f"{path.parent.name}-{path.name}"
    names = list(players)
    finished = []
    with (
        open(path / "responses.jsonl", "wb") as responses,
        open(path / "episodes.jsonl", "wb") as lines,
    ):
        for episode in range(episodes):
            deal = seed * 1000 + episode // seats
            order = names[episode % seats :] + names[: episode % seats]
            rng = random.Random(f"{run_id}/{seed}/{episode}")
            record = _play(
                game,
                run_id,
                episode,
                deal,
                tuple(order),
                players,
                rng,
                outages,
                substitute,
                lambda r: responses.write(encode(r) + b"\n"),
            )
            lines.write(encode(record) + b"\n")
            finished.append(record.status)
    agents = {
        name: {"type": "llm" if p.model else "random", **({"model": p.model} if p.model else {})}
        for name, p in players.items()
    }
    resolved = {
        "seed": seed,
        "episodes": episodes,
        "seats": "rotate",
        "on_failure": {"policy": "random" if substitute else "forfeit", "rethinks": 2},
        "agents": agents,
        "simulation": {"type": "openspiel", "game": game},
        **(config or {}),
    }
    (path / "config.yaml").write_text(yaml.safe_dump(resolved, sort_keys=False))
    told = {
        "run_id": run_id,
        "format_version": FORMAT_VERSION,
        "identity": "0" * 12,
        "status": status,
        "started_at": "2026-11-22T10:00:00+00:00",
        "finished_at": None if status is Status.RUNNING else "2026-11-22T10:01:00+00:00",
        "duration_s": None if status is Status.RUNNING else 60.0,
        "seed": seed,
        "overrides": [],
        "git": {"commit": "abc1234", "dirty": False},
        "packages": dict(packages or {"game-reasoning-arena": "0.1.0", "open_spiel": "2.0.2"}),
        "platform": {"python": "3.11.9", "system": "Linux"},
        "determinism": [],
        "episodes": {
            "planned": episodes,
            **{str(s): finished.count(s) for s in dict.fromkeys(finished)},
        },
        "totals": {"calls": None, "tokens": None, "cost_usd": None, "failures": 0},
        "players": agents,
    }
    (path / "run.json").write_bytes(orjson.dumps(told))
    return path


def _play(
    game: str,
    run_id: str,
    episode: int,
    deal: int,
    seats: tuple[str, ...],
    players: Mapping[str, Player],
    rng: random.Random,
    outages: float,
    substitute: bool,
    record: Callable[[ResponseRecord], Any],
) -> EpisodeRecord:
    state = pyspiel.load_game(game).new_initial_state()
    chance = random.Random(deal)
    moves: list[Move] = []
    turn = 0
    short = state.get_game().get_type().short_name

    def end(status: Status, **more: Any) -> EpisodeRecord:
        values: dict[str, Any] = {"winner": None, "returns": None, "forfeit": None, "error": None}
        values.update(more)
        return EpisodeRecord(
            run_id=run_id,
            episode=episode,
            seed=deal,
            game=short,
            seats=seats,
            status=status,
            move_limit=False,
            turns=turn,
            moves=tuple(moves),
            duration_s=0.5 * (turn + 1),
            **values,
        )

    if rng.random() < outages:
        return end(Status.ERROR, error="transient: the server answered 503")
    while not state.is_terminal():
        if state.is_chance_node():
            actions, weights = zip(*state.chance_outcomes(), strict=True)
            action = chance.choices(actions, weights)[0]
            text = state.action_to_string(action)
            moves.append(
                Move(turn=None, seat=-1, player=None, action=action, text=text, by=MoveBy.CHANCE)
            )
            state.apply_action(action)
            continue
        seat = state.current_player()
        name = seats[seat]
        player = players[name]
        action = rng.choice(state.legal_actions())
        text = state.action_to_string(seat, action)
        by = MoveBy.PLAYER
        if player.model:
            failed = rng.random() < player.fail
            outcomes = [Outcome.ILLEGAL] * 3 if failed else [Outcome.LEGAL]
            if not failed and rng.random() < player.rethink:
                outcomes.insert(0, Outcome.UNPARSABLE)
            for attempt, outcome in enumerate(outcomes):
                question = Question(name, episode, turn, text)
                record(
                    _response(
                        run_id,
                        episode,
                        deal,
                        seat,
                        turn,
                        attempt,
                        outcome,
                        action,
                        question,
                        player,
                        str(state),
                        rng,
                    )
                )
            if failed and not substitute:
                other = next((s for s in seats if s != name), None)
                return end(
                    Status.FORFEIT,
                    winner=other,
                    forfeit=Forfeit(seat=seat, player=name, cause=Outcome.ILLEGAL),
                )
            by = MoveBy.SUBSTITUTE if failed else by
        moves.append(Move(turn=turn, seat=seat, player=name, action=action, text=text, by=by))
        state.apply_action(action)
        turn += 1
    returns = tuple(state.returns())
    best = max(returns)
    winner = seats[returns.index(best)] if returns.count(best) == 1 and len(seats) > 1 else None
    return end(Status.COMPLETED, winner=winner, returns=returns)


def _response(
    run_id: str,
    episode: int,
    deal: int,
    seat: int,
    turn: int,
    attempt: int,
    outcome: Outcome,
    action: int,
    question: Question,
    player: Player,
    state: str,
    rng: random.Random,
) -> ResponseRecord:
    legal = outcome is Outcome.LEGAL
    messages: list[Message] = []
    if player.system is not None:
        messages.append({"role": "system", "content": player.system})
    messages.append(
        {"role": "user", "content": f"You are seat {seat}.\n{state}\nYour move, turn {turn}?"}
    )
    latency = player.latency_s * rng.lognormvariate(0, 0.3)
    assert player.model is not None
    backend, _, rest = player.model.partition("_")
    return ResponseRecord(
        run_id=run_id,
        episode=episode,
        seed=deal,
        seat=seat,
        player=question.player,
        turn=turn,
        attempt=attempt,
        sample=0,
        model=player.model,
        backend=backend,
        provider=rest.partition("/")[0] if "/" in rest else None,
        messages=tuple(messages),
        text=player.answer(question) if legal else "I would play on the moon.",
        reasoning=player.reasoning(question) if player.reasoning else None,
        outcome=outcome,
        action=action if legal else None,
        action_text=question.action_text if legal else None,
        parse_form=player.form if legal else None,
        finish_reason="stop",
        started_at=1_795_000_000.0 + episode,
        latency_s=latency,
        ttft_s=latency / 4,
        decode_s=latency * 3 / 4,
        queue_s=0.01,
        client_s=0.001,
        retries=0,
        prompt_tokens=100 + turn,
        completion_tokens=20,
        reasoning_tokens=None,
        cached_tokens=None,
        cost_usd=player.cost_usd,
        requested={"temperature": player.temperature, "max_tokens": 250},
        sent={"temperature": player.temperature, "max_tokens": 250, "seed": episode * 100 + turn},
        dropped=(),
        constrained=False,
        served_model=player.served or player.model,
        error=None,
    )
