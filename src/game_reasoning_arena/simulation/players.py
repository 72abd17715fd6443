"""Players from their specifications; engine-backed ones come from the simulation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from game_reasoning_arena.agents.base_agent import Agent, OnFailure, PlayerSpec, Recorder
from game_reasoning_arena.errors import UserError
from game_reasoning_arena.records import Asker

if TYPE_CHECKING:
    from game_reasoning_arena.simulation.base import Simulation


def make_agent(
    spec: PlayerSpec,
    *,
    asker: Asker | None,
    record: Recorder,
    run_id: str,
    seed: int,
    on_failure: OnFailure,
    simulation: Simulation,
) -> Agent:
    """Make a player.

    Args:
        spec: the player as configured, everything resolved.
        asker: answers requests; None where no player is a language model.
        record: is given one record per attempt and sample, as it happens.
        run_id: goes into those records.
        seed: the run's seed.
        on_failure: what happens after answers that are no legal move.
        simulation: the task, for its rules and the players that only its engine offers.

    Raises:
        UserError: the player cannot be made; the message names the configuration key.
    """
    if spec.type == "random" and not simulation.open_ended:
        from game_reasoning_arena.agents.random_agent import RandomAgent

        return RandomAgent(spec, seed=seed)
    if spec.type == "human" and not simulation.open_ended:
        from game_reasoning_arena.agents.human_agent import HumanAgent

        return HumanAgent(spec, rules=simulation.rules)
    if spec.type == "llm":
        if asker is None or spec.model is None:
            raise UserError(f"agents.{spec.name} is a language model but has no model to ask.")
        from game_reasoning_arena.agents.asking import Questions

        questions = Questions(spec, asker=asker, record=record, run_id=run_id, seed=seed)
        if simulation.open_ended:
            from game_reasoning_arena.agents.prompted_agent import PromptedAgent

            return PromptedAgent(spec, questions=questions)
        from game_reasoning_arena.agents.llm_agent import LLMAgent

        return LLMAgent(
            spec,
            questions=questions,
            seed=seed,
            on_failure=on_failure,
            game=simulation.name,
            rules=simulation.rules,
        )
    return simulation.make_player(spec, seed=seed)
