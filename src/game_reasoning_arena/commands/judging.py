"""A model as judge of reasoning, asked through the same backends as players."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from game_reasoning_arena.analysis.statistics.reasoning import Judge, ModelJudge, judged
from game_reasoning_arena.backends.factory import default_backend_confs, make_backend
from game_reasoning_arena.catalog.catalog import Catalog
from game_reasoning_arena.errors import BackendError, ConfigProblems, Interrupted
from game_reasoning_arena.metering.budget import Totals
from game_reasoning_arena.metering.meter import Meter
from game_reasoning_arena.process.event_loop import run_coroutine
from game_reasoning_arena.process.secrets import Redactor
from game_reasoning_arena.records import Model

if TYPE_CHECKING:
    import pandas as pd

#: A passage with the keys of its place, as ``analysis.reasoning.passages`` gives them.
Passage = tuple[dict[str, Any], str]


def spread(passages: Sequence[Passage], most: int) -> list[Passage]:
    """Return at most ``most`` of the passages with any text, evenly over all of them."""
    written = [passage for passage in passages if passage[1].strip()]
    if len(written) <= most:
        return written
    return [written[i * len(written) // most] for i in range(most)]


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """The work of a judge.

    Attributes:
        judge: its name.
        answers: number of all answers of the runs.
        asked: number of those that it was to judge.
        verdicts: number of those that it judged.
        causes: reasons why the others have no verdict with their numbers, the most frequent first.
        totals: calls, and the answers' tokens and cost, as a run's; null where unknown.
    """

    judge: str
    answers: int
    asked: int
    verdicts: int
    causes: dict[str, int]
    totals: dict[str, Any]

    def sentences(self) -> list[str]:
        """Return a sentence on what was judged, and the use."""
        without = self.asked - self.verdicts
        text = f"{self.judge} judged {self.verdicts:,} of {self.answers:,} answers"
        if without:
            text += f"; {without:,} more without a verdict: {self.cause()}"
        return [text, self.used()]

    def cause(self) -> str:
        """Return the most frequent cause, and the number of others."""
        if not self.causes:
            return "no answer gives any reasons, so there is nothing to judge"
        (cause, count), *others = self.causes.items()
        more = f"; and {sum(n for _, n in others):,} for other causes" if others else ""
        return f"{cause} ({count:,} x){more}"

    def used(self) -> str:
        """Return calls, and the answers' tokens and cost, in a line."""
        totals = self.totals
        failed, cost = totals["failed_calls"], totals["cost_usd"]
        calls = f"{totals['calls'] + failed:,}" + (
            f" ({failed:,} failed, not in what follows)" if failed else ""
        )
        tokens = [totals[f"{kind}_tokens"] for kind in ("prompt", "completion")]
        into, out = ("unknown" if n is None else f"{n:,}" for n in tokens)
        money = "unknown" if cost is None else f"${cost:.4f}"
        if cost is None and totals["known_cost_usd"]:
            money += f" (known of it: ${totals['known_cost_usd']:.4f})"
        return f"judge's calls: {calls}, tokens: {into} in, {out} out, cost: {money}"

    def as_dict(self) -> dict[str, Any]:
        """Return the result for JSON."""
        return asdict(self)


def with_judge(
    words: pd.DataFrame, passages: Sequence[Passage], name: str, *, most: int
) -> tuple[pd.DataFrame, Judgement]:
    """Return the table of features with a column ``judge_...`` for each of the judge's labels.

    Args:
        words: one row per passage, in their order.
        passages: all of them; at most ``most`` are judged, and the rest has no labels.
        name: the judge's model.

    Returns:
        the table, and what was done.

    Raises:
        UserError: the model is not known, or could not be called.
    """
    numbered = [({"row": row}, text) for row, (_, text) in enumerate(passages)]
    chosen = spread(numbered, most)
    errors: list[str] = []
    totals = Totals()
    if chosen:
        labels, totals = judge_with_model(chosen, name)
        labels = labels.set_index("row")
        if "judge_error" in labels:
            errors = [str(error) for error in labels["judge_error"].dropna()]
        columns = {c: c if str(c).startswith("judge_") else f"judge_{c}" for c in labels.columns}
        words = words.join(labels.rename(columns=columns))
    return words, Judgement(
        judge=name,
        answers=len(passages),
        asked=len(chosen),
        verdicts=len(chosen) - len(errors),
        causes=dict(Counter(errors).most_common()),
        totals=totals.as_dict(),
    )


def judge_with_model(passages: Sequence[Passage], name: str) -> tuple[pd.DataFrame, Totals]:
    """Return the judge's labels beside the keys of each passage, and what they took.

    A call that fails leaves ``judge_error`` with its cause; the others are not lost. After one that
    all would share (a rejected key, an empty account, a dead engine) no more are made.

    Args:
        passages: what is judged.
        name: the judge's, as anywhere: ``litellm_openai/gpt-4o-mini``, ``vllm_X``, ``direct_...``.

    Raises:
        UserError: the model is not known, or could not be called, such as without its key.
    """
    catalog, confs = Catalog.load(), default_backend_confs()
    model = catalog.resolve(name, backends=confs)
    backend = make_backend(model.backend, confs[model.backend])
    if problems := backend.check([model]):
        raise ConfigProblems(problems)

    redactor = _redactor(model)
    meter = Meter(redact=redactor.redact)

    async def ask() -> pd.DataFrame:
        async with backend:
            await backend.start([model])
            judge = ModelJudge(asker=meter.wrap(backend), model=model)
            return await judged(passages, _patient(judge, redactor))

    return run_coroutine(ask()), meter.totals


def _redactor(model: Model) -> Redactor:
    provider = model.provider
    if provider is None:
        return Redactor()
    return Redactor([provider.api_key_env] if provider.api_key_env else [], [provider.api_base])


def _patient(judge: Judge, redactor: Redactor) -> Judge:
    async def ask(text: str) -> Mapping[str, Any]:
        try:
            return await judge(text)
        except BackendError as error:
            return {"judge_error": redactor.redact(f"{error.kind}: {error}")}
        except Interrupted as error:
            return {"judge_error": redactor.redact(f"not asked any more: {error}")}

    return ask
