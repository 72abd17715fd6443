"""Make players from their specifications; the simulation makes those that need its engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from game_reasoning_arena.agents.base_agent import Agent, OnFailure, PlayerSpec, Recorder
from game_reasoning_arena.errors import UserError
from game_reasoning_arena.process.targets import Constructor
from game_reasoning_arena.records import Asker

if TYPE_CHECKING:
    from game_reasoning_arena.agents.asking import Questions
    from game_reasoning_arena.simulation.base import Simulation

#: Name of the constructor parameter through which a user's own class asks a language model.
ASKS = "questions"
#: Constructor parameters that a user's own class may declare to receive these values.
GIVEN = (ASKS, "seed", "on_failure", "game", "rules")


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
        asker: answers requests; None if no player is a language model.
        record: called with one record per attempt and sample, as it happens.
        run_id: the run's id, for those records.
        seed: the run's seed.
        on_failure: the policy after an answer that is no legal move.
        simulation: the task; it gives the rules and the players that need its engine.

    Raises:
        UserError: the player cannot be made; the message names the configuration key.
    """
    if spec.make is not None:
        given: dict[str, Any] = {
            "seed": seed,
            "on_failure": on_failure,
            "game": simulation.name,
            "rules": simulation.rules,
        }
        if ASKS in spec.make.parameters:
            given[ASKS] = _questions(spec, asker, record, run_id, seed)
        return _own_agent(spec, spec.make, given)
    if spec.type == "random" and not simulation.open_ended:
        from game_reasoning_arena.agents.random_agent import RandomAgent

        return RandomAgent(spec, seed=seed)
    if spec.type == "human" and not simulation.open_ended:
        from game_reasoning_arena.agents.human_agent import HumanAgent

        return HumanAgent(spec, rules=simulation.rules)
    if spec.type == "llm":
        questions = _questions(spec, asker, record, run_id, seed)
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


def _questions(
    spec: PlayerSpec, asker: Asker | None, record: Recorder, run_id: str, seed: int
) -> Questions:
    """Return the object through which a player asks its model.

    Raises:
        UserError: the player has no model.
    """
    if asker is None or spec.model is None:
        raise UserError(f"agents.{spec.name} is a language model but has no model to ask.")
    from game_reasoning_arena.agents.asking import Questions

    return Questions(spec, asker=asker, record=record, run_id=run_id, seed=seed)


def _own_agent(spec: PlayerSpec, make: Constructor[Agent], given: Mapping[str, Any]) -> Agent:
    """Return a player of a user's own class.

    Raises:
        UserError: the class refuses its settings, fails, or does not initialise its base.
    """
    agent = make(spec, **given)
    if getattr(agent, "spec", None) is not spec:
        raise UserError(
            f"agents.{spec.name}: {make.cls.__name__}.__init__ must call super().__init__(spec, "
            "...), which keeps the player's name."
        )
    return agent
