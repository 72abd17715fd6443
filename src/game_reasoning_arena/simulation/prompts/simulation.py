"""Prompts without a game: each is asked of every agent, and scored where the answer is known.

An episode is one prompt in one repeat, with every agent asked at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Any

from game_reasoning_arena.agents.base_agent import Agent, PlayerSpec
from game_reasoning_arena.agents.prompted_agent import PromptedAgent
from game_reasoning_arena.errors import BackendError, BudgetReached
from game_reasoning_arena.records import EpisodePlan, EpisodeRecord, Status
from game_reasoning_arena.simulation.base import Simulation
from game_reasoning_arena.simulation.prompts.asked import PromptTurn
from game_reasoning_arena.simulation.prompts.checks import JUDGE, unfit_players
from game_reasoning_arena.simulation.prompts.questions import Questionnaire
from game_reasoning_arena.simulation.prompts.scorers.base import Pending
from game_reasoning_arena.simulation.prompts.selection import PromptPlans, Selection


class PromptsSimulation(Simulation):
    """The prompts of a file, each answered ``repeats`` times by every agent.

    Args:
        questions: the prompts, checked.
        selection: the rows to ask.
        repeats: the number of times each is asked.
    """

    open_ended = True

    def __init__(
        self, questions: Questionnaire, *, selection: Selection | None = None, repeats: int = 1
    ) -> None:
        self.name = "prompts"
        self.questions = questions
        self.selection = selection or Selection()
        self.repeats = repeats
        self._rows: Sequence[int] = ()

    def settings(self) -> dict[str, Any]:
        """Return the settings found by default: the columns, the template, the scorer."""
        return self.questions.settings()

    def contents(self) -> dict[str, str]:
        """Return a hash of everything that the prompts are made of."""
        return {"prompts": self.questions.digest}

    def check(self, players: Sequence[PlayerSpec], *, everybody: bool = True) -> list[str]:
        """Return the problems with these players: only language models answer prompts."""
        found = (
            []
            if players or not everybody
            else ["agents: nobody is configured to answer the prompts."]
        )
        return found + unfit_players(players)

    def plan(
        self, *, episodes: int, seed: int, rotate: bool, players: Sequence[str]
    ) -> Sequence[EpisodePlan]:
        """Return one episode per prompt and repeat; ``episodes`` and ``rotate`` are ignored."""
        self._rows = self.selection.of(len(self.questions), seed)
        self.questions.draw_examples(seed)
        return PromptPlans(self._rows, repeats=self.repeats, seed=seed, players=players)

    def row(self, plan: EpisodePlan) -> int:
        """Return the number of the row that an episode asks."""
        return self._rows[plan.episode // self.repeats]

    async def play(
        self, plan: EpisodePlan, agents: Mapping[str, Agent], run_id: str
    ) -> EpisodeRecord:
        """Ask every agent at once, then score the answers.

        Raises:
            ScorerFailure: a user's scorer failed; the answers are recorded.
        """
        started = perf_counter()
        question = self.questions.question(self.row(plan))
        turns = [PromptTurn(question, seat) for seat in range(len(plan.seats))]
        actors = [agents[name].sit(plan, seat) for seat, name in enumerate(plan.seats)]
        results: list[Any] = await asyncio.gather(
            *(actor.act(turn) for actor, turn in zip(actors, turns, strict=True)),
            return_exceptions=True,
        )
        for turn in turns:
            if turn.failure is not None:
                raise turn.failure
        status, error = _ended(results)
        if question.scorer is not None and question.scorer.later:
            rated = await asyncio.gather(
                *(self._rate(plan, turn, agents.get(JUDGE)) for turn in turns),
                return_exceptions=True,
            )
            if status is Status.COMPLETED:
                status, error = _ended(rated)
            else:
                _ended(rated)
        scored = question.scorer is not None
        return EpisodeRecord(
            run_id=run_id,
            episode=plan.episode,
            seed=plan.seed,
            game=self.name,
            seats=plan.seats,
            status=status,
            winner=None,
            returns=None,
            forfeit=None,
            move_limit=False,
            turns=1,
            moves=(),
            duration_s=perf_counter() - started,
            error=error,
            prompt=question.item.name,
            group=question.item.group,
            expected=question.expected,
            scores=tuple(turn.score for turn in turns) if scored else None,
            answers=tuple(turn.answer for turn in turns) if scored else None,
            labels=_labels(turns),
        )

    async def _rate(self, plan: EpisodePlan, turn: PromptTurn, judge: Agent | None) -> None:
        verdict, question = turn.verdict, turn.question
        if verdict is None or verdict.score is not None or verdict.answer is None:
            return
        assert question.scorer is not None
        scored = await question.scorer.rate(
            Pending(
                plan=plan,
                seat=turn.seat,
                item=question.item,
                key=question.key,
                question=question.messages[-1]["content"],
                answer=verdict.answer,
                questions=judge.questions if isinstance(judge, PromptedAgent) else None,
            )
        )
        turn.set_score(scored)


def _ended(results: Sequence[Any]) -> tuple[Status, str | None]:
    """Return the status of an episode; raise whatever is neither an outage nor a spent budget."""
    status, error = Status.COMPLETED, None
    for result in results:
        if isinstance(result, BackendError):
            status, error = Status.ERROR, f"{result.kind}: {result.message}"
        elif isinstance(result, BudgetReached) and error is None:
            status, error = Status.BUDGET, str(result)
        elif isinstance(result, BaseException) and not isinstance(result, BudgetReached):
            raise result
    return status, error


def _labels(turns: Sequence[PromptTurn]) -> tuple[float | None, ...] | None:
    labels = tuple(None if turn.verdict is None else turn.verdict.label for turn in turns)
    return labels if any(label is not None for label in labels) else None
