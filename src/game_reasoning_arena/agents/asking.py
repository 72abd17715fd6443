"""Ask a model once and record the result: one record per attempt and sample."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from game_reasoning_arena.agents.base_agent import PlayerSpec, Recorder
from game_reasoning_arena.agents.randomness import Purpose, derive
from game_reasoning_arena.errors import BackendError, ContextOverflowError, UserError
from game_reasoning_arena.process.profiling import part
from game_reasoning_arena.records import (
    Asker,
    CallKey,
    Constraint,
    EpisodePlan,
    Message,
    Outcome,
    Reply,
    Request,
    ResponseRecord,
)

#: End of ``scored_as`` while the score is still to come, as from a judge.
PENDING = "pending"


class Verdict(Struct, frozen=True):
    """The reading of an answer.

    ``visible`` is the text without reasoning tags, ``answer`` the declared answer as written (None
    where there is none), ``form`` how it was read, ``fits`` the names of the legal moves that an
    ambiguous answer names. For prompts with right answers, ``score`` is the answer's score (0 to
    1), ``scored_as`` the rule that gave it, ``answer_text`` the answer in its plainest form, and
    ``label`` another scorer's score, with which a judge's is compared.
    """

    outcome: Outcome
    action: int | None = None
    action_text: str | None = None
    form: str | None = None
    answer: str | None = None
    fits: tuple[str, ...] = ()
    reasoning: str | None = None
    visible: str = ""
    score: float | None = None
    scored_as: str | None = None
    answer_text: str | None = None
    label: float | None = None


_NO_VERDICT = Verdict(Outcome.EMPTY)

#: Reads a reply; must not raise.
Judge = Callable[[Reply], Verdict]


class Questions:
    """The one place that sends a player's questions to the model and records the answers."""

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

        A prompt that is too long is an outcome; any other BackendError is recorded without one and
        raised. BudgetReached and Interrupted leave no record, since nothing was answered.
        """
        request = Request(
            model=self.model,
            messages=messages,
            sampling=self.spec.sampling,
            seed=self._seed_of(key) if self.spec.sampling.seeded else None,
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

    def _seed_of(self, key: CallKey) -> int:
        call = (key.episode, key.seat, key.turn, key.attempt, key.sample)
        return derive(self._seed, Purpose.REQUEST, *call, bits=31)

    def _write(
        self,
        plan: EpisodePlan,
        request: Request,
        verdict: Verdict | None,
        reply: Reply | None,
        error: BackendError | None,
    ) -> None:
        key = request.key
        judged = verdict or _NO_VERDICT
        known = reply if reply is not None else _of_failure(error)
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
                reasoning=judged.reasoning,
                outcome=None if verdict is None else verdict.outcome,
                action=judged.action,
                action_text=judged.action_text,
                parse_form=judged.form,
                finish_reason=known.finish_reason,
                started_at=known.started_at,
                latency_s=known.latency_s,
                ttft_s=known.ttft_s,
                decode_s=known.decode_s,
                queue_s=known.queue_s,
                client_s=known.client_s,
                retries=known.retries,
                prompt_tokens=known.prompt_tokens,
                completion_tokens=known.completion_tokens,
                reasoning_tokens=known.reasoning_tokens,
                cached_tokens=known.cached_tokens,
                cost_usd=known.cost_usd,
                requested=request.sampling.as_dict(),
                sent=known.sent,
                dropped=known.dropped,
                constrained=request.constraint is not None,
                served_model=known.served_model,
                error=None
                if error is None
                else {"kind": error.kind, "message": error.message, "status": error.status},
                from_cache=known.from_cache,
                score=judged.score,
                scored_as=judged.scored_as,
                answer_text=judged.answer_text,
                label=judged.label,
                details=known.details,
            )
        )


def _of_failure(error: BackendError | None) -> Reply:
    """Return the times, retries and sent parameters of a call without an answer."""
    if error is None:
        return Reply(text="")
    return Reply(text="", retries=error.retries, sent=error.sent, **error.timing)
