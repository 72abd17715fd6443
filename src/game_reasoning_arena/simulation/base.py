"""The interface between a run and its task: plan the episodes, play each of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from game_reasoning_arena.agents.base_agent import Agent, PlayerSpec
from game_reasoning_arena.errors import UserError
from game_reasoning_arena.records import EpisodePlan, EpisodeRecord


class Simulation(ABC):
    """A task that players do in episodes."""

    #: Short name, as in the records' ``game``.
    name: str
    #: The rules that language models are shown; None for none.
    rules: str | None = None
    #: The least and the greatest return of a player; None without such bounds.
    utility: tuple[float, float] | None = None
    #: Whether any text is an answer (prompts) or only a legal action is (games).
    open_ended: bool = False

    @abstractmethod
    def check(self, players: Sequence[PlayerSpec], *, everybody: bool = True) -> list[str]:
        """Return every problem with these players that can be known before the run.

        Args:
            players: the players with their options; models may be missing.
            everybody: whether the list is complete, so that its length is checked, too.
        """

    @abstractmethod
    def plan(
        self, *, episodes: int, seed: int, rotate: bool, players: Sequence[str]
    ) -> Sequence[EpisodePlan]:
        """Return all episodes of a run in order; equal arguments give equal episodes."""

    @abstractmethod
    async def play(
        self, plan: EpisodePlan, agents: Mapping[str, Agent], run_id: str
    ) -> EpisodeRecord:
        """Play one episode.

        A BackendError ends it with status ``error``, BudgetReached with ``budget``; the record then
        holds the moves made so far. Interrupted and PlayerFailure propagate.
        """

    def unpaired(self, plans: Sequence[EpisodePlan], *, rotate: bool) -> list[str]:
        """Return the reasons why players do not have every seat in the same deals."""
        return []

    def settings(self) -> Mapping[str, Any]:
        """Return the settings that the simulation chose itself, for the resolved configuration."""
        return {}

    def contents(self) -> Mapping[str, str]:
        """Return hashes of the files that the configuration names."""
        return {}

    def rules_problem(self) -> str | None:
        """Return why the rules in the prompt are wrong for this game; None if they seem right."""
        return None

    def make_player(self, spec: PlayerSpec, *, seed: int) -> Agent:
        """Return a player that only this simulation offers, such as a search on its engine.

        Raises:
            UserError: the simulation has no such player.
        """
        raise UserError(
            f"agents.{spec.name}.type={spec.type!r} does not play {self.name!r}. Use type=llm."
        )
