"""Playing a few episodes in a test, with a model that answers by a rule of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from game_reasoning_arena.agents.base_agent import Agent, OnFailure, PlayerSpec
from game_reasoning_arena.records import (
    Asker,
    EpisodePlan,
    EpisodeRecord,
    Model,
    Reply,
    Request,
    ResponseRecord,
    Sampling,
)
from game_reasoning_arena.simulation.base import Simulation
from game_reasoning_arena.simulation.factory import make_simulation
from game_reasoning_arena.simulation.players import make_agent

Answer = Reply | str | BaseException


class Oracle:
    """Answers requests by a function, and keeps them."""

    def __init__(self, answer: Callable[[Request], Answer]) -> None:
        self._answer = answer
        self.requests: list[Request] = []

    async def complete(self, request: Request) -> Reply:
        self.requests.append(request)
        await asyncio.sleep(0)
        answer = self._answer(request)
        if isinstance(answer, BaseException):
            raise answer
        return answer if isinstance(answer, Reply) else Reply(text=answer, finish_reason="stop")


def in_turn(*answers: Answer) -> Oracle:
    """Gives these answers one after the other."""
    left = list(answers)
    return Oracle(lambda _: left.pop(0))


def legal_moves(request: Request) -> list[str]:
    """The moves that a prompt lists."""
    text = request.messages[-1]["content"].rpartition("Legal moves:")[2]
    return [line[2:] for line in text.splitlines() if line.startswith("- ")]


def first_legal(request: Request) -> str:
    """The first listed move as a model would give it."""
    return f"Thinking.\nFinal Answer: {legal_moves(request)[0]}"


def llm(name: str = "player_0", *, temperature: float | None = None, **options: Any) -> PlayerSpec:
    """A language model as configured."""
    model = Model(name="scripted_test", backend="scripted", model_id="test")
    sampling = Sampling(temperature=temperature)
    return PlayerSpec(name=name, type="llm", model=model, sampling=sampling, options=options)


def player(kind: str, name: str = "player_1", **options: Any) -> PlayerSpec:
    """Another player as configured."""
    return PlayerSpec(name=name, type=kind, options=options)


def seats_for(
    simulation: Simulation,
    specs: Sequence[PlayerSpec],
    *,
    asker: Asker | None = None,
    seed: int = 0,
    on_failure: OnFailure | None = None,
) -> tuple[dict[str, Agent], list[ResponseRecord]]:
    """Agents, and the list that their records go to."""
    records: list[ResponseRecord] = []
    agents = {
        spec.name: make_agent(
            spec,
            asker=asker,
            record=records.append,
            run_id="test",
            seed=seed,
            on_failure=on_failure or OnFailure(),
            simulation=simulation,
        )
        for spec in specs
    }
    return agents, records


def play(
    conf: Mapping[str, Any] | Simulation,
    specs: Sequence[PlayerSpec],
    *,
    asker: Asker | None = None,
    episodes: int = 1,
    seed: int = 0,
    rotate: bool = False,
    together: bool = True,
    on_failure: OnFailure | None = None,
) -> tuple[list[EpisodeRecord], list[ResponseRecord]]:
    """Play episodes, all at once or one after the other."""
    simulation = conf if isinstance(conf, Simulation) else make_simulation(conf)

    async def run() -> tuple[list[EpisodeRecord], list[ResponseRecord]]:
        agents, records = seats_for(
            simulation, specs, asker=asker, seed=seed, on_failure=on_failure
        )
        plans: Sequence[EpisodePlan] = simulation.plan(
            episodes=episodes, seed=seed, rotate=rotate, players=list(agents)
        )
        try:
            if together:
                played = await asyncio.gather(
                    *(simulation.play(plan, agents, "test") for plan in plans)
                )
            else:
                played = [await simulation.play(plan, agents, "test") for plan in plans]
        finally:
            for agent in agents.values():
                await agent.aclose()
        return list(played), records

    return asyncio.run(run())
