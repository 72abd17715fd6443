"""Real games on the real engine: a random-weight model that may only play legal moves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from game_reasoning_arena.agents.base_agent import OnFailure, PlayerSpec
from game_reasoning_arena.backends.base_backend import BaseLLMBackend
from game_reasoning_arena.backends.vllm_backend import VLLMBackend
from game_reasoning_arena.records import (
    EpisodeRecord,
    Model,
    Outcome,
    ResponseRecord,
    Sampling,
    Status,
)
from game_reasoning_arena.simulation.factory import make_simulation
from game_reasoning_arena.simulation.players import make_agent

Play = Callable[..., Any]
SAMPLING = Sampling(max_tokens=64, temperature=1.0)


async def games(
    backend: BaseLLMBackend,
    model: Model,
    game: str,
    *,
    episodes: int,
    seed: int = 0,
    **options: Any,
) -> tuple[list[EpisodeRecord], list[ResponseRecord]]:
    """Episodes of the model against itself, all at once."""
    simulation = make_simulation({"type": "openspiel", "game": game})
    records: list[ResponseRecord] = []
    agents = {
        name: make_agent(
            PlayerSpec(name=name, type="llm", model=model, sampling=SAMPLING, options=options),
            asker=backend,
            record=records.append,
            run_id="run",
            seed=seed,
            on_failure=OnFailure(rethinks=0),
            simulation=simulation,
        )
        for name in ("player_0", "player_1")
    }
    plans = simulation.plan(episodes=episodes, seed=seed, rotate=True, players=list(agents))
    played = await asyncio.gather(*(simulation.play(plan, agents, "run") for plan in plans))
    return list(played), records


@pytest.mark.parametrize("template", ["line", "json"])
@pytest.mark.parametrize(("game", "episodes"), [("tic_tac_toe", 4), ("kuhn_poker", 16)])
def test_constrained_to_legal_moves_every_move_is_legal(
    backend: VLLMBackend, model: Model, play: Play, game: str, episodes: int, template: str
) -> None:
    played, records = play(
        games(
            backend,
            model,
            game,
            episodes=episodes,
            template=template,
            constrain_to_legal=True,
        )
    )
    assert {episode.status for episode in played} == {Status.COMPLETED}
    assert {record.outcome for record in records} == {Outcome.LEGAL}
    assert all(record.constrained for record in records)
    assert all(record.text in record.sent["structured_outputs"]["choice"] for record in records)
    assert len({record.action for record in records}) > 1  # and it is no fixed answer
    assert len(records) == sum(episode.turns for episode in played)


def test_without_the_constraint_noise_is_no_move(
    backend: VLLMBackend, model: Model, play: Play
) -> None:
    """The same model in the same games: no answer is repaired."""
    played, records = play(games(backend, model, "tic_tac_toe", episodes=4))
    assert {episode.status for episode in played} == {Status.FORFEIT}
    noise = {Outcome.TRUNCATED, Outcome.UNPARSABLE, Outcome.EMPTY}
    assert {record.outcome for record in records} <= noise
    assert not any(record.constrained for record in records)


def test_the_same_seed_plays_the_same_games(backend: VLLMBackend, model: Model, play: Play) -> None:
    def moves(played: list[EpisodeRecord]) -> list[list[str]]:
        return [[move.text for move in episode.moves] for episode in played]

    options = {"episodes": 4, "constrain_to_legal": True}
    first, _ = play(games(backend, model, "kuhn_poker", seed=3, **options))
    again, _ = play(games(backend, model, "kuhn_poker", seed=3, **options))
    assert moves(first) == moves(again)


def test_with_memory_a_game_is_read_from_the_cache(
    backend: VLLMBackend, model: Model, play: Play
) -> None:
    _, records = play(
        games(
            backend,
            model,
            "tic_tac_toe",
            episodes=2,
            seed=11,
            memory=True,
            constrain_to_legal=True,
        )
    )
    later = [record for record in records if record.turn >= 2 and record.outcome is Outcome.LEGAL]
    assert later
    assert all(record.cached_tokens for record in later)
