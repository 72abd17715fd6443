"""One tiny call per model before a run, so that a wrong name costs one call and not a night."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from game_reasoning_arena.errors import ArenaError, BackendError
from game_reasoning_arena.metering.meter import Meter
from game_reasoning_arena.records import Asker, CallKey, Message, Model, Reply, Request, Sampling

PROBE_TOKENS = 16


class ProbeFailed(ArenaError):
    """A model did not answer before the run; nothing was played."""


def probe_request(model: Model) -> Request:
    """A harmless question that any chat model can answer."""
    return Request(
        model=model,
        messages=(Message(role="user", content="Reply with the word ready."),),
        sampling=Sampling(max_tokens=PROBE_TOKENS),
        key=CallKey(episode=-1),
    )


async def probe_models(
    models: Sequence[Model], askers: Mapping[str, Asker], meter: Meter
) -> list[dict[str, Any]]:
    """Ask every distinct model once, all at the same time.

    Returns:
        What each said, for ``run.json``; the calls count in the run's totals.

    Raises:
        ProbeFailed: names every model that did not answer, with the provider's words.
    """

    async def one(model: Model) -> dict[str, Any] | str:
        try:
            reply = await meter.over(askers[model.backend]).complete(probe_request(model))
        except BackendError as error:
            said = str(error)
            return said if said.startswith(model.name) else f"{model.name}: {said}"
        return {
            "model": model.name,
            "text": reply.text,
            **{name: getattr(reply, name) for name in _TOLD},
        }

    said = await asyncio.gather(*map(one, models))
    failed = [text for text in said if isinstance(text, str)]
    if failed:
        raise ProbeFailed(
            "The probe before the run failed, so nothing was played:\n  "
            + "\n  ".join(failed)
            + "\nMend the name, the key or the quota, or skip the probe with probe=false."
        )
    return [answer for answer in said if not isinstance(answer, str)]


#: What is kept of a probe's reply.
_TOLD = (
    "started_at",
    "latency_s",
    "retries",
    "prompt_tokens",
    "completion_tokens",
    "cost_usd",
    "served_model",
)


def probe_reply(told: Mapping[str, Any]) -> Reply:
    """A probe's reply, from what ``run.json`` tells of it."""
    said = {name: told[name] for name in _TOLD if name in told}
    return Reply(text=told.get("text") or "", **said)
