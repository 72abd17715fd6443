"""One tiny call per model before a run, so that what is wrong costs one call and not a night.

A probe sends what the run will send (sampling, seed, extra fields, roles, the form of a
constraint), so that a parameter which a provider refuses is found by it too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from game_reasoning_arena.agents.base_agent import PlayerSpec
from game_reasoning_arena.errors import ArenaError, BackendError
from game_reasoning_arena.metering.meter import Meter
from game_reasoning_arena.records import (
    Asker,
    CallKey,
    Constraint,
    Message,
    Model,
    Reply,
    Request,
    Sampling,
)

_WISH = "Reply with the word ready."
_READY = Constraint(
    choices=("ready",),
    json_schema={
        "type": "object",
        "properties": {"action": {"type": "string", "enum": ["ready"]}},
        "required": ["action"],
        "additionalProperties": False,
    },
)


class ProbeFailed(ArenaError):
    """A model did not answer before the run; nothing was played."""


def probe_request(
    model: Model, sampling: Sampling, *, system: bool = False, constrained: bool = False
) -> Request:
    """Return a harmless question that any chat model can answer.

    Args:
        model: who is asked.
        sampling: the parameters that the run will send.
        system: whether there is a system message, as in games.
        constrained: whether the answer is constrained, as with ``constrain_to_legal``.
    """
    user = Message(role="user", content="Are you ready?" if system else _WISH)
    return Request(
        model=model,
        messages=(Message(role="system", content=_WISH), user) if system else (user,),
        sampling=sampling,
        seed=0 if sampling.seeded else None,
        key=CallKey(episode=-1),
        constraint=_READY if constrained else None,
    )


def probes_of(players: Sequence[PlayerSpec], *, in_game: bool) -> list[Request]:
    """Return one question for each different way in which the players ask their models.

    Args:
        players: all who are asked, judges too.
        in_game: whether they play a game, where a system message tells the rules.
    """
    probes: dict[Any, Request] = {}
    for player in players:
        if player.model is None:
            continue
        system = in_game or bool(player.options.get("system_prompt"))
        constrained = bool(player.options.get("constrain_to_legal"))
        probes.setdefault(
            (player.model.name, player.sampling, system, constrained),
            probe_request(player.model, player.sampling, system=system, constrained=constrained),
        )
    return list(probes.values())


async def probe(
    requests: Sequence[Request], askers: Mapping[str, Asker], meter: Meter
) -> list[dict[str, Any]]:
    """Ask every question once, all at the same time.

    Returns:
        What each model said, for ``run.json``; the calls count in the run's totals.

    Raises:
        ProbeFailed: names every model that did not answer, with the provider's words.
    """

    async def one(request: Request) -> dict[str, Any] | str:
        model = request.model
        try:
            reply = await meter.over(askers[model.backend]).complete(request)
        except BackendError as error:
            said = str(error)
            return said if said.startswith(model.name) else f"{model.name}: {said}"
        return {
            "model": model.name,
            "text": reply.text,
            **{name: getattr(reply, name) for name in _TOLD},
        }

    said = await asyncio.gather(*map(one, requests))
    failed = list(dict.fromkeys(text for text in said if isinstance(text, str)))
    if failed:
        raise ProbeFailed(
            "The probe before the run failed, so nothing was played:\n  "
            + "\n  ".join(failed)
            + "\nMend the name, the key, the quota or the parameter, or skip the probe with "
            "probe=false."
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
