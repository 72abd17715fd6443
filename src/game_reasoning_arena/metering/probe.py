"""One or two tiny calls per model before a run, so that a mistake costs one call and not a night.

A probe sends what the run will send (sampling, seed, extra fields, roles, the form of a
constraint), so that it also finds parameters that a provider refuses.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

from game_reasoning_arena.agents.base_agent import PlayerSpec
from game_reasoning_arena.errors import ArenaError, BackendError, BudgetReached
from game_reasoning_arena.metering.meter import Meter
from game_reasoning_arena.recording.mendable import FOR_THINKING
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
_DIGITS = "Reply with the word ready and ten random digits."
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
    model: Model,
    sampling: Sampling,
    *,
    system: bool = False,
    constrained: bool = False,
    digits: bool = False,
) -> Request:
    """Return a harmless question that any chat model can answer.

    Args:
        model: the model to ask.
        sampling: the parameters that the run will send.
        system: whether there is a system message, as in games.
        constrained: whether the answer is constrained, as with ``constrain_to_legal``.
        digits: whether to ask for random digits too, which depend on the seed.
    """
    wish = _DIGITS if digits else _WISH
    user = Message(role="user", content="Are you ready?" if system else wish)
    return Request(
        model=model,
        messages=(Message(role="system", content=wish), user) if system else (user,),
        sampling=sampling,
        seed=0 if sampling.seeded else None,
        key=CallKey(episode=-1),
        constraint=_READY if constrained else None,
    )


def probes_of(players: Sequence[PlayerSpec], *, in_game: bool) -> list[Request]:
    """Return one question for each different way in which the players ask their models.

    Args:
        players: all players with a model, judges included.
        in_game: whether they play a game, where a system message holds the rules.
    """
    probes: dict[Any, Request] = {}
    for player in players:
        if player.model is None:
            continue
        system = in_game or bool(player.options.get("system_prompt"))
        constrained = bool(player.options.get("constrain_to_legal"))
        how = {
            "system": system,
            "constrained": constrained,
            "digits": player.sampling.seeded
            and player.sampling.temperature != 0
            and not constrained,
        }
        probes.setdefault(
            (player.model.name, player.sampling, *how.values()),
            probe_request(player.model, player.sampling, **how),
        )
    return list(probes.values())


def probe_key(request: Request) -> str:
    """Return a short key of a probe: the model, and everything that could be refused."""
    asked = (request.model.name, request.messages, request.sampling, request.constraint)
    return hashlib.sha256(repr(asked).encode()).hexdigest()[:16]


class Claims(Protocol):
    """Assigns probes, so that each is asked only once in a run or sweep."""

    def claim(self, question: str) -> bool:
        """Return whether the caller is to ask this probe: nobody has (see :func:`probe_key`)."""

    def release(self, question: str) -> None:
        """Let others ask this probe, as it was not answered."""


class RunClaims:
    """The probes that one run has asked.

    Args:
        known: probes that were answered in an earlier sitting.
    """

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._known = set(known)

    def claim(self, question: str) -> bool:
        """Return whether the probe was not asked before."""
        fresh = question not in self._known
        self._known.add(question)
        return fresh

    def release(self, question: str) -> None:
        """Forget the probe."""
        self._known.discard(question)


async def probe(
    requests: Sequence[Request], askers: Mapping[str, Asker], meter: Meter, claims: Claims
) -> list[ProbeRecord]:
    """Ask all questions at the same time, except those asked before.

    Answered random ones are asked again: a second answer to one question with one seed shows
    whether the seed is ignored.

    Returns:
        Each model's answer and the findings, for ``run.json``; the calls count in the run's totals.

    Raises:
        ProbeFailed: names every model that did not answer, with the provider's message.
    """

    async def one(request: Request) -> list[ProbeRecord] | str:
        model, question = request.model, probe_key(request)
        asker = meter.wrap(askers[model.backend])
        try:
            replies = [await asker.complete(request)]
            if _is_random(request) and replies[0].text.strip():
                with suppress(BackendError, BudgetReached):
                    replies.append(await asker.complete(request))
        except BaseException as error:
            claims.release(question)
            if not isinstance(error, BackendError):
                raise
            text = str(error)
            return text if text.startswith(model.name) else f"{model.name}: {text}"
        findings = tuple(learned(request, *replies))
        return [
            _record(request, reply, findings if not n else ()) for n, reply in enumerate(replies)
        ]

    fresh = [request for request in requests if claims.claim(probe_key(request))]
    answers = await asyncio.gather(*map(one, fresh))
    failed = list(dict.fromkeys(text for text in answers if isinstance(text, str)))
    if failed:
        raise ProbeFailed(
            "The probe before the run failed, so nothing was played:\n  "
            + "\n  ".join(failed)
            + "\nCorrect the name, the key, the quota or the parameter, or skip the probe with "
            "probe=false."
        )
    return [record for records in answers if not isinstance(records, str) for record in records]


def _record(request: Request, reply: Reply, findings: tuple[str, ...]) -> ProbeRecord:
    kept = {name: getattr(reply, name) for name in _KEPT}
    model, question = request.model.name, probe_key(request)
    return ProbeRecord(model=model, question=question, text=reply.text, learned=findings, **kept)


def learned(request: Request, first: Reply, second: Reply | None = None) -> list[str]:
    """Return the findings of a probe that a user should know before money is spent."""
    model, limit = request.model, request.sampling.max_tokens
    found = []
    thought = bool(first.reasoning or first.reasoning_tokens)
    if thought or (not first.text.strip() and first.finish_reason == "length"):
        room = (
            f", which is little: sampling.max_tokens={FOR_THINKING} leaves room"
            if limit is not None and limit < FOR_THINKING // 2
            else ""
        )
        found.append(f"thinks before it answers; that counts towards max_tokens={limit}{room}")
    if first.dropped:
        found.append(f"takes no {' and no '.join(first.dropped)}: left out of what is sent")
    elif request.seed is not None and first.sent and "seed" not in first.sent:
        found.append("takes no seed: none is sent")
    elif second is not None and second.text != first.text:
        found.append("ignores the seed: one question with one seed had two different answers")
    if first.served_model and not _same_model(first.served_model, model.model_id):
        found.append(f"is served as {first.served_model}")
    return found


def learned_by(probes: Sequence[ProbeRecord]) -> list[str]:
    """Return the findings about all models, one sentence each."""
    lines = [
        f"{findings.model}: {'; '.join(findings.learned)}."
        for findings in probes
        if findings.learned
    ]
    return list(dict.fromkeys(lines))


def _is_random(request: Request) -> bool:
    return any(message["content"] == _DIGITS for message in request.messages)


def _same_model(served: str, asked: str) -> bool:
    """Return whether a served name is the requested one, up to a date or a maker."""
    mine, theirs = asked.lower().rpartition("/")[2], served.lower().rpartition("/")[2]
    return theirs.startswith(mine) or served.lower() == asked.lower()


#: Fields of a probe's reply that are kept.
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
    """Return a probe's reply from what ``run.json`` holds of it."""
    return Reply(text=probe.text or "", **{name: getattr(probe, name) for name in _KEPT})
