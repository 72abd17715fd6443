"""One tiny call per model before a run, so that what is wrong costs one call and not a night.

A probe sends what the run will send (sampling, seed, extra fields, roles, the form of a
constraint), so that a parameter which a provider refuses is found by it too.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from game_reasoning_arena.agents.base_agent import PlayerSpec
from game_reasoning_arena.errors import ArenaError, BackendError
from game_reasoning_arena.metering.meter import Meter
from game_reasoning_arena.recording.run_record import ProbeRecord
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


def probe_key(request: Request) -> str:
    """Return a short name of what a probe asks: the model, and everything that could be refused."""
    asked = (request.model.name, request.messages, request.sampling, request.constraint)
    return hashlib.sha256(repr(asked).encode()).hexdigest()[:16]


class Claims(Protocol):
    """Who asks which probe, so that nobody does it twice in a run or sweep."""

    def claim(self, question: str) -> bool:
        """Return whether the caller is to ask this: nobody did before (:func:`probe_key`)."""

    def release(self, question: str) -> None:
        """Let others ask it, for it was not answered."""


class RunClaims:
    """The questions that one run has asked as probes.

    Args:
        known: those that answered in an earlier sitting.
    """

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._known = set(known)

    def claim(self, question: str) -> bool:
        """Return whether it was not asked before."""
        fresh = question not in self._known
        self._known.add(question)
        return fresh

    def release(self, question: str) -> None:
        """Forget it."""
        self._known.discard(question)


async def probe(
    requests: Sequence[Request], askers: Mapping[str, Asker], meter: Meter, claims: Claims
) -> list[ProbeRecord]:
    """Ask every question once, all at the same time, unless it was asked before.

    Returns:
        What each model answered, for ``run.json``; the calls count in the run's totals.

    Raises:
        ProbeFailed: names every model that did not answer, with the provider's words.
    """

    async def one(request: Request) -> ProbeRecord | str:
        model, question = request.model, probe_key(request)
        try:
            reply = await meter.over(askers[model.backend]).complete(request)
        except BaseException as error:
            claims.release(question)
            if not isinstance(error, BackendError):
                raise
            text = str(error)
            return text if text.startswith(model.name) else f"{model.name}: {text}"
        kept = {name: getattr(reply, name) for name in _KEPT}
        return ProbeRecord(model=model.name, question=question, text=reply.text, **kept)

    fresh = [request for request in requests if claims.claim(probe_key(request))]
    answers = await asyncio.gather(*map(one, fresh))
    failed = list(dict.fromkeys(text for text in answers if isinstance(text, str)))
    if failed:
        raise ProbeFailed(
            "The probe before the run failed, so nothing was played:\n  "
            + "\n  ".join(failed)
            + "\nMend the name, the key, the quota or the parameter, or skip the probe with "
            "probe=false."
        )
    return [answer for answer in answers if not isinstance(answer, str)]


#: What is kept of a probe's reply.
_KEPT = (
    "started_at",
    "latency_s",
    "retries",
    "prompt_tokens",
    "completion_tokens",
    "cost_usd",
    "served_model",
)


def probe_reply(probe: ProbeRecord) -> Reply:
    """Return a probe's reply from what ``run.json`` keeps of it."""
    return Reply(text=probe.text or "", **{name: getattr(probe, name) for name in _KEPT})
