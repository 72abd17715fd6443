"""Asking a model once, and writing down what came of it: one record per attempt and sample."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from game_reasoning_arena.agents.base_agent import Asker, PlayerSpec, Recorder
from game_reasoning_arena.agents.randomness import Purpose, derive
from game_reasoning_arena.errors import BackendError, ContextOverflowError, UserError
from game_reasoning_arena.profiling import part
from game_reasoning_arena.records import (
    CallKey,
    Constraint,
    EpisodePlan,
    Message,
    Outcome,
    Reply,
    Request,
    ResponseRecord,
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer was.

    ``said`` is the visible text without reasoning tags, ``answer`` the declared answer as written
    (None where there is none), ``form`` how it was read.
    """

    outcome: Outcome
    action: int | None = None
    action_text: str | None = None
    form: str | None = None
    answer: str | None = None
    reasoning: str | None = None
    said: str = ""


#: Judges a reply; must not raise.
Judge = Callable[[Reply], Verdict]


class Questions:
    """The one place where a player's questions leave for the model and their records are made."""

    def __init__(
        self, spec: PlayerSpec, *, asker: Asker, record: Recorder, run_id: str, seed: int
    ) -> None:
        if spec.model is None:
            raise UserError(f"agents.{spec.name} is a language model but has no model to ask.")
        self.spec = spec
        self.model = spec.model
        self._asker = asker
        self._record = record
        self._run_id = run_id
        self._seed = seed

    async def ask(
        self,
        plan: EpisodePlan,
        key: CallKey,
        messages: tuple[Message, ...],
        judge: Judge,
        constraint: Constraint | None = None,
    ) -> Verdict:
        """Ask once.

        A prompt that does not fit is an outcome; any other BackendError is recorded without one
        and raised. BudgetReached and Interrupted pass without a record: nothing was answered.
        """
        request = Request(
            model=self.model,
            messages=messages,
            sampling=self.spec.sampling,
            seed=derive(
                self._seed,
                Purpose.REQUEST,
                key.episode,
                key.seat,
                key.turn,
                key.attempt,
                key.sample,
                bits=31,
            ),
            key=key,
            constraint=constraint,
        )
        try:
            reply = await self._asker.complete(request)
        except ContextOverflowError as error:
            verdict = Verdict(Outcome.CONTEXT_OVERFLOW)
            self._write(plan, request, verdict, None, error)
            return verdict
        except BackendError as error:
            self._write(plan, request, None, None, error)
            raise
        with part("parse"):
            verdict = judge(reply)
        self._write(plan, request, verdict, reply, None)
        return verdict

    def _write(
        self,
        plan: EpisodePlan,
        request: Request,
        verdict: Verdict | None,
        reply: Reply | None,
        error: BackendError | None,
    ) -> None:
        key = request.key
        timing: dict[str, Any] = error.timing if error is not None else {}

        def measured(name: str) -> Any:
            return getattr(reply, name) if reply is not None else timing.get(name)

        self._record(
            ResponseRecord(
                run_id=self._run_id,
                episode=key.episode,
                seed=plan.seed,
                seat=key.seat,
                player=self.spec.name,
                turn=key.turn,
                attempt=key.attempt,
                sample=key.sample,
                model=self.model.name,
                backend=self.model.backend,
                provider=self.model.provider.name if self.model.provider else None,
                messages=request.messages,
                text=reply.text if reply is not None else None,
                reasoning=verdict.reasoning if verdict is not None else None,
                outcome=verdict.outcome if verdict is not None else None,
                action=verdict.action if verdict is not None else None,
                action_text=verdict.action_text if verdict is not None else None,
                parse_form=verdict.form if verdict is not None else None,
                finish_reason=measured("finish_reason"),
                started_at=measured("started_at"),
                latency_s=measured("latency_s"),
                ttft_s=measured("ttft_s"),
                decode_s=measured("decode_s"),
                queue_s=measured("queue_s"),
                client_s=measured("client_s"),
                retries=reply.retries if reply is not None else (error.retries if error else 0),
                prompt_tokens=measured("prompt_tokens"),
                completion_tokens=measured("completion_tokens"),
                reasoning_tokens=measured("reasoning_tokens"),
                cached_tokens=measured("cached_tokens"),
                cost_usd=measured("cost_usd"),
                requested=request.sampling.as_dict(),
                sent=dict(reply.sent) if reply is not None else {},
                dropped=reply.dropped if reply is not None else (),
                constrained=request.constraint is not None,
                served_model=measured("served_model"),
                error=None
                if error is None
                else {"kind": error.kind, "message": error.message, "status": error.status},
                from_cache=reply.from_cache if reply is not None else False,
            )
        )
