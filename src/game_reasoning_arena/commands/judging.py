"""A model as judge of reasoning, asked through the same backends as players are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from game_reasoning_arena.analysis.reasoning import Judge, ModelJudge, judged
from game_reasoning_arena.backends.factory import default_backend_confs, make_backend
from game_reasoning_arena.catalog import Catalog
from game_reasoning_arena.errors import BackendError, ConfigProblems
from game_reasoning_arena.event_loop import run_coroutine

if TYPE_CHECKING:
    import pandas as pd

#: A passage with the keys that say whose it is, as ``analysis.reasoning.passages`` gives them.
Passage = tuple[dict[str, Any], str]


def spread(passages: Sequence[Passage], most: int) -> list[Passage]:
    """At most ``most`` of the passages with any text, evenly over all of them."""
    written = [passage for passage in passages if passage[1].strip()]
    if len(written) <= most:
        return written
    return [written[i * len(written) // most] for i in range(most)]


def with_judge(
    words: pd.DataFrame, passages: Sequence[Passage], name: str, *, most: int
) -> tuple[pd.DataFrame, str, bool]:
    """The table of features with a column ``judge_...`` for each of the judge's labels.

    Args:
        words: one row per passage, in their order.
        passages: all of them; at most ``most`` are judged, and the rest has no labels.
        name: the judge's model.

    Returns:
        the table, a sentence on what was done, and whether there is a verdict at all.

    Raises:
        UserError: the model is not known, or could not be called.
    """
    numbered = [({"row": row}, text) for row, (_, text) in enumerate(passages)]
    chosen = spread(numbered, most)
    if not chosen:
        return words, f"{name}: no answer gives any reasons, so there is nothing to judge.", True
    labels = judge_with_model(chosen, name).set_index("row")
    told = f"{name} judged {len(chosen):,} of {len(passages):,} answers"
    good = len(labels)
    if "judge_error" in labels:
        errors = labels["judge_error"].dropna()
        good -= len(errors)
        told += f"; {len(errors):,} without a verdict, such as: {errors.iloc[0]}"
    columns = {c: c if str(c).startswith("judge_") else f"judge_{c}" for c in labels.columns}
    return words.join(labels.rename(columns=columns)), told, good > 0


def judge_with_model(
    passages: Sequence[Passage], name: str, *, files: Sequence[Path] = ()
) -> pd.DataFrame:
    """The judge's labels beside the keys of each passage.

    A call that fails leaves ``judge_error`` with its cause; the others are not lost.

    Args:
        passages: what is judged.
        name: the judge's, as anywhere: ``litellm_openai/gpt-4o-mini``, ``vllm_X``, ``direct_...``.
        files: further lists of models and providers.

    Raises:
        UserError: the model is not known, or could not be called, such as without its key.
    """
    catalog, confs = Catalog.load(files=files), default_backend_confs()
    model = catalog.resolve(name, backends=confs)
    backend = make_backend(model.backend, confs[model.backend])
    if problems := backend.check([model]):
        raise ConfigProblems(problems)

    async def ask() -> pd.DataFrame:
        async with backend:
            await backend.start([model])
            return await judged(passages, _patient(ModelJudge(asker=backend, model=model)))

    return run_coroutine(ask())


def _patient(judge: Judge) -> Judge:
    async def ask(text: str) -> Mapping[str, Any]:
        try:
            return await judge(text)
        except BackendError as error:
            return {"judge_error": f"{error.kind}: {error}"}

    return ask
