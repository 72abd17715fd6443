"""What a run knows of a simulation: how many episodes there are, and how to play one."""

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
    #: The rules as told to a language model; None tells none.
    rules: str | None = None
    #: The least and the greatest return of a player; None where there is no such bound.
    utility: tuple[float, float] | None = None
    #: Whether any text is an answer (prompts), rather than a choice among legal actions (games).
    open_ended: bool = False

    @abstractmethod
    def check(self, players: Sequence[PlayerSpec], *, everybody: bool = True) -> list[str]:
        """Everything that can be known wrong about these players here, in plain words.

        Args:
            players: with their options; models may be missing.
            everybody: whether these are all, so that their number can be wrong.
        """

    @abstractmethod
    def plan(
        self, *, episodes: int, seed: int, rotate: bool, players: Sequence[str]
    ) -> Sequence[EpisodePlan]:
        """Return all episodes of a run, in order; the same arguments give the same ones."""

    @abstractmethod
    async def play(
        self, plan: EpisodePlan, agents: Mapping[str, Agent], run_id: str
    ) -> EpisodeRecord:
        """Play one episode.

        A BackendError ends it with status ``error``, BudgetReached with ``budget``; both come
        back as a record that holds the moves made so far. Interrupted and PlayerFailure propagate.
        """

    def unpaired(self, plans: Sequence[EpisodePlan], *, rotate: bool) -> list[str]:
        """What keeps players from having had every seat in the same deals, in plain words."""
        return []

    def settings(self) -> Mapping[str, Any]:
        """Return the settings that it found by itself, for the resolved configuration."""
        return {}

    def contents(self) -> Mapping[str, str]:
        """Return hashes of what stands in the files that its configuration names."""
        return {}

    def misleading(self) -> str | None:
        """What players would be told that is not so, in plain words; None if nothing is known."""
        return None

    def make_player(self, spec: PlayerSpec, *, seed: int) -> Agent:
        """A player that only this simulation can offer, such as a search on its engine.

        Raises:
            UserError: there is no such player here.
        """
        raise UserError(
            f"agents.{spec.name}.type={spec.type!r} does not play {self.name!r}. Use type=llm."
        )
